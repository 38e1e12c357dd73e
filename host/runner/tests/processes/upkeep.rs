//! What is kept and what is deleted, and the embedded trainer from first model to evaluation.

use std::sync::Arc;
use std::time::Duration;

use pointsman_model::promotion::Model;
use pointsman_model::run::{RunClass, RunEnd, RunReport, Work};
use pointsman_model::source::TrainingParams;
use pointsman_model::wants::{Beside, Serving, WantedRun, Wants};
use pointsman_model::{ModelTag, RunId, SourceId};
use pointsman_runner::{CompletionRequest, ModelService, heartbeat_age, probe_prompts, read_log, read_samples, runs_on_disk};

use super::bench::*;

pub(crate) const TESTS: &[crate::Test] = &[
    ("the_last_runs_are_kept_for_viewers", the_last_runs_are_kept_for_viewers),
    ("models_nobody_wants_are_deleted", models_nobody_wants_are_deleted),
    (
        "the_embedded_trainer_makes_a_model_that_is_served",
        the_embedded_trainer_makes_a_model_that_is_served,
    ),
];

fn the_last_runs_are_kept_for_viewers() {
    let script = format!(r#"echo '{{"type":"training.log","step":1,"loss":2.0}}'; {COMPLETED}"#);
    let bench = Bench::with("keep-runs", &script, |config| config.keep_runs = 2);
    for run in 1..=4 {
        bench.finish(run);
    }
    bench.want(&[training(5)]);
    bench.finished(5);
    let data_dir = &bench.config.data_dir;
    wait_until("old runs to be deleted", || {
        runs_on_disk(data_dir).unwrap() == [RunId(3), RunId(4), RunId(5)]
    });
    assert_eq!(read_samples(data_dir, RunId(4)).unwrap().len(), 1);
    assert!(read_log(data_dir, RunId(4), 0, 1000).unwrap().total > 0);
    assert!(!bench.directory(4).out().exists() && bench.directory(5).out().exists());
    assert!(read_samples(data_dir, RunId(1)).unwrap().is_empty());
    assert!(heartbeat_age(data_dir, RunId(5)).unwrap() < Duration::from_secs(60));
}

fn models_nobody_wants_are_deleted() {
    let script = format!(r#"[ "$POINTSMAN_JOB_ID" = 3 ] && {WAIT}; printf w > "$POINTSMAN_OUT_DIR/model.safetensors"; {COMPLETED}"#);
    let bench = Bench::new("models", &script);
    bench.finish(1);
    bench.finish(2);
    let exists = |run: u64| bench.path(&format!("models/{run}")).exists();
    assert!(exists(1) && exists(2), "a host that names no model deletes none");
    let mut wants = Wants {
        keep: ["models/9".to_string()].into(),
        runs: vec![training(3)],
        ..Wants::default()
    };
    wants.runs[0].base = Some("models/1".into());
    bench.reconcile(&wants);
    wait_until("the model to be deleted", || !exists(2));
    assert!(exists(1), "a run starts from it");
    bench.go();
    bench.finished(3);
    assert!(exists(3), "nobody has taken its outcome yet");
    wants.keep = ["models/3".to_string()].into();
    wants.runs.clear();
    bench.reconcile(&wants);
    wait_until("the model to be deleted", || !exists(1));
    assert!(exists(3));
}

fn the_embedded_trainer_makes_a_model_that_is_served() {
    let service = std::cell::OnceCell::new();
    let bench = Bench::with("embedded", "", |config| {
        config.trainer = vec![config.exe.to_string_lossy().into_owned(), "trainer".into()];
        config.limits.wall_ms = 60_000;
        let models = Arc::new(ModelService::new(&config.data_dir));
        config.service = Some(service.get_or_init(|| models).clone());
    });
    let service = service.get().unwrap();

    let bootstrap = WantedRun {
        run: run_of(1, RunClass::Training, Work::Bootstrap),
        base: None,
        candidate: None,
        source: None,
    };
    bench.want(&[bootstrap]);
    let first = model(1, &bench.finished(1));

    let params = TrainingParams {
        steps: 100,
        learning_rate: 1e-3,
        replay_share: 0.5,
    };
    let work = Work::Train {
        source: SourceId(7),
        host: Some("code".into()),
        params,
        replay_hosts: vec!["novel".into()],
    };
    let run = run_of(2, RunClass::Training, work);
    bench.want(&[WantedRun {
        run,
        base: Some(first.path.clone()),
        candidate: None,
        source: None,
    }]);
    let report = bench.finished(2);
    let second = model(2, &report);
    let RunEnd::Completed(completion) = report.end else {
        unreachable!()
    };
    assert!(completion.loss_after < completion.loss_before, "{completion:?}");

    let work = Work::Evaluate {
        candidate: second.tag.clone(),
        offset: 0,
        blocks_per_host: 4,
    };
    let run = run_of(3, RunClass::Eval, work);
    let evaluation = WantedRun {
        run,
        base: Some(first.path.clone()),
        candidate: Some(second.path.clone()),
        source: None,
    };
    let serving = Serving {
        active: first.clone(),
        beside: Some(Beside::Canary {
            candidate: second.clone(),
            share: 0.5,
        }),
    };
    bench.reconcile(&Wants {
        runs: vec![evaluation],
        serving: Some(serving),
        ..Wants::default()
    });
    let report = bench.finished(3);
    let RunEnd::Completed(completion) = report.end else {
        panic!("{report:?}")
    };
    assert_eq!(completion.pairs.len(), 4 * pointsman_trainer::corpora::hosts().len());

    wait_until("both models in service", || service.status().candidate.is_some());
    let mut better = 0;
    for (host, prompt) in probe_prompts(20, 0) {
        let prompt = String::from_utf8_lossy(&prompt).into_owned();
        let request = CompletionRequest {
            prompt,
            max_tokens: 20,
            temperature: 0.6,
            seed: None,
            host: Some(host),
            probe: true,
        };
        let (tag, sample) = service.complete(&request).unwrap().sample.unwrap();
        let pair = sample.pair.unwrap();
        assert_eq!(tag, second.tag);
        better += u32::from(pair.candidate < pair.baseline);
    }
    assert!(better > 10, "the candidate has learnt: {better} of 20");
}

fn model(run: u64, report: &RunReport) -> Model {
    let RunEnd::Completed(completion) = &report.end else {
        panic!("{report:?}")
    };
    let file = completion.model.clone().expect("a model");
    Model {
        tag: ModelTag::numbered(run),
        parent: None,
        run: RunId(run),
        digest: file.digest,
        bytes: file.bytes,
        path: file.path,
        made_at: 0,
        host: None,
        hosts: Vec::new(),
    }
}
