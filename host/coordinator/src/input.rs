//! What a question is about, apart from when and with what settings it is asked: names an input on which a policy
//! fails, so that one poison record does not condemn a healthy policy.

use pointsman_model::Digest;
use pointsman_model::context::Context;

/// Sources or hosts that are told of an input in words.
const NAMED_MAX: usize = 5;

/// Equal for questions about the same things, whatever the time, seed, settings and state.
pub fn input_key(context: &Context) -> Digest {
    let mut bytes = context.kind().slug().as_bytes().to_vec();
    // Each text stands with its length, so that no two inputs share bytes.
    let mut part = |part: &[u8]| {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    };
    match context {
        Context::Selection(context) => {
            let mut ids: Vec<u64> = context.candidates.iter().map(|candidate| candidate.id).collect();
            ids.sort_unstable();
            ids.iter().for_each(|id| part(&id.to_le_bytes()));
        }
        Context::Retry(context) => {
            part(&context.source.to_le_bytes());
            part(&context.error_digest.to_le_bytes());
        }
        Context::Gate(context) => {
            part(context.candidate.as_bytes());
            part(context.stage.slug().as_bytes());
        }
        Context::Curriculum(context) => context.hosts.iter().for_each(|host| part(host.as_bytes())),
    }
    Digest::of(&bytes)
}

/// The same in words.
pub fn input_in_words(context: &Context) -> String {
    match context {
        Context::Selection(context) => {
            let ids: Vec<String> = context.candidates.iter().map(|candidate| candidate.id.to_string()).collect();
            format!("a choice among sources {}", listed(&ids))
        }
        Context::Retry(context) => format!("source {} with error {:016x}", context.source, context.error_digest),
        Context::Gate(context) => format!("candidate {} at {}", context.candidate, context.stage.slug()),
        Context::Curriculum(context) => format!("hosts {}", listed(&context.hosts)),
    }
}

fn listed(items: &[String]) -> String {
    let shown = items.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(NAMED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What a policy's canary is sticky by: questions with an equal key go to the same side of the share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StickyKey {
    Source(u64),
    Campaign(String),
    Candidate(String),
    Host(String),
    /// Nothing that comes back: each question anew.
    Turn(u64),
}

impl StickyKey {
    /// From 0 up to, not including, 1: equal for an equal key while the same version is in canary.
    pub(crate) fn point(&self, policy: &Digest) -> f64 {
        let (tag, id, text) = match self {
            StickyKey::Source(id) => (0u8, *id, ""),
            StickyKey::Campaign(name) => (1, 0, name.as_str()),
            StickyKey::Candidate(tag) => (2, 0, tag.as_str()),
            StickyKey::Host(host) => (3, 0, host.as_str()),
            StickyKey::Turn(turn) => (4, *turn, ""),
        };
        let mut bytes = policy.0.to_vec();
        bytes.push(tag);
        bytes.extend_from_slice(&id.to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
        let digest = Digest::of(&bytes);
        let high = u64::from_le_bytes(digest.0[..8].try_into().expect("a digest has 32 bytes"));
        // 53 bits are what a float holds exactly.
        (high >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_sticky_and_about_as_large_as_it_says() {
        let policy = Digest::of(b"careful@2");
        let hits = (0..10_000).filter(|id| StickyKey::Source(*id).point(&policy) < 0.2).count();
        assert!((1_900..2_100).contains(&hits), "{hits} of 10000 sources at a share of 0.2");
        let point = |policy: &Digest| StickyKey::Source(7).point(policy);
        assert_eq!(point(&policy), point(&policy));
        assert_ne!(
            point(&policy),
            point(&Digest::of(b"careful@3")),
            "another canary samples other sources"
        );
        assert!((0..1_000).all(|id| (0.0..1.0).contains(&StickyKey::Source(id).point(&policy))));
    }
}
