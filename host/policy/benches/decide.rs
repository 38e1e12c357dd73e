//! What one decision costs, side by side in one run: a native function, the bare engine warm and fresh, the product's
//! path; and a script in a bare interpreter over registered getters, natively as we run it, and in the sandbox. Batches are interleaved, so that a busy machine slows all of them alike; medians are told.

use pointsman_coordinator::Policies;
use pointsman_model::context::*;
use pointsman_model::decision::{SelectionVerdict, Verdict};
use pointsman_model::policy::{PolicyDescription, PolicyLimits, Setting, Value};
use pointsman_model::run::FailureCounts;
use pointsman_model::settings::LaneMode;
use pointsman_model::source::{Lane, Origin};
use pointsman_policy::component::bindings::{log, retry, selection, types};
use pointsman_policy::{Engines, Library, PolicySource, canned_context};
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, Linker};

const ROUNDS: usize = 61;
const BATCH_US: f64 = 4_000.0;

struct Bare;

impl log::Host for Bare {
    fn log(&mut self, _level: log::Level, message: String) -> wasmtime::Result<()> {
        black_box(message);
        Ok(())
    }
}

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
    let install = |file: &str, bytes: Vec<u8>, trusted: bool| -> PolicyDescription {
        let source = PolicySource {
            file: file.to_string(),
            bytes,
            settings: Vec::new(),
            trusted,
        };
        let checked = library
            .check(source, PolicyLimits::default())
            .unwrap_or_else(|problem| panic!("{problem}"));
        let description = checked.description.clone();
        library.install(checked);
        description
    };
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
    let store = || {
        let mut store = Store::new(engine, Bare);
        store.set_fuel(100_000_000).expect("fuel is on");
        store.set_epoch_deadline(u64::MAX / 2);
        store
    };

    let component = Component::from_binary(engine, &diverse).expect("it compiles");
    let pre = selection::SourceSelectionPre::new(linker.instantiate_pre(&component).expect("it links")).expect("it has its exports");
    for count in [8, 64, 512] {
        let context = selection_context(count, &rust.settings);
        let settings = wit_settings(&rust.settings);
        let hosts: Vec<&str> = context.hosts.iter().map(String::as_str).collect();
        let loads: Vec<_> = context.host_loads.iter().map(wit_load).collect();
        let candidates: Vec<_> = context.candidates.iter().map(wit_candidate).collect();
        let bare_context = || wit_selection(&context, &settings, &hosts, &loads, &candidates);
        let mut warm_store = store();
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
                let mut store = store();
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
        row(&format!("{count} candidates"), &batches);
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
    let mut warm_store = store();
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
            let mut store = store();
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

fn row(name: &str, batches: &[Vec<f64>]) {
    let [native, warm, fresh, product, bare_script, trusted, sandboxed] = [0, 1, 2, 3, 4, 5, 6].map(|way| median(batches[way].clone()));
    // Of neighbouring batches, so that what slows the machine for a while does not count.
    let ratio = |a: usize, b: usize| median(batches[a].iter().zip(&batches[b]).map(|(a, b)| a / b).collect());
    let (product_ratio, trusted_ratio, sandboxed_ratio) = (ratio(3, 2), ratio(5, 4), ratio(6, 5));
    print!("{name:>16} {native:>8.2} {warm:>10.2} {fresh:>11.2} {product:>9.2} {product_ratio:>8.2} ");
    // There is no bare script for each kind.
    if bare_script > 0.1 {
        print!("{bare_script:>10.1} {trusted:>9.1} {trusted_ratio:>7.2} ");
    } else {
        print!("{:>10} {trusted:>9.1} {:>7} ", "-", "-");
    }
    println!("{sandboxed:>10.1} {sandboxed_ratio:>8.2}");
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

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Microseconds per call, for each way and round.
fn measure(ways: &mut [&mut dyn FnMut()]) -> Vec<Vec<f64>> {
    let batches: Vec<usize> = ways
        .iter_mut()
        .map(|way| {
            (0..20).for_each(|_| way());
            let started = Instant::now();
            (0..20).for_each(|_| way());
            ((BATCH_US / (started.elapsed().as_secs_f64() * 1e6 / 20.0)) as usize).max(2)
        })
        .collect();
    let mut times = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for ((way, batch), times) in ways.iter_mut().zip(&batches).zip(&mut times) {
            let started = Instant::now();
            (0..*batch).for_each(|_| way());
            times.push(started.elapsed().as_secs_f64() * 1e6 / *batch as f64);
        }
    }
    times
}

fn plugin(name: &str) -> Option<Vec<u8>> {
    std::fs::read(
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../plugins/dist")
            .join(format!("{name}.wasm")),
    )
    .ok()
}

fn script(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../policies").join(name))
        .expect("shipped policies are in the repository")
}

fn selection_context(count: u32, settings: &[Setting]) -> SelectionContext {
    SelectionContext {
        frame: Frame {
            now_ms: 1_700_000_000_000,
            seed: 1,
            settings: settings.to_vec(),
            state: Vec::new(),
        },
        free: 1,
        lane_mode: LaneMode::Hybrid,
        curriculum_fallback: true,
        lock: None,
        same_host_cap: 1,
        hosts: (0..16).map(|host| format!("host-{host:02}.example.org")).collect(),
        campaigns: Vec::new(),
        host_loads: (0..16)
            .map(|host| HostLoad {
                pending: host,
                successes: host,
                ..HostLoad::default()
            })
            .collect(),
        recent_hosts: vec![1, 2, 3],
        candidates: (0..count)
            .map(|id| SourceCandidate {
                id: u64::from(id) + 1,
                lane: Lane::Queue,
                origin: Origin::Api,
                host: Some(id % 16),
                campaign: None,
                row: 0,
                age_s: f64::from(count - id) * 7.0,
                attempts: id % 3,
                failures: FailureCounts::default(),
                difficulty: f64::from(id % 10) / 10.0,
                priority: 0,
            })
            .collect(),
        left_out: 0,
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

fn wit_settings(settings: &[Setting]) -> Vec<types::SettingParam<'_>> {
    settings
        .iter()
        .map(|Setting { name, value }| types::SettingParam {
            name,
            value: match value {
                Value::Flag(flag) => types::ValueParam::Flag(*flag),
                Value::Number(number) => types::ValueParam::Number(*number),
                Value::Text(text) => types::ValueParam::Text(text),
            },
        })
        .collect()
}

use selection::pointsman::policy::source_selection_types as wit;

fn wit_load(load: &HostLoad) -> wit::HostLoad {
    let HostLoad {
        running,
        pending,
        successes,
        failures,
        since_picked_s,
    } = *load;
    wit::HostLoad {
        running,
        pending,
        successes,
        failures,
        since_picked_s,
    }
}

fn wit_candidate(candidate: &SourceCandidate) -> wit::Candidate {
    wit::Candidate {
        id: candidate.id,
        lane: types::Lane::Queue,
        origin: types::Origin::Api,
        host: candidate.host,
        campaign: candidate.campaign,
        row: candidate.row,
        age_s: candidate.age_s,
        attempts: candidate.attempts,
        failures: no_failures(),
        difficulty: candidate.difficulty,
        priority: candidate.priority,
    }
}

fn no_failures() -> types::FailureCounts {
    types::FailureCounts {
        infra: 0,
        preempted: 0,
        timeout: 0,
        transient: 0,
        deterministic: 0,
        crash: 0,
        policy: 0,
    }
}

fn wit_selection<'a>(
    context: &'a SelectionContext,
    settings: &'a [types::SettingParam<'a>],
    hosts: &'a [&'a str],
    host_loads: &'a [wit::HostLoad],
    candidates: &'a [wit::Candidate],
) -> wit::Context<'a> {
    wit::Context {
        frame: types::Frame {
            now_ms: context.frame.now_ms,
            seed: context.frame.seed,
            settings,
            state: &[],
        },
        free: context.free,
        lane_mode: wit::LaneMode::Hybrid,
        curriculum_fallback: context.curriculum_fallback,
        lock: context.lock,
        same_host_cap: context.same_host_cap,
        hosts,
        campaigns: &[],
        host_loads,
        recent_hosts: &context.recent_hosts,
        candidates,
        left_out: context.left_out,
    }
}

fn wit_retry<'a>(context: &'a RetryContext, settings: &'a [types::SettingParam<'a>]) -> retry::Context<'a> {
    retry::Context {
        frame: types::Frame {
            now_ms: context.frame.now_ms,
            seed: context.frame.seed,
            settings,
            state: &[],
        },
        source: context.source,
        run: context.run,
        title: &context.title,
        lane: types::Lane::Queue,
        origin: types::Origin::Api,
        host: context.host.as_deref(),
        attempt: context.attempt,
        class: types::FailureClass::Transient,
        failures: types::FailureCounts {
            transient: 1,
            ..no_failures()
        },
        budget: context.budget,
        budget_left: context.budget_left,
        exit_code: context.exit_code,
        error: &context.error,
        error_digest: context.error_digest,
        same_error_before: context.same_error_before,
        elapsed_ms: context.elapsed_ms,
        host_successes: context.host_successes,
        host_failures: context.host_failures,
    }
}
