//! The hub: keeps the read model, turns changes into shared frames, and lets viewers come back where they left.
//!
//! One thread compares each new read model with the one before and writes the difference once, as text that all
//! viewers share. The patches stand in one ring; a viewer is an index into it. It is woken, takes what waits and
//! writes that with one flush. A viewer that falls behind the ring is told so by a gap and gets a fresh snapshot; it
//! holds up nobody.
//!
//! Frames carry journal positions. What is not in the journal (alerts, the loss of a run under way, counts of this
//! process) is laid over the read model here and sent as an *aside*: a patch whose `from` equals its `seq`, made of
//! replacements only.

use crate::clock::now_ms;
use crate::patch;
use crate::wire::{Alert, Dashboard, Frame, Point, PolicyProblem, ShadowCard, Swap, ViewStamp};
use axum::extract::ws::Utf8Bytes;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, watch};

/// Patches kept for viewers that come back.
const RING_MAX: usize = 500;
/// Frames of loss samples that wait for a slow viewer; the oldest are dropped, the page reads them again from the job.
const SAMPLES_MAX: usize = 256;
/// Points of one run that wait for the next frame.
const POINTS_MAX: usize = 4096;
/// Least time between two patches: 20 a second is as fast as a person sees.
pub const PUBLISH_EVERY: Duration = Duration::from_millis(50);
/// How long a reader waits for the read model to show what was answered before it asked.
const CATCH_UP_MAX: Duration = Duration::from_secs(1);
/// The name of the only read model.
pub const MODEL: &str = "dashboard";

/// What the read model shows beside the journal.
#[derive(Clone, Debug, Default)]
pub struct Asides {
    /// By a key of the giver; the key's order is the order on the page.
    pub alerts: BTreeMap<String, Alert>,
    /// By kind: the generation that was active when the file was refused, and why it was.
    pub problems: BTreeMap<String, (u32, PolicyProblem)>,
    /// Steps and latest loss of runs under way.
    pub live: BTreeMap<u64, (u64, Option<f64>)>,
    /// Runs whose trainer says that it still warms up.
    pub warming: std::collections::BTreeSet<u64>,
    /// Standard requests answered, by model tag.
    pub answered: BTreeMap<String, u64>,
    /// Swaps of this host process, newest first.
    pub swaps: Vec<Arc<Swap>>,
    /// Shadows, by kind and digest of the version.
    pub shadows: BTreeMap<(String, String), ShadowCard>,
}

/// Handle to the hub.
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

struct Shared {
    epoch: String,
    inner: Mutex<Inner>,
    wake: Condvar,
    version: watch::Sender<u64>,
    samples: broadcast::Sender<Utf8Bytes>,
    /// The last entry whose command was answered.
    answered: AtomicU64,
}

struct Inner {
    // What was given and is not yet published.
    given: Arc<Dashboard>,
    asides: Asides,
    dirty: bool,
    points: BTreeMap<u64, Vec<Point>>,
    stopping: bool,
    // What is published.
    seq: u64,
    value: Arc<Value>,
    snapshot: Option<Utf8Bytes>,
    ring: VecDeque<Patch>,
    /// Index of the ring's first patch since the start.
    first: u64,
    /// `from` of the patch last dropped from the ring.
    dropped_from: Option<u64>,
}

struct Patch {
    from: u64,
    seq: u64,
    text: Utf8Bytes,
}

/// A viewer's place: the index of the next patch it has not taken.
#[derive(Debug)]
pub struct Place {
    next: u64,
    seq: u64,
}

impl Hub {
    /// Starts the hub's thread with the read model as it is.
    pub fn start(epoch: String, first: Dashboard) -> Hub {
        Hub::start_with(epoch, first, PUBLISH_EVERY)
    }

    fn start_with(epoch: String, first: Dashboard, publish_every: Duration) -> Hub {
        let first = Arc::new(first);
        let value = Arc::new(stamped(to_value(&first), first.seq));
        let (version, _) = watch::channel(0);
        let (samples, _) = broadcast::channel(SAMPLES_MAX);
        let hub = Hub {
            shared: Arc::new(Shared {
                epoch,
                inner: Mutex::new(Inner {
                    seq: first.seq,
                    given: first,
                    asides: Asides::default(),
                    dirty: false,
                    points: BTreeMap::new(),
                    stopping: false,
                    value,
                    snapshot: None,
                    ring: VecDeque::new(),
                    first: 0,
                    dropped_from: None,
                }),
                wake: Condvar::new(),
                version,
                samples,
                answered: AtomicU64::new(0),
            }),
        };
        let publisher = hub.clone();
        std::thread::Builder::new()
            .name("hub".into())
            .spawn(move || publisher.publish_until_stopped(publish_every))
            .expect("a thread can be started");
        hub
    }

    pub fn epoch(&self) -> &str {
        &self.shared.epoch
    }

    /// From the driver: the read model after a batch. Never blocks for longer than a viewer takes to copy its frames' handles.
    pub fn give(&self, dashboard: Dashboard) {
        let mut inner = self.lock();
        inner.given = Arc::new(dashboard);
        inner.dirty = true;
        drop(inner);
        self.shared.wake.notify_one();
    }

    /// Changes what is shown beside the journal.
    pub fn aside(&self, change: impl FnOnce(&mut Asides)) {
        let mut inner = self.lock();
        change(&mut inner.asides);
        inner.dirty = true;
        drop(inner);
        self.shared.wake.notify_one();
    }

    /// Sets or clears one alert.
    pub fn alert(&self, key: &str, alert: Option<Alert>) {
        self.aside(|asides| match alert {
            Some(alert) => {
                asides.alerts.insert(key.to_string(), alert);
            }
            None => {
                asides.alerts.remove(key);
            }
        });
    }

    /// New points of a run's loss curve.
    pub fn points(&self, run: u64, points: &[Point]) {
        let mut inner = self.lock();
        let waiting = inner.points.entry(run).or_default();
        let room = POINTS_MAX.saturating_sub(waiting.len());
        waiting.extend(points.iter().take(room));
        if let Some((step, loss, _)) = points.last() {
            inner.asides.live.insert(run, (*step, *loss));
            inner.dirty = true;
        }
        drop(inner);
        self.shared.wake.notify_one();
    }

    /// The read model as it is published.
    pub fn dashboard(&self) -> Arc<Value> {
        self.lock().value.clone()
    }

    /// From the driver, before a command is answered: what it wrote ends with this entry.
    pub fn answered(&self, seq: u64) {
        self.shared.answered.store(seq, Ordering::Release);
    }

    /// Waits until the read model shows all that was answered before the call: who writes and then reads, reads what was
    /// written. A host that falls behind for longer than [`CATCH_UP_MAX`] shows what it has; the stamp says as of when.
    pub async fn caught_up(&self) {
        let answered = self.shared.answered.load(Ordering::Acquire);
        let mut versions = self.versions();
        let shown = async { while self.lock().seq < answered && versions.changed().await.is_ok() {} };
        let _ = tokio::time::timeout(CATCH_UP_MAX, shown).await;
    }

    /// The read model as it was given last, with what is laid over it: at most one publication ahead of [`Hub::dashboard`].
    pub fn latest(&self) -> Dashboard {
        let inner = self.lock();
        laid_over(&inner.given, &inner.asides)
    }

    /// First frames of a viewer, and its place. It resumes where `since` is a position of this epoch that the ring still holds.
    pub fn join(&self, since: Option<(&str, u64)>) -> (Vec<Utf8Bytes>, Place) {
        let mut inner = self.lock();
        let hello = Frame::Hello {
            epoch: self.shared.epoch.clone(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            seq: inner.seq,
        };
        let mut frames = vec![to_text(&hello)];
        let resumed = since
            .filter(|(epoch, _)| *epoch == self.shared.epoch)
            .and_then(|(_, seq)| inner.index_of(seq));
        match resumed {
            Some(next) => frames.extend(
                inner
                    .ring
                    .iter()
                    .skip((next - inner.first) as usize)
                    .map(|patch| patch.text.clone()),
            ),
            None => frames.push(inner.snapshot()),
        }
        let place = Place {
            next: inner.first + inner.ring.len() as u64,
            seq: inner.seq,
        };
        (frames, place)
    }

    /// What waits for a viewer: patches, or a gap and a snapshot where it fell behind the ring.
    pub fn take(&self, place: &mut Place) -> Vec<Utf8Bytes> {
        let mut inner = self.lock();
        let end = inner.first + inner.ring.len() as u64;
        let frames = if place.next < inner.first {
            let gap = Frame::Gap {
                from: place.seq,
                to: inner.seq,
            };
            vec![to_text(&gap), inner.snapshot()]
        } else {
            inner
                .ring
                .iter()
                .skip((place.next - inner.first) as usize)
                .map(|patch| patch.text.clone())
                .collect()
        };
        *place = Place { next: end, seq: inner.seq };
        frames
    }

    /// Told at each publication.
    pub fn versions(&self) -> watch::Receiver<u64> {
        self.shared.version.subscribe()
    }

    /// Frames with loss samples.
    pub fn samples(&self) -> broadcast::Receiver<Utf8Bytes> {
        self.shared.samples.subscribe()
    }

    pub fn stop(&self) {
        self.lock().stopping = true;
        self.shared.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish_until_stopped(&self, publish_every: Duration) {
        loop {
            let mut inner = self.lock();
            while !inner.dirty && inner.points.is_empty() && !inner.stopping {
                inner = self.shared.wake.wait(inner).unwrap_or_else(PoisonError::into_inner);
            }
            if inner.stopping && !inner.dirty && inner.points.is_empty() {
                return;
            }
            let started = Instant::now();
            let points = std::mem::take(&mut inner.points);
            let work = std::mem::take(&mut inner.dirty).then(|| {
                drop_what_is_over(&mut inner);
                (inner.given.clone(), inner.asides.clone(), inner.value.clone(), inner.seq)
            });
            drop(inner);
            for (run, points) in points {
                // An error says only that nobody listens.
                let _ = self.shared.samples.send(to_text(&Frame::Samples { run, points }));
            }
            if let Some((given, asides, old, from)) = work {
                self.publish(&laid_over(&given, &asides), &old, from);
            }
            std::thread::sleep(publish_every.saturating_sub(started.elapsed()));
        }
    }

    fn publish(&self, dashboard: &Dashboard, old: &Value, from: u64) {
        let seq = dashboard.seq;
        let value = stamped(to_value(dashboard), seq);
        if value["view"]["fingerprint"] == old["view"]["fingerprint"] {
            return;
        }
        let operations = patch::diff(old, &value, from == seq);
        let text = to_text(&Frame::Patch {
            model: MODEL.to_string(),
            from,
            seq,
            patch: Value::Array(operations),
        });
        let mut inner = self.lock();
        inner.seq = seq;
        inner.value = Arc::new(value);
        inner.snapshot = None;
        inner.ring.push_back(Patch { from, seq, text });
        if inner.ring.len() > RING_MAX {
            inner.dropped_from = inner.ring.pop_front().map(|patch| patch.from);
            inner.first += 1;
        }
        drop(inner);
        self.shared.version.send_modify(|version| *version += 1);
    }
}

impl Inner {
    fn snapshot(&mut self) -> Utf8Bytes {
        let (seq, value) = (self.seq, &self.value);
        self.snapshot
            .get_or_insert_with(|| {
                // Written by hand around the value: it need not be turned back into a `Dashboard` first.
                format!(r#"{{"type":"snapshot","model":"{MODEL}","seq":{seq},"state":{value}}}"#).into()
            })
            .clone()
    }

    /// Where a viewer at `seq` goes on; none if that cannot be told without a gap.
    fn index_of(&self, seq: u64) -> Option<u64> {
        if self.dropped_from == Some(seq) {
            return None;
        }
        match self.ring.iter().position(|patch| patch.from == seq) {
            Some(at) => Some(self.first + at as u64),
            None => {
                let end = self.first + self.ring.len() as u64;
                (seq == self.seq && self.ring.back().is_none_or(|patch| patch.seq == seq)).then_some(end)
            }
        }
    }
}

/// Facts of the past that need not be laid over any more.
fn drop_what_is_over(inner: &mut Inner) {
    let Inner { given, asides, .. } = inner;
    let under_way = |run: &u64| {
        given.jobs.iter().any(|job| job.id == *run && job.finished_at.is_none()) || given.jobs.first().is_none_or(|job| job.id < *run)
    };
    asides.live.retain(|run, _| under_way(run));
    asides.warming.retain(|run| under_way(run));
    asides.problems.retain(|kind, (generation, _)| {
        given
            .policies
            .iter()
            .any(|card| card.kind == *kind && card.generation <= *generation)
    });
}

fn laid_over(given: &Dashboard, asides: &Asides) -> Dashboard {
    let mut dashboard = given.clone();
    let Asides {
        alerts,
        problems,
        live,
        warming,
        answered,
        swaps,
        shadows,
    } = asides;
    dashboard.swaps = swaps.iter().map(|swap| Swap::clone(swap)).collect();
    for job in dashboard.jobs.iter_mut().filter(|job| job.finished_at.is_none()) {
        if let Some((step, loss)) = live.get(&job.id) {
            job.steps = Some(u32::try_from(*step).unwrap_or(u32::MAX));
            job.loss = loss.or(job.loss);
        }
        if job.status_slug == "running" && warming.contains(&job.id) {
            job.status_slug = "warming".to_string();
            job.status_label = pointsman_model::run::RunStatus::Warming.label().to_string();
        }
    }
    for card in &mut dashboard.policies {
        card.problem = problems
            .get(&card.kind)
            .filter(|(generation, _)| card.generation <= *generation)
            .map(|(_, problem)| problem.clone());
        let of_kind = shadows.values().filter(|shadow| shadow.kind == card.kind);
        card.shadows = of_kind.cloned().collect();
        card.shadows.sort_by_key(|shadow| shadow.since);
    }
    if let Some(active) = &mut dashboard.active {
        active.answered = answered.get(&active.tag).copied().unwrap_or(0);
    }
    let mut all: Vec<Alert> = alerts.values().cloned().collect();
    all.append(&mut dashboard.alerts);
    all.sort_by_key(|alert| match alert.level.as_str() {
        "error" => 0,
        "warning" => 1,
        _ => 2,
    });
    dashboard.alerts = all;
    dashboard
}

fn to_value(dashboard: &Dashboard) -> Value {
    serde_json::to_value(dashboard).expect("the read model is plain data")
}

/// How long the read model may be shown by who is not told of changes.
const TTL_MS: u64 = 5_000;

/// The read model with the digest of all the rest, and the time.
fn stamped(mut value: Value, seq: u64) -> Value {
    let fingerprint = &blake3::hash(value.to_string().as_bytes()).to_hex()[..16];
    let view = ViewStamp {
        fingerprint: fingerprint.to_string(),
        seq,
        generated_at: now_ms(),
        age_ms: 0,
        ttl_ms: TTL_MS,
    };
    value["view"] = serde_json::to_value(view).expect("a stamp is plain data");
    value
}

fn to_text(frame: &Frame) -> Utf8Bytes {
    serde_json::to_string(frame).expect("a frame is plain data").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::View;
    use pointsman_coordinator::State;

    fn dashboard(seq: u64) -> Dashboard {
        let mut dashboard = View::default().dashboard(&State::empty());
        dashboard.seq = seq;
        dashboard.totals.outcomes = seq;
        dashboard
    }

    /// Gives one read model and waits until it is published.
    fn publish(hub: &Hub, seq: u64) {
        hub.give(dashboard(seq));
        let deadline = Instant::now() + Duration::from_secs(30);
        while hub.lock().seq != seq {
            assert!(Instant::now() < deadline, "position {seq} is published");
            std::thread::yield_now();
        }
    }

    fn hub() -> Hub {
        Hub::start_with("epoch".into(), dashboard(0), Duration::ZERO)
    }

    fn kinds(frames: &[Utf8Bytes]) -> Vec<&'static str> {
        let kind = |frame: &Utf8Bytes| match serde_json::from_str(frame).expect("a frame") {
            Frame::Hello { .. } => "hello",
            Frame::Snapshot { .. } => "snapshot",
            Frame::Patch { .. } => "patch",
            Frame::Samples { .. } => "samples",
            Frame::Gap { .. } => "gap",
        };
        frames.iter().map(kind).collect()
    }

    #[test]
    fn a_viewer_comes_back_to_where_it_was() {
        let hub = hub();
        let (first, mut place) = hub.join(None);
        assert_eq!(kinds(&first), ["hello", "snapshot"]);
        for seq in 1..=3 {
            publish(&hub, seq);
        }
        assert_eq!(kinds(&hub.take(&mut place)), ["patch", "patch", "patch"]);
        assert_eq!(kinds(&hub.take(&mut place)), Vec::<&str>::new());
        assert_eq!(kinds(&hub.join(Some(("epoch", 1))).0), ["hello", "patch", "patch"]);
        assert_eq!(kinds(&hub.join(Some(("epoch", 3))).0), ["hello"]);
        assert_eq!(kinds(&hub.join(Some(("epoch", 9))).0), ["hello", "snapshot"]);
        assert_eq!(kinds(&hub.join(Some(("before", 3))).0), ["hello", "snapshot"]);
        hub.stop();
    }

    #[test]
    fn a_viewer_that_is_too_slow_is_told_of_the_gap_and_holds_up_nobody() {
        let hub = hub();
        let (_, mut slow) = hub.join(None);
        let positions = RING_MAX as u64 + 20;
        for seq in 1..=positions {
            publish(&hub, seq);
        }
        let frames = hub.take(&mut slow);
        assert_eq!(kinds(&frames), ["gap", "snapshot"]);
        assert_eq!(
            serde_json::from_str::<Frame>(&frames[0]).expect("a frame"),
            Frame::Gap { from: 0, to: positions }
        );
        // The oldest position whose way on is not whole any more gets a snapshot.
        assert_eq!(kinds(&hub.join(Some(("epoch", 19))).0), ["hello", "snapshot"]);
        assert_eq!(kinds(&hub.join(Some(("epoch", 20))).0).len(), 1 + RING_MAX);
        hub.stop();
    }

    #[tokio::test]
    async fn who_writes_and_then_reads_reads_what_was_written() {
        let hub = hub();
        hub.answered(3);
        let reader = tokio::spawn({
            let hub = hub.clone();
            async move {
                hub.caught_up().await;
                hub.dashboard()["seq"].as_u64()
            }
        });
        tokio::task::yield_now().await;
        hub.give(dashboard(3));
        assert_eq!(reader.await.expect("it read"), Some(3));
        // Nothing was answered since: nobody waits.
        hub.caught_up().await;
        hub.stop();
    }

    #[test]
    fn what_is_not_in_the_journal_comes_as_an_aside() {
        let hub = hub();
        let (_, mut place) = hub.join(None);
        hub.alert(
            "a",
            Some(Alert {
                level: "info".into(),
                code: "c".into(),
                text: "t".into(),
                fix: None,
            }),
        );
        let deadline = Instant::now() + Duration::from_secs(30);
        let frames = loop {
            let frames = hub.take(&mut place);
            if !frames.is_empty() {
                break frames;
            }
            assert!(Instant::now() < deadline, "the alert is published");
            std::thread::yield_now();
        };
        let Frame::Patch { from, seq, patch, .. } = serde_json::from_str(&frames[0]).expect("a frame") else {
            panic!("a patch")
        };
        assert_eq!((from, seq), (0, 0));
        assert_eq!((&patch[0]["op"], &patch[0]["path"]), (&"replace".into(), &"/alerts".into()));
        // Who comes back to the same position is sent it again: it may not have seen it.
        assert_eq!(kinds(&hub.join(Some(("epoch", 0))).0), ["hello", "patch"]);
        hub.stop();
    }
}
