//! The command line. Data goes to standard output, talk to standard error; exit codes are in [`exit`].

mod client;
pub mod exit;
mod junit;
mod policy;
mod progress;
mod promotion;
mod queue;
mod settings;
mod show;
mod sign;
mod simulate;
mod swap;
mod text;
mod up;
mod verify;
mod versions;
mod watch;

pub use watch::{Held, Misfit};

use clap::{Args, Parser, Subcommand};
use client::Client;
use exit::Exit;
use pointsman_model::policy::PolicyKind;
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
    Queue(queue::Queue),
    /// Many sources of one definition.
    #[command(subcommand)]
    Campaign(queue::Campaign),
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
    /// The way of successes into service, and a person's word on it.
    #[command(subcommand)]
    Promotion(promotion::Order),
    /// Let the automatic loop pick, or stop it.
    #[command(subcommand)]
    Train(Train),
    /// Live settings: shown, changed, undone, kept as presets.
    Settings(settings::Settings),
    /// What a field of the API or a setting means. Needs no host.
    Explain {
        /// A field (live_applies, Totals.live_applies), a setting, or a type; all of them where none is named.
        name: Option<String>,
    },
    /// Whether the host works, part by part. Exit code 3 where a part is down.
    Health,
    /// Whether settings took effect and training goes on.
    Snapshot,
    /// What has become better since a position of the journal.
    Evidence {
        /// Such as the seq of a view that was read before; 0 for everything.
        #[arg(long, default_value_t = 0)]
        since: u64,
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
    /// What policies would do over hours and days: the real coordinator and policies, a modelled trainer. Needs no host.
    Simulate(simulate::Simulate),
    /// Check the journal's chain and views. Needs no running host.
    Verify {
        #[arg(long, env = "POINTSMAN_DATA", default_value = "pointsman-data")]
        data: PathBuf,
    },
    #[command(hide = true)]
    Trainer,
    /// Compile a component from standard input: started by a host, within limits.
    #[command(hide = true)]
    Compile,
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
    /// Refuse policies that are not signed by a trusted key.
    #[arg(long)]
    pub require_signatures: bool,
    /// Directory of the public keys that are trusted. Default: trusted-keys in the data directory.
    #[arg(long, value_name = "DIR")]
    pub trusted_keys: Option<PathBuf>,
    /// You vouch for every script that is activated here: scripts run natively, outside the sandbox.
    #[arg(long, env = "POINTSMAN_TRUST_SCRIPTS")]
    pub trust_scripts: bool,
    /// Kinds, by commas: components activated for them may answer live decisions from an instance that has decided before.
    /// Many times cheaper for small decisions, but such a policy can remember what it should not.
    #[arg(long, env = "POINTSMAN_WARM", value_name = "KINDS", value_delimiter = ',', value_parser = policy::parse_kind)]
    pub warm: Vec<PolicyKind>,
    /// Most runs of all classes at a time. Kept until another start names another number.
    #[arg(long, env = "POINTSMAN_GLOBAL_MAX", value_name = "RUNS")]
    pub global_max: Option<u32>,
    /// Slots of these that are kept for evaluations and canaries.
    #[arg(long, env = "POINTSMAN_RESERVED_SLOTS", value_name = "SLOTS")]
    pub reserved_slots: Option<u32>,
    /// Start with the automatic loop stopped, whatever it was before.
    #[arg(long, conflicts_with = "demo")]
    pub paused: bool,
    /// A small set of sources and quick settings: the whole loop in about two minutes.
    #[arg(long)]
    pub demo: bool,
    #[command(flatten)]
    pub(crate) ceilings: policy::Ceilings,
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
    /// What a script of a kind may name: functions with their signatures, fields of its context, parts of its answer.
    Definitions {
        #[arg(long)]
        kind: String,
    },
    /// Make files the active versions of their kinds: several as one set.
    Activate(Activate),
    /// Keep what was activated on trial.
    Confirm { kind: String },
    /// Back to the version before, with the state it had.
    Rollback {
        kind: String,
        /// And the other kinds that were activated with it.
        #[arg(long)]
        set: bool,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Hold a kind at its active version.
    Pin {
        kind: String,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Let a kind be changed again.
    Unpin {
        kind: String,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// What a policy would have decided on recorded decisions, and what that changes. Exit code 3 where budgets are broken.
    DryRun(policy::DryRun),
    /// What a policy of source selection would have been worth on recorded picks that were left to chance. Exit code 3 where
    /// that cannot be known.
    Value(policy::Value),
    /// Make recorded decisions again, each by the version that made it. Exit code 3 where one differs.
    Verify(policy::Verify),
    /// Take recorded decisions along in a file, for dry runs elsewhere.
    Export(policy::Export),
    /// Hunt for contexts on which a policy fails, and save the smallest as cases. Needs no running host.
    Fuzz(policy::Fuzz),
    /// What a decision costs, by the size of its question. Needs no running host.
    Bench(policy::Bench),
    /// A recorded decision as a test case, on standard output.
    Case {
        /// The decision's number.
        decision: u64,
    },
    /// Let a file see what is decided, and decide nothing.
    #[command(subcommand)]
    Shadow(Shadow),
    /// Let a file decide a share of its kind's questions.
    #[command(subcommand)]
    Canary(Canary),
    /// Swaps of this host process and their stages.
    Swaps {
        /// One swap.
        id: Option<u64>,
        /// End it before it activates.
        #[arg(long, requires = "id")]
        cancel: bool,
    },
    /// Inputs on which policies failed again and again.
    Quarantine {
        /// Ask policies about it again; `pointsman policy quarantine` lists the keys.
        #[arg(long, value_name = "KEY")]
        release: Option<String>,
    },
    /// Versions that have been active, newest first.
    Versions {
        /// A kind, or a policy's name.
        #[arg(value_name = "KIND|NAME")]
        of: Option<String>,
    },
    /// One version whole.
    Show {
        #[arg(value_name = "NAME@VERSION|DIGEST")]
        version: String,
    },
    /// What differs between two versions: code, settings, limits.
    Diff { a: String, b: String },
    /// A version's code, byte for byte, on standard output.
    Code {
        #[arg(value_name = "NAME@VERSION|DIGEST")]
        version: String,
    },
    /// Which policy decided what, when.
    DecidedBy {
        #[arg(value_name = "NAME|NAME@VERSION|DIGEST")]
        policy: String,
        #[arg(long, default_value_t = 30)]
        limit: u32,
        /// The answer's next_cursor, for the decisions before these.
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Make a pair of keys: NAME.key to sign with, NAME.pub to be trusted.
    Keygen { name: PathBuf },
    /// Sign a file's code: writes FILE.sig.
    Sign {
        file: PathBuf,
        #[arg(long)]
        key: PathBuf,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Activate {
    /// Files, or versions that were active before by digest or name@version.
    #[arg(required = true, value_name = "FILE|DIGEST")]
    pub(crate) policies: Vec<String>,
    /// JSON file with settings; default: NAME.settings.json beside the file, where there is one.
    #[arg(long)]
    pub(crate) settings: Option<PathBuf>,
    /// Taken back unless it is confirmed within this time: 90s, 10m, 2h.
    #[arg(long, value_name = "TIME", value_parser = swap::parse_time_ms)]
    pub(crate) confirm_within: Option<u64>,
    /// Also where the replay breaks a budget, and a version that the breaker took out of service a short while ago.
    #[arg(long)]
    pub(crate) force: bool,
    /// Start with no state, though the version before has one that could be taken over.
    #[arg(long)]
    pub(crate) fresh_state: bool,
    /// Live decisions that it has to see in shadow first.
    #[arg(long, value_name = "DECISIONS")]
    pub(crate) shadow_for: Option<u32>,
    /// Largest share of them in which it may disagree.
    #[arg(long, value_name = "SHARE", requires = "shadow_for")]
    pub(crate) shadow_changed_max: Option<f64>,
    /// JSON file with the replay's budgets; default: NAME.budgets.json beside the file, where there is one.
    #[arg(long)]
    pub(crate) budgets: Option<PathBuf>,
    /// Newest recorded decisions that are replayed; 0 for none.
    #[arg(long)]
    pub(crate) last: Option<u32>,
    /// You vouch for these scripts: they run natively, about twice as fast, and outside the sandbox.
    #[arg(long)]
    pub(crate) trusted: bool,
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
}

#[derive(Subcommand, Debug)]
enum Shadow {
    Start {
        #[arg(value_name = "FILE|DIGEST")]
        policy: String,
        #[arg(long)]
        settings: Option<PathBuf>,
    },
    Stop {
        kind: String,
        /// Which one, where the kind has several.
        #[arg(value_name = "NAME@VERSION|DIGEST")]
        version: Option<String>,
    },
}

#[derive(Subcommand, Debug)]
enum Canary {
    Start {
        #[arg(value_name = "FILE|DIGEST")]
        policy: String,
        #[arg(long)]
        settings: Option<PathBuf>,
        /// Share of the questions that it decides, above 0 and at most 1.
        #[arg(long)]
        share: f64,
        #[arg(long)]
        force: bool,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Make it the active version, with the state it has.
    Promote {
        kind: String,
        #[arg(long, default_value = "")]
        reason: String,
    },
    #[command(alias = "end")]
    Stop {
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
    /// Keep a model, whatever its age.
    Pin {
        tag: String,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Let retention have a model again.
    Unpin {
        tag: String,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Retire what retention lets go, or only tell what that would be.
    Prune(promotion::Prune),
    /// Which model was live in each role at a time, and why.
    LiveAt {
        /// RFC 3339, such as 2026-02-03T04:05:06Z, or milliseconds since 1970.
        #[arg(value_name = "TIME")]
        at: String,
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
    /// What is wanted and what is, by whom and why; slots and what is in them.
    Status,
    Start {
        #[arg(long, default_value = "")]
        reason: String,
        /// Only see to it that training runs: refused where somebody has stopped it.
        #[arg(long)]
        automatic: bool,
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
        Command::Queue(order) => queue::queue(&client, json, order),
        Command::Campaign(order) => done(queue::campaign(&client, json, order)),
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
        Command::Policy(Policy::Definitions { kind }) => done(policy::definitions(json, &kind)),
        Command::Policy(Policy::Activate(order)) => swap::activate(&client, json, order),
        Command::Policy(Policy::Confirm { kind }) => done(swap::change(&client, json, &kind, "confirm", "", "is confirmed")),
        Command::Policy(Policy::Rollback { kind, set, reason }) => done(swap::roll_back(&client, json, &kind, set, &reason)),
        Command::Policy(Policy::Pin { kind, reason }) => done(swap::change(&client, json, &kind, "pin", &reason, "is pinned")),
        Command::Policy(Policy::Unpin { kind, reason }) => {
            done(swap::change(&client, json, &kind, "unpin", &reason, "is not pinned any more"))
        }
        Command::Policy(Policy::DryRun(asked)) => policy::dry_run(&client, json, &asked),
        Command::Policy(Policy::Value(asked)) => policy::value(&client, json, &asked),
        Command::Policy(Policy::Verify(asked)) => policy::verify(&client, json, &asked),
        Command::Policy(Policy::Export(asked)) => policy::export(&client, &asked),
        Command::Policy(Policy::Fuzz(asked)) => policy::fuzz(json, &asked),
        Command::Policy(Policy::Bench(asked)) => policy::bench(json, &asked),
        Command::Policy(Policy::Case { decision }) => policy::case(&client, decision).map(|()| ExitCode::SUCCESS),
        Command::Policy(Policy::Shadow(Shadow::Start { policy, settings })) => {
            done(swap::start_shadow(&client, json, &policy, settings.as_deref()))
        }
        Command::Policy(Policy::Shadow(Shadow::Stop { kind, version })) => {
            done(swap::stop_shadow(&client, json, &kind, version.as_deref()))
        }
        Command::Policy(Policy::Canary(Canary::Start {
            policy,
            settings,
            share,
            force,
            reason,
        })) => swap::start_canary(&client, json, &policy, settings.as_deref(), share, force, &reason),
        Command::Policy(Policy::Canary(Canary::Promote { kind, reason })) => done(swap::change(
            &client,
            json,
            &kind,
            "canary/promote",
            &reason,
            "is decided by its canary from now on",
        )),
        Command::Policy(Policy::Canary(Canary::Stop { kind, reason })) => {
            done(swap::change(&client, json, &kind, "canary/stop", &reason, "has no canary any more"))
        }
        Command::Policy(Policy::Swaps {
            id: Some(id),
            cancel: true,
        }) => done(show::post(
            &client,
            json,
            &format!("/api/v1/policies/swaps/{id}/cancel"),
            "",
            &format!("swap {id} is being ended"),
        )),
        Command::Policy(Policy::Swaps { id, cancel: _ }) => done(swap::list(&client, json, id)),
        Command::Policy(Policy::Quarantine { release }) => done(swap::quarantine(&client, json, release.as_deref())),
        Command::Policy(Policy::Versions { of }) => done(versions::list(&client, json, of.as_deref())),
        Command::Policy(Policy::Show { version }) => done(versions::show(&client, json, &version)),
        Command::Policy(Policy::Diff { a, b }) => done(versions::diff(&client, json, &a, &b)),
        Command::Policy(Policy::Code { version }) => done(versions::code(&client, &version)),
        Command::Policy(Policy::DecidedBy { policy, limit, cursor }) => {
            done(versions::decided_by(&client, json, &policy, limit, cursor.as_deref()))
        }
        Command::Policy(Policy::Keygen { name }) => done(sign::keygen(json, &name)),
        Command::Policy(Policy::Sign { file, key }) => done(sign::sign(json, &file, &key)),
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
            action: Some(Models::Pin { tag, reason }),
        } => {
            let path = format!("/api/v1/models/{}/pin", client::url_encoded(&tag));
            done(show::post(&client, json, &path, &reason, &format!("{tag} is kept")))
        }
        Command::Models {
            action: Some(Models::Unpin { tag, reason }),
        } => {
            let path = format!("/api/v1/models/{}/unpin", client::url_encoded(&tag));
            done(show::post(&client, json, &path, &reason, &format!("{tag} is kept no longer than others")))
        }
        Command::Models {
            action: Some(Models::Prune(order)),
        } => done(promotion::prune(&client, json, &order)),
        Command::Models {
            action: Some(Models::LiveAt { at }),
        } => done(promotion::live_at(&client, json, &at)),
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
        Command::Promotion(order) => done(promotion::run(&client, json, order)),
        Command::Train(Train::Status) => done(show::capacity(&client, json)),
        Command::Train(Train::Start { reason, automatic }) => done(show::train_start(&client, json, &reason, automatic)),
        Command::Train(Train::Stop { reason }) => done(show::post(
            &client,
            json,
            "/api/v1/training/stop",
            &reason,
            "training is off; runs under way end by themselves",
        )),
        Command::Settings(order) => done(settings::run(&client, json, order)),
        Command::Explain { name } => done(settings::explain(json, name.as_deref())),
        Command::Health => done(settings::health(&client, json)),
        Command::Snapshot => done(settings::snapshot(&client, json)),
        Command::Evidence { since } => done(settings::evidence(&client, json, since)),
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
        Command::Simulate(order) => simulate::run(json, &order),
        Command::Verify { data } => verify::verify(json, &data),
        Command::Trainer => Ok(pointsman_trainer::main_from_env()),
        Command::Compile => Ok(pointsman_policy::compile_from_stdin()),
        Command::Supervise { directory } => Ok(up::supervise(&directory)),
    }
}
