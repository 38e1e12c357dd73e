//! The driver: one thread that owns the coordinator, the journal and the engines.
//!
//! Its order is the promise of this program: handle, append, and only then reply, publish and tell the runner. What
//! is refused by the disk was never told to anyone.

use crate::clock::now_ms;
use crate::health::Health;
use crate::hub::{Hub, PUBLISH_EVERY};
use crate::inbox::{Codes, INBOX_MAX, Inbox, Message, Rejected};
use crate::recovery::{self, Restored};
use crate::view::{Batch, View};
use anyhow::Context as _;
use pointsman_coordinator::{Coordinator, Policies, Reply};
use pointsman_journal::{AppendError, Journal, Reader};
use pointsman_model::command::Command;
use pointsman_model::event::{Emitted, Recorded};
use pointsman_model::wants::Wants;
use pointsman_model::{Seq, SourceId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, oneshot};

/// Commands that one step takes, and how long it waits for more of them.
const STEP_COMMANDS_MAX: usize = 256;
const STEP_WITHIN: Duration = Duration::from_millis(2);
/// Events between two snapshots: what a start has to replay at most.
const SNAPSHOT_EVERY: u64 = 2_000;
/// And for each so many open sources one event more: a snapshot holds them all, and writing it costs by their number.
const SNAPSHOT_SOURCES: u64 = 4;
/// While the journal cannot be written, how often that is tried.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Least time between two tries that callers cause.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// Least time between two tellings of what is wanted. The first after a pause goes out at once; under load a step commits
/// every few hundred microseconds, and each telling copies all runs.
const TELL_EVERY: Duration = Duration::from_millis(5);
/// Longest sleep; a clock that jumps is noticed after it.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// What the driver works with.
pub struct Setup {
    pub journal: Journal,
    pub reader: Reader,
    pub restored: Restored,
    pub view: View,
    pub policies: Box<dyn Policies + Send>,
    pub hub: Hub,
    /// Told what should be true outside; must not block.
    pub on_wants: Box<dyn FnMut(Wants) + Send>,
    /// Entries as they become true, for who wants to tell a story of them. Lossy for the slow.
    pub events: broadcast::Sender<Arc<Batch>>,
    pub health: Arc<Health>,
    /// At the end, replay the whole journal and compare: a difference is an error.
    pub check_replay: bool,
}

/// A running driver. Dropping it does not stop it.
pub struct Driver {
    pub inbox: Inbox,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Driver {
    pub fn start(setup: Setup) -> std::io::Result<Driver> {
        let (sender, messages) = sync_channel(INBOX_MAX);
        let mut state = Loop::new(setup, messages);
        let thread = std::thread::Builder::new().name("driver".into()).spawn(move || {
            let ended = state.run();
            if let Err(error) = &ended {
                tracing::error!("the driver has stopped: {error:#}");
                state.health.fail(format!("{error:#}"));
            }
            ended
        })?;
        Ok(Driver {
            inbox: Inbox { sender },
            thread,
        })
    }

    /// Ends it after what is in the inbox, with a snapshot.
    pub fn stop(self) -> anyhow::Result<()> {
        self.inbox.stop();
        self.thread
            .join()
            .map_err(|_| anyhow::anyhow!("the driver's thread has panicked"))?
    }
}

struct Loop {
    messages: Receiver<Message>,
    journal: Journal,
    reader: Reader,
    coordinator: Coordinator,
    view: View,
    policies: Box<dyn Policies + Send>,
    hub: Hub,
    on_wants: Box<dyn FnMut(Wants) + Send>,
    events: broadcast::Sender<Arc<Batch>>,
    health: Arc<Health>,
    check_replay: bool,
    last_seq: Seq,
    snapshot_seq: Seq,
    /// Deadlines up to here have been seen to.
    settled_at: u64,
    view_given: Instant,
    view_waits: bool,
    wants_told: Instant,
    wants_wait: bool,
    /// Texts of the sources that run: the state has none.
    bodies: BTreeMap<SourceId, String>,
    /// Since when the journal cannot be written, and when that was last tried.
    read_only: Option<ReadOnly>,
}

struct ReadOnly {
    rejected: Rejected,
    tried: Instant,
    /// The state still has to be rebuilt: it holds what the journal refused.
    stale: bool,
}

/// Who asked, where anybody waits for an answer, and what it is going to be.
type Replies = Vec<(Option<oneshot::Sender<Result<Reply, Rejected>>>, Result<Reply, Rejected>)>;

/// Commands of one step and what came of them.
#[derive(Default)]
struct Step {
    events: Vec<Emitted>,
    codes: Codes,
    replies: Replies,
}

enum Woken {
    Message(Message),
    Time,
    Stop,
}

impl Loop {
    fn new(setup: Setup, messages: Receiver<Message>) -> Loop {
        let Setup {
            journal,
            reader,
            restored,
            view,
            policies,
            hub,
            on_wants,
            events,
            health,
            check_replay,
        } = setup;
        let Restored {
            coordinator,
            last_seq,
            snapshot_seq,
        } = restored;
        let settled_at = coordinator.state().last_at;
        Loop {
            messages,
            journal,
            reader,
            coordinator,
            view,
            policies,
            hub,
            on_wants,
            events,
            health,
            check_replay,
            last_seq,
            snapshot_seq,
            settled_at,
            view_given: Instant::now(),
            view_waits: false,
            wants_told: Instant::now(),
            wants_wait: false,
            bodies: BTreeMap::new(),
            read_only: None,
        }
    }

    fn run(&mut self) -> anyhow::Result<()> {
        // Runs that the journal knows are under way: the runner looks for them now.
        self.tell_wants();
        loop {
            self.health.beat(now_ms());
            let stop = match self.wait() {
                Woken::Message(message) => self.step(Some(message))?,
                Woken::Time => self.step(None)?,
                Woken::Stop => true,
            };
            if self.wants_wait && self.wants_told.elapsed() >= TELL_EVERY {
                self.tell_wants();
            }
            self.give_view();
            if stop {
                break;
            }
        }
        self.finish()
    }

    fn wait(&mut self) -> Woken {
        let mut timeout = SLEEP_MAX;
        if self.view_waits {
            timeout = timeout.min(PUBLISH_EVERY.saturating_sub(self.view_given.elapsed()));
        }
        if self.wants_wait {
            timeout = timeout.min(TELL_EVERY.saturating_sub(self.wants_told.elapsed()));
        }
        match &self.read_only {
            Some(read_only) => timeout = timeout.min(PROBE_EVERY.saturating_sub(read_only.tried.elapsed())),
            None => {
                let now = now_ms();
                if let Some(deadline) = self.coordinator.next_deadline(self.settled_at) {
                    timeout = timeout.min(Duration::from_millis(deadline.saturating_sub(now)));
                }
            }
        }
        match self.messages.recv_timeout(timeout) {
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => Woken::Stop,
            Ok(message) => Woken::Message(message),
            Err(RecvTimeoutError::Timeout) => Woken::Time,
        }
    }

    /// One step: takes what waits, appends once, and only then tells. Answers whether to stop.
    fn step(&mut self, first: Option<Message>) -> anyhow::Result<bool> {
        if self.read_only.is_some() && !self.try_to_recover(first.is_none()) {
            return Ok(self.refuse_waiting(first));
        }
        // Time in a journal does not run backwards.
        let now = now_ms().max(self.coordinator.state().last_at);
        let mut step = Step::default();
        let mut stop = false;
        let started = Instant::now();
        let mut message = first;
        let mut taken = 0;
        loop {
            match message.take() {
                Some(Message::Command { command, codes, reply }) => self.handle(now, *command, codes, reply, &mut step),
                Some(Message::Look(look)) => {
                    // A look must not see what is not in the journal.
                    if !step.events.is_empty() {
                        self.commit(now, std::mem::take(&mut step))?;
                        if self.read_only.is_some() {
                            return Ok(self.refuse_waiting(Some(Message::Look(look))));
                        }
                    }
                    look(self.coordinator.state());
                }
                Some(Message::Refresh) => {
                    self.commit(now, std::mem::take(&mut step))?;
                    self.tell_wants();
                }
                Some(Message::Stop) => {
                    stop = true;
                    break;
                }
                None => {}
            }
            taken += 1;
            if taken >= STEP_COMMANDS_MAX || started.elapsed() >= STEP_WITHIN {
                break;
            }
            match self.messages.try_recv() {
                Ok(next) => message = Some(next),
                Err(_) => break,
            }
        }
        if self
            .coordinator
            .next_deadline(self.settled_at)
            .is_some_and(|deadline| deadline <= now)
        {
            self.handle(now, Command::Tick, Vec::new(), None, &mut step);
        }
        self.commit(now, step)?;
        Ok(stop)
    }

    fn handle(
        &mut self,
        now: u64,
        command: Command,
        codes: Codes,
        reply: Option<oneshot::Sender<Result<Reply, Rejected>>>,
        step: &mut Step,
    ) {
        match self.coordinator.handle(now, command, &mut *self.policies) {
            Ok(handled) => {
                self.settled_at = now;
                step.events.extend(handled.events);
                step.codes.extend(codes);
                step.replies.push((reply, Ok(handled.reply)));
            }
            Err(refusal) => {
                if reply.is_none() {
                    // A report of an attempt that is over: doubles are expected after a restart.
                    tracing::debug!(code = refusal.code, "refused: {refusal}");
                }
                step.replies.push((reply, Err(Rejected::Refused(refusal))));
            }
        }
    }

    /// Appends and then tells.
    fn commit(&mut self, now: u64, step: Step) -> anyhow::Result<()> {
        let Step { events, codes, replies } = step;
        if events.is_empty() {
            answer(replies);
            return Ok(());
        }
        let first = match self.journal.append(now, &events, &codes) {
            Ok(first) => first,
            Err(error) if error.may_pass() => {
                self.enter_read_only(error, replies);
                return Ok(());
            }
            Err(error) => {
                // Dropping the replies tells the callers that the host is gone: it is.
                return Err(
                    anyhow::Error::new(error).context("the journal refused entries that it must take; nothing of them was told to anyone")
                );
            }
        };
        let mut batch = Batch {
            entries: Vec::with_capacity(events.len()),
            contexts: Vec::with_capacity(events.len()),
        };
        for (offset, Emitted { event, recording }) in events.into_iter().enumerate() {
            batch.entries.push(Recorded {
                seq: Seq(first.0 + offset as u64),
                at: now,
                event,
            });
            batch.contexts.push(recording.map(|recording| recording.context));
        }
        self.last_seq = Seq(first.0 + batch.entries.len() as u64 - 1);
        self.hub.answered(self.last_seq.0);
        answer(replies);
        let batch = Arc::new(batch);
        self.view.fold(&batch);
        self.view_waits = true;
        self.wants_wait = true;
        // An error says only that nobody listens.
        let _ = self.events.send(batch);
        let open = self.coordinator.state().sources.len() as u64;
        if self.last_seq.0 - self.snapshot_seq.0 >= SNAPSHOT_EVERY + open / SNAPSHOT_SOURCES {
            self.store_snapshot();
        }
        Ok(())
    }

    fn tell_wants(&mut self) {
        self.wants_told = Instant::now();
        let mut wants = self.coordinator.wants();
        match self.fill_in_bodies(&mut wants) {
            Ok(()) => {
                (self.on_wants)(wants);
                self.wants_wait = false;
            }
            // A run without its text would train on something else: it is told as soon as the text can be read.
            Err(error) => {
                tracing::warn!("what should run is not told to the runner yet: {error:#}");
                self.wants_wait = true;
            }
        }
    }

    fn fill_in_bodies(&mut self, wants: &mut Wants) -> anyhow::Result<()> {
        let mut known = std::mem::take(&mut self.bodies);
        for source in wants.runs.iter_mut().filter_map(|run| run.source.as_mut()) {
            let id = SourceId(source.id);
            let body = match known.remove(&id) {
                Some(body) => body,
                None => self.reader.source_body(id).context("read a source's text")?.unwrap_or_default(),
            };
            source.body.clone_from(&body);
            self.bodies.insert(id, body);
        }
        Ok(())
    }

    fn give_view(&mut self) {
        if self.view_waits
            && self.view_given.elapsed() >= PUBLISH_EVERY
            && !self.read_only.as_ref().is_some_and(|read_only| read_only.stale)
        {
            self.hub.give(self.view.dashboard(self.coordinator.state()));
            self.view_given = Instant::now();
            self.view_waits = false;
        }
    }

    fn store_snapshot(&mut self) {
        // A snapshot is a cache: without it a start replays more.
        match self.journal.store_snapshot(self.last_seq, &self.coordinator.snapshot()) {
            Ok(()) => self.snapshot_seq = self.last_seq,
            Err(error) => tracing::warn!("no snapshot was stored: {error}"),
        }
    }

    /// The disk said no: nobody is told anything, and the state goes back to what the journal holds.
    fn enter_read_only(&mut self, error: AppendError, replies: Replies) {
        let reason = chain(&error);
        let rejected = match error {
            AppendError::Full(_) => Rejected::Full { reason: reason.clone() },
            AppendError::Io(_) | AppendError::Closed | AppendError::Unwritable { .. } | AppendError::Broken(_) => {
                Rejected::ReadOnly { reason: reason.clone() }
            }
        };
        if self.read_only.is_none() {
            tracing::error!("read-only: {reason}");
        }
        self.health.set_trouble(Some(reason.clone()));
        self.hub.alert(
            "0-read-only",
            Some(crate::wire::Alert {
                level: "error".to_string(),
                code: "read_only".to_string(),
                text: format!("Nothing can be changed: {reason}."),
                fix: Some("Free space on the disk of the data directory; the host goes on by itself.".to_string()),
            }),
        );
        for (reply, _) in replies {
            if let Some(reply) = reply {
                let _ = reply.send(Err(rejected.clone()));
            }
        }
        self.read_only = Some(ReadOnly {
            rejected,
            tried: Instant::now(),
            stale: true,
        });
        if let Err(error) = self.rebuild() {
            tracing::warn!("the state could not be rebuilt yet: {error:#}");
        }
    }

    fn rebuild(&mut self) -> anyhow::Result<()> {
        if self.journal.must_reopen() {
            self.journal.reopen().context("reopen the journal")?;
        }
        let restored = recovery::restore(&self.reader)?;
        self.coordinator = restored.coordinator;
        self.settled_at = self.coordinator.state().last_at;
        self.last_seq = restored.last_seq;
        if let Some(read_only) = &mut self.read_only {
            read_only.stale = false;
        }
        // What the runner was told is what the journal holds: a step that failed told it nothing.
        Ok(())
    }

    /// Whether the next step may be tried. A write of a snapshot is the probe when nobody asks for anything.
    fn try_to_recover(&mut self, probe: bool) -> bool {
        let Some(read_only) = &mut self.read_only else { return true };
        let wait = if probe { PROBE_EVERY } else { RETRY_AFTER };
        if read_only.tried.elapsed() < wait {
            return false;
        }
        read_only.tried = Instant::now();
        if read_only.stale
            && let Err(error) = self.rebuild()
        {
            tracing::debug!("still read-only: {error:#}");
            return false;
        }
        match self.journal.store_snapshot(self.last_seq, &self.coordinator.snapshot()) {
            Ok(()) => {
                tracing::info!("the journal can be written again");
                self.snapshot_seq = self.last_seq;
                self.read_only = None;
                self.health.set_trouble(None);
                self.hub.alert("0-read-only", None);
                self.view_waits = true;
                self.tell_wants();
                true
            }
            Err(error) => {
                tracing::debug!("still read-only: {error}");
                if let Some(read_only) = &mut self.read_only {
                    read_only.stale = self.journal.must_reopen();
                }
                false
            }
        }
    }

    /// Answers what waits without touching anything. Looks are answered as long as the state is the journal's.
    fn refuse_waiting(&mut self, first: Option<Message>) -> bool {
        let Some(ReadOnly { rejected, stale, .. }) = &self.read_only else {
            return false;
        };
        let mut next = first;
        while let Some(message) = next.take().or_else(|| self.messages.try_recv().ok()) {
            match message {
                Message::Command { reply: Some(reply), .. } => {
                    let _ = reply.send(Err(rejected.clone()));
                }
                // The runner tells an outcome again until the run is no longer wanted.
                Message::Command { reply: None, .. } => {}
                Message::Look(look) => {
                    if !stale {
                        look(self.coordinator.state());
                    }
                }
                Message::Refresh => {}
                Message::Stop => return true,
            }
        }
        false
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.view_given = Instant::now().checked_sub(PUBLISH_EVERY).unwrap_or(self.view_given);
        self.give_view();
        if self.read_only.is_none() && self.last_seq > self.snapshot_seq {
            self.store_snapshot();
        }
        if self.check_replay {
            let replayed = recovery::replay_all(&self.reader).context("replay the whole journal")?;
            anyhow::ensure!(
                replayed.state() == self.coordinator.state(),
                "the replayed journal is not the live state: {}",
                recovery::first_difference(replayed.state(), self.coordinator.state())
            );
            tracing::info!(seq = self.last_seq.0, "the replayed journal is the live state");
        }
        Ok(())
    }
}

fn answer(replies: Replies) {
    for (reply, result) in replies {
        if let Some(reply) = reply {
            // A caller that has gone away needs no answer.
            let _ = reply.send(result);
        }
    }
}

/// An error and its causes as one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let cause_text = inner.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        cause = inner.source();
    }
    text
}
