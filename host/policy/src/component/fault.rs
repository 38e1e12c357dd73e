//! What an error of the engine means. A guest's fault is never called our own.

use super::bindings::types::{PolicyError, SettingError};
use super::call::{Call, OutOfTime};
use crate::log::LogFlood;
use crate::version::Failure;
use pointsman_model::policy::FaultClass;
use wasmtime::{PoolConcurrencyLimitError, Trap};

pub(crate) fn of_error(error: &wasmtime::Error, call: &Call) -> Failure {
    let memory = || {
        Failure::new(
            FaultClass::Memory,
            format!("the policy was refused more memory, and ended: {}", error.root_cause()),
        )
    };
    if let Some(late) = error.downcast_ref::<OutOfTime>() {
        return Failure::new(FaultClass::Deadline, late.to_string());
    }
    if let Some(flood) = error.downcast_ref::<LogFlood>() {
        return Failure::new(FaultClass::Trap, flood.to_string());
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return Failure::new(FaultClass::HostFault, "too many decisions run at the same time");
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Failure::new(FaultClass::Fuel, "the policy used up its fuel"),
        Some(Trap::Interrupt) => Failure::new(FaultClass::Deadline, "the policy was interrupted"),
        Some(Trap::AllocationTooLarge) => memory(),
        Some(_) if call.memory_was_refused() => memory(),
        Some(trap) => Failure::new(FaultClass::Trap, trap.to_string()),
        None if call.memory_was_refused() => memory(),
        // What is left is an answer that cannot be read: pointers out of bounds, text that is not UTF-8, too many bytes.
        None => Failure::new(FaultClass::InvalidOutput, format!("the answer cannot be read: {error:#}")),
    }
}

pub(super) fn of_policy_error(error: PolicyError) -> Failure {
    let detail = match error {
        PolicyError::BadSettings(errors) => {
            let list = |SettingError { name, problem }: &SettingError| format!("'{name}' {problem}");
            format!(
                "it cannot work with its settings: {}",
                errors.iter().take(8).map(list).collect::<Vec<_>>().join(", ")
            )
        }
        PolicyError::BadState(detail) => format!("it cannot read its state: {detail}"),
        PolicyError::Failed(detail) => detail,
    };
    Failure::new(FaultClass::Declined, detail)
}
