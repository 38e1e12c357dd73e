//! Scripts in the sandbox: the interpreter's component holds the parsed script, and is asked as often as it lives.
//!
//! Parsing costs more than deciding, so an instance is kept warm between calls. That is sound because the language keeps
//! nothing: each call has a scope of its own, and there are no globals and no closures. What the interpreter itself keeps
//! (interned names) cannot be seen by a script. An instance that ended in a trap, or that grew, is not used again.
//!
//! The operations that the version's fuel pays for decide; they are counted by the interpreter and are the same natively.
//! Fuel of wasm, CPU time, memory and the stack stand behind, for what a single operation may do.

use super::interpreter::Interpreter;
use super::{micros_since, operations, settled};
use crate::component::call::{self, Call};
use crate::component::engine::{interpreter_engine, ticking};
use crate::component::fault;
use crate::limits::within_sandbox;
use crate::version::{Failure, Objection, Told};
use pointsman_model::context::Context;
use pointsman_model::decision::{Advice, Verdict};
use pointsman_model::policy::*;
use pointsman_script::{Outcome, Refusal};
use serde::de::DeserializeOwned;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Instance, Lower};
use wasmtime::{Store, Trap};

/// Instances of one version that wait for the next call: one for each thread that asks at the same time.
const WARM_MAX: usize = 4;
/// An instance whose memory has grown beyond this is not kept: the next call finds a small one again.
const WARM_MEMORY_BYTES_MAX: usize = 16 << 20;
/// Bounds of parsing, which an ordinary script of 100 lines does in a millisecond.
const PARSE_DEADLINE_MS: u32 = 100;
const PARSE_FUEL: u64 = 1_000_000_000;

pub(crate) struct Program {
    interpreter: &'static Interpreter,
    code: Arc<[u8]>,
    policy: Arc<str>,
    limits: PolicyLimits,
    warm: Mutex<Vec<Warm>>,
}

/// An instance that has parsed the script.
struct Warm {
    store: Store<Call>,
    instance: Instance,
}

pub(super) fn load(interpreter: &'static Interpreter, code: &[u8], limits: PolicyLimits) -> Result<Result<Program, Refusal>, Failure> {
    let program = Program {
        interpreter,
        code: code.into(),
        policy: "unnamed".into(),
        limits,
        warm: Mutex::default(),
    };
    match program.parse()? {
        Ok(warm) => {
            program.keep(warm);
            Ok(Ok(program))
        }
        Err(refusal) => Ok(Err(refusal)),
    }
}

impl Program {
    pub(super) fn settle(&mut self, name: &str, limits: PolicyLimits) {
        self.policy = name.into();
        self.limits = limits;
    }

    pub(super) fn describe(&self) -> Result<(Told, Cost), Failure> {
        self.call(&self.interpreter.describe, |operations| (operations,))
    }

    pub(super) fn check_settings(&self, settings: &[Setting]) -> Result<(Vec<Objection>, Cost), Failure> {
        let settings = postcard::to_stdvec(settings).expect("settings are plain data");
        self.call(&self.interpreter.check_settings, |operations| (settings.as_slice(), operations))
    }

    pub(super) fn decide(&self, context: &Context) -> Result<((Verdict, Advice), Cost), Failure> {
        let context = context.bytes();
        self.call(&self.interpreter.decide, |operations| (context.as_slice(), operations))
    }

    pub(super) fn migrate(&self, from_version: u32, state: &[u8]) -> Result<(Vec<u8>, Cost), Failure> {
        self.call(&self.interpreter.migrate, |operations| (from_version, state, operations))
    }

    fn call<T: DeserializeOwned, P: ComponentNamedList + Lower>(
        &self,
        export: &ComponentExportIndex,
        parameters: impl FnOnce(u64) -> P,
    ) -> Result<(T, Cost), Failure> {
        let started = Instant::now();
        let _ticking = ticking();
        let kept = self.warm.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut warm = match kept {
            Some(warm) => warm,
            None => self.parse()?.map_err(|refusal| {
                // It was parsed when the version was loaded.
                Failure::new(FaultClass::HostFault, format!("the script was refused: {}", refusal.message))
            })?,
        };
        let armed = call::arm(&mut warm.store, &self.policy, within_sandbox(self.limits));
        let answered = armed.and_then(|()| warm.ask(export, parameters(operations(self.limits))));
        let bytes = match answered {
            Ok(bytes) => bytes,
            Err(error) => {
                // What the interpreter had counted went with it: the cost in fuel is not known.
                let cost = Cost {
                    fuel: None,
                    micros: micros_since(started),
                };
                return Err(of_error(&error, warm.store.data()).costing(cost));
            }
        };
        self.keep(warm);
        let outcome: Outcome<T> = postcard::from_bytes(&bytes)
            .map_err(|error| Failure::new(FaultClass::HostFault, format!("the interpreter's answer cannot be read: {error}")))?;
        settled(outcome, self.limits, started)
    }

    /// A new instance, with the script parsed.
    fn parse(&self) -> Result<Result<Warm, Refusal>, Failure> {
        let _ticking = ticking();
        let limits = PolicyLimits {
            fuel: PARSE_FUEL,
            deadline_ms: PARSE_DEADLINE_MS,
            ..within_sandbox(self.limits)
        };
        let mut store = call::store(interpreter_engine(), &self.policy, limits)
            .map_err(|error| Failure::new(FaultClass::HostFault, format!("no store could be made: {error:#}")))?;
        let instance = match self.interpreter.pre.instantiate(&mut store) {
            Ok(instance) => instance,
            Err(error) => return Err(of_error(&error, store.data())),
        };
        let mut warm = Warm { store, instance };
        let bytes = match warm.ask(&self.interpreter.load, (&*self.code,)) {
            Ok(bytes) => bytes,
            Err(error) => return Err(of_error(&error, warm.store.data())),
        };
        match postcard::from_bytes::<Result<(), Refusal>>(&bytes) {
            Ok(loaded) => Ok(loaded.map(|()| warm)),
            Err(error) => Err(Failure::new(
                FaultClass::HostFault,
                format!("the interpreter's answer cannot be read: {error}"),
            )),
        }
    }

    fn keep(&self, warm: Warm) {
        if warm.store.data().memory_bytes() > WARM_MEMORY_BYTES_MAX {
            return;
        }
        let mut kept = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < WARM_MAX {
            kept.push(warm);
        }
    }
}

impl Warm {
    fn ask<P: ComponentNamedList + Lower>(&mut self, export: &ComponentExportIndex, parameters: P) -> wasmtime::Result<Vec<u8>> {
        let function = self.instance.get_typed_func::<P, (Vec<u8>,)>(&mut self.store, export)?;
        Ok(function.call(&mut self.store, parameters)?.0)
    }
}

fn of_error(error: &wasmtime::Error, call: &Call) -> Failure {
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Failure::new(FaultClass::Trap, "calls are nested too deeply"),
        _ => fault::of_error(error, call),
    }
}
