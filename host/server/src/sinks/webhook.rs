//! A webhook: one POST for each entry, signed as [Standard Webhooks](https://www.standardwebhooks.com) has it.
//!
//! `webhook-signature` is `v1,` and the HMAC-SHA256, in base64, of `ID.TIMESTAMP.BODY`. A receiver that keeps the ids it has seen
//! and refuses old timestamps is safe from doubles and from replays.

use super::cursor::Cursor;
use super::{Deliver, Failed, Message};
use crate::clock::now_ms;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::time::Duration;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Of one delivery, from the name's lookup to the end of the answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// The longest pause that a receiver may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// Deliveries before the cursor is written: so many come twice at most after a crash.
const AT_ONCE: usize = 1;
/// Block of SHA-256.
const BLOCK: usize = 64;

pub(super) struct Webhook {
    agent: ureq::Agent,
    url: String,
    secret: Vec<u8>,
}

/// The address, or what is wrong with it.
pub(super) fn check_url(url: &str) -> Result<String, String> {
    let parsed: ureq::http::Uri = url.parse().map_err(|error| format!("'{url}' is no address: {error}"))?;
    match parsed.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return Err("https is not spoken here: send to a proxy on this machine (http://127.0.0.1:PORT) that does".to_string());
        }
        Some(other) => return Err(format!("http://, not {other}://")),
        None => return Err("an address begins with http://".to_string()),
    }
    let authority = parsed.authority().ok_or("an address names a host: http://HOST:PORT/PATH")?;
    if authority.as_str().contains('@') {
        return Err("no name and password in the address: what is sent is signed".to_string());
    }
    if authority.host().is_empty() || authority.port_u16() == Some(0) {
        return Err("an address names a host, and no port 0".to_string());
    }
    // The parser drops it without a word.
    if url.contains('#') {
        return Err("an address that is sent to has no part after '#'".to_string());
    }
    Ok(url.to_string())
}

impl Webhook {
    pub(super) fn new(url: &str, secret: Vec<u8>) -> Webhook {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // Whoever answers with another address does not choose where the journal goes.
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_global(Some(ANSWER_WITHIN))
            .proxy(None)
            .build()
            .new_agent();
        Webhook {
            agent,
            url: url.to_string(),
            secret,
        }
    }

    fn send(&self, message: &Message) -> Result<(), Failed> {
        let Message { seq: _, id, line } = message;
        let timestamp = now_ms() / 1000;
        let answer = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header("user-agent", concat!("pointsman/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signature(&self.secret, id, timestamp, line))
            .send(line.as_str());
        let answer = answer.map_err(|error| Failed {
            problem: format!("not delivered: {error}"),
            wait: None,
        })?;
        if answer.status().is_success() {
            return Ok(());
        }
        let wait = answer
            .headers()
            .get("retry-after")
            .and_then(|wait| wait.to_str().ok()?.parse().ok());
        let words = match answer.status().is_redirection() {
            true => " (redirects are not followed: name the new address)",
            false => "",
        };
        Err(Failed {
            problem: format!("the receiver answered {}{words}", answer.status().as_u16()),
            wait: wait.map(|seconds| Duration::from_secs(seconds).clamp(Duration::from_secs(1), RETRY_AFTER_MAX)),
        })
    }
}

impl Deliver for Webhook {
    fn resume(&mut self, cursor: &Cursor) -> Result<u64, Failed> {
        Ok(cursor.seq)
    }

    fn deliver(&mut self, messages: &[Message]) -> (usize, Option<Failed>) {
        for (arrived, message) in messages.iter().take(AT_ONCE).enumerate() {
            if let Err(failed) = self.send(message) {
                return (arrived, Some(failed));
            }
        }
        (messages.len().min(AT_ONCE), None)
    }
}

fn signature(secret: &[u8], id: &str, timestamp: u64, body: &str) -> String {
    let mac = hmac(secret, format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac))
}

/// HMAC-SHA256, RFC 2104: a dozen lines over the digest that is in the tree.
fn hmac(secret: &[u8], text: &[u8]) -> [u8; 32] {
    let mut key = [0; BLOCK];
    if secret.len() > BLOCK {
        key[..32].copy_from_slice(&Sha256::digest(secret));
    } else {
        key[..secret.len()].copy_from_slice(secret);
    }
    let inner = Sha256::new()
        .chain_update(key.map(|byte| byte ^ 0x36))
        .chain_update(text)
        .finalize();
    let outer = Sha256::new()
        .chain_update(key.map(|byte| byte ^ 0x5c))
        .chain_update(inner)
        .finalize();
    outer.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Test cases 1, 2 and 6 of RFC 4231.
    #[test]
    fn the_code_is_that_of_the_standard() {
        assert_eq!(
            hex(&hmac(&[0x0b; 20], b"Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            hex(&hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(&hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
