//! The command line. Data goes to standard output, talk to standard error; exit codes are in [`exit`].

mod client;
pub mod exit;
mod policy;
mod show;
mod text;
mod up;
mod verify;
mod watch;

pub use watch::{Held, Misfit};

use clap::{Args, Parser, Subcommand};
use client::Client;
use exit::Exit;
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

pub const URL_DEFAULT: &str = "http://127.0.0.1:8420";

/// Sets the points while the trains are moving: a control plane for continuous training.
#[derive(Parser, Debug)]
#[command(name = "pointsman", version, about, arg_required_else_help = true, max_term_width = 110)]
struct Cli {
    /// Where the host is.
    #[arg(long, global = true, env = "POINTSMAN_URL", default_value = URL_DEFAULT)]
    url: String,
    /// Answer with JSON on standard output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Start the host and its page.
    Up(UpOptions),
    /// Tell what happens, line by line, until Ctrl+C.
    Watch,
    /// One look at everything.
    Status,
    /// What waits to be trained on.
    #[command(subcommand)]
    Queue(Queue),
    /// Runs, newest first.
    Jobs(Jobs),
    /// One run: its curve's end, its log's end.
    Job {
        id: u64,
        /// The whole log, byte for byte.
        #[arg(long)]
        log: bool,
    },
    /// End a run.
    Cancel {
        id: u64,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Policies: what decides.
    #[command(subcommand)]
    Policy(Policy),
    /// Models, and which one was live when.
    Models {
        #[command(subcommand)]
        action: Option<Models>,
    },
    /// Let the automatic loop pick, or stop it.
    #[command(subcommand)]
    Train(Train),
    /// Live settings.
    Settings {
        /// Changes, such as promotion_window=5. Without any, the settings are shown.
        #[arg(value_name = "NAME=VALUE")]
        changes: Vec<String>,
    },
    /// Ask the live model to go on with a text.
    Complete {
        prompt: String,
        #[arg(long, default_value_t = 120)]
        max_tokens: u32,
        #[arg(long, default_value_t = 0.7)]
        temperature: f64,
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Decisions, newest first.
    Decisions {
        #[arg(long)]
        kind: Option<String>,
        #[arg(long, default_value_t = 30)]
        limit: u32,
    },
    /// One decision with everything that it was made from.
    Decision { id: u64 },
    /// Check the journal's chain and views. Needs no running host.
    Verify {
        #[arg(long, env = "POINTSMAN_DATA", default_value = "pointsman-data")]
        data: PathBuf,
    },
    #[command(hide = true)]
    Trainer,
    #[command(hide = true)]
    Supervise { directory: PathBuf },
}

#[derive(Args, Debug, Clone)]
pub struct UpOptions {
    /// Where journal, models and logs are kept.
    #[arg(long, env = "POINTSMAN_DATA", default_value = "pointsman-data")]
    pub data: PathBuf,
    /// Address of API and page: loopback only.
    #[arg(long, env = "POINTSMAN_LISTEN", default_value = "127.0.0.1:8420")]
    pub listen: SocketAddr,
    /// Directory that is watched: a policy saved there goes live. Default: ./policies, where there is one.
    #[arg(long, env = "POINTSMAN_POLICIES")]
    pub policies: Option<PathBuf>,
    /// A small set of sources and quick settings: the whole loop in about two minutes.
    #[arg(long)]
    pub demo: bool,
    #[command(flatten)]
    pub(crate) ceilings: policy::Ceilings,
}

#[derive(Subcommand, Debug)]
enum Queue {
    /// Put a source into the queue.
    Add {
        #[arg(long)]
        title: String,
        #[arg(long)]
        host: Option<String>,
        /// The text to train on; without one, the host's own corpus.
        #[arg(long, conflicts_with = "file")]
        body: Option<String>,
        #[arg(long)]
        file: Option<PathBuf>,
        #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
        priority: i32,
    },
    List {
        #[arg(long)]
        status: Option<String>,
        #[arg(long, default_value_t = 30)]
        limit: u32,
    },
}

#[derive(Args, Debug)]
struct Jobs {
    #[arg(long)]
    status: Option<String>,
    #[arg(long, default_value_t = 30)]
    limit: u32,
}

#[derive(Subcommand, Debug)]
enum Policy {
    /// What is active for each kind.
    List,
    #[command(flatten)]
    Author(policy::Author),
    /// Make a file the active version of its kind.
    Activate {
        file: PathBuf,
        #[arg(long)]
        settings: Option<PathBuf>,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Back to the version before.
    Rollback {
        kind: String,
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Subcommand, Debug)]
enum Models {
    List,
    /// Back to the model live before.
    Rollback {
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Let a held candidate go on.
    Approve {
        tag: String,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Turn a held candidate down.
    Reject {
        tag: String,
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Subcommand, Debug)]
enum Train {
    Start {
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// No new runs; those under way end by themselves.
    Stop {
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// The program.
pub fn main() -> ExitCode {
    // A reader that closes the pipe (`| head`) ends us quietly, as it does other programs.
    // SAFETY: called first, before any thread is started; SIGPIPE's default action needs no handler.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
    let cli = Cli::parse();
    let json = cli.json;
    match run(cli) {
        Ok(code) => code,
        Err(exit) => {
            if json && let Some(problem) = &exit.problem {
                println!("{}", json!(problem));
            }
            eprintln!("pointsman: {}", exit.message);
            exit.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Exit> {
    let Cli { url, json, command } = cli;
    let client = Client::new(&url);
    let done = |result: Result<(), Exit>| result.map(|()| ExitCode::SUCCESS);
    match command {
        Command::Up(options) => up::up(options, json),
        Command::Watch => watch::watch(&url, json),
        Command::Status => done(show::status(&client, json)),
        Command::Queue(Queue::Add {
            title,
            host,
            body,
            file,
            priority,
        }) => {
            let body = match (body, file) {
                (Some(body), _) => body,
                (None, Some(file)) => {
                    std::fs::read_to_string(&file).map_err(|error| Exit::failed(format!("{} cannot be read: {error}", file.display())))?
                }
                (None, None) => String::new(),
            };
            done(show::queue_add(
                &client,
                json,
                json!({ "title": title, "host": host, "body": body, "priority": priority }),
            ))
        }
        Command::Queue(Queue::List { status, limit }) => done(show::queue_list(&client, json, status.as_deref(), limit)),
        Command::Jobs(Jobs { status, limit }) => done(show::jobs(&client, json, status.as_deref(), limit)),
        Command::Job { id, log: true } => done(show::job_log(&client, id)),
        Command::Job { id, log: false } => done(show::job(&client, json, id)),
        Command::Cancel { id, reason } => done(show::post(
            &client,
            json,
            &format!("/api/v1/jobs/{id}/cancel"),
            &reason,
            &format!("run {id} is being ended"),
        )),
        Command::Policy(Policy::List) => done(policy::list(&client, json)),
        Command::Policy(Policy::Author(author)) => policy::author(json, author),
        Command::Policy(Policy::Activate { file, settings, reason }) => {
            policy::activate(&client, json, &file, settings.as_deref(), &reason)
        }
        Command::Policy(Policy::Rollback { kind, reason }) => {
            let path = format!("/api/v1/policies/{}/rollback", client::url_encoded(&kind));
            done(show::post(
                &client,
                json,
                &path,
                &reason,
                &format!("{kind} is back at the version before"),
            ))
        }
        Command::Models {
            action: None | Some(Models::List),
        } => done(show::models(&client, json)),
        Command::Models {
            action: Some(Models::Rollback { reason }),
        } => done(show::post(
            &client,
            json,
            "/api/v1/models/rollback",
            &reason,
            "the model before is live again",
        )),
        Command::Models {
            action: Some(Models::Approve { tag, reason }),
        } => {
            let path = format!("/api/v1/models/{}/approve", client::url_encoded(&tag));
            done(show::post(&client, json, &path, &reason, &format!("{tag} goes on")))
        }
        Command::Models {
            action: Some(Models::Reject { tag, reason }),
        } => {
            let path = format!("/api/v1/models/{}/reject", client::url_encoded(&tag));
            done(show::post(&client, json, &path, &reason, &format!("{tag} is turned down")))
        }
        Command::Train(Train::Start { reason }) => done(show::post(&client, json, "/api/v1/training/start", &reason, "training is on")),
        Command::Train(Train::Stop { reason }) => done(show::post(
            &client,
            json,
            "/api/v1/training/stop",
            &reason,
            "training is off; runs under way end by themselves",
        )),
        Command::Settings { changes } => done(show::settings(&client, json, &changes)),
        Command::Complete {
            prompt,
            max_tokens,
            temperature,
            seed,
        } => done(show::complete(
            &client,
            json,
            json!({ "prompt": prompt, "max_tokens": max_tokens, "temperature": temperature, "seed": seed }),
        )),
        Command::Decisions { kind, limit } => done(show::decisions(&client, json, kind.as_deref(), limit)),
        Command::Decision { id } => done(show::decision(&client, json, id)),
        Command::Verify { data } => verify::verify(json, &data),
        Command::Trainer => Ok(pointsman_trainer::main_from_env()),
        Command::Supervise { directory } => Ok(up::supervise(&directory)),
    }
}
