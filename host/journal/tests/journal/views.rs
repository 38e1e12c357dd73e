//! The views tell the life of a source, of its runs and of the models.

use super::story::*;
use crate::common::*;
use pointsman_journal::*;
use pointsman_model::event::{Emitted, Event};
use pointsman_model::policy::PolicyKind;
use pointsman_model::promotion::CandidateEnd;
use pointsman_model::run::{FailureClass, RunClass, RunStatus};
use pointsman_model::source::Lane;
use pointsman_model::{Actor, DecisionId, RunId, SourceId};

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
            reason: String::new(),
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
