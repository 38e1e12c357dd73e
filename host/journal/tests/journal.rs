//! What is appended can be read back, views tell the story, and nothing can be changed unnoticed.

mod common;

use common::*;
use pointsman_journal::*;
use pointsman_model::decision::{GateVerdict, Link, Subject, Verdict};
use pointsman_model::event::{CandidateStep, Emitted, Event, Recording, StageBy, StateHandover};
use pointsman_model::policy::{EngineKind, PolicyKind};
use pointsman_model::promotion::CandidateEnd;
use pointsman_model::run::{FailureClass, RunClass, RunStatus};
use pointsman_model::source::Lane;
use pointsman_model::{Actor, DecisionId, Digest, ModelTag, RunId, Seq, SourceId};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;

fn tag(n: u64) -> ModelTag {
    ModelTag::numbered(n)
}

fn gate(id: u64, candidate: u64, verdict: GateVerdict) -> Emitted {
    decided(
        id,
        PolicyKind::PromotionGate,
        Subject::Candidate(tag(candidate)),
        ruling(Verdict::Gate(verdict), 0),
        &selection_context(0),
    )
}

/// Queued, picked, failed, tried again, done; its model evaluated, applied and taken back. Batches with their times.
fn story() -> Vec<(u64, Vec<Emitted>)> {
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
                bare(Event::ModelsRetired { models: vec![tag(2)] }),
                back,
            ],
        ),
    ]
}

fn write_story(journal: &mut Journal) -> Vec<(Seq, u64, Event)> {
    let mut expected = Vec::new();
    for (at, batch) in story() {
        let first = journal.append(at, &batch, &[]).expect("appended");
        expected.extend((first.0..).zip(batch).map(|(seq, emitted)| (Seq(seq), at, emitted.event)));
    }
    expected
}

#[test]
fn what_is_appended_is_read_back_in_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let expected = write_story(&mut journal);
    let reader = journal.reader().expect("a reader");
    let read: Vec<_> = reader
        .events_after(Seq(0), 1_000)
        .expect("events")
        .into_iter()
        .map(|r| (r.seq, r.at, r.event))
        .collect();
    assert_eq!(read, expected);
    assert_eq!(reader.last_seq().expect("a position"), journal.last_seq());
    assert_eq!(
        reader
            .events_after(Seq(3), 2)
            .expect("events")
            .iter()
            .map(|r| r.seq.0)
            .collect::<Vec<_>>(),
        [4, 5]
    );
    let tail: Vec<_> = reader.tail(3).expect("events").into_iter().map(|r| r.seq).collect();
    assert_eq!(
        tail,
        expected[expected.len() - 3..].iter().map(|(seq, ..)| *seq).collect::<Vec<_>>()
    );

    // And by the next start, from the file alone.
    let (last, hash) = (journal.last_seq(), journal.last_hash());
    drop((journal, reader));
    let mut journal = open(directory.path());
    assert_eq!((journal.last_seq(), journal.last_hash()), (last, hash));
    assert_eq!(journal.append(START, &[queued(3)], &[]).expect("appended"), Seq(last.0 + 1));
    let report = journal
        .reader()
        .expect("a reader")
        .verify(&VerifyOptions {
            views: true,
            anchor: Some((last, hash)),
        })
        .expect("verified");
    assert_eq!((report.problems, report.entries, report.recordings), (vec![], last.0 + 1, 5));
}

#[test]
fn a_large_batch_is_as_many_small_ones() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let events: Vec<_> = (1..=75).map(queued).collect();
    assert_eq!(journal.append(START, &events, &[]).expect("appended"), Seq(1));
    let reader = journal.reader().expect("a reader");
    let read: Vec<_> = reader
        .events_after(Seq(0), 1_000)
        .expect("events")
        .into_iter()
        .map(|recorded| recorded.event)
        .collect();
    assert_eq!(read, events.into_iter().map(|emitted| emitted.event).collect::<Vec<_>>());
    assert_eq!(problems(&reader), []);
}

#[test]
fn a_journal_can_be_looked_at_while_no_host_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    write_story(&mut journal);
    let last = journal.last_seq();
    drop(journal);
    assert!(
        !directory.path().join("journal.db-wal").exists(),
        "the log is moved and removed when the last one closes"
    );
    let reader = Reader::open(directory.path().join("journal.db")).expect("a reader");
    assert_eq!((reader.last_seq().expect("read"), problems(&reader)), (last, vec![]));
}

#[test]
fn the_last_batch_can_be_passed_on_as_it_was_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    journal.append(START, &[queued(1), started(1, 1)], &[]).expect("appended");
    let reader = journal.reader().expect("a reader");
    let written: Vec<_> = journal.appended().map(|(seq, payload)| (seq, payload.to_string())).collect();
    let read: Vec<_> = reader
        .entries_after(Seq(0), 9)
        .expect("entries")
        .into_iter()
        .map(|entry| (entry.seq, entry.payload))
        .collect();
    assert_eq!(written, read);
}

#[test]
fn views_tell_the_life_of_a_source() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let reader = journal.reader().expect("a reader");
    let source = |reader: &Reader| reader.source(SourceId(1)).expect("read").map(|row| (row.status, row.attempts));
    let mut batches = story().into_iter();
    let mut next = |journal: &mut Journal, count: usize| {
        for (at, batch) in batches.by_ref().take(count) {
            journal.append(at, &batch, &[]).expect("appended");
        }
    };

    next(&mut journal, 2);
    assert_eq!(source(&reader), Some((SourceStatus::Pending, 0)));
    next(&mut journal, 1);
    assert_eq!(source(&reader), Some((SourceStatus::Running, 1)));
    assert_eq!(
        reader
            .runs(&RunFilter {
                status: Some(RunStatus::Running),
                among: Some(vec![RunId(1), RunId(7)]),
                limit: 9,
                ..Default::default()
            })
            .expect("runs")
            .len(),
        1
    );
    next(&mut journal, 1);
    let waiting = reader
        .sources(&SourceFilter {
            status: Some(SourceStatus::Waiting),
            limit: 9,
            ..Default::default()
        })
        .expect("sources");
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (waiting[0].retry_at, waiting[0].reason.as_deref()),
        (Some(START + 2_030), Some("connection reset by peer"))
    );
    let run = reader.run(RunId(1)).expect("read").expect("a run");
    assert_eq!(
        (run.status, run.failure_class, run.exit_code),
        (RunStatus::Failed, Some(FailureClass::Transient), Some(1))
    );
    assert_eq!(
        (run.finished_at, run.duration_ms, run.status_label.as_str()),
        (Some(START + 30), Some(700), "Failed")
    );
    next(&mut journal, 1);
    assert_eq!(source(&reader), Some((SourceStatus::Running, 2)));
    next(&mut journal, 1);
    assert_eq!(source(&reader), Some((SourceStatus::Done, 2)));
    let run = reader.run(RunId(2)).expect("read").expect("a run");
    assert_eq!(
        (run.status, run.model, run.base, run.decision),
        (RunStatus::Completed, Some(tag(2)), Some(tag(1)), Some(DecisionId(3)))
    );
    assert_eq!(
        (run.loss_before, run.steps, run.seed),
        (Some(4.7123456), Some(400), 0xF00D_F00D_F00D_F00D ^ 2)
    );
    let model = reader.model(&tag(2)).expect("read").expect("a model");
    assert_eq!(
        (model.parent, model.run, model.host.as_deref(), model.retired_at),
        (Some(tag(1)), RunId(2), Some("host-1"), None)
    );
    let runs = |reader: &Reader, n| {
        reader
            .runs(&RunFilter {
                source: Some(SourceId(n)),
                limit: 9,
                ..Default::default()
            })
            .expect("runs")
    };
    assert_eq!(runs(&reader, 1).iter().map(|run| run.id.0).collect::<Vec<_>>(), [2, 1]);
    assert!(runs(&reader, 2).is_empty());
    next(&mut journal, 5);

    let live = |at| {
        reader
            .model_live_at(at)
            .expect("read")
            .map(|role| (role.model, role.cause, role.decision))
    };
    assert_eq!(live(START + 2_059), None);
    assert_eq!(live(START + 2_060), Some((tag(1), RoleCause::Bootstrapped, None)));
    assert_eq!(live(START + 2_095), Some((tag(2), RoleCause::Applied, Some(DecisionId(5)))));
    assert_eq!(live(u64::MAX), Some((tag(1), RoleCause::RolledBack, None)));
    let candidates = reader.candidates(None, 9).expect("candidates");
    assert_eq!(candidates.len(), 1);
    assert_eq!(
        (candidates[0].stage.as_str(), candidates[0].end),
        ("ended", Some(CandidateEnd::RolledBack))
    );
    assert_eq!(
        (candidates[0].applied_at, candidates[0].actor.as_deref()),
        (Some(START + 2_090), Some("web"))
    );
    assert!(
        reader
            .models(&ModelFilter {
                retired: Some(false),
                limit: 9,
                ..Default::default()
            })
            .expect("models")
            .is_empty()
    );
    assert_eq!(
        reader
            .models(&ModelFilter {
                retired: Some(true),
                limit: 9,
                ..Default::default()
            })
            .expect("models")
            .len(),
        1
    );

    let activations = reader.activations(Some(PolicyKind::SourceSelection), 9).expect("activations");
    assert_eq!(
        activations
            .iter()
            .map(|a| (a.policy.name.as_str(), a.rolled_back))
            .collect::<Vec<_>>(),
        [("oldest-first", true), ("fair-share", false)]
    );
    assert_eq!(
        activations[0].previous.as_ref().map(|previous| previous.name.as_str()),
        Some("fair-share")
    );
    assert!(reader.activations(Some(PolicyKind::Retry), 9).expect("activations").is_empty());
    let versions = reader.policy_versions(None, 9).expect("versions");
    assert_eq!(versions[1].description, description("fair-share", PolicyKind::SourceSelection));

    let counts = reader.counts().expect("counts");
    assert_eq!(counts.last_seq, journal.last_seq());
    assert_eq!(
        counts.sources.into_iter().collect::<Vec<_>>(),
        [("done".to_string(), 1), ("pending".to_string(), 1)]
    );
    assert_eq!(counts.decisions.into_values().sum::<u64>(), 5);
}

#[test]
fn sources_move_be_disabled_and_be_given_up() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let reader = journal.reader().expect("a reader");
    let actor = Actor::new("cli");
    let mut after = |batch: &[Emitted]| {
        journal.append(START, batch, &[]).expect("appended");
        let row = reader.source(SourceId(1)).expect("read").expect("a source");
        (row.status, row.lane, row.reason)
    };
    assert_eq!(after(&[queued(1)]), (SourceStatus::Pending, Lane::Queue, None));
    let disabled = Event::SourceDisabled {
        source: SourceId(1),
        actor: actor.clone(),
        reason: "too long".into(),
        decision: None,
    };
    assert_eq!(
        after(&[bare(disabled)]),
        (SourceStatus::Disabled, Lane::Queue, Some("too long".into()))
    );
    assert_eq!(
        after(&[bare(Event::SourceEnabled {
            source: SourceId(1),
            actor: actor.clone()
        })]),
        (SourceStatus::Pending, Lane::Queue, None)
    );
    let moved = Event::SourceMoved {
        source: SourceId(1),
        lane: Lane::Curriculum,
        decision: DecisionId(1),
    };
    assert_eq!(after(&[bare(moved)]), (SourceStatus::Pending, Lane::Curriculum, None));
    let cancel = Event::RunCancelRequested {
        run: RunId(1),
        actor,
        reason: "wrong text".into(),
    };
    let report = pointsman_model::run::RunReport {
        duration_ms: 5,
        end: pointsman_model::run::RunEnd::Cancelled,
    };
    let cancelled = Event::RunFinished {
        token: token(1, 1),
        report,
        model: None,
    };
    assert_eq!(
        after(&[planned(1, 1, 1, None), bare(cancel), bare(cancelled)]).0,
        SourceStatus::Disabled
    );
    let run = reader.run(RunId(1)).expect("read").expect("a run");
    assert_eq!(
        (run.status, run.cancel_reason.as_deref(), run.class),
        (RunStatus::Cancelled, Some("wrong text"), RunClass::Training)
    );
    assert_eq!(
        after(&[bare(Event::SourceGivenUp {
            source: SourceId(1),
            decision: DecisionId(2)
        })])
        .0,
        SourceStatus::GivenUp
    );
}

#[test]
fn a_decision_explains_itself() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    write_story(&mut journal);
    let reader = journal.reader().expect("a reader");

    let record = reader.decision(DecisionId(2)).expect("read").expect("a decision");
    assert_eq!(record.decision.subject, Subject::Run(RunId(1)));
    assert_eq!(record.decision.ruling.declined[0].policy, policy("hasty"));
    let recording = record.recording.as_ref().expect("a recording");
    assert_eq!(Digest::of(&recording.context), record.decision.context);
    assert_eq!(recording.scores.as_deref().map(Digest::of), record.decision.scores);
    assert_eq!(record.decode_context().expect("a context").expect("decoded"), selection_context(1));
    assert!(reader.decision(DecisionId(99)).expect("read").is_none());

    // Which policy decided what, when: one query.
    let all = reader
        .decisions(&DecisionFilter {
            limit: 9,
            ..Default::default()
        })
        .expect("decisions");
    let told: Vec<_> = all
        .iter()
        .map(|row| (row.id.0, row.at - START, row.verdict.as_str(), row.name.as_str(), row.link))
        .collect();
    let active = Link::Active;
    assert_eq!(
        told,
        [
            (5, 2_090, "advance", "fair-share", active),
            (4, 2_080, "advance", "fair-share", active),
            (3, 2_040, "pick", "fair-share", active),
            (2, 30, "retry", "fair-share", Link::LastGood),
            (1, 20, "pick", "fair-share", active),
        ]
    );
    assert_eq!(
        (all[3].declined, all[3].fuel, all[3].reason.as_deref()),
        (1, Some(182_345), Some("host-3 has waited longest"))
    );
    let ids = |filter: DecisionFilter| -> Vec<u64> {
        let rows = reader.decisions(&filter).expect("decisions");
        let rulings = reader.rulings(&filter).expect("rulings");
        assert_eq!(
            rows.iter().map(|row| row.id).collect::<Vec<_>>(),
            rulings.iter().map(|record| record.decision.id).collect::<Vec<_>>()
        );
        rows.iter().map(|row| row.id.0).collect()
    };
    let filter = DecisionFilter {
        limit: 9,
        ..Default::default()
    };
    assert_eq!(
        ids(DecisionFilter {
            kind: Some(PolicyKind::SourceSelection),
            ..filter.clone()
        }),
        [3, 1]
    );
    assert_eq!(
        ids(DecisionFilter {
            kind: Some(PolicyKind::SourceSelection),
            before: Some(DecisionId(3)),
            ..filter.clone()
        }),
        [1]
    );
    assert_eq!(
        ids(DecisionFilter {
            run: Some(RunId(1)),
            ..filter.clone()
        }),
        [2]
    );
    assert_eq!(
        ids(DecisionFilter {
            candidate: Some(tag(2)),
            ..filter.clone()
        }),
        [5, 4]
    );
    assert_eq!(
        ids(DecisionFilter {
            policy: Some(policy("fair-share").digest),
            limit: 2,
            ..filter.clone()
        }),
        [5, 4]
    );
    assert_eq!(
        ids(DecisionFilter {
            policy: Some(policy("hasty").digest),
            ..filter
        }),
        [0; 0]
    );
}

#[test]
fn code_is_kept_with_its_version() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let description = description("fair-share", PolicyKind::SourceSelection);
    let digest = description.policy.digest;
    let other = Digest::of(b"the same code with other settings");
    let code: Arc<[u8]> = Arc::from(&b"code"[..]);
    let activated = Event::PolicyActivated {
        generation: 1,
        description,
        previous: None,
        actor: Actor::new("cli"),
        reason: String::new(),
        set: None,
        confirm_by: None,
        state: StateHandover::Empty,
        report: None,
    };
    journal
        .append(START, &[bare(activated)], &[(digest, code.clone())])
        .expect("appended");
    journal
        .append(START + 1, &[], &[(digest, code.clone()), (other, code)])
        .expect("stored again without harm, and once for two versions");
    let reader = journal.reader().expect("a reader");
    let row = reader.policy_code(digest).expect("read").expect("code");
    assert_eq!((row.code.as_slice(), row.stored_at), (&b"code"[..], START));
    let versions = reader.policy_versions(Some(PolicyKind::SourceSelection), 9).expect("versions");
    assert_eq!(
        (versions.len(), versions[0].code_kept, versions[0].description.policy.engine),
        (1, true, EngineKind::Component)
    );
    assert_eq!(reader.policy_code(other).expect("read").expect("code").code, b"code");
    assert!(reader.policy_code(Digest::of(b"unknown")).expect("read").is_none());

    change(directory.path(), "UPDATE codes SET code = x'00'");
    assert!(matches!(reader.policy_code(digest), Err(ReadError::CodeDamaged { .. })));
    let altered = |digest| Problem::CodeAltered { digest };
    // Two versions that cannot be loaded any more.
    let (first, second) = if digest < other { (digest, other) } else { (other, digest) };
    assert_eq!(problems(&reader), [altered(first), altered(second)]);
}

/// What someone with a shell could do. The change is made beside the open journal, as theirs would be.
fn change(directory: &Path, sql: &str) {
    let connection = Connection::open(directory.join("journal.db")).expect("opened");
    connection.execute_batch(sql).expect(sql);
}

fn problems(reader: &Reader) -> Vec<Problem> {
    reader.verify(&VerifyOptions::default()).expect("verified").problems
}

#[test]
fn every_change_of_an_entry_is_found() {
    let check = |sql: &str, expected: &[Problem]| {
        let directory = tempfile::tempdir().expect("a directory");
        let mut journal = open(directory.path());
        write_story(&mut journal);
        let reader = journal.reader().expect("a reader");
        assert_eq!(problems(&reader), [], "before: {sql}");
        change(directory.path(), sql);
        assert_eq!(problems(&reader), expected, "{sql}");
    };
    let altered = |seq| Problem::Altered { seq: Seq(seq) };
    check(
        "UPDATE events SET payload = replace(payload, 'novel', 'Novel') WHERE seq = 3",
        &[altered(3)],
    );
    check("UPDATE events SET at = at + 1 WHERE seq = 3", &[altered(3)]);
    check("UPDATE events SET hash = randomblob(32) WHERE seq = 3", &[altered(3), altered(4)]);
    check(
        "UPDATE events SET kind = 'host_started' WHERE seq = 3",
        &[Problem::Mislabelled {
            seq: Seq(3),
            listed: "host_started".into(),
            actual: "source_queued".into(),
        }],
    );
    check(
        "DELETE FROM events WHERE seq = 3",
        &[Problem::Missing {
            first: Seq(3),
            last: Seq(3),
        }],
    );
    check(
        "DELETE FROM events WHERE seq = 1",
        &[Problem::Missing {
            first: Seq(1),
            last: Seq(1),
        }],
    );
    check(
        "DELETE FROM events WHERE seq > 20",
        &[Problem::ChangedEnd {
            last: Seq(20),
            named: Seq(25),
        }],
    );
    check(
        "UPDATE events SET seq = -1 WHERE seq = 3; UPDATE events SET seq = 3 WHERE seq = 4; UPDATE events SET seq = 4 WHERE seq = -1",
        &[altered(3), altered(4), altered(5)],
    );
    // Renumbering closes the gap, and breaks the chain.
    check(
        "DELETE FROM events WHERE seq = 24; UPDATE events SET seq = 24 WHERE seq = 25",
        &[
            altered(24),
            Problem::ChangedEnd {
                last: Seq(24),
                named: Seq(25),
            },
        ],
    );
    check(
        "UPDATE recordings SET context = x'0102' WHERE decision = 2",
        &[Problem::RecordingAltered { decision: DecisionId(2) }],
    );
    check(
        "INSERT INTO recordings VALUES (77, x'00', NULL)",
        &[Problem::RecordingsAdded { rows: 1 }],
    );
    check(
        "DELETE FROM decisions WHERE id = 2",
        &[Problem::DecisionCount { rows: 4, events: 5 }],
    );
}

#[test]
fn a_chain_made_anew_is_found_by_an_anchor() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    write_story(&mut journal);
    let anchor = (journal.last_seq(), journal.last_hash());
    drop(journal);
    std::fs::remove_file(directory.path().join("journal.db")).expect("removed");
    let mut journal = open(directory.path());
    for n in 1..=anchor.0.0 + 3 {
        journal.append(START, &[queued(n)], &[]).expect("appended");
    }
    let reader = journal.reader().expect("a reader");
    assert_eq!(problems(&reader), []);
    let options = VerifyOptions {
        anchor: Some(anchor),
        ..Default::default()
    };
    assert_eq!(
        reader.verify(&options).expect("verified").problems,
        [Problem::NotTheAnchor { seq: anchor.0 }]
    );
}

#[test]
fn a_changed_view_is_found_and_made_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    write_story(&mut journal);
    let reader = journal.reader().expect("a reader");
    let options = VerifyOptions {
        views: true,
        ..Default::default()
    };
    let sound = reader.verify(&options).expect("verified");
    // 2 sources, 2 runs, 1 model, 3 roles, 1 candidate, 2 versions, 2 activations, 5 decisions.
    assert_eq!((sound.problems, sound.view_rows), (vec![], 18));
    change(
        directory.path(),
        "UPDATE runs SET model = 'm-9' WHERE id = 2; DELETE FROM model_roles; INSERT INTO sources SELECT id + 7, title, host, lane, origin, campaign, campaign_row, priority, status, held, reason, attempts, first_run, queued_at, retry_at, finished_at, decision FROM sources WHERE id = 1",
    );
    let differs = |view: &str, row| Problem::ViewDiffers { view: view.into(), row };
    assert_eq!(
        reader.verify(&options).expect("verified").problems,
        [differs("sources", 8), differs("runs", 2), differs("model_roles", 15)]
    );
    journal.rebuild_views().expect("rebuilt");
    assert_eq!(reader.verify(&options).expect("verified").problems, []);
}

#[test]
fn a_cut_end_is_not_carried_on_with_unasked() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    write_story(&mut journal);
    drop(journal);
    change(directory.path(), "DELETE FROM events WHERE seq > 20");
    let path = directory.path().join("journal.db");
    let error = Journal::open(&path, OpenOptions::default()).err().expect("refused");
    assert!(
        matches!(
            error,
            OpenError::ChangedEnd {
                named: Seq(25),
                last: Seq(20),
                ..
            }
        ),
        "{error}"
    );
    let mut journal = Journal::open(
        &path,
        OpenOptions {
            accept_changed_end: true,
            ..Default::default()
        },
    )
    .expect("accepted");
    assert_eq!(journal.append(START, &[queued(9)], &[]).expect("appended"), Seq(26));
    assert_eq!(
        problems(&journal.reader().expect("a reader"))[0],
        Problem::Missing {
            first: Seq(21),
            last: Seq(25)
        }
    );
}

#[test]
fn snapshots_the_last_two_are_kept_and_a_damaged_one_is_passed_over() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let reader = journal.reader().expect("a reader");
    assert_eq!(reader.latest_snapshot().expect("read"), None);
    write_story(&mut journal);
    for seq in [5, 10, 20] {
        journal.store_snapshot(Seq(seq), &[seq as u8; 9_000]).expect("stored");
    }
    assert_eq!(reader.latest_snapshot().expect("read"), Some((Seq(20), vec![20; 9_000])));
    assert!(matches!(
        journal.store_snapshot(Seq(26), b""),
        Err(SnapshotError::AheadOfJournal { .. })
    ));
    change(directory.path(), "UPDATE snapshots SET bytes = zeroblob(9000) WHERE seq = 20");
    assert_eq!(reader.latest_snapshot().expect("read"), Some((Seq(10), vec![10; 9_000])));
    change(directory.path(), "UPDATE snapshots SET checksum = randomblob(32)");
    assert_eq!(reader.latest_snapshot().expect("read"), None);
}

#[test]
fn one_host_per_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let journal = open(directory.path());
    let again = |name: &str| {
        Journal::open(directory.path().join(name), OpenOptions::default())
            .err()
            .expect("refused")
    };
    for name in ["journal.db", "other.db"] {
        let error = again(name);
        assert!(
            matches!(error, OpenError::Locked { holder: Some(pid), .. } if pid == std::process::id()),
            "{error}"
        );
        assert!(error.to_string().contains("stop that one"), "{error}");
    }
    drop(journal);
    open(directory.path());
}

#[test]
fn foreign_and_newer_files_are_refused_and_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("journal.db");
    let refused = |path: &Path| {
        let before = std::fs::read(path).expect("read");
        let writer = Journal::open(path, OpenOptions::default()).err().expect("refused");
        let reader = Reader::open(path).err().expect("refused");
        assert_eq!(writer.to_string(), reader.to_string());
        assert_eq!(std::fs::read(path).expect("read"), before);
        writer
    };
    std::fs::write(&path, "a diary, ".repeat(1_000)).expect("written");
    let error = refused(&path);
    assert!(matches!(error, OpenError::NotPointsman { .. }), "{error}");

    std::fs::remove_file(&path).expect("removed");
    change(directory.path(), "CREATE TABLE bookmarks (url TEXT)");
    let error = refused(&path);
    assert!(matches!(error, OpenError::NotPointsman { .. }), "{error}");
    assert!(error.to_string().contains("another program"), "{error}");

    std::fs::remove_file(&path).expect("removed");
    drop(open(directory.path()));
    change(directory.path(), "PRAGMA user_version = 99");
    let error = refused(&path);
    assert!(matches!(error, OpenError::NewerSchema { found: 99, .. }), "{error}");
    assert!(error.to_string().contains("start the newer version"), "{error}");

    change(
        directory.path(),
        "PRAGMA user_version = 1; UPDATE migrations SET checksum = 'other'",
    );
    let error = Journal::open(&path, OpenOptions::default()).err().expect("refused");
    assert!(matches!(error, OpenError::ForeignMigration { number: 1, .. }), "{error}");
    assert!(matches!(
        Reader::open(directory.path().join("none.db")),
        Err(OpenError::Missing { .. })
    ));
    let nowhere = Journal::open(directory.path().join("no/such/journal.db"), OpenOptions::default())
        .err()
        .expect("refused");
    assert!(matches!(nowhere, OpenError::Directory { .. }), "{nowhere}");
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let mut broken = ruling(Verdict::Gate(GateVerdict::Hold), 3);
    broken.advice.reasons[0].margin = Some(f64::NAN);
    let decision = decided(
        1,
        PolicyKind::PromotionGate,
        Subject::Candidate(tag(1)),
        broken,
        &selection_context(0),
    );
    let error = journal.append(START, &[queued(1), decision], &[]).expect_err("refused");
    assert!(
        matches!(
            error,
            AppendError::Unwritable {
                index: 1,
                kind: "decided",
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("`margin`"), "{error}");
    let stray = Emitted {
        recording: Some(Recording {
            context: vec![1],
            scores: None,
        }),
        ..queued(1)
    };
    assert!(matches!(
        journal.append(START, &[stray], &[]),
        Err(AppendError::Unwritable { index: 0, .. })
    ));
    assert_eq!(journal.append(START, &[queued(1)], &[]).expect("appended"), Seq(1));
}

#[test]
fn readers_see_whole_batches_while_the_writer_writes() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let reader = journal.reader().expect("a reader");
    let (batches, per_batch) = (150, 7);
    let watcher = std::thread::spawn(move || {
        let mut seen = 0;
        while seen < batches * per_batch {
            let last = reader.last_seq().expect("read").0;
            assert!(last >= seen && last.is_multiple_of(per_batch), "{last} after {seen}");
            assert_eq!(
                reader
                    .events_after(Seq(seen), 10_000)
                    .expect("read")
                    .first()
                    .map(|r| r.seq.0)
                    .unwrap_or(seen + 1),
                seen + 1
            );
            seen = last;
        }
    });
    for batch in 0..batches {
        let events: Vec<_> = (1..=per_batch).map(|n| queued(batch * per_batch + n)).collect();
        journal.append(START, &events, &[]).expect("appended");
    }
    watcher.join().expect("the reader saw what it should");
}
