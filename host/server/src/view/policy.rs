//! What a kind's slot holds beside its active version: canary, pin, breaker, quarantine.

use crate::wire::{BreakerCard, CanaryCard, QuarantineCard, TrippedCard};
use pointsman_coordinator::{FAULT_WINDOW_MS, FAULTS_IN_A_ROW_MAX, FAULTS_IN_WINDOW_MAX, Pin, PolicySlot};

pub(super) fn pinned(slot: &PolicySlot) -> Option<String> {
    slot.pin.as_ref().map(pin_words)
}

/// By whom and why something is pinned.
pub(super) fn pin_words(pin: &Pin) -> String {
    match pin.reason.as_str() {
        "" => format!("by {}", pin.actor),
        reason => format!("by {}: {reason}", pin.actor),
    }
}

pub(super) fn canary(slot: &PolicySlot) -> Option<CanaryCard> {
    let canary = slot.canary.as_ref()?;
    let installed = &canary.installed;
    let policy = &installed.description.policy;
    Some(CanaryCard {
        name: policy.name.clone(),
        version: policy.version.clone(),
        digest: policy.digest.to_string(),
        engine: policy.engine.slug().to_string(),
        share: canary.share,
        actor: installed.actor.clone(),
        reason: installed.reason.clone(),
        since: installed.activated_at,
        decisions: installed.decisions,
        faults: installed.faults,
        faults_in_a_row: installed.faults_in_a_row,
    })
}

/// As of the latest entry of the journal.
pub(super) fn breaker(slot: Option<&PolicySlot>, now: u64) -> BreakerCard {
    let active = slot.and_then(|slot| slot.active.as_ref());
    let in_window = active.map_or(0, |active| {
        let recent = active.recent_faults.iter();
        recent.filter(|at| now.saturating_sub(**at) <= FAULT_WINDOW_MS).count()
    });
    let tripped = slot.map(|slot| slot.tripped.iter().rev().filter(|trip| trip.until > now));
    BreakerCard {
        faults_in_a_row: active.map_or(0, |active| active.faults_in_a_row),
        faults_in_a_row_max: FAULTS_IN_A_ROW_MAX,
        faults_in_window: in_window as u32,
        faults_in_window_max: FAULTS_IN_WINDOW_MAX as u32,
        window_ms: FAULT_WINDOW_MS,
        tripped: tripped
            .into_iter()
            .flatten()
            .map(|trip| TrippedCard {
                digest: trip.policy.digest.to_string(),
                until: trip.until,
                why: trip.why.clone(),
            })
            .collect(),
    }
}

/// Latest first.
pub(super) fn quarantine(slot: &PolicySlot) -> Vec<QuarantineCard> {
    let mut cards: Vec<QuarantineCard> = slot
        .quarantined()
        .map(|(input, quarantine)| QuarantineCard {
            key: input.key.to_string(),
            since: quarantine.at,
            faults: input.faults,
            detail: format!(
                "{}: {} failed with {}: {}",
                quarantine.about,
                quarantine.policy,
                quarantine.class.slug(),
                quarantine.detail
            ),
        })
        .collect();
    cards.reverse();
    cards
}
