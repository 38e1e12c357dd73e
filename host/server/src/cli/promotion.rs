//! `pointsman promotion` and the parts of `pointsman models` that keep, prune and look back.

use super::client::{Client, url_encoded};
use super::exit::Exit;
use super::show::print;
use super::text::{bits, clock, duration, printable, table};
use crate::wire::{LiveAt, Promotion, PromotionCandidate, PrunePlan, Pruned, RetainedModel};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

#[derive(Subcommand, Debug)]
pub(crate) enum Order {
    /// Window, candidate, roles and what was tried last, with the proof.
    Status,
    /// Let the held candidate go on.
    Approve(Word),
    /// Turn the held candidate down, for good.
    Reject(Word),
}

#[derive(Args, Debug)]
pub(crate) struct Word {
    /// The candidate, as it was seen: where another one is held by now, nothing happens.
    #[arg(value_name = "TAG")]
    candidate: String,
    /// The decision that it is held with, as it was seen; refused where that is another by now.
    #[arg(long)]
    decision: Option<u64>,
    /// Approve, although a guard forbids it.
    #[arg(long)]
    despite_guards: bool,
    #[arg(long, default_value = "")]
    reason: String,
}

/// What is to be pruned.
#[derive(Args, Debug)]
pub(crate) struct Prune {
    /// Only tell what would go, and why everything else stays.
    #[arg(long)]
    dry_run: bool,
    /// Newest models to be kept besides those in use; default: the setting keep_models.
    #[arg(long, value_name = "MODELS")]
    keep: Option<u32>,
    /// The plan that a dry run has told: nothing is pruned where other models would go by now.
    #[arg(long, conflicts_with = "dry_run")]
    plan: Option<String>,
    #[arg(long, default_value = "")]
    reason: String,
}

pub(crate) fn run(client: &Client, json: bool, order: Order) -> Result<(), Exit> {
    match order {
        Order::Status => print(json, client.fetch("/api/v1/promotion")?, |promotion: Promotion| tell(&promotion)),
        Order::Approve(word) => say(client, json, "approve", word, "goes on"),
        Order::Reject(word) => say(client, json, "reject", word, "is turned down for good"),
    }
}

fn say(client: &Client, json: bool, verb: &str, word: Word, done: &str) -> Result<(), Exit> {
    let Word {
        candidate,
        decision,
        despite_guards,
        reason,
    } = word;
    let body = json!({ "candidate": candidate, "decision": decision, "despite_guards": despite_guards, "reason": reason });
    let answer = client.post(&format!("/api/v1/promotion/{verb}"), &body)?;
    if json {
        println!("{answer}");
    } else {
        eprintln!("{candidate} {done}");
    }
    Ok(())
}

fn tell(promotion: &Promotion) {
    let window = &promotion.window;
    println!(
        "state      {}: {}",
        promotion.state_label.to_lowercase(),
        printable(&promotion.phase)
    );
    println!(
        "worker     {}{}",
        promotion.worker.status,
        promotion.worker.fix.as_ref().map(|fix| format!(": {fix}")).unwrap_or_default()
    );
    println!(
        "window     {} holds {} of {} ({:.0} %), {} to go; {} successes less watermark {}, next evaluation at {}{}",
        window.ordinal,
        window.done,
        window.size,
        window.percent,
        window.remaining,
        window.successes,
        window.watermark,
        window.next_target,
        window
            .eta_at
            .map(|at| format!(", in about {}", duration(at.saturating_sub(promotion.view.generated_at))))
            .unwrap_or_default()
    );
    let evaluation = &promotion.evaluation;
    println!(
        "evaluation {}{}{}{}",
        evaluation.result,
        evaluation.at.map(|at| format!(" at {}", clock(at))).unwrap_or_default(),
        words(&evaluation.reason),
        evaluation
            .retry_at
            .map(|at| format!("; tried again at {}", clock(at)))
            .unwrap_or_default()
    );
    for role in &promotion.roles {
        let switch = role.last_switch.as_ref().map(|switch| {
            format!(
                "; {} -> {} at {} (entry {})",
                switch.before.as_deref().unwrap_or("-"),
                switch.model,
                clock(switch.at),
                switch.seq
            )
        });
        println!(
            "role       {:<11} {}{}",
            role.slug,
            role.tag.as_deref().unwrap_or("-"),
            switch.unwrap_or_default()
        );
    }
    println!(
        "applies    {}{}; hold for a person is {}",
        promotion.live_applies,
        promotion
            .last_apply
            .as_ref()
            .map(|apply| format!(", the last at {}", clock(apply.at)))
            .unwrap_or_default(),
        if promotion.hold { "on" } else { "off" }
    );
    match &promotion.candidate {
        Some(candidate) => tell_candidate("candidate", candidate),
        None => println!("candidate  none, which is normal between windows"),
    }
    if let Some(ended) = &promotion.ended {
        tell_candidate("before it", ended);
    }
    println!(
        "models     {} installed, {} unused, {} pinned, {} would be pruned",
        promotion.retention.installed, promotion.unused.count, promotion.retention.pinned, promotion.retention.prunable
    );
    if let Some(error) = &promotion.last_error {
        println!("last error {} {}{}", error.class, error.code, words(&error.text));
    }
    println!("next       {}", printable(&promotion.next_action));
}

fn tell_candidate(head: &str, candidate: &PromotionCandidate) {
    let PromotionCandidate {
        card,
        raised_seq,
        canary,
        quality,
        decisions,
        decision_count,
        held,
        ended,
    } = candidate;
    println!(
        "{head:<10} {} against {}: {}{}",
        card.tag,
        card.baseline,
        ended.as_ref().map_or(&card.stage_label, |ended| &ended.end_label).to_lowercase(),
        raised_seq.map(|seq| format!(" (entry {seq})")).unwrap_or_default()
    );
    if let Some(quality) = quality {
        let interval = quality.low.zip(quality.high);
        println!(
            "           {} against {} bits per byte, {:+.3}{}, {} pairs: {}",
            bits(Some(quality.candidate)),
            bits(Some(quality.baseline)),
            quality.delta,
            interval
                .map(|(low, high)| format!(" ({low:+.3} to {high:+.3})"))
                .unwrap_or_default(),
            quality.pairs,
            quality.reading.replace('_', " ")
        );
    }
    println!(
        "           canary {}{}",
        canary.status_label.to_lowercase(),
        canary
            .have
            .zip(canary.wanted)
            .map(|(have, wanted)| format!(", {have} of {wanted}"))
            .unwrap_or_default()
    );
    if let Some(decision) = decisions.first() {
        println!(
            "           {decision_count} decisions, the last {} {}{}",
            decision.id,
            decision.verdict.replace('_', " "),
            words(&card.latest_reason)
        );
    }
    if let Some(held) = held {
        println!(
            "           held since {} with decision {}: {}{}",
            clock(held.since),
            held.decision,
            printable(&held.reason),
            held.forbidden
                .as_ref()
                .map(|forbidden| format!("; a guard forbids it now: {}", printable(forbidden)))
                .unwrap_or_default()
        );
    }
    if let Some(ended) = ended {
        println!("           ended at {}{}", clock(ended.at), words(&ended.reason));
    }
}

/// `: text`, or nothing.
fn words(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!(": {}", printable(text)),
    }
}

pub(crate) fn prune(client: &Client, json: bool, order: &Prune) -> Result<(), Exit> {
    let Prune {
        dry_run,
        keep,
        plan,
        reason,
    } = order;
    if *dry_run {
        let path = match keep {
            Some(keep) => format!("/api/v1/models/prune?keep={keep}"),
            None => "/api/v1/models/prune".to_string(),
        };
        return print(json, client.fetch(&path)?, |plan: PrunePlan| tell_plan(&plan));
    }
    let mut body = Map::from_iter([("reason".to_string(), json!(reason))]);
    body.extend(keep.map(|keep| ("keep".to_string(), json!(keep))));
    body.extend(plan.as_ref().map(|plan| ("plan".to_string(), json!(plan))));
    print(
        json,
        client.post("/api/v1/models/prune", &Value::Object(body))?,
        |pruned: Pruned| match pruned.models.as_slice() {
            [] => eprintln!("nothing had to go"),
            models => eprintln!("{} models went, {} bytes: {}", models.len(), pruned.bytes, models.join(" ")),
        },
    )
}

fn tell_plan(plan: &PrunePlan) {
    let row = |model: &RetainedModel| {
        let why: Vec<&str> = model.kept_for.iter().map(|kept| kept.label.as_str()).collect();
        vec![
            model.tag.clone(),
            if model.kept_for.is_empty() { "goes" } else { "stays" }.to_string(),
            model.bytes.to_string(),
            clock(model.made_at),
            model.host.clone().unwrap_or_default(),
            why.join(", "),
        ]
    };
    let rows: Vec<Vec<String>> = plan.go.iter().chain(&plan.stay).map(row).collect();
    table(&["model", "", "bytes", "made", "host", "why it stays"], &rows);
    println!(
        "{} would go, {} bytes; {} stay, {} bytes; keeping {} besides those in use",
        plan.go_count, plan.go_bytes, plan.stay_count, plan.stay_bytes, plan.keep
    );
    println!("plan {}", plan.plan);
}

pub(crate) fn live_at(client: &Client, json: bool, at: &str) -> Result<(), Exit> {
    let path = format!("/api/v1/models/live-at?at={}", url_encoded(at));
    print(json, client.fetch(&path)?, |live: LiveAt| {
        for role in live.roles {
            let change = role.change.as_ref();
            println!(
                "{:<11} {}{}{}",
                role.role,
                change.map_or("-", |change| change.model.as_str()),
                change
                    .map(|change| format!(" since {} (entry {})", clock(change.at), change.seq))
                    .unwrap_or_default(),
                role.until
                    .map_or(", still live".to_string(), |until| format!(", until {}", clock(until)))
            );
            println!("            {}", printable(&role.why));
        }
    })
}
