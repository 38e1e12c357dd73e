//! Watches a directory: a policy that is saved there goes live, or is refused with its place and cure while the
//! version before goes on serving.
//!
//! What counts is the content. Files that are there at the start are taken as known; a file that is saved again with
//! the same bytes, or moved aside and back by an editor, changes nothing.

use crate::hub::Hub;
use crate::policy_install::{Installer, Offer, Order, SwapEnd};
use crate::problem::sentence;
use crate::signing::{read_signature, signature_file};
use crate::swaps::Progress;
use crate::wire::{Alert, PolicyProblem, ReplayBudgets};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use pointsman_model::policy::{PolicyKind, Setting};
use pointsman_model::{Actor, Digest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// A file is read when nothing has happened for so long, or after the longer time at last.
const QUIET: Duration = Duration::from_millis(40);
const QUIET_MAX: Duration = Duration::from_millis(400);
/// Directories on which the system tells nothing are looked at as often.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Larger files are not policies; the check would say so, but they need not be read.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Files of a directory that are looked at.
const FILES_MAX: usize = 1_000;

/// A running watch; ends when dropped.
pub struct PolicyWatch {
    stop: Sender<Signal>,
    thread: Option<std::thread::JoinHandle<()>>,
    _watcher: Option<RecommendedWatcher>,
}

enum Signal {
    Changed,
    Stop,
}

/// Settings that go with a policy file: `NAME.settings.json` beside `NAME.rhai`.
pub fn settings_file(policy: &Path) -> PathBuf {
    policy.with_extension("settings.json")
}

/// Budgets of the replay that go with it: `NAME.budgets.json`.
pub fn budgets_file(policy: &Path) -> PathBuf {
    policy.with_extension("budgets.json")
}

impl PolicyWatch {
    pub fn start(directory: PathBuf, installer: Arc<Installer>, hub: Hub) -> anyhow::Result<PolicyWatch> {
        let (stop, signals) = channel();
        let changed = stop.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                // An error says only that the watch is over.
                let _ = changed.send(Signal::Changed);
            }
        });
        let watcher = match watcher.and_then(|mut watcher| watcher.watch(&directory, RecursiveMode::NonRecursive).map(|()| watcher)) {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(
                    "{} is looked at every {} s, the system does not tell of changes: {error}",
                    directory.display(),
                    LOOK_EVERY.as_secs()
                );
                None
            }
        };
        let mut seen = Seen {
            directory,
            installer,
            hub,
            files: BTreeMap::new(),
        };
        // What is there now is known, and not activated.
        for (path, content) in seen.scan() {
            seen.files.insert(path, File { content, kind: None });
        }
        let thread = std::thread::Builder::new()
            .name("policy-watch".into())
            .spawn(move || seen.run(&signals))?;
        Ok(PolicyWatch {
            stop,
            thread: Some(thread),
            _watcher: watcher,
        })
    }
}

impl Drop for PolicyWatch {
    fn drop(&mut self) {
        let _ = self.stop.send(Signal::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Seen {
    directory: PathBuf,
    installer: Arc<Installer>,
    hub: Hub,
    files: BTreeMap<PathBuf, File>,
}

struct File {
    content: Digest,
    /// Kind of its last accepted version.
    kind: Option<PolicyKind>,
}

impl Seen {
    fn run(&mut self, signals: &Receiver<Signal>) {
        loop {
            match signals.recv_timeout(LOOK_EVERY) {
                Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Signal::Changed) => {
                    let started = Instant::now();
                    while started.elapsed() < QUIET_MAX {
                        match signals.recv_timeout(QUIET) {
                            Ok(Signal::Changed) => {}
                            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                            Err(RecvTimeoutError::Timeout) => break,
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            for (path, content) in self.scan() {
                if self.files.get(&path).is_none_or(|file| file.content != content) {
                    self.offer(path, content);
                }
            }
        }
    }

    /// Policy files with the digest of their content and settings.
    fn scan(&self) -> Vec<(PathBuf, Digest)> {
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::debug!("{} cannot be read: {error}", self.directory.display());
                return Vec::new();
            }
        };
        let mut found = Vec::new();
        for entry in entries.flatten().take(FILES_MAX) {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_policy = (name.ends_with(".rhai") || name.ends_with(".wasm")) && !name.starts_with('.');
            let is_file = std::fs::metadata(&path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= FILE_BYTES_MAX);
            if is_policy
                && is_file
                && let Ok(code) = std::fs::read(&path)
            {
                let beside = [settings_file(&path), budgets_file(&path), signature_file(&path)];
                let beside = beside.map(|path| Digest::of(&std::fs::read(path).unwrap_or_default()).0);
                found.push((path, Digest::of(&[&[Digest::of(&code).0][..], &beside].concat().concat())));
            }
        }
        found.sort();
        found
    }

    fn offer(&mut self, path: PathBuf, content: Digest) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let known = self.files.get(&path).and_then(|file| file.kind);
        let offer = match read(&path, &name) {
            Ok(offer) => offer,
            Err(problem) => return self.refuse(path, content, &name, known, problem),
        };
        let kind = known.or_else(|| kind_of(&name, &offer.code));
        let order = Order::activate(offer, Actor::new("file-watch"), format!("{name} was saved"));
        let progress = self.installer.begin(&order);
        match self.installer.run(order, &progress) {
            SwapEnd::Done { generation } => {
                let kind = self.accept(path, content, &name, &progress);
                tracing::info!("{name} is generation {} of {kind}", generation.unwrap_or_default());
            }
            SwapEnd::WasActive { .. } => {
                self.accept(path, content, &name, &progress);
            }
            SwapEnd::Failed(problem) => self.refuse(path, content, &name, kind, problem),
            SwapEnd::Refused(problem, _) => {
                tracing::warn!("{name} was not activated: {}", problem.message);
                let text = format!("{name} was not activated: {}", sentence(&problem.message));
                let fix = problem.fix.clone().unwrap_or_else(|| "Save it again.".to_string());
                self.accept(path, content, &name, &progress);
                self.hub
                    .alert(&alert_key(&name), Some(alert("policy_not_activated", text, Some(fix))));
            }
        }
    }

    /// The file is as it should be: what was said of it is over. Its kind in words.
    fn accept(&mut self, path: PathBuf, content: Digest, name: &str, progress: &Progress) -> String {
        let slug = progress
            .swap()
            .and_then(|swap| swap.parts.first().and_then(|part| part.kind.clone()));
        let slug = slug.unwrap_or_default();
        let kind = PolicyKind::parse(&slug);
        self.files.insert(path, File { content, kind });
        self.hub.aside(|asides| {
            asides.problems.remove(&slug);
            asides.alerts.remove(&alert_key(name));
        });
        slug
    }

    fn refuse(&mut self, path: PathBuf, content: Digest, name: &str, kind: Option<PolicyKind>, problem: PolicyProblem) {
        let place: String = [problem.line, problem.column]
            .into_iter()
            .flatten()
            .map(|number| format!(":{number}"))
            .collect();
        let fix = problem.fix.as_ref().map(|fix| format!(" Fix: {fix}")).unwrap_or_default();
        tracing::warn!(
            "{} {name}{place} {} The version before goes on serving.{fix}",
            problem.code,
            sentence(&problem.message)
        );
        self.files.insert(path, File { content, kind });
        let generation = kind.map(|kind| {
            self.hub
                .latest()
                .policies
                .iter()
                .find(|card| card.kind == kind.slug())
                .map_or(0, |card| card.generation)
        });
        self.hub.aside(|asides| {
            let text = format!("{name}{place}: {} The version before goes on serving.", sentence(&problem.message));
            asides
                .alerts
                .insert(alert_key(name), alert(&problem.code, text, problem.fix.clone()));
            if let (Some(kind), Some(generation)) = (kind, generation) {
                asides.problems.insert(kind.slug().to_string(), (generation, problem));
            }
        });
    }
}

fn read(path: &Path, name: &str) -> Result<Offer, PolicyProblem> {
    let problem = |file: String, message: String, fix: &str| PolicyProblem {
        code: "PM2001".to_string(),
        stage: "fetch".to_string(),
        file,
        line: None,
        column: None,
        message,
        fix: Some(fix.to_string()),
    };
    let code = std::fs::read(path).map_err(|error| {
        problem(
            name.to_string(),
            format!("cannot be read: {error}"),
            "make it readable and save it again",
        )
    })?;
    let signature = read_signature(path).map_err(|error| {
        problem(
            format!("{name}.sig"),
            format!("cannot be read: {error}"),
            "make it readable and save it again",
        )
    })?;
    let budgets_name = budgets_file(path)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let budgets: ReplayBudgets = match std::fs::read(budgets_file(path)) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| PolicyProblem {
            line: u32::try_from(error.line()).ok(),
            column: u32::try_from(error.column()).ok(),
            ..problem(
                budgets_name,
                format!("holds no budgets: {error}"),
                "write an object such as {\"changed_share_max\": 0.1}",
            )
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => ReplayBudgets::default(),
        Err(error) => {
            return Err(problem(
                budgets_name,
                format!("cannot be read: {error}"),
                "make it readable and save it again",
            ));
        }
    };
    let settings_path = settings_file(path);
    let settings_name = settings_path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let settings: Vec<Setting> = match std::fs::read(&settings_path) {
        Ok(text) => {
            let values: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&text).map_err(|error| PolicyProblem {
                line: u32::try_from(error.line()).ok(),
                column: u32::try_from(error.column()).ok(),
                ..problem(
                    settings_name.clone(),
                    format!("is not a JSON object of settings: {error}"),
                    "write an object such as {\"limit\": 3}",
                )
            })?;
            crate::http::settings_of(values).map_err(|(setting, detail)| {
                problem(
                    settings_name,
                    format!("setting '{setting}' cannot be used: {detail}"),
                    "give it a plain value",
                )
            })?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            return Err(problem(
                settings_name,
                format!("cannot be read: {error}"),
                "make it readable and save it again",
            ));
        }
    };
    Ok(Offer {
        file: name.to_string(),
        code,
        settings,
        signature,
        budgets,
        trusted: false,
    })
}

/// The kind that a file which cannot be checked is most likely of: named in its name, or in its text.
fn kind_of(name: &str, code: &[u8]) -> Option<PolicyKind> {
    let stem = name.to_lowercase().replace('_', "-");
    let by_name = PolicyKind::ALL.into_iter().find(|kind| stem.contains(kind.slug()));
    let text = String::from_utf8_lossy(code);
    by_name.or_else(|| PolicyKind::ALL.into_iter().find(|kind| text.contains(&format!("\"{kind}\""))))
}

fn alert_key(name: &str) -> String {
    format!("1-policy-file-{name}")
}

fn alert(code: &str, text: String, fix: Option<String>) -> Alert {
    Alert {
        level: "warning".to_string(),
        code: code.to_string(),
        text,
        fix,
    }
}
