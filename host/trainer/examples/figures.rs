//! Measures what a demonstration may count on: speed, and how models fare from run to run.
//!
//!     cargo run --release -p pointsman-trainer --example figures

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use pointsman_model::protocol::{Evaluation, ParsedLine, RunSpec, Slice, SpecClass, SpecSource, TrainParams, TrainerEvent, parse_line};
use pointsman_trainer::{Faults, Model, corpora, run};

fn main() -> Result<(), Box<dyn Error>> {
    let work = tempfile::tempdir()?;
    let dir = |name: &str| work.path().join(name);
    let number = |name: &str, default: f64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let steps = number("STEPS", 1500.0) as u32;
    let rate = number("RATE", 1e-3);

    for (steps, rate) in [(400, 3e-3), (1500, 3e-3)] {
        let params = params(steps, rate, &[]);
        let spec = spec(SpecClass::Bootstrap, None, &dir("bootstrap"), "", params);
        report(&format!("bootstrap {steps} x {rate}"), &spec)?;
    }
    inference(&dir("bootstrap"))?;

    let mut known = vec!["novel", "speeches"];
    let mut active = dir("bootstrap");
    let rounds = ["code", "lexicon", "events", "speeches", "novel", "code", "lexicon", "events"];
    for (round, host) in rounds.into_iter().enumerate() {
        let next = dir(&format!("round-{round}"));
        let params = params(steps, rate, &known);
        let spec = spec(SpecClass::Training, Some(&active), &next, host, params);
        report(&format!("round {} on {host}", round + 1), &spec)?;
        compare("  against the one before", &active, &next, round as u32 * 8)?;
        active = next;
        if !known.contains(&host) {
            known.push(host);
        }
    }
    compare("last round against bootstrap", &dir("bootstrap"), &active, 0)?;
    for host in ["noise", "sums"] {
        for (replay, known) in [("replay 0.5", known.as_slice()), ("no replay", &[])] {
            let next = dir("harm");
            let params = params(steps, rate, known);
            let spec = spec(SpecClass::Training, Some(&active), &next, host, params);
            report(&format!("then {host}, {replay}"), &spec)?;
            compare("  against the one before", &active, &next, 0)?;
        }
    }
    Ok(())
}

fn inference(dir: &Path) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let model = Model::load(dir)?;
    println!("load {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    let begun = Instant::now();
    let text = model.complete(b"The ", 2000, 0.6, 1);
    let per_byte = begun.elapsed().as_secs_f64() * 1e6 / text.len() as f64;
    println!("completion {per_byte:.1} us a byte: {:?}", String::from_utf8_lossy(&text[..120]));
    let blocks = corpora::held_out("novel");
    for window in [64, 512] {
        let begun = Instant::now();
        for block in &blocks {
            std::hint::black_box(model.bits_per_byte(&block[..window]));
        }
        let per_window = begun.elapsed().as_secs_f64() * 1e3 / blocks.len() as f64;
        println!("scoring {window} bytes {per_window:.2} ms");
    }
    Ok(())
}

fn report(name: &str, spec: &RunSpec) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let events = events_of(spec)?;
    let seconds = begun.elapsed().as_secs_f64();
    let speeds: Vec<f64> = events
        .iter()
        .filter_map(|event| match event {
            TrainerEvent::TrainingLog { bytes_per_second, .. } => *bytes_per_second,
            _ => None,
        })
        .collect();
    let speed = speeds.iter().sum::<f64>() / speeds.len() as f64;
    if let Some(TrainerEvent::TrainingCompleted {
        eval,
        eval_loss: Some(after),
        eval_loss_before: Some(before),
        ..
    }) = events.last()
    {
        let hosts: Vec<String> = eval.iter().map(|host| format!("{} {:.2}", host.host, host.bits)).collect();
        println!(
            "{name}: {seconds:.2} s, {speed:.0} bytes/s, {before:.3} -> {after:.3} ({})",
            hosts.join(", ")
        );
    }
    Ok(())
}

fn compare(name: &str, base: &Path, candidate: &Path, offset: u32) -> Result<(), Box<dyn Error>> {
    let mut spec = spec(SpecClass::Eval, Some(base), Path::new(""), "", params(1, 1e-3, &[]));
    spec.candidate = Some(candidate.to_string_lossy().into_owned());
    spec.slice = Some(Slice {
        offset,
        blocks_per_host: 8,
    });
    let begun = Instant::now();
    let events = events_of(&spec)?;
    let seconds = begun.elapsed().as_secs_f64();
    let Some(TrainerEvent::EvaluationCompleted(evaluation)) = events.last() else {
        return Err("no evaluation".into());
    };
    let Evaluation {
        pairs,
        per_host,
        baseline_mean,
        candidate_mean,
    } = evaluation;
    let mut variance = 0.0;
    for host in per_host {
        let mean = host.baseline - host.candidate;
        let squares = pairs
            .iter()
            .filter(|pair| pair.host == host.host)
            .map(|pair| (pair.baseline - pair.candidate - mean).powi(2));
        let n = f64::from(host.n);
        variance += squares.sum::<f64>() / (n - 1.0) / n;
    }
    let error = variance.sqrt() / per_host.len() as f64;
    println!(
        "{name}: {seconds:.3} s, gain {:+.3}, standard error {error:.4}",
        baseline_mean - candidate_mean
    );
    Ok(())
}

fn params(steps: u32, learning_rate: f64, replay_hosts: &[&str]) -> TrainParams {
    TrainParams {
        steps,
        learning_rate,
        replay_share: 0.5,
        replay_hosts: replay_hosts.iter().map(|host| host.to_string()).collect(),
    }
}

fn spec(class: SpecClass, base: Option<&Path>, out: &Path, host: &str, params: TrainParams) -> RunSpec {
    let text = |path: &Path| PathBuf::from(path).to_string_lossy().into_owned();
    RunSpec {
        run: 1,
        attempt: 1,
        class,
        source: SpecSource {
            host: Some(host.to_string()),
            ..SpecSource::default()
        },
        params,
        seed: 1,
        base: base.map(text),
        candidate: None,
        out_dir: text(out),
        slice: None,
        memory: None,
    }
}

fn events_of(spec: &RunSpec) -> Result<Vec<TrainerEvent>, Box<dyn Error>> {
    let mut out = Vec::new();
    run(spec, Faults::Off, &mut out)?;
    let lines = String::from_utf8(out)?;
    let events = lines.lines().filter_map(|line| match parse_line(line) {
        ParsedLine::Event(event) => Some(event),
        ParsedLine::Text | ParsedLine::Malformed { .. } => None,
    });
    Ok(events.collect())
}
