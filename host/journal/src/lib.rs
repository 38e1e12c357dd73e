//! The journal: append-only truth in one SQLite file, and the views folded from it in the same transaction.
//!
//! [`Journal`] is the one writer. [`Journal::append`] writes a batch of events, the rows of the views they change and
//! the contexts of the decisions among them as one group commit: when it returns, all of it survives a power cut; when
//! it fails, none of it is there. [`Reader`] reads from a connection of its own, on any thread, while the writer writes.
//!
//! What is truth and what is not:
//!
//! | table | is |
//! | --- | --- |
//! | `events` | truth; entry by entry chained by BLAKE3, the last one named in `head` |
//! | `recordings`, `policy_codes`, `codes` | truth, too large for an event; an event holds the digest |
//! | `snapshots` | a cache of the coordinator's state; its bytes mean nothing here |
//! | all others | views, folded by [`fold`] from the events alone; [`Journal::rebuild_views`] makes them anew |
//!
//! [`Reader::verify`] finds an altered, missing, added or reordered entry, a context that is not the one decided on,
//! and a view that is not what its events say.
//!
//! SQLite runs in WAL mode with `synchronous=FULL`. Appends never checkpoint: a thread of its own does
//! ([`checkpoint`]). A lock file keeps a second host away from the directory.
//!
//! Absent on purpose: clocks (the time of an entry comes in), retries (a failed sync is never tried again on the same
//! connection, see [`Journal::reopen`]), the coordinator's state, and any way to change or delete an entry.

mod append;
mod chain;
mod checkpoint;
mod fold;
mod json;
mod open;
mod past;
mod reader;
mod rows;
mod schema;
mod snapshot;
mod verify;
mod window;
mod words;

pub use append::{AppendError, PolicyCode};
pub use checkpoint::{CheckpointOptions, Checkpoints};
pub use open::{Journal, OpenError, OpenOptions};
pub use past::{EntryStretch, Gained, OutcomeStretch, SINCE_MAX};
pub use reader::{Counts, DecisionFilter, LIMIT_MAX, ModelFilter, ReadError, Reader, RunFilter, SourceFilter, VersionUse};
pub use rows::{
    ActivationEnd, ActivationRow, CampaignView, CandidateRow, CodeRow, DecisionRecord, DecisionRow, Entry, ModelRow, PinRow,
    PolicyCanaryRow, PolicyVersionRow, PreviousPolicy, QuarantineRow, RoleCause, RoleRow, RunRow, SourceRow, SourceStatus,
};
pub use snapshot::SnapshotError;
pub use verify::{PROBLEMS_MAX, Problem, RebuildError, VerifyOptions, VerifyReport};
pub use window::StoredDecision;
