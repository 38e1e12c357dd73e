//! Shadows: versions that see what was decided, after it was, and decide nothing.
//!
//! A shadow is asked about the very bytes that were recorded, on a thread of its own. What it answers is compared and
//! counted, and goes nowhere else. One thread takes the driver's batches and hands them on; a shadow that is too slow
//! misses decisions, which are counted, and delays nobody.

mod kept;

pub use kept::KeptShadows;

use crate::clock::now_ms;
use crate::dry_run::{counted, diverged, engines_of};
use crate::hub::Hub;
use crate::view::Batch;
use crate::wire::ShadowCard;
use pointsman_coordinator::Guards;
use pointsman_model::Digest;
use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::event::Event;
use pointsman_model::policy::{PolicyKind, PolicyRef};
use pointsman_policy::{Checked, Engines};
use pointsman_sim::replay::{Compared, Shadow as Seeing, guarded};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::broadcast;

/// Shadows of one kind at a time. Each costs a thread, and what its policy may take of memory.
pub const SHADOWS_PER_KIND_MAX: usize = 4;
/// Decisions that wait for a shadow.
const WAITING_MAX: usize = 256;
/// How much a shadow stands back for everybody else where the processor is scarce: the weakest wish there is but idle.
const NICENESS: libc::c_int = 15;
/// Disagreements that are shown.
const DISAGREEMENTS_MAX: usize = 10;
/// Least time between two changes of what is shown.
const SHOW_EVERY: Duration = Duration::from_millis(100);

/// The shadows, a few of each kind.
pub struct Shadows {
    hub: Hub,
    running: Mutex<Running>,
    /// Where those that a person has started are kept over a restart, if anywhere.
    pub kept: Option<KeptShadows>,
}

/// By kind and version.
type Running = BTreeMap<(PolicyKind, Digest), Shadow>;

struct Shadow {
    queue: SyncSender<(Arc<Batch>, usize)>,
    tally: Arc<Mutex<Tally>>,
}

/// What a shadow has seen.
#[derive(Clone, Debug)]
struct Tally {
    card: ShadowCard,
    stopped: bool,
}

/// Why a version cannot be put in shadow.
#[derive(Debug, thiserror::Error)]
pub enum Occupied {
    #[error("{policy} is in shadow for {kind} already")]
    Watching { kind: PolicyKind, policy: PolicyRef },
    #[error("{kind} has {SHADOWS_PER_KIND_MAX} shadows already: {policies}")]
    Full { kind: PolicyKind, policies: String },
    #[error("the shadow of {kind} has no thread: {error}")]
    NoThread { kind: PolicyKind, error: std::io::Error },
}

impl Occupied {
    /// What to do about it.
    pub fn fix(&self) -> String {
        match self {
            Occupied::Watching { kind, policy } => format!("`pointsman policy shadow stop {kind} {policy}` ends it"),
            Occupied::Full { kind, .. } => format!("`pointsman policy shadow stop {kind} NAME@VERSION` ends one"),
            Occupied::NoThread { .. } => "Stop other shadows or raise the limit on threads of the host process".to_string(),
        }
    }
}

impl Shadows {
    pub fn start(hub: Hub, events: broadcast::Receiver<Arc<Batch>>, kept: Option<KeptShadows>) -> std::io::Result<Arc<Shadows>> {
        let shadows = Arc::new(Shadows {
            hub,
            running: Mutex::default(),
            kept,
        });
        let feed = shadows.clone();
        std::thread::Builder::new()
            .name("shadow-feed".into())
            .spawn(move || feed.feed(events))?;
        Ok(shadows)
    }

    /// From now on the version sees each decision of its kind. It starts with `state`, a copy.
    pub fn watch(&self, checked: &Checked, file: &str, actor: &str, state: Vec<u8>, guards: Guards) -> Result<ShadowCard, Occupied> {
        let description = checked.description.clone();
        let (kind, policy) = (description.kind, description.policy.clone());
        let mut running = self.lock();
        if running.contains_key(&(kind, policy.digest)) {
            return Err(Occupied::Watching { kind, policy });
        }
        let others = cards(&running, kind);
        if others.len() >= SHADOWS_PER_KIND_MAX {
            let names: Vec<String> = others.iter().map(|card| format!("{}@{}", card.name, card.version)).collect();
            return Err(Occupied::Full {
                kind,
                policies: names.join(", "),
            });
        }
        let (queue, waiting) = sync_channel(WAITING_MAX);
        let tally = Arc::new(Mutex::new(Tally {
            card: ShadowCard {
                kind: kind.slug().to_string(),
                name: description.policy.name.clone(),
                version: description.policy.version.clone(),
                digest: description.policy.digest.to_string(),
                engine: description.policy.engine.slug().to_string(),
                file: file.to_string(),
                actor: actor.to_string(),
                since: now_ms(),
                asked: 0,
                agreed: 0,
                disagreed: 0,
                faults: 0,
                dropped: 0,
                classes: Vec::new(),
                disagreements: Vec::new(),
            },
            stopped: false,
        }));
        let worker = Worker {
            engines: engines_of(checked),
            seeing: Seeing::new(description, state),
            guards,
            tally: tally.clone(),
            hub: self.hub.clone(),
            shown: Instant::now(),
            changed: false,
        };
        std::thread::Builder::new()
            .name(format!("shadow-{kind}"))
            .spawn(move || {
                stand_back();
                worker.show_now();
                worker.run(&waiting);
            })
            .map_err(|error| Occupied::NoThread { kind, error })?;
        let card = self::tally(&tally).card.clone();
        running.insert((kind, policy.digest), Shadow { queue, tally });
        Ok(card)
    }

    /// Ends the shadow of one version and tells what it has seen.
    pub fn stop(&self, kind: PolicyKind, version: &Digest) -> Option<ShadowCard> {
        let Shadow { queue, tally: seen } = self.lock().remove(&(kind, *version))?;
        drop(queue);
        tally(&seen).stopped = true;
        let card = tally(&seen).card.clone();
        self.hub.aside(|asides| {
            asides.shadows.remove(&(card.kind.clone(), card.digest.clone()));
        });
        Some(card)
    }

    pub fn card(&self, kind: PolicyKind, version: &Digest) -> Option<ShadowCard> {
        self.lock().get(&(kind, *version)).map(|shadow| tally(&shadow.tally).card.clone())
    }

    /// What a kind's shadows have seen so far.
    pub fn cards(&self, kind: PolicyKind) -> Vec<ShadowCard> {
        cards(&self.lock(), kind)
    }

    /// Ends when the driver does.
    fn feed(&self, mut events: broadcast::Receiver<Arc<Batch>>) {
        loop {
            match events.blocking_recv() {
                Ok(batch) => self.hand_on(&batch),
                // Nobody knows what was missed; each shadow has missed something.
                Err(broadcast::error::RecvError::Lagged(batches)) => {
                    for shadow in self.lock().values() {
                        tally(&shadow.tally).card.dropped += batches;
                    }
                }
                Err(broadcast::error::RecvError::Closed) => {
                    self.lock().clear();
                    return;
                }
            }
        }
    }

    fn hand_on(&self, batch: &Arc<Batch>) {
        let running = self.lock();
        if running.is_empty() {
            return;
        }
        for (index, recorded) in batch.entries.iter().enumerate() {
            let Event::Decided(decision) = &recorded.event else { continue };
            for (_, shadow) in of_kind(&running, decision.kind) {
                match shadow.queue.try_send((batch.clone(), index)) {
                    Ok(()) => {}
                    Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => tally(&shadow.tally).card.dropped += 1,
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_kind(running: &Running, kind: PolicyKind) -> impl Iterator<Item = (&(PolicyKind, Digest), &Shadow)> {
    running.iter().filter(move |((of, _), _)| *of == kind)
}

fn cards(running: &Running, kind: PolicyKind) -> Vec<ShadowCard> {
    of_kind(running, kind)
        .map(|(_, shadow)| tally(&shadow.tally).card.clone())
        .collect()
}

/// Lets everybody else go first: what decides, and what trains.
fn stand_back() {
    // SAFETY: a plain system call on this thread alone; where it is refused the shadow runs as it would have.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS as _, libc::gettid() as libc::id_t, NICENESS);
    }
}

struct Worker {
    engines: Engines,
    seeing: Seeing,
    guards: Guards,
    tally: Arc<Mutex<Tally>>,
    hub: Hub,
    shown: Instant,
    changed: bool,
}

impl Worker {
    fn run(mut self, waiting: &Receiver<(Arc<Batch>, usize)>) {
        loop {
            match waiting.recv_timeout(SHOW_EVERY) {
                Ok((batch, index)) => self.see(&batch, index),
                Err(RecvTimeoutError::Timeout) => {}
                // Stopped; what it has seen was taken along.
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.changed && self.shown.elapsed() >= SHOW_EVERY {
                self.show_now();
                self.shown = Instant::now();
                self.changed = false;
            }
        }
    }

    fn see(&mut self, batch: &Batch, index: usize) {
        let recorded = &batch.entries[index];
        let Event::Decided(decision) = &recorded.event else { return };
        let bytes = batch.contexts.get(index).and_then(|context| context.as_deref());
        let Some(context) = bytes.and_then(|bytes| Context::decode(bytes).ok()) else {
            tally(&self.tally).card.dropped += 1;
            return;
        };
        let guards = self.guards;
        let guard = &mut |context: &Context, answer: &Answer| guarded(guards, context, answer);
        let Compared { change, after, context } = self.seeing.see(&mut self.engines, decision, context, guard);
        self.changed = true;
        let Tally { card, stopped: _ } = &mut *tally(&self.tally);
        (card.asked, card.agreed) = (self.seeing.asked, self.seeing.agreed);
        (card.disagreed, card.faults) = (self.seeing.disagreed, self.seeing.faults);
        if let Some(change) = change {
            card.classes = counted(&self.seeing.classes);
            card.disagreements
                .insert(0, diverged(recorded.at, change, decision, &after, &context));
            card.disagreements.truncate(DISAGREEMENTS_MAX);
        }
    }

    fn show_now(&self) {
        // Under the hub's lock: who stops a shadow takes it off the page under the same one, and it stays off.
        self.hub.aside(|asides| {
            let Tally { card, stopped, .. } = &*tally(&self.tally);
            if !stopped {
                asides.shadows.insert((card.kind.clone(), card.digest.clone()), card.clone());
            }
        });
    }
}

fn tally(shared: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
