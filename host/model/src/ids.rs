//! Newtype ids, times and digests.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Milliseconds since 1970, as told by whoever has a clock.
pub type Millis = u64;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// A source, numbered from 1 in the order of submission.
    SourceId
);
number_id!(
    /// A campaign, numbered from 1 in the order of submission.
    CampaignId
);
number_id!(
    /// One execution of a source. A retry is a new run.
    RunId
);
number_id!(
    /// A decision, numbered from 1 in the order of the journal.
    DecisionId
);
number_id!(
    /// A position in the journal. The first entry is 1; 0 stands before everything.
    Seq
);

/// A trained model version: `m-12`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelTag(pub String);

impl CampaignId {
    /// Its name in lists and contexts: `c-3`.
    pub fn name(self) -> String {
        format!("c-{}", self.0)
    }

    pub fn parse(name: &str) -> Option<CampaignId> {
        name.strip_prefix("c-")?.parse().ok().map(CampaignId)
    }
}

impl ModelTag {
    pub fn numbered(n: u64) -> ModelTag {
        ModelTag(format!("m-{n}"))
    }
}

impl fmt::Display for ModelTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who asked: `cli`, `web`, `file-watch`, `host`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(pub String);

impl Actor {
    /// What the host does by its own rules.
    pub const HOST: &str = "host";
    /// Takes a version out of service that fails again and again.
    pub const BREAKER: &str = "breaker";
    /// Takes back what nobody confirmed in time.
    pub const CONFIRM_TIMEOUT: &str = "confirm-timeout";

    pub fn new(name: &str) -> Actor {
        Actor(name.to_string())
    }
}

/// A BLAKE3 digest: hexadecimal in JSON, 32 bytes elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(*blake3::hash(bytes).as_bytes())
    }

    /// The first 12 hexadecimal digits: enough to tell versions apart on a screen.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_string()
    }

    pub fn parse(text: &str) -> Option<Digest> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Digest(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0u8; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[(byte >> 4) as usize];
            pair[1] = DIGITS[(byte & 15) as usize];
        }
        f.pad(std::str::from_utf8(&text).expect("hexadecimal digits are text"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
            Digest::parse(&text).ok_or_else(|| serde::de::Error::custom("a digest is 64 hexadecimal digits"))
        } else {
            <[u8; 32]>::deserialize(deserializer).map(Digest)
        }
    }
}
