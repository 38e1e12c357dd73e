//! A journaled event is never changed: what each version wrote, this version reads, and loses nothing of it.
//!
//! `POINTSMAN_WRITE_GOLDEN=1 cargo test -p pointsman-journal --test golden` adds the lines that the file of the present
//! version lacks. A line that is there is never written again.

mod common;

use common::*;
use pointsman_model::context::GateStage;
use pointsman_model::decision::{
    Block, CurriculumVerdict, Decision, GateVerdict, Link, RetryVerdict, Seed, SelectionVerdict, Subject, Verdict,
};
use pointsman_model::event::{CandidateStep, Event, PolicyCanaryEnd, StageBy, StateHandover};
use pointsman_model::policy::{
    Cost, Fault, FaultClass, PolicyKind, PolicyRef, ReplaySummary, Setting, StageReport, SwapReport, Value as SettingValue,
};
use pointsman_model::promotion::{CandidateEnd, HoldCause, ServedSample};
use pointsman_model::run::{Completion, Pair, Run, RunClass, RunEnd, RunReport, Work};
use pointsman_model::settings::{Settings, SettingsCause, SettingsPreset};
use pointsman_model::source::{Lane, Lock, LockKey, NewSource, Origin, SourceEdit};
use pointsman_model::{Actor, CampaignId, DecisionId, Digest, ModelTag, RunId, Seq, SourceId};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// At least one of every variant, every field filled where it can be, and every verdict.
fn examples() -> Vec<Event> {
    let actor = || Actor::new("web");
    let reason = || "because of the weather".to_string();
    let by_decision = || StageBy::Decision(DecisionId(5));
    let (source, decision) = (SourceId(7), DecisionId(5));
    let (old, new) = (ModelTag::numbered(1), ModelTag::numbered(2));
    let pair = || Pair {
        host: "news".into(),
        baseline: 4.71,
        candidate: 4.52,
    };
    let mut events = vec![
        Event::HostStarted {
            version: "0.1.0".into(),
            term: 3,
        },
        queued_in_full(),
        Event::SourceEnabled {
            source,
            actor: actor(),
            reason: String::new(),
        },
        Event::SourceEnabled {
            source,
            actor: actor(),
            reason: reason(),
        },
        Event::CampaignQueued {
            campaign: CampaignId(3),
            new: new_source("Learn Latin"),
            rows: 12,
            first: source,
            actor: actor(),
            reason: reason(),
        },
        Event::CampaignCancelled {
            campaign: CampaignId(3),
            left: 4,
            actor: actor(),
            reason: reason(),
        },
        Event::CampaignEnded {
            campaign: CampaignId(3),
            done: 6,
            failed: 2,
            cancelled: 4,
        },
        Event::SourcesImported {
            import: "file-1".into(),
            batch: 2,
            digest: u64::MAX,
            first: source,
            rows: vec![new_source("One"), new_source("Two")],
            refused: 1,
            actor: actor(),
        },
        Event::SourceEdited {
            source,
            edit: SourceEdit {
                title: Some("Another".into()),
                body: Some("text".into()),
                host: Some(String::new()),
                priority: Some(-3),
                lane: Some(Lane::Curriculum),
            },
            actor: actor(),
            reason: reason(),
        },
        Event::SourceCancelled {
            source,
            actor: actor(),
            reason: reason(),
        },
        Event::LockTaken { lock: lock() },
        Event::LockReleased {
            lock: lock(),
            actor: actor(),
            reason: reason(),
        },
        Event::SourceDisabled {
            source,
            actor: actor(),
            reason: reason(),
            decision: Some(decision),
        },
        Event::RetryScheduled {
            source,
            at: START + 5,
            decision,
        },
        Event::SourceMoved {
            source,
            lane: Lane::Curriculum,
            decision,
        },
        Event::SourceGivenUp { source, decision },
        Event::HostsParked {
            hosts: vec!["news".into(), "novel".into()],
            decision,
        },
        Event::TrainingStarted {
            actor: actor(),
            reason: reason(),
        },
        Event::TrainingStopped {
            actor: actor(),
            reason: reason(),
        },
        Event::SettingsChanged {
            settings: Settings::default(),
            actor: actor(),
            reason: reason(),
            cause: SettingsCause::Undone { change: Seq(7) },
        },
        Event::PresetSaved {
            name: "night".into(),
            preset: SettingsPreset {
                settings: Settings::default(),
                fields: vec!["training_max_active".into()],
                note: reason(),
            },
            actor: actor(),
        },
        Event::PresetDeleted {
            name: "night".into(),
            actor: actor(),
        },
        planned(1, 7, 2, Some(5)).event,
        run_planned(RunClass::Manual, Work::Bootstrap),
        run_planned(
            RunClass::Eval,
            Work::Evaluate {
                candidate: new.clone(),
                offset: 8,
                blocks_per_host: 4,
            },
        ),
        Event::RunStarted { token: token(1, 2) },
        Event::RunCancelRequested {
            run: RunId(1),
            actor: actor(),
            reason: reason(),
        },
        finished(1, 2, 2).event,
        failed(1, 2).event,
        Event::RunFinished {
            token: token(1, 2),
            report: RunReport {
                duration_ms: 9,
                end: RunEnd::Cancelled,
            },
            model: None,
        },
        Event::RunFinished {
            token: token(1, 2),
            report: RunReport {
                duration_ms: 9,
                end: RunEnd::Completed(Completion {
                    pairs: vec![pair()],
                    ..Completion::default()
                }),
            },
            model: None,
        },
        Event::ModelBootstrapped { model: old.clone() },
        Event::CandidateRaised {
            candidate: new.clone(),
            baseline: old.clone(),
            watermark: 30,
        },
        Event::WindowPassed { watermark: 60 },
        Event::CandidateServed {
            candidate: new.clone(),
            samples: vec![ServedSample {
                by_candidate: true,
                failed: false,
                latency_ms: 12.5,
                pair: Some(pair()),
            }],
        },
        Event::MorePairsWanted {
            candidate: new.clone(),
            pairs: 20,
            decision,
        },
        Event::CandidateHeld {
            candidate: new.clone(),
            reason: reason(),
            decision,
            cause: HoldCause::Setting,
        },
        Event::ModelApplied {
            model: new.clone(),
            before: old.clone(),
            by: by_decision(),
        },
        Event::ModelRolledBack {
            from: new.clone(),
            to: old.clone(),
            reason: reason(),
            by: Some(by_decision()),
        },
        Event::ModelsRetired {
            models: vec![old.clone()],
            actor: Some(actor()),
            reason: reason(),
        },
        Event::ModelPinned {
            model: new.clone(),
            pinned: true,
            actor: actor(),
            reason: reason(),
        },
        Event::PolicyActivated {
            generation: 2,
            description: description("fair-share", PolicyKind::SourceSelection),
            previous: Some(PolicyRef {
                version: "1.1.0".into(),
                ..policy("fair-share")
            }),
            actor: actor(),
            reason: reason(),
            set: Some(3),
            confirm_by: Some(START + 600_000),
            state: StateHandover::Migrated {
                from_version: 1,
                state: vec![0, 255],
            },
            report: Some(SwapReport {
                stages: vec![StageReport {
                    stage: "self_test".into(),
                    passed: true,
                    ms: 0.5,
                    detail: "fine".into(),
                }],
                replay: Some(ReplaySummary {
                    looked_at: 200,
                    replayed: 198,
                    changed: 3,
                    new_errors: 0,
                    errors_gone: 1,
                }),
                signed_by: Some("alice".into()),
                signature: Some("pointsman-signature-v1".into()),
            }),
        },
        Event::PolicyConfirmed {
            kinds: vec![PolicyKind::SourceSelection, PolicyKind::Retry],
            set: Some(3),
            actor: actor(),
        },
        Event::PolicyPinned {
            kind: PolicyKind::Retry,
            pinned: true,
            actor: actor(),
            reason: reason(),
        },
        Event::PolicyCanaryStarted {
            description: description("fair-share", PolicyKind::SourceSelection),
            share: 0.25,
            state: StateHandover::Carried,
            actor: actor(),
            reason: reason(),
            report: Some(SwapReport {
                signed_by: Some("alice".into()),
                ..SwapReport::default()
            }),
        },
        Event::InputQuarantined {
            kind: PolicyKind::Retry,
            key: Digest::of(b"input"),
            about: "source 7 with error 00000000deadbeef".into(),
            policy: policy("hasty"),
            fault: Fault {
                class: FaultClass::Guard,
                detail: "guard_host_loss_max: too much".into(),
                cost: Cost {
                    fuel: Some(1_000),
                    micros: 17,
                },
            },
        },
        Event::InputReleased {
            kind: PolicyKind::Retry,
            key: Digest::of(b"input"),
            actor: actor(),
        },
        Event::PolicyRolledBack {
            kind: PolicyKind::Curriculum,
            generation: 3,
            to: description("progress", PolicyKind::Curriculum),
            from: policy("round-robin"),
            actor: actor(),
            reason: reason(),
            set: Some(3),
            tripped_until: Some(START + 900_000),
        },
    ];
    for end in [PolicyCanaryEnd::Promoted, PolicyCanaryEnd::Withdrawn, PolicyCanaryEnd::Tripped] {
        events.push(Event::PolicyCanaryEnded {
            kind: PolicyKind::SourceSelection,
            policy: policy("fair-share"),
            end,
            actor: actor(),
            reason: reason(),
            tripped_until: (end == PolicyCanaryEnd::Tripped).then_some(START + 900_000),
        });
    }
    for state in [StateHandover::Empty, StateHandover::Carried, StateHandover::FromCanary] {
        events.push(Event::PolicyActivated {
            generation: 3,
            description: description("fair-share", PolicyKind::SourceSelection),
            previous: None,
            actor: actor(),
            reason: reason(),
            set: None,
            confirm_by: None,
            state,
            report: None,
        });
    }
    for (to, by) in [
        (CandidateStep::Evaluate, StageBy::Host),
        (CandidateStep::Canary, by_decision()),
        (
            CandidateStep::Watch,
            StageBy::Person {
                actor: actor(),
                reason: reason(),
            },
        ),
    ] {
        events.push(Event::CandidateAdvanced {
            candidate: new.clone(),
            to,
            by,
        });
    }
    for end in [CandidateEnd::Kept, CandidateEnd::Rejected, CandidateEnd::RolledBack] {
        events.push(Event::CandidateEnded {
            candidate: new.clone(),
            end,
            reason: reason(),
            by: by_decision(),
        });
    }
    events.extend(verdicts().into_iter().map(decision_with));
    events.push(drawn());
    events
}

/// A pick that was left to chance.
fn drawn() -> Event {
    let Event::Decided(mut decision) = decision_with(Verdict::Selection(SelectionVerdict::Pick(vec![1]))) else {
        unreachable!("decision_with makes one")
    };
    decision.ruling.propensity = Some(0.25);
    Event::Decided(decision)
}

fn queued_in_full() -> Event {
    let Event::SourceQueued {
        source,
        mut new,
        decision: _,
    } = queued(7).event
    else {
        unreachable!("queued makes one")
    };
    new.params = Some(params());
    new.priority = -3;
    Event::SourceQueued {
        source,
        new,
        decision: Some(DecisionId(4)),
    }
}

fn run_planned(class: RunClass, work: Work) -> Event {
    let Event::RunPlanned { run, decision: _ } = planned(2, 7, 1, None).event else {
        unreachable!("planned makes one")
    };
    let run = Run {
        class,
        work,
        started_at: Some(START),
        cancelled: Some("too slow".into()),
        ..run
    };
    Event::RunPlanned { run, decision: None }
}

fn verdicts() -> Vec<Verdict> {
    let seed = Seed {
        host: 1,
        steps: 400,
        learning_rate: 1e-3,
        replay_share: 0.5,
    };
    vec![
        Verdict::Selection(SelectionVerdict::Pick(vec![2, 0])),
        Verdict::Selection(SelectionVerdict::Idle),
        Verdict::Retry(RetryVerdict::Retry(2_000)),
        Verdict::Retry(RetryVerdict::MoveLane(Lane::Queue)),
        Verdict::Retry(RetryVerdict::Disable),
        Verdict::Retry(RetryVerdict::GiveUp),
        Verdict::Gate(GateVerdict::Advance),
        Verdict::Gate(GateVerdict::NeedMore(20)),
        Verdict::Gate(GateVerdict::Reject),
        Verdict::Gate(GateVerdict::Hold),
        Verdict::Gate(GateVerdict::RollBack),
        Verdict::Curriculum(CurriculumVerdict::Plant(vec![seed])),
        Verdict::Curriculum(CurriculumVerdict::Park(vec![1])),
        Verdict::Curriculum(CurriculumVerdict::Nothing),
    ]
}

fn decision_with(verdict: Verdict) -> Event {
    let Event::Decided(with_fault) = retry_decided(5, 1).event else {
        unreachable!("retry_decided makes one")
    };
    let subject = match verdict {
        Verdict::Selection(_) => Subject::Selection,
        Verdict::Retry(_) => Subject::Run(RunId(1)),
        Verdict::Gate(_) => Subject::Candidate(ModelTag::numbered(2)),
        Verdict::Curriculum(_) => Subject::Curriculum,
    };
    let kind = verdict.kind();
    let mut ruling = ruling(verdict, 2);
    ruling.link = Link::LastGood;
    ruling.declined = with_fault.ruling.declined;
    let scores = ruling.advice.scores.as_mut().expect("two candidates have scores");
    scores.rules = vec!["same host".into()];
    scores.blocked = vec![Block { candidate: 1, rule: 0 }];
    ruling.advice.distribution = vec![0.75, 0.25];
    ruling.advice.state = Some(vec![0, 255]);
    ruling.advice.suggestions = vec![Setting {
        name: "same_host_cap".into(),
        value: SettingValue::Number(2.0),
    }];
    ruling.advice.extras = vec![
        Setting {
            name: "stage".into(),
            value: SettingValue::Text(GateStage::Watch.slug().into()),
        },
        Setting {
            name: "sure".into(),
            value: SettingValue::Flag(true),
        },
    ];
    Event::Decided(Box::new(Decision {
        id: DecisionId(5),
        kind,
        subject,
        generation: 2,
        context: Digest::of(b"context"),
        scores: Some(Digest::of(b"scores")),
        input: Some(Digest::of(b"input")),
        ruling,
    }))
}

fn new_source(title: &str) -> NewSource {
    NewSource {
        title: title.into(),
        body: "a text".into(),
        host: Some("news".into()),
        lane: Lane::Queue,
        origin: Origin::Campaign,
        priority: 2,
        params: None,
    }
}

fn lock() -> Lock {
    Lock {
        key: LockKey::Host,
        value: "news".into(),
        holder: Some(CampaignId(3)),
        since: START,
        actor: "web".into(),
        reason: "because of the weather".into(),
    }
}

/// A new variant does not compile until it is named here, and then lacks an example and a golden line.
fn variant(event: &Event) -> usize {
    match event {
        Event::HostStarted { .. } => 0,
        Event::SourceQueued { .. } => 1,
        Event::SourceEnabled { .. } => 2,
        Event::SourceDisabled { .. } => 3,
        Event::RetryScheduled { .. } => 4,
        Event::SourceMoved { .. } => 5,
        Event::SourceGivenUp { .. } => 6,
        Event::HostsParked { .. } => 7,
        Event::TrainingStarted { .. } => 8,
        Event::TrainingStopped { .. } => 9,
        Event::SettingsChanged { .. } => 10,
        Event::Decided(_) => 11,
        Event::RunPlanned { .. } => 12,
        Event::RunStarted { .. } => 13,
        Event::RunCancelRequested { .. } => 14,
        Event::RunFinished { .. } => 15,
        Event::ModelBootstrapped { .. } => 16,
        Event::CandidateRaised { .. } => 17,
        Event::WindowPassed { .. } => 18,
        Event::CandidateAdvanced { .. } => 19,
        Event::CandidateServed { .. } => 20,
        Event::MorePairsWanted { .. } => 21,
        Event::CandidateHeld { .. } => 22,
        Event::ModelApplied { .. } => 23,
        Event::CandidateEnded { .. } => 24,
        Event::ModelRolledBack { .. } => 25,
        Event::ModelsRetired { .. } => 26,
        Event::PolicyActivated { .. } => 27,
        Event::PolicyRolledBack { .. } => 28,
        Event::PolicyConfirmed { .. } => 29,
        Event::PolicyPinned { .. } => 30,
        Event::PolicyCanaryStarted { .. } => 31,
        Event::PolicyCanaryEnded { .. } => 32,
        Event::InputQuarantined { .. } => 33,
        Event::InputReleased { .. } => 34,
        Event::PresetSaved { .. } => 35,
        Event::PresetDeleted { .. } => 36,
        Event::CampaignQueued { .. } => 37,
        Event::CampaignCancelled { .. } => 38,
        Event::CampaignEnded { .. } => 39,
        Event::SourcesImported { .. } => 40,
        Event::SourceEdited { .. } => 41,
        Event::SourceCancelled { .. } => 42,
        Event::LockTaken { .. } => 43,
        Event::LockReleased { .. } => 44,
        Event::ModelPinned { .. } => 45,
    }
}

const VARIANTS: usize = 46;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path)
        .unwrap_or_default()
        .lines()
        .map(String::from)
        .collect()
}

#[test]
fn every_variant_has_a_golden_line() {
    let path = directory().join(concat!(env!("CARGO_PKG_VERSION"), ".jsonl"));
    let mut golden = lines(&path);
    if std::env::var_os("POINTSMAN_WRITE_GOLDEN").is_some() {
        for event in examples() {
            let line = serde_json::to_string(&event).expect("an event is JSON");
            if !golden.contains(&line) {
                golden.push(line);
            }
        }
        std::fs::write(&path, golden.join("\n") + "\n").expect("written");
    }
    let seen = |events: Vec<Event>| events.iter().map(variant).collect::<BTreeSet<_>>();
    let parsed = golden.iter().map(|line| serde_json::from_str(line).expect("an event")).collect();
    let all: BTreeSet<_> = (0..VARIANTS).collect();
    assert_eq!(seen(examples()), all, "a variant lacks an example");
    assert_eq!(
        seen(parsed),
        all,
        "a variant lacks a line in {}: write it with POINTSMAN_WRITE_GOLDEN=1",
        path.display()
    );
}

#[test]
fn what_any_version_wrote_is_read_and_kept_whole() {
    let mut files = 0;
    for file in std::fs::read_dir(directory()).expect("a directory") {
        let path = file.expect("a file").path();
        files += 1;
        for (number, line) in (1..).zip(lines(&path)) {
            let place = format!("{}:{number}", path.display());
            let written: Value = serde_json::from_str(&line).expect(&place);
            let event: Event = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{place}: {error}"));
            let again = serde_json::to_value(&event).expect(&place);
            assert_kept(&written, &again, &place);
            assert_eq!(event.slug(), written["type"], "{place}");
            assert_eq!(serde_json::from_value::<Event>(again).expect(&place), event, "{place}");
        }
    }
    assert!(files > 0);
}

/// A shape may grow by fields; nothing that was written may be lost or read as something else.
fn assert_kept(written: &Value, again: &Value, place: &str) {
    match (written, again) {
        (Value::Object(written), Value::Object(again)) => {
            for (name, value) in written {
                let place = format!("{place}.{name}");
                assert_kept(value, again.get(name).unwrap_or_else(|| panic!("{place} is lost")), &place);
            }
        }
        (Value::Array(written), Value::Array(again)) => {
            assert_eq!(written.len(), again.len(), "{place}");
            written
                .iter()
                .zip(again)
                .for_each(|(written, again)| assert_kept(written, again, place));
        }
        (written, again) => assert_eq!(written, again, "{place}"),
    }
}

/// The journal's own writer of JSON writes what serde_json writes.
#[test]
fn the_journal_writes_the_golden_bytes() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    // One batch each: the examples are no story, and views may refuse a second row of a number.
    for event in examples() {
        if journal.append(START, &[bare(event.clone())], &[]).is_ok() {
            let payloads: Vec<_> = journal.appended().map(|(_, payload)| payload.to_string()).collect();
            assert_eq!(payloads, [serde_json::to_string(&event).expect("an event is JSON")]);
        } else {
            journal.reopen().expect("reopened");
        }
    }
    assert!(journal.last_seq().0 as usize >= VARIANTS);
}
