//! A small HTTP client of the API, with errors that scripts can tell apart.

use super::exit::Exit;
use crate::wire::{ImportLine, Problem, ReplayLine};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::time::Duration;

/// A component of 18 MB takes a quiet machine half a minute to compile, and a busy one some.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: u64 = 256 << 20;

type Answer = ureq::http::Response<ureq::Body>;

pub(crate) struct Client {
    agent: ureq::Agent,
    url: String,
}

impl Client {
    pub(crate) fn new(url: &str) -> Client {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_global(Some(ANSWER_WITHIN))
            // The host is on loopback: a proxy of the environment is not meant for it.
            .proxy(None)
            .build()
            .new_agent();
        Client {
            agent,
            url: url.trim_end_matches('/').to_string(),
        }
    }

    pub(crate) fn fetch(&self, path: &str) -> Result<Value, Exit> {
        self.call("GET", path, None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Exit> {
        self.call("POST", path, Some(body))
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Result<Value, Exit> {
        self.call("PUT", path, Some(body))
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Result<Value, Exit> {
        self.call("PATCH", path, Some(body))
    }

    /// A merge patch of what has this tag.
    pub(crate) fn patch_matching(&self, path: &str, body: &Value, if_match: &str) -> Result<Value, Exit> {
        let mut answer = self.send_with("PATCH", path, Some(body), &[("if-match", if_match)])?;
        let bytes = self.read(&mut answer, path)?;
        self.json(&bytes, path)
    }

    pub(crate) fn delete(&self, path: &str) -> Result<(), Exit> {
        self.send("DELETE", path, None).map(drop)
    }

    /// The tag of what is at a path.
    pub(crate) fn fetch_tag(&self, path: &str) -> Result<String, Exit> {
        let answer = self.send("GET", path, None)?;
        let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok());
        tag.map(str::to_string)
            .ok_or_else(|| Exit::failed(format!("{}{path} has no ETag: is the host of this version?", self.url)))
    }

    /// Sends a file as it is read, however long that takes, and then reads the answer line by line.
    pub(crate) fn send_lines(
        &self,
        path: &str,
        kind: &str,
        file: &mut dyn Read,
        mut on_line: impl FnMut(ImportLine) -> Result<(), Exit>,
    ) -> Result<(), Exit> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_WITHIN))
            .proxy(None)
            .build()
            .new_agent();
        let request = ureq::http::Request::builder()
            .method("POST")
            .uri(format!("{}{path}", self.url))
            .header("x-pointsman-actor", "cli")
            .header("content-type", kind)
            .body(ureq::SendBody::from_reader(file))
            .map_err(|error| Exit::usage(format!("'{}' is not a URL: {error}", self.url)))?;
        let mut answer = agent.run(request).map_err(|error| self.unanswered(path, error))?;
        if !answer.status().is_success() {
            return Err(self.refused(&mut answer, path)?);
        }
        let lines = BufReader::new(answer.body_mut().as_reader().take(ANSWER_BYTES_MAX)).lines();
        for line in lines {
            let broken = |error: &dyn std::fmt::Display| Exit::failed(format!("{}{path}: the answer broke off: {error}", self.url));
            let line = line.map_err(|error| broken(&error))?;
            on_line(serde_json::from_str(&line).map_err(|error| broken(&error))?)?;
        }
        Ok(())
    }

    /// A body as it is, for logs.
    pub(crate) fn fetch_bytes(&self, path: &str) -> Result<Vec<u8>, Exit> {
        self.bytes("GET", path, None)
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Exit> {
        let bytes = self.bytes(method, path, body)?;
        self.json(&bytes, path)
    }

    fn json(&self, bytes: &[u8], path: &str) -> Result<Value, Exit> {
        serde_json::from_slice(bytes).map_err(|error| Exit::failed(format!("{}{path} did not answer with JSON: {error}", self.url)))
    }

    /// An answer that comes line by line. A line that cannot be read ends it.
    pub(crate) fn post_lines(&self, path: &str, body: &Value, mut on_line: impl FnMut(ReplayLine)) -> Result<(), Exit> {
        let mut answer = self.send("POST", path, Some(body))?;
        let lines = BufReader::new(answer.body_mut().as_reader().take(ANSWER_BYTES_MAX)).lines();
        for line in lines {
            let broken = |error: &dyn std::fmt::Display| Exit::failed(format!("{}{path}: the answer broke off: {error}", self.url));
            let line = line.map_err(|error| broken(&error))?;
            match serde_json::from_str(&line).map_err(|error| broken(&error))? {
                ReplayLine::Problem(problem) => return Err(Exit::problem(*problem)),
                line => on_line(line),
            }
        }
        Ok(())
    }

    /// An answer that is copied as it comes.
    pub(crate) fn copy(&self, path: &str, out: &mut dyn Write) -> Result<(), Exit> {
        let mut answer = self.send("GET", path, None)?;
        let copied = std::io::copy(&mut answer.body_mut().as_reader(), out);
        copied
            .map(|_| ())
            .map_err(|error| Exit::failed(format!("{}{path}: {error}", self.url)))
    }

    fn bytes(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Vec<u8>, Exit> {
        let mut answer = self.send(method, path, body)?;
        self.read(&mut answer, path)
    }

    /// A success; anything else is an error with the host's own words.
    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, Exit> {
        self.send_with(method, path, body, &[])
    }

    fn send_with(&self, method: &str, path: &str, body: Option<&Value>, headers: &[(&str, &str)]) -> Result<Answer, Exit> {
        let mut request = ureq::http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("x-pointsman-actor", "cli")
            .header("content-type", "application/json")
            .body(body.map(Value::to_string).unwrap_or_default())
            .map_err(|error| Exit::usage(format!("'{}' is not a URL: {error}", self.url)))?;
        let mut answer = self.agent.run(request).map_err(|error| self.unanswered(path, error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(self.refused(&mut answer, path)?)
    }

    fn unanswered(&self, path: &str, error: ureq::Error) -> Exit {
        match error {
            ureq::Error::Timeout(_) => Exit::timed_out(format!("{} did not answer in time", self.url)),
            ureq::Error::BadUri(text) => Exit::usage(format!("'{}' is not a URL: {text}", self.url)),
            ureq::Error::Io(_) | ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => Exit::unreachable(format!(
                "no host answers at {}: {error}. Start one with `pointsman up`, or name it by --url",
                self.url
            )),
            other => Exit::failed(format!("{}{path}: {other}", self.url)),
        }
    }

    /// The host's own words for what it did not do.
    fn refused(&self, answer: &mut Answer, path: &str) -> Result<Exit, Exit> {
        let status = answer.status();
        let bytes = self.read(answer, path)?;
        Ok(match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => Exit::problem(problem),
            Err(_) => Exit::failed(format!("{}{path} answered {status}", self.url)),
        })
    }

    fn read(&self, answer: &mut Answer, path: &str) -> Result<Vec<u8>, Exit> {
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        body.read_to_vec()
            .map_err(|error| Exit::failed(format!("{}{path}: {error}", self.url)))
    }
}

/// A text as one segment or value of a URL.
pub(crate) fn url_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(byte as char);
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
