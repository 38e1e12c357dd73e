//! From the journal to a state: the last snapshot and what came after it, or everything.

use crate::versions::report_of;
use crate::view::{Batch, View};
use anyhow::Context as _;
use pointsman_coordinator::{Coordinator, State};
use pointsman_journal::Reader;
use pointsman_model::Seq;
use pointsman_model::event::{Event, Recorded};
use std::sync::Arc;

/// Entries read at a time.
const PAGE: u32 = 250;
/// Entries of the past that the lists of the first screen are filled from.
const HISTORY: u64 = 5_000;

pub struct Restored {
    pub coordinator: Coordinator,
    pub last_seq: Seq,
    /// Where the snapshot that was used stands; 0 without one.
    pub snapshot_seq: Seq,
}

/// The state after the journal's last entry.
pub fn restore(reader: &Reader) -> anyhow::Result<Restored> {
    let snapshot = reader.latest_snapshot().context("read the last snapshot")?;
    let (mut coordinator, snapshot_seq) = match snapshot {
        Some((seq, bytes)) => match Coordinator::restore(&bytes) {
            Ok(coordinator) => (coordinator, seq),
            Err(error) => {
                tracing::warn!("the whole journal is replayed: {error}");
                (Coordinator::new(), Seq(0))
            }
        },
        None => (Coordinator::new(), Seq(0)),
    };
    let last_seq = replay(reader, snapshot_seq, |recorded| coordinator.apply_recorded(recorded))?;
    Ok(Restored {
        coordinator,
        last_seq,
        snapshot_seq,
    })
}

/// The state as the journal alone tells it.
pub fn replay_all(reader: &Reader) -> anyhow::Result<Coordinator> {
    let mut coordinator = Coordinator::new();
    replay(reader, Seq(0), |recorded| coordinator.apply_recorded(recorded))?;
    Ok(coordinator)
}

/// The lists of the first screen, filled from the recent past.
pub fn view(reader: &Reader, last_seq: Seq) -> anyhow::Result<View> {
    let mut view = View::default();
    let from = Seq(last_seq.0.saturating_sub(HISTORY));
    for activation in reader.activations(None, 200).context("read who activated what")?.iter().rev() {
        let report = report_of(reader, activation.seq).context("read what a swap found")?;
        let signed_by = report.and_then(|report| report.signed_by);
        view.note_activation(activation, signed_by);
    }
    let mut entries = Vec::new();
    replay(reader, from, |recorded| entries.push(without_rows(recorded)))?;
    let mut contexts = vec![None; entries.len()];
    let shown = entries
        .iter()
        .zip(&mut contexts)
        .rev()
        .filter_map(|(recorded, context)| match &recorded.event {
            Event::Decided(decision) => Some((decision.id, context)),
            _ => None,
        });
    for (id, context) in shown.take(crate::view::DECISIONS_MAX) {
        let record = reader.decision(id).context("read a decision")?;
        *context = record.and_then(|record| record.recording).map(|recording| recording.context);
    }
    view.fold(&Arc::new(Batch { entries, contexts }));
    Ok(view)
}

/// What the lists need of an entry: the rows of an import would be most of the memory of a start.
fn without_rows(recorded: &Recorded) -> Recorded {
    match &recorded.event {
        Event::SourcesImported {
            import,
            batch,
            digest,
            first,
            rows: _,
            refused,
            actor,
        } => Recorded {
            seq: recorded.seq,
            at: recorded.at,
            event: Event::SourcesImported {
                import: import.clone(),
                batch: *batch,
                digest: *digest,
                first: *first,
                rows: Vec::new(),
                refused: *refused,
                actor: actor.clone(),
            },
        },
        _ => recorded.clone(),
    }
}

/// Names the first field in which two states differ, for the message.
pub fn first_difference(replayed: &State, live: &State) -> String {
    let (replayed, live) = (format!("{replayed:#?}"), format!("{live:#?}"));
    for (number, (one, other)) in replayed.lines().zip(live.lines()).enumerate() {
        if one != other {
            return format!("line {number}: replayed '{}', live '{}'", one.trim(), other.trim());
        }
    }
    "one of them goes on where the other ends".to_string()
}

fn replay(reader: &Reader, after: Seq, mut each: impl FnMut(&Recorded)) -> anyhow::Result<Seq> {
    let mut last = after;
    loop {
        let page = reader
            .events_after(last, PAGE)
            .with_context(|| format!("read the journal after entry {last}"))?;
        if page.is_empty() {
            return Ok(last);
        }
        for recorded in &page {
            anyhow::ensure!(
                recorded.seq.0 == last.0 + 1,
                "entry {} of the journal is missing: run `pointsman verify`",
                last.0 + 1
            );
            last = recorded.seq;
            each(recorded);
        }
    }
}
