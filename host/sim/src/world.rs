//! A coordinator, its clock and its journal, with the invariants checked after every step.
//!
//! [`World::command`] is the ordinary way: handle, append, check. Who plays a disk that is slow, full or gone, takes the
//! two apart: [`World::handle`] for each command of a step, and then one of [`World::append`], [`World::append_refused`]
//! and [`World::crash`].

use crate::scripted::Scripted;
use pointsman_coordinator::{Coordinator, Policies, Refusal, Reply};
use pointsman_model::command::Command;
use pointsman_model::decision::{SelectionVerdict, Verdict};
use pointsman_model::event::{CandidateStep, Event, Recorded, StageBy};
use pointsman_model::policy::{PolicyKind, PolicyRef};
use pointsman_model::run::{RunClass, Work};
use pointsman_model::source::LockKey;
use pointsman_model::{Millis, Seq};
use std::collections::BTreeMap;

/// Virtual time at which a world begins.
pub(crate) const EPOCH_MS: Millis = 1_000_000;

pub struct World<P = Scripted> {
    pub now: Millis,
    pub policies: P,
    live: Coordinator,
    /// Fed with the journal's JSON only; must equal `live` whenever nothing waits to be appended.
    replayed: Coordinator,
    journal: Vec<Recorded>,
    /// Handled, and true for nobody yet.
    unappended: Vec<Recorded>,
    /// What a start goes on from, and how many entries it stands after.
    snapshot: Option<(usize, Vec<u8>)>,
    /// What is active of each kind by the journal's own word, apart from any state.
    active: BTreeMap<PolicyKind, (u32, PolicyRef)>,
}

/// An invariant that does not hold.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("after entry {seq} the replayed journal is not the live state")]
    Replay { seq: u64 },
    #[error("after entry {seq} a restored snapshot is not the live state")]
    Snapshot { seq: u64 },
    #[error("after entry {seq} a start from the snapshot after entry {snapshot} is not the live state")]
    Start { seq: u64, snapshot: usize },
    #[error("entry {seq} does not survive its own JSON: {problem}")]
    Json { seq: u64, problem: String },
    #[error("after entry {seq}: {problem}")]
    Rule { seq: u64, problem: String },
}

impl Default for World<Scripted> {
    fn default() -> World<Scripted> {
        World::with(Scripted::default())
    }
}

impl<P: Policies> World<P> {
    /// A world before its first entry.
    pub fn with(policies: P) -> World<P> {
        World {
            now: EPOCH_MS,
            policies,
            live: Coordinator::new(),
            replayed: Coordinator::new(),
            journal: Vec::new(),
            unappended: Vec::new(),
            snapshot: None,
            active: BTreeMap::new(),
        }
    }

    pub fn coordinator(&self) -> &Coordinator {
        &self.live
    }

    pub fn journal(&self) -> &[Recorded] {
        &self.journal
    }

    /// Handles one command, journals what follows, and checks the invariants.
    pub fn command(&mut self, command: Command) -> Result<Result<(Reply, Vec<Recorded>), Refusal>, Broken> {
        let outcome = self.handle(command)?;
        let entries = self.append()?;
        Ok(outcome.map(|reply| (reply, entries)))
    }

    /// Handles one command. What follows is true for nobody before it is appended.
    pub fn handle(&mut self, command: Command) -> Result<Result<Reply, Refusal>, Broken> {
        // Where nothing waits, the journal's own state is what it was before.
        let before = (!self.unappended.is_empty()).then(|| self.live.snapshot());
        match self.live.handle(self.now, command, &mut self.policies) {
            Ok(handled) => {
                for emitted in handled.events {
                    let seq = Seq((self.journal.len() + self.unappended.len()) as u64 + 1);
                    self.unappended.push(Recorded {
                        seq,
                        at: self.now,
                        event: emitted.event,
                    });
                }
                Ok(Ok(handled.reply))
            }
            Err(refusal) => {
                let unchanged = match before {
                    Some(before) => self.live.snapshot() == before,
                    None => self.live.state() == self.replayed.state(),
                };
                if unchanged {
                    Ok(Err(refusal))
                } else {
                    Err(self.rule("a refused command changed the state"))
                }
            }
        }
    }

    /// The journal takes what was handled: one transaction. Answers the new entries.
    pub fn append(&mut self) -> Result<Vec<Recorded>, Broken> {
        let entries = std::mem::take(&mut self.unappended);
        for recorded in &entries {
            self.replayed.apply_recorded(&through_json(recorded)?);
            self.journal.push(recorded.clone());
            self.note_generation(recorded)?;
            self.check_drawn(recorded)?;
            self.check_ingested(recorded)?;
            self.check_planned(recorded)?;
        }
        if entries.is_empty() {
            // A snapshot of the same state was looked at before.
            self.check_replayed()?;
        } else {
            self.check()?;
        }
        Ok(entries)
    }

    /// The disk takes nothing: what was handled never was, and the state is built anew from the journal.
    pub fn append_refused(&mut self) -> Result<(), Broken> {
        self.unappended.clear();
        self.start()
    }

    /// The host dies and comes back: all that is left is the journal, and a snapshot where one was kept.
    pub fn crash(&mut self) -> Result<(), Broken> {
        let appended = self.unappended.is_empty();
        let deadline = self.live.next_deadline(self.now);
        self.unappended.clear();
        self.start()?;
        if appended && self.live.next_deadline(self.now) != deadline {
            return Err(self.rule("after a crash the next deadline is another one"));
        }
        self.check()
    }

    /// Keeps a snapshot of what the journal holds, for the next start.
    pub fn keep_snapshot(&mut self) {
        self.snapshot = Some((self.journal.len(), self.replayed.snapshot()));
    }

    /// As a host starts: the snapshot and the tail after it, or else the whole journal.
    fn start(&mut self) -> Result<(), Broken> {
        let Some((after, bytes)) = &self.snapshot else {
            self.live = self.replayed.clone();
            return Ok(());
        };
        let (snapshot, seq) = (*after, self.journal.len() as u64);
        let mut started = Coordinator::restore(bytes).map_err(|_| Broken::Start { seq, snapshot })?;
        for recorded in &self.journal[snapshot..] {
            started.apply_recorded(recorded);
        }
        if started.state() != self.replayed.state() {
            return Err(Broken::Start { seq, snapshot });
        }
        self.live = started;
        Ok(())
    }

    /// Puts an entry into the journal that no command led to: a mistake made on purpose, for tests of the checks.
    pub fn forge(&mut self, event: Event) -> Result<Recorded, Broken> {
        let recorded = Recorded {
            seq: Seq(self.journal.len() as u64 + 1),
            at: self.now,
            event,
        };
        self.live.apply_recorded(&recorded);
        self.unappended.push(recorded.clone());
        self.append()?;
        Ok(recorded)
    }

    /// Lets an event change the live state behind the journal's back: the other mistake.
    pub fn slip(&mut self, event: Event) {
        let recorded = Recorded {
            seq: Seq(self.journal.len() as u64 + 1),
            at: self.now,
            event,
        };
        self.live.apply_recorded(&recorded);
    }

    /// Caps hold at the moment a run is planned; lowered later, they do not end what runs.
    fn check_planned(&self, recorded: &Recorded) -> Result<(), Broken> {
        let Event::RunPlanned { run, .. } = &recorded.event else {
            return Ok(());
        };
        let state = self.replayed.state();
        let settings = &state.settings;
        if state.runs.len() as u32 > settings.global_max {
            return Err(self.rule("more runs than the global maximum"));
        }
        if run.class == RunClass::Eval
            && let Some(lag) = state.ingest_lag_over()
        {
            return Err(self.rule(&format!("an evaluation is planned while {lag} outcomes are not ingested")));
        }
        if run.class == RunClass::Training && state.training_runs() > state.settings.training_cap() {
            return Err(self.rule("more training runs than the cap"));
        }
        let unreserved = state.training_runs() + state.runs_of(RunClass::Manual);
        if run.class != RunClass::Eval && unreserved > state.settings.training_ceiling() {
            return Err(self.rule("a reserved slot is taken by a run that is no evaluation"));
        }
        if let (RunClass::Training, Work::Train { source, .. }) = (run.class, &run.work)
            && let Some(lock) = &state.lock
            && let Some(source) = state.sources.get(source)
        {
            let inside = match lock.key {
                LockKey::Host => source.host.as_deref() == Some(lock.value.as_str()),
                LockKey::Campaign => source.campaign.is_some_and(|row| row.campaign.name() == lock.value),
            };
            if !inside {
                return Err(self.rule(&format!("source {} is picked past the lock of {}", source.id, lock.value)));
            }
        }
        if let Work::Train { host: Some(host), .. } = &run.work {
            let running = state.index.running_of_host(host);
            if running > settings.same_host_cap {
                return Err(self.rule(&format!("host {host} is over its cap")));
            }
            if settings.guard_runs_per_host_max > 0 && running > settings.guard_runs_per_host_max {
                return Err(self.rule(&format!("host {host} is over the guard of runs per host")));
            }
        }
        Ok(())
    }

    /// No gate lets a candidate on while the learning memory is too far behind; people may.
    fn check_ingested(&self, recorded: &Recorded) -> Result<(), Broken> {
        let (Event::CandidateAdvanced {
            to: CandidateStep::Canary,
            by: StageBy::Decision(_),
            ..
        }
        | Event::ModelApplied {
            by: StageBy::Decision(_), ..
        }) = &recorded.event
        else {
            return Ok(());
        };
        match self.replayed.state().ingest_lag_over() {
            Some(lag) => Err(self.rule(&format!("a gate has let a candidate on while {lag} outcomes are not ingested"))),
            None => Ok(()),
        }
    }

    /// A drawn pick is one alone, and was given a chance.
    fn check_drawn(&self, recorded: &Recorded) -> Result<(), Broken> {
        let Event::Decided(decision) = &recorded.event else {
            return Ok(());
        };
        let ruling = &decision.ruling;
        let Some(propensity) = ruling.propensity else {
            return Ok(());
        };
        let share = match &ruling.verdict {
            Verdict::Selection(SelectionVerdict::Pick(picks)) if picks.len() == 1 => ruling.advice.distribution.get(picks[0] as usize),
            _ => None,
        };
        match share {
            Some(share) if *share > 0.0 && propensity > 0.0 && propensity <= 1.0 => Ok(()),
            _ => Err(self.rule(&format!("decision {} was drawn from what gave it no chance", decision.id))),
        }
    }

    fn note_generation(&mut self, recorded: &Recorded) -> Result<(), Broken> {
        let (kind, generation, policy) = match &recorded.event {
            Event::PolicyActivated {
                generation, description, ..
            } => (description.kind, *generation, &description.policy),
            Event::PolicyRolledBack { kind, generation, to, .. } => (*kind, *generation, &to.policy),
            _ => return Ok(()),
        };
        let before = self.active.insert(kind, (generation, policy.clone()));
        if generation != before.map_or(0, |(generation, _)| generation) + 1 {
            return Err(self.rule(&format!("generation {generation} of {kind} leaves a gap")));
        }
        Ok(())
    }

    /// Of each kind exactly what the journal made active last.
    fn check_generations(&self) -> Result<(), Broken> {
        for (kind, slot) in &self.live.state().policies {
            let built_in = PolicyRef::built_in(*kind);
            let (generation, policy) = self
                .active
                .get(kind)
                .map_or((0, &built_in), |(generation, policy)| (*generation, policy));
            let active = slot.active.as_ref().map_or(&built_in, |active| &active.description.policy);
            if (slot.generation, active) != (generation, policy) {
                return Err(self.rule(&format!(
                    "{active} is active as generation {} of {kind}, and not {policy}",
                    slot.generation
                )));
            }
        }
        Ok(())
    }

    fn check_replayed(&self) -> Result<(), Broken> {
        match self.replayed.state() == self.live.state() {
            true => Ok(()),
            false => Err(Broken::Replay {
                seq: self.journal.len() as u64,
            }),
        }
    }

    fn check(&self) -> Result<(), Broken> {
        let seq = self.journal.len() as u64;
        self.check_replayed()?;
        let restored = Coordinator::restore(&self.live.snapshot()).map_err(|_| Broken::Snapshot { seq })?;
        if restored.state() != self.live.state() || restored.wants() != self.live.wants() {
            return Err(Broken::Snapshot { seq });
        }
        if restored.next_deadline(self.now) != self.live.next_deadline(self.now) {
            return Err(self.rule("a restored snapshot has another deadline"));
        }
        self.check_generations()?;
        if self.live.next_deadline(self.now).is_some_and(|deadline| deadline <= self.now) {
            return Err(self.rule("the next deadline is not in the future"));
        }
        Ok(())
    }

    fn rule(&self, problem: &str) -> Broken {
        Broken::Rule {
            seq: self.journal.len() as u64,
            problem: problem.to_string(),
        }
    }
}

fn through_json(recorded: &Recorded) -> Result<Recorded, Broken> {
    let fail = |problem: String| Broken::Json {
        seq: recorded.seq.0,
        problem,
    };
    let text = serde_json::to_string(recorded).map_err(|error| fail(error.to_string()))?;
    let read: Recorded = serde_json::from_str(&text).map_err(|error| fail(format!("{error} in {text}")))?;
    if read == *recorded {
        Ok(read)
    } else {
        Err(fail(format!("it comes back different: {text}")))
    }
}
