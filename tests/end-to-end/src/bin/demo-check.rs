//! One whole run of the demo, headless: the first model, runs, an evaluation, a canary, the first live apply. Meanwhile
//! two policies of two engines are swapped and completions are asked for without a pause. Fails if a request failed, a
//! decision was lost or made by two versions, or the model that was applied is not better on held-out text.

use anyhow::{Context, Result, ensure};
use pointsman_end_to_end::{Host, Kit, check_journal};
use pointsman_journal::Reader;
use pointsman_model::ModelTag;
use pointsman_trainer::{Model, corpora};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The promise is three minutes on two cores; a busy machine gets some more.
const FIRST_APPLY_WITHIN: Duration = Duration::from_secs(300);

fn main() -> Result<()> {
    let kit = Kit::new()?;
    check(&kit).inspect_err(|_| eprintln!("--- the host's last words\n{}\n---", kit.log_tail()))
}

fn check(kit: &Kit) -> Result<()> {
    let started = Instant::now();
    let mut host = kit.start()?;
    host.wait_ready(Duration::from_secs(30))?;
    wait_for(&mut host, "the first model", Duration::from_secs(90), |state| state["active"].is_object())?;
    say(started, "the first model is live; completions start");
    let asking = Arc::new(AtomicBool::new(true));
    let asker = std::thread::spawn({
        let (asking, agent, url) = (asking.clone(), host.agent.clone(), host.url.clone());
        move || ask_completions(&agent, &url, &asking)
    });

    wait_for(&mut host, "some decisions", Duration::from_secs(60), |state| number(&state["totals"]["decisions"]) >= 4)?;
    let policies = kit.policies();
    let swaps = [
        ("source-selection", policies.join("source-selection.rhai"), "rhai"),
        ("retry", kit.repository.join("plugins/dist/retry_backoff.wasm"), "component"),
    ];
    for (kind, file, engine) in &swaps {
        let before = policy(&host.get("/api/v1/state")?, kind)?["generation"].clone();
        let file = file.to_str().context("a path in UTF-8")?;
        host.command(&["policy", "activate", file, "--reason", "demo-check swaps it"])?;
        let card = wait_for(&mut host, "the swap", Duration::from_secs(20), |state| {
            policy(state, kind).is_ok_and(|card| card["generation"] != before && card["engine"] == *engine)
        })?;
        say(started, &format!("{kind} is now {} ({engine})", policy(&card, kind)?["name"].as_str().unwrap_or("?")));
    }

    let state = wait_for(&mut host, "the first live apply", FIRST_APPLY_WITHIN, |state| number(&state["totals"]["live_applies"]) >= 1)?;
    let apply = &state["last_apply"];
    let told = (apply["bits_before"].as_f64(), apply["bits_after"].as_f64());
    say(started, &format!("first live apply: {} replaced {}", apply["model"], apply["before"]));
    let applied = apply["model"].as_str().context("last_apply.model")?.to_string();
    wait_for_answer_by(&mut host, &applied)?;

    asking.store(false, Ordering::Relaxed);
    let asked = asker.join().map_err(|_| anyhow::anyhow!("the asker panicked"))?;
    ensure!(asked.failed.is_empty(), "{} of {} completions failed, first with: {}", asked.failed.len(), asked.answered, asked.failed[0]);
    ensure!(asked.answered >= 20, "only {} completions were answered", asked.answered);
    ensure!(asked.by_model.len() >= 2, "all completions were answered by {:?}", asked.by_model.keys());
    host.stop()?;

    let journal = kit.data().join("journal.sqlite");
    let findings = check_journal(&journal)?;
    ensure!(findings.swaps >= 2, "the journal holds {} swaps", findings.swaps);
    ensure!(findings.fallbacks == 0, "{} decisions were not made by the active policy", findings.fallbacks);
    let (model, before) = findings.applies.first().context("the journal holds a live apply")?;
    let bits_before = held_out_bits(&journal, &kit.data(), before)?;
    let bits_after = held_out_bits(&journal, &kit.data(), model)?;
    ensure!(bits_after < bits_before, "{model} has {bits_after:.3} bits per byte, {before} had {bits_before:.3}");
    let told_gain = told.0.zip(told.1).map(|(before, after)| before - after).context("the host tells the bits before and after")?;
    ensure!(told_gain > 0.0, "the host told of {told:?}");
    println!(
        "demo-check: first live apply after {} s; {model} {bits_after:.3} bits per byte on all held-out text, {before} {bits_before:.3}; \
         {} completions by {:?}, none failed; {} decisions, {} swaps, {} outcomes, none lost, doubled or mixed",
        started.elapsed().as_secs(),
        asked.answered,
        asked.by_model,
        findings.decisions,
        findings.swaps,
        findings.outcomes
    );
    Ok(())
}

struct Asked {
    answered: u64,
    by_model: BTreeMap<String, u64>,
    failed: Vec<String>,
}

fn ask_completions(agent: &ureq::Agent, url: &str, asking: &AtomicBool) -> Asked {
    let mut asked = Asked { answered: 0, by_model: BTreeMap::new(), failed: Vec::new() };
    let prompts: Vec<String> = corpora::held_out("speeches").iter().map(|block| String::from_utf8_lossy(&block[..256]).into_owned()).collect();
    while asking.load(Ordering::Relaxed) {
        let prompt = &prompts[asked.answered as usize % prompts.len()];
        let body = json!({ "prompt": prompt, "max_tokens": 40, "temperature": 0.6, "seed": asked.answered });
        let answer = agent.post(format!("{url}/v1/completions")).send_json(&body).map_err(|error| error.to_string());
        let checked = answer.and_then(|mut response| {
            let status = response.status();
            let text = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
            let value: Value = serde_json::from_str(&text).map_err(|error| format!("{status} {error} in {text}"))?;
            let tag = value["model"].as_str().filter(|_| status.is_success() && value["choices"][0]["text"].is_string());
            tag.map(str::to_string).ok_or_else(|| format!("{status} {text}"))
        });
        asked.answered += 1;
        match checked {
            Ok(tag) => *asked.by_model.entry(tag).or_default() += 1,
            Err(problem) => asked.failed.push(problem),
        }
        std::thread::park_timeout(Duration::from_millis(40));
    }
    asked
}

fn wait_for(host: &mut Host, what: &str, within: Duration, holds: impl Fn(&Value) -> bool) -> Result<Value> {
    let (agent, url) = (host.agent.clone(), format!("{}/api/v1/state", host.url));
    host.wait(what, within, || {
        let state: Value = agent.get(&url).call()?.body_mut().read_json()?;
        Ok(holds(&state).then_some(state))
    })
}

/// The model that went live answers standard requests.
fn wait_for_answer_by(host: &mut Host, tag: &str) -> Result<()> {
    let (agent, url) = (host.agent.clone(), format!("{}/v1/completions", host.url));
    host.wait("an answer of the model that went live", Duration::from_secs(20), || {
        let answer: Value = agent.post(&url).send_json(json!({ "prompt": "Once upon a time", "max_tokens": 8 }))?.body_mut().read_json()?;
        Ok((answer["model"] == tag).then_some(()))
    })
}

fn policy<'a>(state: &'a Value, kind: &str) -> Result<&'a Value> {
    let cards = state["policies"].as_array().context("state.policies")?;
    cards.iter().find(|card| card["kind"] == kind).with_context(|| format!("no card for {kind}"))
}

/// Mean over the hosts of a model's bits per byte on all of their held-out text, measured here from its file.
fn held_out_bits(journal: &Path, data: &Path, tag: &ModelTag) -> Result<f64> {
    let row = Reader::open(journal)?.model(tag)?.with_context(|| format!("{tag} is not in the journal"))?;
    let model = Model::load(&data.join(&row.path)).with_context(|| format!("{tag} at {}", row.path))?;
    let hosts = corpora::hosts();
    let mean = |host: &str| {
        let blocks = corpora::held_out(host);
        blocks.iter().map(|block| model.bits_per_byte(block)).sum::<f64>() / blocks.len() as f64
    };
    let evaluated: Vec<f64> = hosts.iter().map(|host| mean(host)).filter(|bits| bits.is_finite()).collect();
    Ok(evaluated.iter().sum::<f64>() / evaluated.len() as f64)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn say(started: Instant, text: &str) {
    eprintln!("[{:>5.1} s] {text}", started.elapsed().as_secs_f64());
}
