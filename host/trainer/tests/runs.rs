//! Whole runs without a process: a specification goes in, events and a model come out.

use std::path::Path;

use pointsman_model::protocol::{
    Evaluation, MemoryItem, MemorySlot, ParsedLine, RunSpec, Slice, SpecClass, SpecMemory, SpecSource, TrainParams, TrainerEvent,
    parse_line,
};
use pointsman_model::run::FailureClass;
use pointsman_trainer::{Failure, Faults, Model, run};

#[test]
fn one_seed_makes_one_model() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second, other) = (dir.path().join("first"), dir.path().join("second"), dir.path().join("other"));
    bootstrap(&first, 60, 1);
    bootstrap(&second, 60, 1);
    bootstrap(&other, 60, 2);
    let digest = |dir: &Path| Model::load(dir).unwrap().digest().to_string();
    assert_eq!(digest(&first), digest(&second));
    assert_ne!(digest(&first), digest(&other));
}

#[test]
fn what_is_remembered_is_practised() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("base");
    bootstrap(&base, 20, 1);
    let item = |text: &str, success: bool| MemoryItem {
        run: 7,
        success,
        text: text.to_string(),
        ..MemoryItem::default()
    };
    let long = "Remember what was learnt before. ".repeat(20);
    let made = |name: &str, memory: Option<SpecMemory>, replay_share: f64| {
        let out = dir.path().join(name);
        let mut spec = training(&base, &out, "code", 20);
        spec.params.replay_share = replay_share;
        spec.memory = memory;
        let mut lines = Vec::new();
        run(&spec, Faults::Off, &mut lines).unwrap();
        let told = String::from_utf8(lines)
            .unwrap()
            .lines()
            .find(|line| line.starts_with("given "))
            .map(String::from);
        (Model::load(&out).unwrap().digest().to_string(), told)
    };
    let given = |items: Vec<MemoryItem>| {
        Some(SpecMemory {
            slots: vec![MemorySlot {
                slot: "same_host".into(),
                items,
                ..MemorySlot::default()
            }],
            gaps: Vec::new(),
        })
    };
    let (plain, told) = made("plain", None, 0.5);
    assert_eq!(told, None);
    let (with, told) = made("with", given(vec![item(&long, true), item("short", true), item(&long, false)]), 0.5);
    assert_ne!(with, plain, "the remembered text is learnt from");
    assert_eq!(
        told.unwrap(),
        format!("given 3 memories; practises 1 texts of them, {} bytes", long.len() + 1)
    );
    assert_eq!(
        made("short", given(vec![item("short", true)]), 0.5).0,
        plain,
        "titles and sentences teach nothing"
    );
    let (none, told) = made("none", given(vec![item(&long, true)]), 0.0);
    assert_eq!(none, made("none-plain", None, 0.0).0, "where nothing is replayed, nor is this");
    assert_eq!(told.unwrap(), "given 1 memories; practises 0 texts of them, 0 bytes");
}

#[test]
fn a_model_learns_is_compared_and_answers() {
    let dir = tempfile::tempdir().unwrap();
    let (base, better) = (dir.path().join("base"), dir.path().join("better"));
    bootstrap(&base, 150, 1);

    let spec = training(&base, &better, "code", 150);
    let events = events_of(&spec).unwrap();
    let kinds: Vec<&str> = events.iter().map(kind).collect();
    assert_eq!(kinds[..3], ["phase", "started", "phase"]);
    assert_eq!(kinds[kinds.len() - 2..], ["saved", "completed"]);
    assert_eq!(kinds.iter().filter(|kind| **kind == "log").count(), 14);
    let judged = events
        .iter()
        .filter(|event| matches!(event, TrainerEvent::TrainingLog { eval_loss, .. } if eval_loss.is_some()));
    assert_eq!(judged.count(), 10);

    let Some(TrainerEvent::TrainingCompleted {
        artifacts,
        steps,
        eval,
        eval_loss: Some(after),
        eval_loss_before: Some(before),
    }) = events.last()
    else {
        panic!("no completion: {kinds:?}")
    };
    assert_eq!(*steps, Some(150));
    assert_eq!(eval.len(), 5);
    assert!(after < before, "{after} is not below {before}");
    let file = better.join("model.safetensors");
    assert_eq!(artifacts, &[file.to_string_lossy()]);

    let model = Model::load(&better).unwrap();
    let base_model = Model::load(&base).unwrap();
    assert_eq!(model.card().parent.as_deref(), Some(base_model.digest()));
    assert_eq!(model.card().source, "Practise");
    let answer = model.complete(b"pub fn ", 80, 0.6, 4);
    assert_eq!(answer.len(), 80);
    assert_eq!(answer, model.complete(b"pub fn ", 80, 0.6, 4));
    assert_ne!(answer, model.complete(b"pub fn ", 80, 0.6, 5));
    let text = b"    pub fn new(network: Network) -> Self {\n";
    assert!(model.bits_per_byte(text) < base_model.bits_per_byte(text));

    let evaluation = evaluation(&base, &better, 3, 4);
    assert_eq!(evaluation.pairs.len(), 20);
    assert_eq!(evaluation.per_host.len(), 5);
    assert!(evaluation.candidate_mean < evaluation.baseline_mean);
    let code = evaluation.per_host.iter().find(|host| host.host == "code").unwrap();
    assert!(code.candidate < code.baseline - 0.5, "{code:?}");
    let same = self::evaluation(&base, &base, 0, 2);
    assert!(same.pairs.iter().all(|pair| pair.baseline == pair.candidate));
}

#[test]
fn a_long_body_is_the_text_to_learn() {
    let dir = tempfile::tempdir().unwrap();
    let (base, taught) = (dir.path().join("base"), dir.path().join("taught"));
    bootstrap(&base, 20, 1);
    let mut spec = training(&base, &taught, "timetables", 150);
    spec.params.replay_hosts = vec!["novel".into(), "forgotten".into()];
    spec.source.body = "departure platform seven, arrival platform nine; ".repeat(8);
    let events = events_of(&spec).unwrap();
    let hosts = events.iter().find_map(|event| match event {
        TrainerEvent::TrainingStarted { hosts, .. } => Some(hosts.clone()),
        _ => None,
    });
    assert_eq!(hosts.unwrap(), ["timetables", "novel"]);
    let bits = |dir: &Path| {
        Model::load(dir)
            .unwrap()
            .bits_per_byte_after(b"departure platform ", b"seven, arrival")
    };
    let (before, after) = (bits(&base), bits(&taught));
    assert!(after < before / 2.0, "{before} to {after}");
}

#[test]
fn failures_tell_whether_to_try_again() {
    let dir = tempfile::tempdir().unwrap();
    let (base, out) = (dir.path().join("base"), dir.path().join("out"));
    bootstrap(&base, 20, 1);
    let check = |spec: &RunSpec, class: FailureClass, code: u8, words: &str| {
        let failure = events_of(spec).expect_err(words);
        let TrainerEvent::TrainingFailed { error, .. } = failure.event() else {
            panic!("{:?} is no failure", failure.event())
        };
        assert!(error.contains(words), "{error}");
        assert_eq!((failure.class(), failure.exit_code()), (class, code), "{error}");
        assert!(!out.join("model.safetensors").exists(), "{error}");
    };

    let unknown = training(&base, &out, "astrology", 50);
    check(&unknown, FailureClass::Deterministic, 66, "novel, speeches, lexicon");

    let missing = training(&dir.path().join("nowhere"), &out, "code", 50);
    check(&missing, FailureClass::Deterministic, 65, "cannot read the model file");

    let mut wild = training(&base, &out, "code", 400);
    wild.params.learning_rate = 50.0;
    check(&wild, FailureClass::Deterministic, 1, "diverged at step");

    let mut vain = training(&base, &out, "code", 50);
    vain.params.replay_share = 1.5;
    check(&vain, FailureClass::Deterministic, 64, "replay_share");

    let mut flaky = training(&base, &out, "code", 50);
    flaky.source.title = "Practise [fault:transient]".into();
    check(&flaky, FailureClass::Transient, 75, "on purpose");
    flaky.attempt = 2;
    events_of(&flaky).expect("the second attempt works");

    let file = base.join("model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[600_000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let out = dir.path().join("out-of-damaged");
    let failure = events_of(&training(&base, &out, "code", 50)).unwrap_err();
    assert!(matches!(failure, Failure::Model { .. }), "{failure}");
}

fn bootstrap(out: &Path, steps: u32, seed: u64) {
    let mut spec = training(Path::new(""), out, "", steps);
    spec.class = SpecClass::Bootstrap;
    spec.base = None;
    spec.source = SpecSource::default();
    spec.seed = seed;
    spec.params.learning_rate = 3e-3;
    events_of(&spec).expect("a bootstrap needs nothing");
}

fn training(base: &Path, out: &Path, host: &str, steps: u32) -> RunSpec {
    RunSpec {
        run: 1,
        attempt: 1,
        class: SpecClass::Training,
        source: SpecSource {
            id: 1,
            title: "Practise".into(),
            body: "a short description".into(),
            host: Some(host.into()),
        },
        params: TrainParams {
            steps,
            learning_rate: 1e-3,
            replay_share: 0.5,
            replay_hosts: vec!["novel".into(), "speeches".into()],
        },
        seed: 9,
        base: Some(base.to_string_lossy().into_owned()),
        candidate: None,
        out_dir: out.to_string_lossy().into_owned(),
        slice: None,
        memory: None,
    }
}

fn evaluation(base: &Path, candidate: &Path, offset: u32, blocks_per_host: u32) -> Evaluation {
    let mut spec = training(base, Path::new(""), "", 1);
    spec.class = SpecClass::Eval;
    spec.candidate = Some(candidate.to_string_lossy().into_owned());
    spec.slice = Some(Slice { offset, blocks_per_host });
    match events_of(&spec).unwrap().pop() {
        Some(TrainerEvent::EvaluationCompleted(evaluation)) => evaluation,
        other => panic!("an evaluation ended with {other:?}"),
    }
}

/// Runs, and reads back what was written as the host would.
fn events_of(spec: &RunSpec) -> Result<Vec<TrainerEvent>, Failure> {
    let mut out = Vec::new();
    run(spec, Faults::Demo, &mut out)?;
    let lines = String::from_utf8(out).unwrap();
    let events = lines.lines().filter_map(|line| match parse_line(line) {
        ParsedLine::Event(TrainerEvent::Heartbeat {}) | ParsedLine::Text => None,
        ParsedLine::Event(event) => Some(event),
        ParsedLine::Malformed { field, reason } => panic!("{field}: {reason} in {line}"),
    });
    Ok(events.collect())
}

fn kind(event: &TrainerEvent) -> &'static str {
    match event {
        TrainerEvent::TrainingStarted { .. } => "started",
        TrainerEvent::Phase { .. } => "phase",
        TrainerEvent::TrainingLog { .. } => "log",
        TrainerEvent::Progress { .. } => "progress",
        TrainerEvent::CheckpointSaved { .. } => "saved",
        TrainerEvent::EvaluationCompleted(_) => "evaluated",
        TrainerEvent::TrainingCompleted { .. } => "completed",
        TrainerEvent::TrainingFailed { .. } => "failed",
        TrainerEvent::Heartbeat {} => "heartbeat",
    }
}
