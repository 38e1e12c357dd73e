//! A version that sees what was decided, after it was, and decides nothing.

use super::{Change, Compared, ask, compare};
use pointsman_coordinator::Policies;
use pointsman_model::context::Context;
use pointsman_model::decision::{Answer, Decision};
use pointsman_model::policy::{Fault, PolicyDescription};
use std::collections::BTreeMap;

/// What a version would have answered to decisions as they were made, counted.
#[derive(Clone, Debug)]
pub struct Shadow {
    version: PolicyDescription,
    state: Vec<u8>,
    pub asked: u64,
    /// The same verdict, for whatever reasons.
    pub agreed: u64,
    pub disagreed: u64,
    /// Questions that it had no fitting answer to; where the host's policy had one, they are disagreements.
    pub faults: u64,
    /// Disagreements by class.
    pub classes: BTreeMap<Change, u64>,
}

impl Shadow {
    /// It starts with a state of its own, a copy of what it would take over.
    pub fn new(version: PolicyDescription, state: Vec<u8>) -> Shadow {
        Shadow {
            version,
            state,
            asked: 0,
            agreed: 0,
            disagreed: 0,
            faults: 0,
            classes: BTreeMap::new(),
        }
    }

    /// Asks about the question of a decision, and compares. The change is none where they agree.
    pub fn see(
        &mut self,
        policies: &mut dyn Policies,
        decision: &Decision,
        mut context: Context,
        guard: &mut dyn FnMut(&Context, &Answer) -> Result<(), Fault>,
    ) -> Compared {
        let after = ask(policies, &self.version, &mut self.state, &mut context, guard);
        let change = compare(decision, &after).filter(|change| *change != Change::ReasonOnly);
        self.asked += 1;
        self.faults += u64::from(after.is_err());
        match change {
            None => self.agreed += 1,
            Some(change) => {
                self.disagreed += 1;
                *self.classes.entry(change).or_default() += 1;
            }
        }
        Compared { change, after, context }
    }
}
