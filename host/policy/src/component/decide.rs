//! The calls of the contract, each in a fresh instance. `warm` asks one that was kept.

use super::ask::Decide;
use super::bindings::types::{self, PolicyError};
use super::call::{self, Call};
use super::convert;
use super::engine::{engine, ticking};
use super::fault;
use super::link::Linked;
use super::warm::Kept;
use crate::version::{AskedLimits, Failure, Objection, Told};
use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::policy::*;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::Store;
use wasmtime::component::Instance;

/// A component that may be called from any number of threads at a time: a call shares nothing with another.
pub(crate) struct Program {
    pub(super) linked: Linked,
    pub(super) policy: Arc<str>,
    pub(super) limits: PolicyLimits,
    /// Only where an operator allows it.
    pub(super) kept: Option<Kept>,
}

impl Program {
    pub(super) fn new(linked: Linked, limits: PolicyLimits) -> Program {
        Program {
            linked,
            policy: "unnamed".into(),
            limits,
            kept: None,
        }
    }

    pub(crate) fn settle(&mut self, name: &str, limits: PolicyLimits) {
        self.policy = name.into();
        self.limits = limits;
    }

    /// From now on, live decisions may be asked of an instance that has decided before.
    pub(crate) fn allow_warm(&mut self) {
        self.kept = Some(Kept::default());
    }

    pub(crate) fn kind(&self) -> PolicyKind {
        self.linked.kind
    }

    pub(crate) fn describe(&self) -> Result<Told, Failure> {
        let (description, _) = self.call(|store, instance| {
            let describe = instance.get_typed_func::<(), (types::Description,)>(&mut *store, &self.linked.describe)?;
            Ok(Ok(describe.call(store, ())?.0))
        })?;
        let types::Description {
            name,
            version,
            kind,
            summary,
            settings,
            limits,
            state_version,
        } = description;
        let types::Limits {
            fuel,
            memory_bytes,
            deadline_ms,
        } = limits;
        Ok(Told {
            name,
            version,
            kind: convert::kind(kind),
            summary,
            settings: settings.into_iter().map(convert::setting_spec).collect(),
            limits: AskedLimits {
                fuel,
                deadline_ms,
                memory_bytes,
            },
            state_version,
        })
    }

    pub(crate) fn check_settings(&self, settings: &[Setting]) -> Result<Vec<Objection>, Failure> {
        let settings = convert::settings(settings);
        let (errors, _) = self.call(|store, instance| {
            let check = instance
                .get_typed_func::<(&[types::SettingParam<'_>],), (Vec<types::SettingError>,)>(&mut *store, &self.linked.check_settings)?;
            Ok(Ok(check.call(store, (&settings,))?.0))
        })?;
        Ok(errors
            .into_iter()
            .map(|types::SettingError { name, problem }| Objection { name, problem })
            .collect())
    }

    /// The answer has been checked for sizes and numbers.
    pub(crate) fn decide(&self, context: &Context) -> Result<Answer, Failure> {
        let ((verdict, advice), cost) = self.call(|store, instance| Decide::of(&self.linked, store, instance)?.ask(store, context))?;
        match crate::answer::check(&verdict, &advice) {
            Ok(()) => Ok(Answer { verdict, advice, cost }),
            Err(problem) => Err(Failure::new(FaultClass::InvalidOutput, problem).costing(cost)),
        }
    }

    /// State of an older version as this one reads it, and what that took.
    pub(crate) fn migrate(&self, from_version: u32, state: &[u8]) -> Result<(Vec<u8>, Cost), Failure> {
        let Some(export) = &self.linked.migrate else {
            return Err(Failure::new(FaultClass::Declined, crate::version::NO_MIGRATION));
        };
        self.call(|store, instance| {
            type Answered = (Result<Vec<u8>, String>,);
            let migrate = instance.get_typed_func::<(u32, &[u8]), Answered>(&mut *store, export)?;
            let (migrated,) = migrate.call(store, (from_version, state))?;
            Ok(migrated.map_err(PolicyError::BadState))
        })
    }

    /// Instantiates, calls, and tells the cost whatever happened.
    fn call<T>(
        &self,
        run: impl FnOnce(&mut Store<Call>, Instance) -> wasmtime::Result<Result<T, PolicyError>>,
    ) -> Result<(T, Cost), Failure> {
        let started = Instant::now();
        let _ticking = ticking();
        let mut store = call::store(engine(), &self.policy, self.limits)
            .map_err(|error| Failure::new(FaultClass::HostFault, format!("no store could be made: {error:#}")))?;
        let result = self
            .linked
            .pre
            .instantiate(&mut store)
            .and_then(|instance| run(&mut store, instance));
        let fuel_left = store.get_fuel().unwrap_or(0);
        let failure = |error: &wasmtime::Error| fault::of_error(error, store.data());
        let result = match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(fault::of_policy_error(error)),
            Err(error) => Err(failure(&error)),
        };
        drop(store);
        let micros = u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX);
        let cost = Cost {
            fuel: Some(self.limits.fuel.saturating_sub(fuel_left)),
            micros,
        };
        match result {
            Ok(value) => Ok((value, cost)),
            Err(failure) => Err(failure.costing(cost)),
        }
    }
}
