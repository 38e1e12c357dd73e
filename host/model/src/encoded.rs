//! Data as the bytes that are recorded: what is too large for an event stands beside it, and the event holds the digest.

use crate::ids::Digest;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub digest: Digest,
    pub bytes: Vec<u8>,
}

impl Encoded {
    pub(crate) fn of(bytes: Vec<u8>) -> Encoded {
        Encoded {
            digest: Digest::of(&bytes),
            bytes,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the recorded bytes are damaged")]
    Damaged,
    #[error("the recorded bytes have layout {0}, which this version does not know")]
    UnknownLayout(u8),
}
