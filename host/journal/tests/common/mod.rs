//! Events as tests and benchmarks need them.
#![allow(dead_code, unreachable_pub)]

use pointsman_journal::{Journal, OpenOptions};
use pointsman_model::context::{Context, Frame, SelectionContext, SourceCandidate};
use pointsman_model::decision::{
    Advice, Decision, Declined, Link, Reason, RetryVerdict, Ruling, Scores, SelectionVerdict, Subject, Verdict,
};
use pointsman_model::event::{Emitted, Event, Recording};
use pointsman_model::policy::{
    Cost, EngineKind, Fault, FaultClass, PolicyDescription, PolicyKind, PolicyLimits, PolicyRef, Setting, SettingSpec, Value,
};
use pointsman_model::run::{AttemptToken, Completion, Failure, FailureClass, HostLoss, ModelFile, Run, RunClass, RunEnd, RunReport, Work};
use pointsman_model::settings::LaneMode;
use pointsman_model::source::{Lane, NewSource, Origin, TrainingParams};
use pointsman_model::{DecisionId, Digest, ModelTag, RunId, SourceId};
use std::path::Path;

pub const START: u64 = 1_760_000_000_000;

pub fn open(directory: &Path) -> Journal {
    Journal::open(directory.join("journal.db"), OpenOptions::default()).expect("a journal")
}

pub fn bare(event: Event) -> Emitted {
    Emitted { event, recording: None }
}

pub fn policy(name: &str) -> PolicyRef {
    PolicyRef {
        name: name.into(),
        version: "1.2.0".into(),
        digest: Digest::of(name.as_bytes()),
        engine: EngineKind::Component,
    }
}

pub fn description(name: &str, kind: PolicyKind) -> PolicyDescription {
    PolicyDescription {
        policy: policy(name),
        kind,
        summary: "Picks what was learnt least".into(),
        settings_schema: vec![SettingSpec {
            name: "floor".into(),
            help: "Least share of each host".into(),
            default: Value::Number(0.15),
            minimum: Some(0.0),
            maximum: Some(1.0),
        }],
        settings: vec![Setting {
            name: "floor".into(),
            value: Value::Number(0.2),
        }],
        limits: PolicyLimits::default(),
        state_version: 1,
        code_bytes: 4,
    }
}

pub fn params() -> TrainingParams {
    TrainingParams {
        steps: 400,
        learning_rate: 1e-3,
        replay_share: 0.5,
    }
}

pub fn queued(source: u64) -> Emitted {
    let new = NewSource {
        title: format!("chapter {source} of the long novel"),
        body: "Read closely, and practise the turns that are seldom met.".into(),
        host: Some(format!("host-{}", source % 7)),
        lane: Lane::Queue,
        origin: Origin::Api,
        priority: 0,
        params: None,
    };
    bare(Event::SourceQueued {
        source: SourceId(source),
        new,
        decision: None,
    })
}

pub fn token(run: u64, attempt: u32) -> AttemptToken {
    AttemptToken {
        run: RunId(run),
        attempt,
        term: 1,
    }
}

pub fn planned(run: u64, source: u64, attempt: u32, decision: Option<u64>) -> Emitted {
    let run = Run {
        token: token(run, attempt),
        class: RunClass::Training,
        title: format!("chapter {source} of the long novel"),
        work: Work::Train {
            source: SourceId(source),
            host: Some(format!("host-{}", source % 7)),
            params: params(),
            replay_hosts: vec!["novel".into(), "speeches".into()],
        },
        base: Some(ModelTag::numbered(1)),
        seed: 0xF00D_F00D_F00D_F00D ^ run,
        planned_at: START,
        started_at: None,
        cancelled: None,
    };
    bare(Event::RunPlanned {
        run,
        decision: decision.map(DecisionId),
    })
}

pub fn started(run: u64, attempt: u32) -> Emitted {
    bare(Event::RunStarted {
        token: token(run, attempt),
    })
}

pub fn finished(run: u64, attempt: u32, model: u64) -> Emitted {
    let losses = (0..5)
        .map(|n| HostLoss {
            host: format!("host-{n}"),
            before: Some(4.7 + n as f64 / 7.0),
            after: 4.4 + n as f64 / 9.0,
        })
        .collect();
    let completion = Completion {
        steps: 400,
        loss_before: Some(4.7123456),
        loss_after: Some(4.5123),
        losses,
        hosts: vec!["host-1".into()],
        model: Some(ModelFile {
            digest: Digest::of(&model.to_le_bytes()),
            bytes: 1_400_000,
            path: format!("models/m-{model}"),
        }),
        pairs: Vec::new(),
    };
    let report = RunReport {
        duration_ms: 5_000,
        end: RunEnd::Completed(completion),
    };
    bare(Event::RunFinished {
        token: token(run, attempt),
        report,
        model: Some(ModelTag::numbered(model)),
    })
}

pub fn failed(run: u64, attempt: u32) -> Emitted {
    let failure = Failure {
        class: FailureClass::Transient,
        error: "connection reset by peer".into(),
        exit_code: Some(1),
    };
    let report = RunReport {
        duration_ms: 700,
        end: RunEnd::Failed(failure),
    };
    bare(Event::RunFinished {
        token: token(run, attempt),
        report,
        model: None,
    })
}

/// A ruling with a score per candidate, four terms each.
pub fn ruling(verdict: Verdict, candidates: usize) -> Ruling {
    let number = |n: usize| (n as f64 * 0.618_033_988_749_895).fract();
    let scores = (candidates > 0).then(|| Scores {
        totals: (0..candidates).map(number).collect(),
        term_names: ["progress", "age", "diversity", "priority"].map(String::from).to_vec(),
        terms: (0..candidates * 4).map(number).collect(),
        rules: Vec::new(),
        blocked: Vec::new(),
    });
    let reason = Reason {
        code: "least_recent_host".into(),
        feature: Some("since_picked_s".into()),
        value: Some(12.5),
        threshold: Some(10.0),
        margin: Some(2.5),
        text: "host-3 has waited longest".into(),
    };
    Ruling {
        verdict,
        advice: Advice {
            reasons: vec![reason],
            scores,
            ..Advice::default()
        },
        link: Link::Active,
        policy: policy("fair-share"),
        engine: "wasmtime 48.0.8".into(),
        cost: Cost {
            fuel: Some(182_345),
            micros: 27,
        },
        declined: Vec::new(),
        propensity: None,
    }
}

pub fn selection_context(candidates: usize) -> Context {
    Context::Selection(SelectionContext {
        frame: Frame {
            now_ms: START,
            seed: u64::MAX - 5,
            settings: Vec::new(),
            state: vec![7; 16],
        },
        free: 1,
        lane_mode: LaneMode::Hybrid,
        curriculum_fallback: true,
        lock: None,
        same_host_cap: 1,
        hosts: (0..7).map(|n| format!("host-{n}")).collect(),
        campaigns: Vec::new(),
        host_loads: vec![Default::default(); 7],
        recent_hosts: vec![1, 2, 3],
        candidates: (0..candidates)
            .map(|n| SourceCandidate {
                id: n as u64 + 1,
                lane: Lane::Queue,
                origin: Origin::Api,
                host: Some(n as u32 % 7),
                campaign: None,
                row: 0,
                age_s: n as f64 * 1.7,
                attempts: 0,
                failures: Default::default(),
                difficulty: 0.5,
                priority: 0,
            })
            .collect(),
        left_out: 0,
    })
}

pub fn decided(id: u64, kind: PolicyKind, subject: Subject, mut ruling: Ruling, context: &Context) -> Emitted {
    let context = context.encode();
    let scores = ruling.advice.scores.take().map(|scores| scores.encode());
    let decision = Decision {
        id: DecisionId(id),
        kind,
        subject,
        generation: 1,
        context: context.digest,
        scores: scores.as_ref().map(|scores| scores.digest),
        input: None,
        ruling,
    };
    Emitted {
        event: Event::Decided(Box::new(decision)),
        recording: Some(Recording {
            context: context.bytes,
            scores: scores.map(|scores| scores.bytes),
        }),
    }
}

pub fn picked(id: u64, candidates: usize) -> Emitted {
    let verdict = Verdict::Selection(SelectionVerdict::Pick(vec![0]));
    decided(
        id,
        PolicyKind::SourceSelection,
        Subject::Selection,
        ruling(verdict, candidates),
        &selection_context(candidates),
    )
}

/// A retry decided by the version before, because the active one ran out of fuel.
pub fn retry_decided(id: u64, run: u64) -> Emitted {
    let cost = Cost {
        fuel: Some(100_000_000),
        micros: 80_000,
    };
    let fault = Fault {
        class: FaultClass::Fuel,
        detail: "used up its fuel".into(),
        cost,
    };
    let declined = vec![Declined {
        link: Link::Active,
        policy: policy("hasty"),
        fault,
    }];
    let ruling = Ruling {
        link: Link::LastGood,
        declined,
        ..ruling(Verdict::Retry(RetryVerdict::Retry(2_000)), 0)
    };
    decided(id, PolicyKind::Retry, Subject::Run(RunId(run)), ruling, &selection_context(1))
}

/// The life of a source that succeeds at once, with the decision that picks it: 5 events.
pub fn cycle(n: u64, candidates: usize) -> [Emitted; 5] {
    [
        queued(n),
        picked(n, candidates),
        planned(n, n, 1, Some(n)),
        started(n, 1),
        finished(n, 1, n),
    ]
}
