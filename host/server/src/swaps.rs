//! The board of swaps: each with its stages, as they go, for everybody who looks.

use crate::clock::now_ms;
use crate::hub::Hub;
use crate::wire::{PolicyProblem, Swap, SwapPart, SwapStage};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Swaps that are kept.
pub const SWAPS_MAX: usize = 20;

/// The stages in their order, with their labels.
const STAGES: &[(&str, &str)] = &[
    ("fetch", "Fetch"),
    ("digest", "Digest"),
    ("signature", "Signature"),
    ("parse", "Parse"),
    ("compile", "Compile"),
    ("link", "Link"),
    ("describe", "Describe"),
    ("settings", "Settings"),
    ("self_test", "Self-test"),
    ("replay", "Replay of recorded decisions"),
    ("state", "State rehearsed"),
    ("shadow", "Shadow"),
    ("activate", "Activate"),
    ("drain", "Drain"),
    ("retire", "Retire"),
];

/// All swaps of this host process that are kept.
pub struct Swaps {
    hub: Hub,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    last: u64,
    /// Newest first. Shared with the hub: a stage that passes copies its own swap, and not those of the past.
    swaps: VecDeque<(Arc<Swap>, Arc<AtomicBool>)>,
}

impl Swaps {
    pub fn new(hub: Hub) -> Arc<Swaps> {
        Arc::new(Swaps {
            hub,
            inner: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Puts a swap on the board, all of its stages waiting.
    pub fn begin(self: &Arc<Swaps>, files: Vec<String>, actor: &str, reason: &str) -> Progress {
        let parts: Vec<SwapPart> = files
            .into_iter()
            .map(|file| SwapPart {
                file,
                kind: None,
                policy: None,
                digest: None,
                generation: None,
                stages: STAGES.iter().map(|(slug, label)| waiting(slug, label)).collect(),
                replay: None,
                replay_timing: None,
                signed_by: None,
            })
            .collect();
        let cancelled: Arc<AtomicBool> = Arc::default();
        let mut inner = self.lock();
        inner.last += 1;
        let id = inner.last;
        let swap = Swap {
            id,
            actor: actor.to_string(),
            reason: reason.to_string(),
            status: "running".to_string(),
            started_at: now_ms(),
            finished_at: None,
            parts,
            seq: None,
            confirm_by: None,
            problem: None,
        };
        inner.swaps.push_front((Arc::new(swap), cancelled.clone()));
        // Those under way are not forgotten: they may take long, and somebody waits for them.
        while inner.swaps.len() > SWAPS_MAX {
            match inner.swaps.iter().rposition(|(swap, _)| swap.status != "running") {
                Some(oldest) => drop(inner.swaps.remove(oldest)),
                None => break,
            }
        }
        self.publish(inner);
        Progress {
            board: self.clone(),
            id,
            cancelled,
            started: Mutex::default(),
        }
    }

    /// Newest first.
    pub fn list(&self) -> Vec<Swap> {
        self.lock().swaps.iter().map(|(swap, _)| Swap::clone(swap)).collect()
    }

    pub fn find(&self, id: u64) -> Option<Swap> {
        self.lock()
            .swaps
            .iter()
            .find(|(swap, _)| swap.id == id)
            .map(|(swap, _)| Swap::clone(swap))
    }

    /// Asks a swap to end before it activates. False if there is none under way with this id.
    pub fn cancel(&self, id: u64) -> bool {
        let inner = self.lock();
        let found = inner.swaps.iter().find(|(swap, _)| swap.id == id && swap.status == "running");
        if let Some((_, cancelled)) = found {
            cancelled.store(true, Ordering::Relaxed);
        }
        found.is_some()
    }

    /// Asks all of them to: the host shuts down.
    pub fn cancel_all(&self) {
        for (_, cancelled) in &self.lock().swaps {
            cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// Waits until a swap has changed or the time is over.
    pub fn wait(&self, within: Duration) {
        let inner = self.lock();
        drop(self.changed.wait_timeout(inner, within));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, inner: MutexGuard<'_, Inner>) {
        let swaps: Vec<Arc<Swap>> = inner.swaps.iter().map(|(swap, _)| swap.clone()).collect();
        drop(inner);
        self.hub.aside(|asides| asides.swaps = swaps);
        self.changed.notify_all();
    }
}

/// One swap under way: who runs it tells here how it goes.
pub struct Progress {
    board: Arc<Swaps>,
    id: u64,
    cancelled: Arc<AtomicBool>,
    started: Mutex<BTreeMap<(usize, String), Instant>>,
}

impl Progress {
    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub fn swap(&self) -> Option<Swap> {
        self.board.find(self.id)
    }

    /// Begins a stage. The one before it that still runs has passed; those between are skipped.
    pub fn enter(&self, part: usize, stage: &str) {
        self.started().insert((part, stage.to_string()), Instant::now());
        self.stages(part, |stages, took| {
            let Some(at) = stages.iter().position(|found| found.slug == stage) else {
                return;
            };
            for before in &mut stages[..at] {
                let ms = took(&before.slug);
                match before.status.as_str() {
                    "running" => finish(before, "passed", None, ms),
                    "waiting" => finish(before, "skipped", None, None),
                    _ => {}
                }
            }
            stages[at].status = "running".to_string();
        });
    }

    pub fn pass(&self, part: usize, stage: &str, detail: impl Into<String>) {
        self.end(part, stage, "passed", detail.into());
    }

    pub fn skip(&self, part: usize, stage: &str, detail: impl Into<String>) {
        self.end(part, stage, "skipped", detail.into());
    }

    /// How far a stage that counts is.
    pub fn count(&self, part: usize, stage: &str, done: u32, total: u32) {
        self.stages(part, |stages, _| {
            if let Some(found) = stages.iter_mut().find(|found| found.slug == stage) {
                (found.done, found.total) = (Some(done), Some(total));
            }
        });
    }

    /// Words to a stage that goes on.
    pub fn say(&self, part: usize, stage: &str, detail: impl Into<String>) {
        let detail = detail.into();
        self.stages(part, |stages, _| {
            if let Some(found) = stages.iter_mut().find(|found| found.slug == stage) {
                found.detail = detail;
            }
        });
    }

    /// A stage has failed, and with it the swap.
    pub fn fail(&self, part: usize, problem: PolicyProblem) {
        let stage = problem.stage.replace('-', "_");
        self.stages(part, |stages, took| {
            let at = stages.iter().position(|found| found.slug == stage).unwrap_or(0);
            for (index, found) in stages.iter_mut().enumerate() {
                let detail = Some(format!("{} {}", problem.code, problem.message));
                let ms = took(&found.slug);
                match found.status.as_str() {
                    _ if index == at => finish(found, "failed", detail, ms),
                    "running" => finish(found, "passed", None, ms),
                    "waiting" => finish(found, "skipped", None, None),
                    _ => {}
                }
            }
        });
        self.edit(|swap| {
            for stage in swap.parts.iter_mut().flat_map(|part| &mut part.stages) {
                if stage.status == "waiting" || stage.status == "running" {
                    stage.status = "skipped".to_string();
                }
            }
            swap.status = "failed".to_string();
            swap.finished_at = Some(now_ms());
            swap.problem = Some(problem);
        });
    }

    /// The version or versions are in service.
    pub fn succeed(&self) {
        self.edit(|swap| {
            swap.status = "active".to_string();
            swap.finished_at = Some(now_ms());
        });
    }

    pub fn edit(&self, change: impl FnOnce(&mut Swap)) {
        let mut inner = self.board.lock();
        if let Some((swap, _)) = inner.swaps.iter_mut().find(|(swap, _)| swap.id == self.id) {
            change(Arc::make_mut(swap));
        }
        self.board.publish(inner);
    }

    pub fn edit_part(&self, part: usize, change: impl FnOnce(&mut SwapPart)) {
        self.edit(|swap| {
            if let Some(part) = swap.parts.get_mut(part) {
                change(part);
            }
        });
    }

    fn end(&self, part: usize, stage: &str, status: &str, detail: String) {
        self.stages(part, |stages, took| {
            if let Some(found) = stages.iter_mut().find(|found| found.slug == stage) {
                finish(found, status, Some(detail), took(stage));
            }
        });
    }

    fn stages(&self, part: usize, change: impl FnOnce(&mut Vec<SwapStage>, &dyn Fn(&str) -> Option<f64>)) {
        let started = self.started().clone();
        let took = |stage: &str| {
            let since = started.get(&(part, stage.to_string()))?;
            // Microseconds are as fine as a person wants to read.
            Some(since.elapsed().as_micros() as f64 / 1e3)
        };
        self.edit_part(part, |part| change(&mut part.stages, &took));
    }

    fn started(&self) -> MutexGuard<'_, BTreeMap<(usize, String), Instant>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn waiting(slug: &str, label: &str) -> SwapStage {
    SwapStage {
        slug: slug.to_string(),
        label: label.to_string(),
        status: "waiting".to_string(),
        ms: None,
        detail: String::new(),
        done: None,
        total: None,
    }
}

fn finish(stage: &mut SwapStage, status: &str, detail: Option<String>, ms: Option<f64>) {
    stage.status = status.to_string();
    stage.ms = ms;
    if let Some(detail) = detail {
        stage.detail = detail;
    }
}
