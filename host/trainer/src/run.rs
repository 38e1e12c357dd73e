//! One attempt of one run, from its specification to its last event.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use pointsman_model::protocol::{HostBits, Phase, RunSpec, SpecClass, SpecMemory, SpecSource, TrainParams, TrainerEvent};

use crate::checkpoint::{self, Card};
use crate::corpora;
use crate::failure::Failure;
use crate::judge::{self, Judge};
use crate::model::Model;
use crate::network::{Network, Shape};
use crate::report::Reporter;
use crate::rng::Rng;
use crate::train::{BATCH_BYTES, DIVERGED_BITS, Mix, Trainer, learning_rate};

/// A source's body of at least this many bytes is the text to train on, not a description of it.
pub const TEXT_BYTES_MIN: usize = 256;

/// What the first model of an installation has read.
const BOOTSTRAP_HOSTS: [&str; 2] = ["novel", "speeches"];

/// Whether marks in a source's title may make a run fail on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faults {
    Off,
    /// A demonstration: `[fault:transient]` and `[fault:crash]` spoil the first attempt half-way.
    Demo,
}

/// Does what the specification asks and writes the protocol's lines to `out`. The failure is
/// returned, not written: only the caller knows the way out of the process.
pub fn run(spec: &RunSpec, faults: Faults, out: impl Write) -> Result<(), Failure> {
    let mut reporter = Reporter::new(out);
    reporter.event(&TrainerEvent::Phase { phase: Phase::Warming })?;
    match spec.class {
        SpecClass::Eval => evaluate(spec, &mut reporter),
        SpecClass::Training => {
            check_params(&spec.params)?;
            let remembered = Remembered::of(spec.memory.as_ref(), &spec.params);
            remembered.tell(&mut reporter)?;
            let lesson = Lesson::of_source(&spec.source, &spec.params, &remembered, &mut reporter)?;
            let base = load("base", spec.base.as_deref())?;
            let parent = Some(base.digest().to_string());
            train(spec, faults, lesson, base.network, parent, &mut reporter)
        }
        SpecClass::Bootstrap => {
            check_params(&spec.params)?;
            let fresh = Network::random(Shape::STANDARD, &mut Rng::new(spec.seed));
            train(spec, faults, Lesson::first(), fresh, None, &mut reporter)
        }
    }
}

fn check_params(params: &TrainParams) -> Result<(), Failure> {
    let TrainParams {
        steps,
        learning_rate,
        replay_share,
        replay_hosts: _,
    } = params;
    if *steps == 0 {
        return Err(Failure::Spec("steps must be at least 1".into()));
    }
    if !(learning_rate.is_finite() && *learning_rate > 0.0) {
        return Err(Failure::Spec("learning_rate must be above 0".into()));
    }
    if !(0.0..=1.0).contains(replay_share) {
        return Err(Failure::Spec("replay_share must be from 0 to 1".into()));
    }
    Ok(())
}

fn load(role: &'static str, dir: Option<&str>) -> Result<Model, Failure> {
    let dir = dir.ok_or(Failure::NoModel(role))?;
    Model::load(dir).map_err(|source| Failure::Model { role, source })
}

/// Texts of earlier sources that the host has given along.
#[derive(Default)]
struct Remembered {
    items: usize,
    practised: usize,
    /// Those that are long enough to learn from, as one text: together they are practised as often as one host is.
    text: Vec<u8>,
}

impl Remembered {
    fn of(memory: Option<&SpecMemory>, params: &TrainParams) -> Remembered {
        let Some(memory) = memory else { return Remembered::default() };
        let mut remembered = Remembered {
            items: memory.items(),
            ..Remembered::default()
        };
        if params.replay_share == 0.0 {
            return remembered;
        }
        for item in memory.slots.iter().flat_map(|slot| &slot.items) {
            if item.success && item.text.len() >= TEXT_BYTES_MIN {
                remembered.practised += 1;
                remembered.text.extend_from_slice(item.text.as_bytes());
                remembered.text.push(b'\n');
            }
        }
        remembered
    }

    fn tell<W: Write>(&self, reporter: &mut Reporter<W>) -> std::io::Result<()> {
        if self.items == 0 {
            return Ok(());
        }
        reporter.text(&format!(
            "given {} memories; practises {} texts of them, {} bytes",
            self.items,
            self.practised,
            self.text.len()
        ))
    }
}

/// What a run learns from, by name and as text.
struct Lesson<'a> {
    /// The source's own host first, then those that are practised.
    hosts: Vec<String>,
    mix: Mix<'a>,
}

impl<'a> Lesson<'a> {
    fn of_source<W: Write>(
        source: &'a SpecSource,
        params: &TrainParams,
        remembered: &'a Remembered,
        reporter: &mut Reporter<W>,
    ) -> Result<Lesson<'a>, Failure> {
        let own_text = (source.body.len() >= TEXT_BYTES_MIN).then_some(source.body.as_bytes());
        let (host, text) = match (own_text, &source.host) {
            (Some(text), host) => (host.clone().unwrap_or("text".into()), text),
            (None, Some(host)) => {
                let text = corpora::training_text(host).ok_or_else(|| Failure::UnknownHost { host: host.clone() })?;
                (host.clone(), text)
            }
            (None, None) => return Err(Failure::NoText),
        };
        let mut lesson = Lesson {
            mix: Mix {
                fresh: vec![text],
                replay: Vec::new(),
                replay_share: params.replay_share,
            },
            hosts: vec![host],
        };
        if params.replay_share == 0.0 {
            return Ok(lesson);
        }
        if !remembered.text.is_empty() {
            lesson.mix.replay.push(&remembered.text);
        }
        for host in &params.replay_hosts {
            if lesson.hosts.contains(host) {
                continue;
            }
            // A host that was known by a source's own text left no corpus to practise with.
            match corpora::training_text(host) {
                Some(text) => {
                    lesson.mix.replay.push(text);
                    lesson.hosts.push(host.clone());
                }
                None => reporter.text(&format!("no corpus to replay for host {host}: left out"))?,
            }
        }
        Ok(lesson)
    }

    fn first() -> Lesson<'static> {
        let texts = BOOTSTRAP_HOSTS.iter().filter_map(|host| corpora::training_text(host));
        Lesson {
            mix: Mix {
                fresh: texts.collect(),
                replay: Vec::new(),
                replay_share: 0.0,
            },
            hosts: BOOTSTRAP_HOSTS.map(String::from).to_vec(),
        }
    }
}

fn train<W: Write>(
    spec: &RunSpec,
    faults: Faults,
    lesson: Lesson<'_>,
    network: Network,
    parent: Option<String>,
    reporter: &mut Reporter<W>,
) -> Result<(), Failure> {
    let TrainParams {
        steps,
        learning_rate: peak,
        ..
    } = spec.params;
    let mut judge = Judge::new();
    let before = judge::mean(&judge.all_hosts(&network));
    reporter.event(&TrainerEvent::TrainingStarted {
        params: Some(network.weights.len() as u64),
        hosts: lesson.hosts,
        steps: Some(steps.into()),
        eval_loss: Some(before),
    })?;
    reporter.event(&TrainerEvent::Phase { phase: Phase::Running })?;

    let data = lesson.mix.digest();
    // The seed that drew a fresh network's weights must not draw its batches as well.
    let mut trainer = Trainer::new(network, lesson.mix, Rng::new(!spec.seed));
    let mut curve = Curve::default();
    let mut after: Vec<HostBits> = Vec::new();
    for step in 0..steps {
        let rate = learning_rate(peak, step, steps);
        let begun = Instant::now();
        let loss = trainer.step(rate);
        curve.add(loss, begun.elapsed());
        check_divergence(step + 1, loss, peak)?;
        reporter.beat_if_due()?;
        if step == steps / 2 {
            spoil(spec, faults)?;
        }
        let done = step + 1;
        let judged = done == steps || done % (steps / 10).max(1) == 0;
        if judged {
            after = judge.all_hosts(&trainer.network);
            check_divergence(done, judge::mean(&after), peak)?;
        }
        if judged || done % curve_step(steps) == 0 {
            reporter.event(&curve.point(done, judged.then(|| judge::mean(&after))))?;
        }
        if judged {
            reporter.event(&TrainerEvent::Progress {
                step: done.into(),
                total: steps.into(),
            })?;
        }
    }

    let card = Card {
        parent,
        seed: spec.seed,
        source: spec.source.title.clone(),
        steps: steps.into(),
        data,
    };
    let saved = checkpoint::save(&trainer.network, &card, Path::new(&spec.out_dir)).map_err(Failure::Save)?;
    let path = saved.path.to_string_lossy().into_owned();
    reporter.event(&TrainerEvent::CheckpointSaved {
        step: steps.into(),
        path: path.clone(),
        digest: Some(saved.digest),
        bytes: Some(saved.bytes),
    })?;
    reporter.event(&TrainerEvent::TrainingCompleted {
        artifacts: vec![path],
        steps: Some(steps.into()),
        eval_loss: Some(judge::mean(&after)),
        eval_loss_before: Some(before),
        eval: after,
    })?;
    Ok(())
}

fn check_divergence(step: u32, loss: f64, learning_rate: f64) -> Result<(), Failure> {
    // Written so that a loss that is not a number diverges, too.
    if loss < DIVERGED_BITS {
        return Ok(());
    }
    Err(Failure::Diverged { step, loss, learning_rate })
}

fn spoil(spec: &RunSpec, faults: Faults) -> Result<(), Failure> {
    if faults == Faults::Off || spec.attempt != 1 {
        return Ok(());
    }
    if spec.source.title.contains("[fault:transient]") {
        return Err(Failure::Injected);
    }
    if spec.source.title.contains("[fault:crash]") {
        std::process::abort();
    }
    Ok(())
}

/// Steps between two points of the loss curve: a long run draws no more than a hundred.
fn curve_step(steps: u32) -> u32 {
    (steps / 100).max(25)
}

/// Losses since the last point of the curve.
#[derive(Default)]
struct Curve {
    losses: f64,
    steps: u32,
    time: Duration,
}

impl Curve {
    fn add(&mut self, loss: f64, time: Duration) {
        self.losses += loss;
        self.steps += 1;
        self.time += time;
    }

    fn point(&mut self, step: u32, eval_loss: Option<f64>) -> TrainerEvent {
        let Curve { losses, steps, time } = std::mem::take(self);
        let bytes = f64::from(steps) * BATCH_BYTES as f64;
        TrainerEvent::TrainingLog {
            step: step.into(),
            loss: losses / f64::from(steps),
            eval_loss,
            bytes_per_second: Some((bytes / time.as_secs_f64().max(1e-9)).round()),
            extra: Default::default(),
        }
    }
}

fn evaluate<W: Write>(spec: &RunSpec, reporter: &mut Reporter<W>) -> Result<(), Failure> {
    let baseline = load("base", spec.base.as_deref())?;
    let candidate = load("candidate", spec.candidate.as_deref())?;
    let slice = spec.slice.unwrap_or(judge::DEFAULT_SLICE);
    if slice.blocks_per_host == 0 {
        return Err(Failure::Spec("blocks_per_host must be at least 1".into()));
    }
    reporter.event(&TrainerEvent::Phase { phase: Phase::Running })?;
    let hosts = corpora::hosts();
    let mut judge = Judge::new();
    let mut pairs = Vec::new();
    for (at, host) in hosts.iter().enumerate() {
        pairs.extend(judge.pairs(&baseline.network, &candidate.network, host, slice));
        reporter.beat_if_due()?;
        reporter.event(&TrainerEvent::Progress {
            step: at as u64 + 1,
            total: hosts.len() as u64,
        })?;
    }
    let evaluation = judge::evaluation(pairs);
    reporter.event(&TrainerEvent::EvaluationCompleted(evaluation))?;
    Ok(())
}
