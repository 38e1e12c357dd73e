//! What the tests tell a journal: one source's life, and what someone with a shell could change.

use crate::common::*;
use pointsman_journal::*;
use pointsman_model::decision::{GateVerdict, Subject, Verdict};
use pointsman_model::event::{CandidateStep, Emitted, Event, StageBy, StateHandover};
use pointsman_model::policy::PolicyKind;
use pointsman_model::promotion::CandidateEnd;
use pointsman_model::{Actor, DecisionId, ModelTag, Seq, SourceId};
use rusqlite::Connection;
use std::path::Path;

pub(crate) fn tag(n: u64) -> ModelTag {
    ModelTag::numbered(n)
}

pub(crate) fn gate(id: u64, candidate: u64, verdict: GateVerdict) -> Emitted {
    decided(
        id,
        PolicyKind::PromotionGate,
        Subject::Candidate(tag(candidate)),
        ruling(Verdict::Gate(verdict), 0),
        &selection_context(0),
    )
}

/// Queued, picked, failed, tried again, done; its model evaluated, applied and taken back. Batches with their times.
pub(crate) fn story() -> Vec<(u64, Vec<Emitted>)> {
    let activated = bare(Event::PolicyActivated {
        generation: 1,
        description: description("fair-share", PolicyKind::SourceSelection),
        previous: None,
        actor: Actor::new("cli"),
        reason: "first of its kind".into(),
        set: None,
        confirm_by: None,
        state: StateHandover::Empty,
        report: None,
    });
    let back = bare(Event::PolicyRolledBack {
        kind: PolicyKind::SourceSelection,
        generation: 2,
        to: description("oldest-first", PolicyKind::SourceSelection),
        from: policy("fair-share"),
        actor: Actor::new("web"),
        reason: "starves a host".into(),
        set: None,
        tripped_until: None,
    });
    let advanced = |to, decision| {
        bare(Event::CandidateAdvanced {
            candidate: tag(2),
            to,
            by: StageBy::Decision(DecisionId(decision)),
        })
    };
    vec![
        (
            START,
            vec![
                bare(Event::HostStarted {
                    version: "0.1.0".into(),
                    term: 1,
                }),
                activated,
            ],
        ),
        (START + 10, vec![queued(1), queued(2)]),
        (START + 20, vec![picked(1, 2), planned(1, 1, 1, Some(1)), started(1, 1)]),
        (
            START + 30,
            vec![
                failed(1, 1),
                retry_decided(2, 1),
                bare(Event::RetryScheduled {
                    source: SourceId(1),
                    at: START + 2_030,
                    decision: DecisionId(2),
                }),
            ],
        ),
        (START + 2_040, vec![picked(3, 2), planned(2, 1, 2, Some(3)), started(2, 2)]),
        (START + 2_050, vec![finished(2, 2, 2)]),
        (START + 2_060, vec![bare(Event::ModelBootstrapped { model: tag(1) })]),
        (
            START + 2_070,
            vec![bare(Event::CandidateRaised {
                candidate: tag(2),
                baseline: tag(1),
                watermark: 30,
            })],
        ),
        (
            START + 2_080,
            vec![gate(4, 2, GateVerdict::Advance), advanced(CandidateStep::Canary, 4)],
        ),
        (
            START + 2_090,
            vec![
                gate(5, 2, GateVerdict::Advance),
                bare(Event::ModelApplied {
                    model: tag(2),
                    before: tag(1),
                    by: StageBy::Decision(DecisionId(5)),
                }),
                advanced(CandidateStep::Watch, 5),
            ],
        ),
        (
            START + 2_100,
            vec![
                bare(Event::ModelRolledBack {
                    from: tag(2),
                    to: tag(1),
                    reason: "slower answers".into(),
                    by: Some(StageBy::Person {
                        actor: Actor::new("web"),
                        reason: "slower answers".into(),
                    }),
                }),
                bare(Event::CandidateEnded {
                    candidate: tag(2),
                    end: CandidateEnd::RolledBack,
                    reason: "slower answers".into(),
                    by: StageBy::Person {
                        actor: Actor::new("web"),
                        reason: "slower answers".into(),
                    },
                }),
                bare(Event::ModelsRetired {
                    models: vec![tag(2)],
                    actor: None,
                    reason: String::new(),
                }),
                back,
            ],
        ),
    ]
}

pub(crate) fn write_story(journal: &mut Journal) -> Vec<(Seq, u64, Event)> {
    let mut expected = Vec::new();
    for (at, batch) in story() {
        let first = journal.append(at, &batch, &[]).expect("appended");
        expected.extend((first.0..).zip(batch).map(|(seq, emitted)| (Seq(seq), at, emitted.event)));
    }
    expected
}

/// What someone with a shell could do. The change is made beside the open journal, as theirs would be.
pub(crate) fn change(directory: &Path, sql: &str) {
    let connection = Connection::open(directory.join("journal.db")).expect("opened");
    connection.execute_batch(sql).expect(sql);
}

pub(crate) fn problems(reader: &Reader) -> Vec<Problem> {
    reader.verify(&VerifyOptions::default()).expect("verified").problems
}
