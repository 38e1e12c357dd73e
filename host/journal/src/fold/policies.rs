//! The views of policies: versions, activations, canaries, pins and inputs in quarantine.

use crate::append::{Sql, Statements};
use crate::rows::ActivationEnd;
use crate::words::Word;
use pointsman_model::Actor;
use pointsman_model::event::Event;
use pointsman_model::policy::{EngineKind, Fault, PolicyDescription, PolicyKind, PolicyRef};
use rusqlite::params;

/// Answers how many rows were changed; 0 where an event is about something that no earlier event has brought.
pub(super) fn fold(statements: &mut Statements<'_>, seq: i64, at: i64, event: &Event) -> rusqlite::Result<usize> {
    match event {
        Event::PolicyActivated {
            generation,
            description,
            previous,
            actor,
            reason,
            set,
            confirm_by,
            state,
            report: _,
        } => {
            end_activation(statements, at, description.kind, ActivationEnd::Replaced)?;
            release_inputs(statements, at, description.kind)?;
            let entry = Activation {
                generation: *generation,
                description,
                previous: previous.as_ref(),
                actor,
                reason,
                rolled_back: false,
                set: *set,
                confirm_by: *confirm_by,
                state: state.slug(),
            };
            entry.insert(statements, seq, at)
        }
        Event::PolicyConfirmed { kinds, set: _, actor } => {
            let mut changed = 1;
            for kind in kinds {
                changed = changed.min(statements.run(Sql::ConfirmActivation, params![kind.word(), at, actor.0])?);
            }
            Ok(changed)
        }
        Event::PolicyRolledBack {
            kind,
            generation,
            to,
            from,
            actor,
            reason,
            set,
            tripped_until: _,
        } => {
            let end = match actor.0.as_str() {
                Actor::BREAKER => ActivationEnd::Tripped,
                Actor::CONFIRM_TIMEOUT => ActivationEnd::TimedOut,
                _ => ActivationEnd::RolledBack,
            };
            end_activation(statements, at, *kind, end)?;
            release_inputs(statements, at, *kind)?;
            let entry = Activation {
                generation: *generation,
                description: to,
                previous: Some(from),
                actor,
                reason,
                rolled_back: true,
                set: *set,
                confirm_by: None,
                state: "restored",
            };
            entry.insert(statements, seq, at)
        }
        Event::PolicyPinned {
            kind,
            pinned,
            actor,
            reason,
        } => statements.run(Sql::InsertPin, params![seq, at, kind.word(), pinned, actor.0, reason]),
        Event::PolicyCanaryStarted {
            description,
            share,
            state,
            actor,
            reason,
            report: _,
        } => {
            let PolicyRef {
                name,
                version,
                digest,
                engine,
            } = &description.policy;
            insert_version(statements, at, description)?;
            let kind = description.kind.word();
            statements.run(
                Sql::InsertPolicyCanary,
                params![
                    seq,
                    at,
                    kind,
                    name,
                    version,
                    digest.0,
                    engine.word(),
                    share,
                    state.slug(),
                    actor.0,
                    reason
                ],
            )
        }
        Event::PolicyCanaryEnded {
            kind,
            policy: _,
            end,
            actor,
            reason,
            tripped_until: _,
        } => statements.run(Sql::EndPolicyCanary, params![kind.word(), at, end.word(), actor.0, reason]),
        Event::InputQuarantined {
            kind,
            key,
            about,
            policy,
            fault,
        } => {
            let Fault { class, detail, cost: _ } = fault;
            let PolicyRef {
                name,
                version,
                digest,
                engine: _,
            } = policy;
            let kind = kind.word();
            statements.run(
                Sql::InsertQuarantine,
                params![seq, at, kind, key.0, about, name, version, digest.0, class.slug(), detail],
            )
        }
        Event::InputReleased { kind, key, actor } => statements.run(Sql::ReleaseQuarantine, params![kind.word(), key.0, at, actor.0]),
        // The caller brings no other.
        _ => Ok(1),
    }
}

struct Activation<'e> {
    generation: u32,
    description: &'e PolicyDescription,
    previous: Option<&'e PolicyRef>,
    actor: &'e Actor,
    reason: &'e str,
    rolled_back: bool,
    set: Option<u64>,
    confirm_by: Option<u64>,
    state: &'static str,
}

impl Activation<'_> {
    fn insert(self, statements: &mut Statements<'_>, seq: i64, at: i64) -> rusqlite::Result<usize> {
        let Activation {
            generation,
            description,
            previous,
            actor,
            reason,
            rolled_back,
            set,
            confirm_by,
            state,
        } = self;
        let PolicyRef {
            name,
            version,
            digest,
            engine,
        } = &description.policy;
        insert_version(statements, at, description)?;
        statements.run(
            Sql::InsertActivation,
            params![
                seq,
                at,
                description.kind.word(),
                generation,
                name,
                version,
                digest.0,
                engine.word(),
                previous.map(|policy| &policy.name),
                previous.map(|policy| &policy.version),
                previous.map(|policy| policy.digest.0),
                actor.0,
                reason,
                rolled_back,
                set.map(|set| set as i64),
                state,
                confirm_by.map(|by| by as i64),
            ],
        )
    }
}

fn insert_version(statements: &mut Statements<'_>, at: i64, description: &PolicyDescription) -> rusqlite::Result<()> {
    let PolicyRef {
        name,
        version,
        digest,
        engine,
    } = &description.policy;
    // The fallback is no version that somebody could install.
    if *engine == EngineKind::BuiltIn {
        return Ok(());
    }
    let kind = description.kind.word();
    let whole = serde_json::to_string(description).expect("a description was just written as part of its event");
    statements.run(Sql::InsertVersion, params![digest.0, name, version, kind, engine.word(), whole, at])?;
    Ok(())
}

/// None is open before the first of its kind.
fn end_activation(statements: &mut Statements<'_>, at: i64, kind: PolicyKind, end: ActivationEnd) -> rusqlite::Result<usize> {
    statements.run(Sql::EndActivation, params![kind.word(), at, end.word()])
}

/// A new generation is asked about everything again.
fn release_inputs(statements: &mut Statements<'_>, at: i64, kind: PolicyKind) -> rusqlite::Result<usize> {
    statements.run(Sql::ReleaseQuarantines, params![kind.word(), at])
}
