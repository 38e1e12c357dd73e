//! A host process under test.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a check needs to start hosts: the program, the repository's policies, a directory of its own.
pub struct Kit {
    pub program: PathBuf,
    pub repository: PathBuf,
    pub directory: tempfile::TempDir,
}

impl Kit {
    pub fn new() -> Result<Kit> {
        let (program, repository) = program_and_repository()?;
        let directory = tempfile::tempdir().context("a directory for the host's data")?;
        let policies = directory.path().join("policies");
        std::fs::create_dir(&policies)?;
        for entry in std::fs::read_dir(repository.join("policies"))? {
            let path = entry?.path();
            if path.is_file() {
                std::fs::copy(&path, policies.join(path.file_name().context("a file name")?))?;
            }
        }
        Ok(Kit { program, repository, directory })
    }

    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn policies(&self) -> PathBuf {
        self.directory.path().join("policies")
    }

    pub fn log(&self) -> PathBuf {
        self.directory.path().join("host.log")
    }

    /// Starts a host on a free port; its talk is appended to [`Kit::log`].
    pub fn start(&self) -> Result<Host> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = std::fs::File::options().create(true).append(true).open(self.log())?;
        let child = Command::new(&self.program)
            .args(["up", "--demo", "--data"])
            .arg(self.data())
            .args(["--listen", &format!("127.0.0.1:{port}"), "--policies"])
            .arg(self.policies())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("the host cannot be started")?;
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(20))).http_status_as_error(false).build(),
        );
        Ok(Host { child, url: format!("http://127.0.0.1:{port}"), agent, program: self.program.clone() })
    }

    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

/// The program stands beside this one, where cargo puts both.
pub fn program_and_repository() -> Result<(PathBuf, PathBuf)> {
    let here = std::env::current_exe().context("the path of this program")?;
    let program = here.parent().context("a directory")?.join("pointsman");
    ensure!(program.is_file(), "{} is not there; build it with `make build`", program.display());
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    Ok((program, repository))
}

pub struct Host {
    child: Child,
    pub url: String,
    pub agent: ureq::Agent,
    program: PathBuf,
}

impl Host {
    pub fn wait_ready(&mut self, within: Duration) -> Result<()> {
        let agent = self.agent.clone();
        let url = format!("{}/readyz", self.url);
        self.wait("the host to be ready", within, || match agent.get(&url).call() {
            Ok(response) if response.status().is_success() => Ok(Some(())),
            Ok(_) | Err(_) => Ok(None),
        })
    }

    /// Asks until there is an answer; a host that has ended meanwhile is an error at once.
    pub fn wait<T>(&mut self, what: &str, within: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(answer) = ask()? {
                return Ok(answer);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the host ended with {status} while waiting for {what}");
            }
            ensure!(Instant::now() < deadline, "waited {} s for {what}", within.as_secs());
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    pub fn get(&self, path: &str) -> Result<Value> {
        let mut response = self.agent.get(format!("{}{path}", self.url)).call()?;
        let status = response.status();
        let text = response.body_mut().read_to_string()?;
        ensure!(status.is_success(), "GET {path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let mut response = self.agent.post(format!("{}{path}", self.url)).send_json(body)?;
        let status = response.status();
        let text = response.body_mut().read_to_string()?;
        ensure!(status.is_success(), "POST {path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Runs the command line against this host; answers its standard output.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.program).arg("--url").arg(&self.url).args(arguments).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "pointsman {}: {}\n{text}{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(text)
    }

    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        // SAFETY: a signal to a child of ours that has not been waited for, so the number is still its own.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) };
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the host ended with {status}");
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the host did not end within 20 s of SIGTERM");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
