//! What sinks there are: a JSON file, read at the start of the host. What is wrong with it is named with its field and its cure.

use super::{Deliver, jsonl, webhook};
use crate::wire::FieldError;
use anyhow::Context as _;
use pointsman_model::event::Event;
use serde::Deserialize;
use std::path::{Path, PathBuf};

const SINKS_MAX: usize = 16;
const NAME_BYTES_MAX: usize = 40;
const ROTATE_BYTES_DEFAULT: u64 = 64 << 20;
const ROTATE_BYTES_MIN: u64 = 1 << 10;
const KEEP_DEFAULT: u32 = 5;
const KEEP_MAX: u32 = 1_000;
/// A shorter secret can be tried out.
const SECRET_BYTES_MIN: usize = 16;
const SECRET_BYTES_MAX: usize = 4096;
/// What is sent where nothing is named: outcomes.
const EVENTS_DEFAULT: [&str; 1] = ["run_finished"];

/// A sink, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkConfig {
    pub name: String,
    /// Kinds of entries that are sent; empty for all.
    pub events: Vec<String>,
    /// A new sink begins with the journal's first entry, and not with the next one.
    pub from_beginning: bool,
    pub kind: SinkKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum SinkKind {
    Webhook { url: String, secret_file: PathBuf },
    Jsonl { path: PathBuf, rotate_bytes: u64, keep: u32 },
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{} cannot be read", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: {}", .path.display(), words(.errors))]
    Wrong { path: PathBuf, errors: Vec<FieldError> },
}

fn words(errors: &[FieldError]) -> String {
    let words: Vec<String> = errors.iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect();
    words.join("; ")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    sinks: Vec<WrittenSink>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSink {
    name: String,
    kind: String,
    #[serde(default)]
    events: Option<Vec<String>>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    secret_file: Option<PathBuf>,
    #[serde(default)]
    path: Option<PathBuf>,
    #[serde(default)]
    rotate_bytes: Option<u64>,
    #[serde(default)]
    keep: Option<u32>,
}

/// Reads the file. Paths in it are relative to it.
pub fn read(path: &Path) -> Result<Vec<SinkConfig>, ConfigError> {
    let bytes = std::fs::read(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
    let wrong = |errors| ConfigError::Wrong { path: path.into(), errors };
    let mut reader = serde_json::Deserializer::from_slice(&bytes);
    let written: Written = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let at = error.path().to_string();
        wrong(vec![field(&format!("/{}", at.replace('.', "/")), error.inner())])
    })?;
    let home = path.parent().unwrap_or(Path::new(""));
    let mut errors = Vec::new();
    let mut sinks: Vec<SinkConfig> = Vec::new();
    if written.sinks.len() > SINKS_MAX {
        errors.push(field("/sinks", format!("at most {SINKS_MAX} sinks")));
    }
    for (number, sink) in written.sinks.into_iter().enumerate() {
        match checked(sink, &format!("/sinks/{number}"), home) {
            Ok(sink) => {
                if sinks.iter().any(|other| other.name == sink.name) {
                    errors.push(field(&format!("/sinks/{number}/name"), "another sink has this name"));
                }
                let same_file = |other: &SinkConfig| matches!((&other.kind, &sink.kind), (SinkKind::Jsonl { path: a, .. }, SinkKind::Jsonl { path: b, .. }) if a == b);
                if sinks.iter().any(same_file) {
                    errors.push(field(&format!("/sinks/{number}/path"), "another sink writes this file"));
                }
                sinks.push(sink);
            }
            Err(mut wrong) => errors.append(&mut wrong),
        }
    }
    if errors.is_empty() { Ok(sinks) } else { Err(wrong(errors)) }
}

fn checked(sink: WrittenSink, at: &str, home: &Path) -> Result<SinkConfig, Vec<FieldError>> {
    let WrittenSink {
        name,
        kind,
        events,
        from,
        url,
        secret_file,
        path,
        rotate_bytes,
        keep,
    } = sink;
    let mut errors = Vec::new();
    let mut wrong = |name: &str, detail: String| errors.push(field(&format!("{at}/{name}"), detail));
    let is_name = |name: &str| {
        (1..=NAME_BYTES_MAX).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if !is_name(&name) {
        wrong("name", format!("1 to {NAME_BYTES_MAX} lower-case letters, digits and '-'"));
    }
    let from_beginning = match from.as_deref() {
        None | Some("now") => false,
        Some("beginning") => true,
        Some(other) => {
            wrong("from", format!("'now' or 'beginning', not '{other}'"));
            false
        }
    };
    let events = match events {
        None => EVENTS_DEFAULT.map(String::from).to_vec(),
        Some(events) if events == ["*"] => Vec::new(),
        Some(events) if events.is_empty() => {
            wrong(
                "events",
                "nothing would be sent: name kinds of entries, or [\"*\"] for all".to_string(),
            );
            events
        }
        Some(events) => {
            for event in &events {
                if !Event::SLUGS.contains(&event.as_str()) {
                    let near = Event::SLUGS
                        .iter()
                        .max_by(|a, b| likeness(event, a).total_cmp(&likeness(event, b)))
                        .filter(|near| likeness(event, near) > 0.6);
                    let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                    wrong("events", format!("no entry of the journal is called '{event}'{near}"));
                }
            }
            events
        }
    };
    let mut misplaced = |is_there: bool, name: &str, of: &str| {
        if is_there {
            wrong(name, format!("belongs to a sink of kind {of}"));
        }
    };
    let kind = match kind.as_str() {
        "webhook" => {
            misplaced(path.is_some(), "path", "jsonl");
            misplaced(rotate_bytes.is_some(), "rotate_bytes", "jsonl");
            misplaced(keep.is_some(), "keep", "jsonl");
            let url = match url.as_deref().map(webhook::check_url) {
                Some(Ok(url)) => url,
                Some(Err(problem)) => {
                    wrong("url", problem);
                    String::new()
                }
                None => {
                    wrong("url", "a webhook needs one: http://HOST:PORT/PATH".to_string());
                    String::new()
                }
            };
            let secret_file = secret_file.map(|file| home.join(file));
            match secret_file.as_deref().map(secret) {
                Some(Ok(_)) => {}
                Some(Err(problem)) => wrong("secret_file", problem),
                None => wrong(
                    "secret_file",
                    "a webhook needs one: a file with the secret that signs what is sent".to_string(),
                ),
            }
            SinkKind::Webhook {
                url,
                secret_file: secret_file.unwrap_or_default(),
            }
        }
        "jsonl" => {
            misplaced(url.is_some(), "url", "webhook");
            misplaced(secret_file.is_some(), "secret_file", "webhook");
            let rotate_bytes = rotate_bytes.unwrap_or(ROTATE_BYTES_DEFAULT);
            if rotate_bytes < ROTATE_BYTES_MIN {
                wrong("rotate_bytes", format!("at least {ROTATE_BYTES_MIN}"));
            }
            let keep = keep.unwrap_or(KEEP_DEFAULT);
            if !(1..=KEEP_MAX).contains(&keep) {
                wrong("keep", format!("1 to {KEEP_MAX} files that are full"));
            }
            let path = match path.map(|path| home.join(path)) {
                Some(path) => {
                    if let Err(problem) = jsonl::check_path(&path) {
                        wrong("path", problem);
                    }
                    path
                }
                None => {
                    wrong("path", "a file sink needs one".to_string());
                    PathBuf::new()
                }
            };
            SinkKind::Jsonl { path, rotate_bytes, keep }
        }
        other => {
            wrong("kind", format!("'webhook' or 'jsonl', not '{other}'"));
            return Err(errors);
        }
    };
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(SinkConfig {
        name,
        events,
        from_beginning,
        kind,
    })
}

/// What signs: the file's bytes without the end of line; after `whsec_`, what that says in base64.
pub(super) fn secret(path: &Path) -> Result<Vec<u8>, String> {
    use base64::Engine as _;
    let bytes = std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let text = bytes.trim_ascii_end();
    let secret = match text.strip_prefix(b"whsec_") {
        Some(coded) => base64::engine::general_purpose::STANDARD
            .decode(coded)
            .map_err(|_| format!("{}: base64 follows whsec_", path.display()))?,
        None => text.to_vec(),
    };
    match secret.len() {
        SECRET_BYTES_MIN..=SECRET_BYTES_MAX => Ok(secret),
        bytes => Err(format!(
            "{} holds a secret of {bytes} bytes; {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} are needed: head -c 32 /dev/urandom | base64",
            path.display()
        )),
    }
}

fn likeness(a: &str, b: &str) -> f32 {
    similar::TextDiff::from_chars(a, b).ratio()
}

fn field(pointer: &str, detail: impl ToString) -> FieldError {
    FieldError {
        pointer: pointer.to_string(),
        detail: detail.to_string(),
    }
}

impl SinkConfig {
    pub(super) fn open(&self) -> anyhow::Result<Box<dyn Deliver>> {
        Ok(match &self.kind {
            SinkKind::Webhook { url, secret_file } => {
                let secret = secret(secret_file)
                    .map_err(anyhow::Error::msg)
                    .with_context(|| format!("the secret of sink {}", self.name))?;
                Box::new(webhook::Webhook::new(url, secret))
            }
            SinkKind::Jsonl { path, rotate_bytes, keep } => Box::new(jsonl::JsonLines::new(path, *rotate_bytes, *keep)),
        })
    }
}

impl SinkKind {
    pub fn slug(&self) -> &'static str {
        match self {
            SinkKind::Webhook { .. } => "webhook",
            SinkKind::Jsonl { .. } => "jsonl",
        }
    }

    /// Where it goes, without what may be secret of an address: its query.
    pub fn target(&self) -> String {
        match self {
            SinkKind::Webhook { url, .. } => url.split('?').next().unwrap_or_default().to_string(),
            SinkKind::Jsonl { path, .. } => path.display().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn refused(directory: &Path, config: Value) -> Vec<String> {
        let path = directory.join("sinks.json");
        std::fs::write(&path, config.to_string()).expect("written");
        match read(&path) {
            Err(ConfigError::Wrong { errors, .. }) => errors.into_iter().map(|error| error.pointer).collect(),
            Err(error) => panic!("{error}"),
            Ok(sinks) => panic!("taken: {sinks:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let directory = tempfile::TempDir::new().expect("a directory");
        let at = directory.path();
        std::fs::write(at.join("key"), "0123456789abcdef\n").expect("written");
        std::fs::write(at.join("short"), "secret").expect("written");
        std::fs::write(at.join("other.txt"), "somebody's notes\n").expect("written");
        let hook = |url: &str| json!({ "sinks": [{ "name": "hook", "kind": "webhook", "url": url, "secret_file": "key" }] });
        for url in [
            "https://example.org/hook",
            "ftp://example.org",
            "/hook",
            "http://",
            "http://user:word@example.org/",
            "http://example.org/#part",
            "http://example.org:0/",
            "not a url",
        ] {
            assert_eq!(refused(at, hook(url)), ["/sinks/0/url"], "{url}");
        }
        let two = json!({ "sinks": [
            { "name": "A b", "kind": "jsonl", "path": "other.txt", "keep": 0 },
            { "name": "hook", "kind": "webhook", "secret_file": "short", "path": "x", "events": ["run_finishd"], "from": "yesterday" },
        ]});
        let mut named = refused(at, two);
        named.sort();
        assert_eq!(
            named,
            [
                "/sinks/0/keep",
                "/sinks/0/name",
                "/sinks/0/path",
                "/sinks/1/events",
                "/sinks/1/from",
                "/sinks/1/path",
                "/sinks/1/secret_file",
                "/sinks/1/url"
            ]
        );
        let twice = json!({ "sinks": [{ "name": "a", "kind": "jsonl", "path": "x" }, { "name": "a", "kind": "jsonl", "path": "x" }] });
        assert_eq!(refused(at, twice), ["/sinks/1/name", "/sinks/1/path"]);
        assert_eq!(
            refused(at, json!({ "sinks": [{ "name": "a", "kind": "pigeon" }] })),
            ["/sinks/0/kind"]
        );
        assert_eq!(
            refused(at, json!({ "sinks": [{ "name": 7, "kind": "jsonl" }] })),
            ["/sinks[0]/name"]
        );
        let path = at.join("sinks.json");
        std::fs::write(&path, hook("http://127.0.0.1:9/hook?token=1").to_string()).expect("written");
        let sinks = read(&path).expect("taken");
        assert_eq!(sinks[0].kind.target(), "http://127.0.0.1:9/hook", "what may be secret is not shown");
        assert_eq!(sinks[0].events, ["run_finished"]);
    }
}
