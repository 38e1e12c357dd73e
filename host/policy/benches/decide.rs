//! What one decision costs, side by side in one run: a native function, the bare engine warm and fresh, the product's
//! path; and a script in a bare interpreter over registered getters, natively as we run it, and in the sandbox. Batches are
//! interleaved, so that a busy machine slows all of them alike; medians are told.

mod support;

use pointsman_coordinator::Policies;
use pointsman_model::context::*;
use pointsman_model::decision::{SelectionVerdict, Verdict};
use pointsman_model::policy::Value;
use pointsman_model::source::Lane;
use pointsman_policy::component::bindings::{log, retry, selection};
use pointsman_policy::{Engines, Library, canned_context};
use std::hint::black_box;
use std::sync::Arc;
use support::questions::*;
use support::*;
use wasmtime::component::{Component, HasSelf, Linker};

fn main() {
    // The test runner asks with `--test`; there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let (Some(diverse), Some(backoff)) = (plugin("host_diverse"), plugin("retry_backoff")) else {
        println!("plugins/dist is empty: run `cargo run --release -p xtask -- plugins` first");
        return;
    };
    let library = Library::new();
    let install = |file: &str, bytes: Vec<u8>, trusted: bool| install(&library, file, bytes, trusted);
    let rust = install("host_diverse.wasm", diverse.clone(), false);
    let sandboxed = install("source-selection.rhai", script("source-selection.rhai"), false);
    let trusted = install("source-selection.rhai", script("source-selection.rhai"), true);
    let bare_script = BareScript::new("source-selection.rhai");
    println!("us per decision, medians of {ROUNDS} interleaved batches; the ratio is the median of the batches' own");
    println!(
        "{:>16} {:>8} {:>10} {:>11} {:>9} {:>8} {:>10} {:>9} {:>7} {:>10} {:>8}",
        "", "native", "bare warm", "bare fresh", "product", "/ fresh", "bare rhai", "trusted", "/ bare", "sandboxed", "/ trust"
    );

    let engine = pointsman_policy::component::engine();
    let mut linker: Linker<Bare> = Linker::new(engine);
    log::add_to_linker::<Bare, HasSelf<Bare>>(&mut linker, |bare| bare).expect("the log links");
    let component = Component::from_binary(engine, &diverse).expect("it compiles");
    let pre = selection::SourceSelectionPre::new(linker.instantiate_pre(&component).expect("it links")).expect("it has its exports");
    for count in [8, 64, 512] {
        let context = selection_context(count, &rust.settings);
        let settings = wit_settings(&rust.settings);
        let hosts: Vec<&str> = context.hosts.iter().map(String::as_str).collect();
        let loads: Vec<_> = context.host_loads.iter().map(wit_load).collect();
        let candidates: Vec<_> = context.candidates.iter().map(wit_candidate).collect();
        let bare_context = || wit_selection(&context, &settings, &hosts, &loads, &candidates);
        let mut warm_store = bare_store();
        let warm = pre.instantiate(&mut warm_store).expect("it starts");
        let question = Context::Selection(context.clone());
        let mut engines = Engines::new(library.clone());
        let mut engines_again = Engines::new(library.clone());
        let mut engines_trusted = Engines::new(library.clone());
        let answer = engines_again.ask(&sandboxed.policy, &question).expect("it decides");
        assert_eq!(bare_script.decide(&context), answer.verdict, "the bare script decides the same");
        let batches = measure(&mut [
            &mut || {
                black_box(native(black_box(&context)));
            },
            &mut || {
                warm_store.set_fuel(100_000_000).expect("fuel is on");
                black_box(warm.call_decide(&mut warm_store, bare_context()).expect("it decides").is_ok());
            },
            &mut || {
                let mut store = bare_store();
                let instance = pre.instantiate(&mut store).expect("it starts");
                black_box(instance.call_decide(&mut store, bare_context()).expect("it decides").is_ok());
            },
            &mut || {
                black_box(engines.ask(&rust.policy, &question).expect("it decides"));
            },
            &mut || {
                black_box(bare_script.decide(black_box(&context)));
            },
            &mut || {
                black_box(engines_trusted.ask(&trusted.policy, &question).expect("it decides"));
            },
            &mut || {
                black_box(engines_again.ask(&sandboxed.policy, &question).expect("it decides"));
            },
        ]);
        let ratios = row(&format!("{count} candidates"), &batches);
        if count == 64 {
            promise("a fresh decision of 64 candidates, of bare fresh", ratios.product, 1.15, "");
            promise("a sandboxed script at 64 candidates, of a trusted one", ratios.sandboxed, 3.0, "");
        }
        promise(
            &format!("a trusted script at {count} candidates, of a bare one"),
            ratios.trusted,
            1.1,
            "",
        );
    }

    let rust = install("retry_backoff.wasm", backoff.clone(), false);
    let sandboxed = install("retry.rhai", script("retry.rhai"), false);
    let trusted = install("retry.rhai", script("retry.rhai"), true);
    let component = Component::from_binary(engine, &backoff).expect("it compiles");
    let pre = retry::RetryPre::new(linker.instantiate_pre(&component).expect("it links")).expect("it has its exports");
    let mut question = canned_context(rust.kind);
    question.frame_mut().settings = rust.settings.clone();
    let Context::Retry(context) = &question else {
        unreachable!("a retry policy has a retry context")
    };
    let settings = wit_settings(&rust.settings);
    let mut warm_store = bare_store();
    let warm = pre.instantiate(&mut warm_store).expect("it starts");
    let mut engines = Engines::new(library.clone());
    let mut engines_again = Engines::new(library.clone());
    let mut engines_trusted = Engines::new(library.clone());
    let batches = measure(&mut [
        &mut || {
            black_box(native_retry(black_box(context)));
        },
        &mut || {
            warm_store.set_fuel(100_000_000).expect("fuel is on");
            black_box(
                warm.call_decide(&mut warm_store, wit_retry(context, &settings))
                    .expect("it decides")
                    .is_ok(),
            );
        },
        &mut || {
            let mut store = bare_store();
            let instance = pre.instantiate(&mut store).expect("it starts");
            black_box(
                instance
                    .call_decide(&mut store, wit_retry(context, &settings))
                    .expect("it decides")
                    .is_ok(),
            );
        },
        &mut || {
            black_box(engines.ask(&rust.policy, &question).expect("it decides"));
        },
        &mut || (),
        &mut || {
            black_box(engines_trusted.ask(&trusted.policy, &question).expect("it decides"));
        },
        &mut || {
            black_box(engines_again.ask(&sandboxed.policy, &question).expect("it decides"));
        },
    ]);
    row("retry", &batches);
}

struct Ratios {
    product: f64,
    trusted: f64,
    sandboxed: f64,
}

fn row(name: &str, batches: &[Vec<f64>]) -> Ratios {
    let [native, warm, fresh, product, bare_script, trusted, sandboxed] = [0, 1, 2, 3, 4, 5, 6].map(|way| median(batches[way].clone()));
    let [product_ratio, trusted_ratio, sandboxed_ratio] =
        [(3, 2), (5, 4), (6, 5)].map(|(ours, other)| ratio(&batches[ours], &batches[other]));
    print!("{name:>16} {native:>8.2} {warm:>10.2} {fresh:>11.2} {product:>9.2} {product_ratio:>8.2} ");
    // There is no bare script for each kind.
    if bare_script > 0.1 {
        print!("{bare_script:>10.1} {trusted:>9.1} {trusted_ratio:>7.2} ");
    } else {
        print!("{:>10} {trusted:>9.1} {:>7} ", "-", "-");
    }
    println!("{sandboxed:>10.1} {sandboxed_ratio:>8.2}");
    Ratios {
        product: product_ratio,
        trusted: trusted_ratio,
        sandboxed: sandboxed_ratio,
    }
}

/// The shipped selection script as a plain user of the interpreter would run it: the standard packages, a registered
/// struct for the items, no limits, and nothing of its answer checked.
struct BareScript {
    engine: rhai::Engine,
    ast: rhai::AST,
}

#[derive(Clone)]
struct Item(Arc<[SourceCandidate]>, usize);

#[derive(Clone)]
struct Load(Arc<[HostLoad]>, usize);

impl BareScript {
    fn new(name: &str) -> BareScript {
        let mut engine = rhai::Engine::new();
        let optional = |index: Option<u32>| index.map_or(rhai::Dynamic::UNIT, |index| rhai::Dynamic::from(i64::from(index)));
        engine
            .register_type_with_name::<Item>("candidate")
            .register_get("id", |item: &mut Item| item.0[item.1].id as i64)
            .register_get("lane", |item: &mut Item| {
                if item.0[item.1].lane == Lane::Queue {
                    "queue"
                } else {
                    "curriculum"
                }
            })
            .register_get("host", move |item: &mut Item| optional(item.0[item.1].host))
            .register_get("age_s", |item: &mut Item| item.0[item.1].age_s)
            .register_get("attempts", |item: &mut Item| i64::from(item.0[item.1].attempts))
            .register_get("priority", |item: &mut Item| i64::from(item.0[item.1].priority))
            .register_type_with_name::<Load>("host_load")
            .register_get("running", |load: &mut Load| i64::from(load.0[load.1].running))
            .register_fn("fill", |count: i64, item: rhai::Dynamic| vec![item; count as usize])
            .register_fn("is_finite", |x: f64| x.is_finite());
        let text = String::from_utf8(script(name)).expect("a script is text");
        // Without its description, which uses a word that the plain language reserves.
        let decide = text.find("fn decide").expect("it decides");
        let ast = engine.compile(&text[decide..]).expect("it parses");
        BareScript { engine, ast }
    }

    fn decide(&self, context: &SelectionContext) -> Verdict {
        let candidates: Arc<[SourceCandidate]> = context.candidates.as_slice().into();
        let loads: Arc<[HostLoad]> = context.host_loads.as_slice().into();
        let whole = |number: u32| rhai::Dynamic::from(i64::from(number));
        let mut map = rhai::Map::new();
        let settings: rhai::Map = context
            .frame
            .settings
            .iter()
            .map(|setting| match &setting.value {
                Value::Number(number) => (setting.name.as_str().into(), (*number).into()),
                Value::Flag(_) | Value::Text(_) => unreachable!("this policy has numbers only"),
            })
            .collect();
        map.insert("settings".into(), settings.into());
        map.insert("lane_mode".into(), "hybrid".into());
        map.insert("curriculum_fallback".into(), context.curriculum_fallback.into());
        map.insert("lock".into(), context.lock.map_or(rhai::Dynamic::UNIT, whole));
        map.insert("same_host_cap".into(), whole(context.same_host_cap));
        map.insert("free".into(), whole(context.free));
        map.insert("left_out".into(), whole(context.left_out));
        let hosts: rhai::Array = context.hosts.iter().map(|host| host.clone().into()).collect();
        map.insert("hosts".into(), hosts.into());
        let recent: rhai::Array = context.recent_hosts.iter().map(|host| whole(*host)).collect();
        map.insert("recent_hosts".into(), recent.into());
        let items: rhai::Array = (0..candidates.len())
            .map(|at| rhai::Dynamic::from(Item(candidates.clone(), at)))
            .collect();
        map.insert("candidates".into(), items.into());
        let items: rhai::Array = (0..loads.len()).map(|at| rhai::Dynamic::from(Load(loads.clone(), at))).collect();
        map.insert("host_loads".into(), items.into());
        let mut answer: rhai::Map = self
            .engine
            .call_fn(&mut rhai::Scope::new(), &self.ast, "decide", (map,))
            .expect("it decides");
        let mut verdict = answer.remove("verdict").expect("a verdict").cast::<rhai::Map>();
        let picks = verdict.remove("pick").expect("a pick").cast::<rhai::Array>();
        black_box(answer);
        Verdict::Selection(SelectionVerdict::Pick(
            picks.into_iter().map(|pick| pick.as_int().expect("an index") as u32).collect(),
        ))
    }
}

/// The terms of host-diverse without its reasons: what the question costs where nothing is isolated.
fn native(context: &SelectionContext) -> (Option<usize>, Vec<f64>) {
    let weight = |index: usize| match context.frame.settings[index].value {
        Value::Number(number) => number,
        Value::Flag(_) | Value::Text(_) => 0.0,
    };
    let (recent, busy, priority, age_scale_s, failure) = (weight(0), weight(1), weight(2), weight(3), weight(4));
    let mut totals = Vec::with_capacity(context.candidates.len());
    let mut best: Option<usize> = None;
    for (index, candidate) in context.candidates.iter().enumerate() {
        let mut total = if candidate.lane == Lane::Queue { 1_000.0 } else { 0.0 };
        total +=
            priority * f64::from(candidate.priority) + (candidate.age_s / age_scale_s).min(200.0) - failure * f64::from(candidate.attempts);
        let mut open = true;
        if let Some(host) = candidate.host {
            let running = context.host_loads[host as usize].running;
            open = running < context.same_host_cap && context.lock.is_none_or(|lock| lock == host);
            total -= busy * f64::from(running);
            if let Some(picks) = context.recent_hosts.iter().position(|recent| *recent == host) {
                total -= recent / (picks as f64 + 1.0);
            }
        }
        if open && best.is_none_or(|best| total > totals[best]) {
            best = Some(index);
        }
        totals.push(total);
    }
    (best, totals)
}

fn native_retry(context: &RetryContext) -> u64 {
    let base_s = match context.frame.settings[0].value {
        Value::Number(number) => number,
        Value::Flag(_) | Value::Text(_) => 1.0,
    };
    (base_s * 2f64.powi(context.failures.total() as i32 - 1) * 1_000.0) as u64
}
