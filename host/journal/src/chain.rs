//! The chain: each entry's hash covers the entry and the hash before it.
//!
//! `hash = BLAKE3(hash before | seq | at | payload)`, numbers as 8 bytes little-endian. The payload of a decision holds the
//! digest of its context, and so the chain covers the context, too.

use pointsman_model::{Digest, Millis, Seq};

/// Stands before the first entry.
pub(crate) const GENESIS: Digest = Digest([0; 32]);

pub(crate) const HEADER_BYTES: usize = 48;

/// What is hashed before the payload.
pub(crate) fn header(before: Digest, seq: Seq, at: Millis) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..32].copy_from_slice(&before.0);
    header[32..40].copy_from_slice(&seq.0.to_le_bytes());
    header[40..].copy_from_slice(&at.to_le_bytes());
    header
}

/// The hash of an entry. An append makes the same over its own, contiguous buffer.
pub(crate) fn link(before: Digest, seq: Seq, at: Millis, payload: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&header(before, seq, at));
    hasher.update(payload);
    Digest(*hasher.finalize().as_bytes())
}
