//! The export `decide`, asked of an instance that is fresh or was kept.

use super::bindings::types::PolicyError;
use super::bindings::{curriculum, gate, retry, selection};
use super::call::Call;
use super::contexts::{CurriculumQuestion, GateQuestion, RetryQuestion, SelectionQuestion};
use super::convert;
use super::link::Linked;
use pointsman_model::context::Context;
use pointsman_model::decision::{Advice, Verdict};
use pointsman_model::policy::PolicyKind;
use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Func, Instance, Lift, Lower, TypedFunc};

/// The export of one instance.
#[derive(Clone, Copy)]
pub(super) struct Decide {
    kind: PolicyKind,
    export: Func,
}

type Answered<Decision> = (Result<Decision, PolicyError>,);

impl Decide {
    pub(super) fn of(linked: &Linked, store: &mut Store<Call>, instance: Instance) -> wasmtime::Result<Decide> {
        let export = instance.get_func(store, linked.decide);
        Ok(Decide {
            kind: linked.kind,
            export: export.ok_or_else(|| wasmtime::Error::msg("the export `decide` is not a function"))?,
        })
    }

    pub(super) fn ask(self, store: &mut Store<Call>, context: &Context) -> wasmtime::Result<Result<(Verdict, Advice), PolicyError>> {
        match (self.kind, context) {
            (PolicyKind::SourceSelection, Context::Selection(context)) => {
                let (decision,): Answered<selection::Decision> = convert::with_selection(context, |question| {
                    // SAFETY: `link` found the types of this kind.
                    let decide = unsafe { self.typed::<(SelectionQuestion<'_>,), _>() };
                    decide.call(store, (question,))
                })?;
                Ok(decision.map(convert::selection_decision))
            }
            (PolicyKind::Retry, Context::Retry(context)) => {
                let (decision,): Answered<retry::Decision> = convert::with_retry(context, |question| {
                    // SAFETY: as above.
                    let decide = unsafe { self.typed::<(RetryQuestion<'_>,), _>() };
                    decide.call(store, (question,))
                })?;
                Ok(decision.map(convert::retry_decision))
            }
            (PolicyKind::PromotionGate, Context::Gate(context)) => {
                let (decision,): Answered<gate::Decision> = convert::with_gate(context, |question| {
                    // SAFETY: as above.
                    let decide = unsafe { self.typed::<(GateQuestion<'_>,), _>() };
                    decide.call(store, (question,))
                })?;
                Ok(decision.map(convert::gate_decision))
            }
            (PolicyKind::Curriculum, Context::Curriculum(context)) => {
                let (decision,): Answered<curriculum::Decision> = convert::with_curriculum(context, |question| {
                    // SAFETY: as above.
                    let decide = unsafe { self.typed::<(CurriculumQuestion<'_>,), _>() };
                    decide.call(store, (question,))
                })?;
                Ok(decision.map(convert::curriculum_decision))
            }
            // `Engines` compares the kinds before it asks.
            (kind, context) => Err(wasmtime::Error::msg(format!("a {} question to a {kind} policy", context.kind()))),
        }
    }

    /// Comparing the types takes longer than a small decision, and `link` did it once for the component, so it is not done
    /// again for each instance. That ours are those of the contract is held by a test.
    ///
    /// SAFETY: the export has these types.
    unsafe fn typed<Question, Decision>(self) -> TypedFunc<Question, Answered<Decision>>
    where
        Question: ComponentNamedList + Lower,
        Decision: Lift,
    {
        // SAFETY: the caller's promise.
        unsafe { TypedFunc::new_unchecked(self.export) }
    }
}
