//! A coordinator, its clock and its journal, with the invariants checked after every step.

use crate::scripted::Scripted;
use pointsman_coordinator::{Coordinator, Refusal, Reply};
use pointsman_model::command::Command;
use pointsman_model::event::{Event, Recorded};
use pointsman_model::policy::{PolicyKind, PolicyRef};
use pointsman_model::{Millis, Seq};
use std::collections::BTreeMap;

/// Virtual time at which a world begins.
pub(crate) const EPOCH_MS: Millis = 1_000_000;

pub struct World {
    pub now: Millis,
    pub policies: Scripted,
    live: Coordinator,
    /// Fed with the journal's JSON only; must equal `live` at all times.
    replayed: Coordinator,
    journal: Vec<Recorded>,
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
    #[error("entry {seq} does not survive its own JSON: {problem}")]
    Json { seq: u64, problem: String },
    #[error("after entry {seq}: {problem}")]
    Rule { seq: u64, problem: String },
}

impl Default for World {
    fn default() -> World {
        World {
            now: EPOCH_MS,
            policies: Scripted::default(),
            live: Coordinator::new(),
            replayed: Coordinator::new(),
            journal: Vec::new(),
            active: BTreeMap::new(),
        }
    }
}

impl World {
    pub fn coordinator(&self) -> &Coordinator {
        &self.live
    }

    pub fn journal(&self) -> &[Recorded] {
        &self.journal
    }

    /// Handles one command, journals what follows, and checks the invariants.
    pub fn command(&mut self, command: Command) -> Result<Result<(Reply, Vec<Recorded>), Refusal>, Broken> {
        let before = self.live.snapshot();
        let outcome = match self.live.handle(self.now, command, &mut self.policies) {
            Ok(handled) => {
                let mut entries = Vec::with_capacity(handled.events.len());
                for emitted in handled.events {
                    let seq = Seq(self.journal.len() as u64 + 1);
                    let recorded = Recorded {
                        seq,
                        at: self.now,
                        event: emitted.event,
                    };
                    self.replayed.apply_recorded(&through_json(&recorded)?);
                    self.note_generation(&recorded)?;
                    self.journal.push(recorded.clone());
                    entries.push(recorded);
                }
                Ok((handled.reply, entries))
            }
            Err(refusal) => {
                if self.live.snapshot() != before {
                    return Err(self.rule("a refused command changed the state"));
                }
                Err(refusal)
            }
        };
        self.check()?;
        Ok(outcome)
    }

    /// The host dies and comes back: all that is left of the state is what the journal tells.
    pub fn crash(&mut self) -> Result<(), Broken> {
        let deadline = self.live.next_deadline(self.now);
        self.live = self.replayed.clone();
        if self.live.next_deadline(self.now) != deadline {
            return Err(self.rule("after a crash the next deadline is another one"));
        }
        self.check()
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

    fn check(&self) -> Result<(), Broken> {
        let seq = self.journal.len() as u64;
        if self.replayed.state() != self.live.state() {
            return Err(Broken::Replay { seq });
        }
        let restored = Coordinator::restore(&self.live.snapshot()).map_err(|_| Broken::Snapshot { seq })?;
        if restored.state() != self.live.state() || restored.wants() != self.live.wants() {
            return Err(Broken::Snapshot { seq });
        }
        if restored.next_deadline(self.now) != self.live.next_deadline(self.now) {
            return Err(self.rule("a restored snapshot has another deadline"));
        }
        self.check_generations()?;
        let state = self.live.state();
        if state.training_runs() > state.training_cap().max(self.training_runs_before_cap()) {
            return Err(self.rule("more training runs than the cap"));
        }
        if state.runs.len() as u32 > state.settings.global_max {
            return Err(self.rule("more runs than the global maximum"));
        }
        for host in state.index.hosts().filter(|host| !host.is_empty()) {
            if state.index.running_of_host(host) > state.settings.same_host_cap {
                return Err(self.rule(&format!("host {host} is over its cap")));
            }
        }
        if self.live.next_deadline(self.now).is_some_and(|deadline| deadline <= self.now) {
            return Err(self.rule("the next deadline is not in the future"));
        }
        Ok(())
    }

    /// A cap that was lowered while runs were under way does not end them.
    fn training_runs_before_cap(&self) -> u32 {
        let lowered = self
            .journal
            .iter()
            .any(|recorded| matches!(recorded.event, Event::SettingsChanged { .. }));
        if lowered { u32::MAX } else { 0 }
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
