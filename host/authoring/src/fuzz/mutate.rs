//! Changes to a context: as a tree of values, so that every field there is or will be takes part.

use crate::case::fields_of;
use pointsman_coordinator::plausible;
use pointsman_model::context::Context;
use serde_json::Value;

/// Numbers at which code goes wrong.
const EDGES: [f64; 12] = [
    0.0,
    1.0,
    2.0,
    63.0,
    255.0,
    65_536.0,
    4_294_967_295.0,
    9_007_199_254_740_993.0,
    1e-300,
    0.5,
    1e18,
    1e300,
];
const TEXTS: [&str; 5] = ["", "a", "ünïcödé ☃ 𝄞", "a\u{0}b\n\"'`${}", "0"];
/// Words that a field of this name may hold.
const WORDS: [(&str, &[&str]); 5] = [
    ("lane", &["queue", "curriculum"]),
    ("origin", &["ui", "api", "cli", "campaign", "curriculum"]),
    (
        "class",
        &["infra", "preempted", "timeout", "transient", "deterministic", "crash", "policy"],
    ),
    ("lane_mode", &["hybrid", "queued_only", "automatic_only"]),
    ("stage", &["evaluate", "canary", "watch"]),
];
/// Tries to make a change that a host could have made.
const TRIES: usize = 12;

/// xorshift64*: spread, and the same for the same seed.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next() % end }
    }
}

/// The context with one thing changed; as it was, where no change could be made.
pub(super) fn changed(context: &Context, random: &mut Random) -> Context {
    for _ in 0..TRIES {
        let mut whole = match serde_json::to_value(context) {
            Ok(whole) => whole,
            Err(_) => break,
        };
        let mut places = Vec::new();
        collect(&whole, String::new(), "", &mut places);
        let Some((pointer, name)) = places.get(random.below(places.len() as u64) as usize) else {
            break;
        };
        if let Some(value) = whole.pointer_mut(pointer) {
            change(value, name, random);
        }
        keep_tables(&mut whole);
        if let Ok(context) = serde_json::from_value::<Context>(whole)
            && plausible(&context)
        {
            return context;
        }
    }
    context.clone()
}

/// All places of a tree that may change, with the name of their field.
fn collect(value: &Value, pointer: String, name: &str, places: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                if name == "frame" && (field == "settings" || field == "state") {
                    continue;
                }
                collect(value, format!("{pointer}/{field}"), field, places);
            }
        }
        Value::Array(items) => {
            places.push((pointer.clone(), name.to_string()));
            for (at, item) in items.iter().enumerate() {
                collect(item, format!("{pointer}/{at}"), name, places);
            }
        }
        Value::Number(_) | Value::String(_) | Value::Bool(_) | Value::Null => places.push((pointer, name.to_string())),
    }
}

fn change(value: &mut Value, name: &str, random: &mut Random) {
    match value {
        Value::Number(number) => {
            let was = number.as_f64().unwrap_or(0.0);
            let edge = EDGES[random.below(EDGES.len() as u64) as usize];
            let to = match random.below(6) {
                0 => was + 1.0,
                1 => was - 1.0,
                2 => was * 2.0,
                3 => -was,
                _ => edge,
            };
            *value = number_like(number, to);
        }
        Value::String(text) => {
            let words = WORDS.iter().find(|(field, _)| *field == name);
            *text = match words {
                Some((_, words)) => words[random.below(words.len() as u64) as usize].to_string(),
                None if random.below(8) == 0 => "x".repeat(10_000),
                None => TEXTS[random.below(TEXTS.len() as u64) as usize].to_string(),
            };
        }
        Value::Bool(flag) => *flag = !*flag,
        Value::Null => *value = Value::from(random.below(3)),
        Value::Array(items) => match random.below(4) {
            0 => items.clear(),
            1 => drop(items.pop()),
            _ => {
                // As a host with much to do: entries again and again, each of its own number.
                let times = if random.below(4) == 0 { 40 } else { 1 };
                for _ in 0..times {
                    let Some(mut copy) = items.get(random.below(items.len() as u64) as usize).cloned() else {
                        break;
                    };
                    if let Some(id) = copy.get_mut("id") {
                        *id = Value::from(1_000_000 + random.below(1 << 40));
                    }
                    items.push(copy);
                }
            }
        },
        Value::Object(_) => {}
    }
}

/// Whole numbers stay whole, so that the field can hold them.
fn number_like(was: &serde_json::Number, to: f64) -> Value {
    if was.is_f64() {
        return Value::from(to);
    }
    match to < 0.0 {
        true => Value::from(to as i64),
        false => Value::from(to as u64),
    }
}

/// Lists that stand in the order of `hosts` have an entry for each.
fn keep_tables(whole: &mut Value) {
    let Some(fields) = whole.as_object_mut().and_then(|kinds| kinds.values_mut().next()) else {
        return;
    };
    let Some(hosts) = fields.get("hosts").and_then(Value::as_array).map(Vec::len) else {
        return;
    };
    for list in ["host_loads", "skills"] {
        if let Some(Value::Array(entries)) = fields.get_mut(list)
            && let Some(blank) = entries.last().cloned()
        {
            entries.resize(hosts, blank);
        }
    }
}

/// Contexts that differ from this one by being more like the plain one, simplest first.
pub(super) fn simpler(context: &Context, plain: &Context) -> Vec<Context> {
    let (Ok(whole), plain_fields) = (serde_json::to_value(context), fields_of(plain)) else {
        return Vec::new();
    };
    let Some(kind) = whole.as_object().and_then(|kinds| kinds.keys().next().cloned()) else {
        return Vec::new();
    };
    let mut candidates = Vec::new();
    let mut places = Vec::new();
    collect(&whole, String::new(), "", &mut places);
    for (pointer, _) in places {
        let Some(value) = whole.pointer(&pointer) else { continue };
        let inner = pointer.strip_prefix(&format!("/{kind}")).unwrap_or_default();
        let mut replacements = Vec::new();
        if let Some(plain) = plain_fields.pointer(inner) {
            replacements.push(plain.clone());
        }
        if let Value::Array(items) = value {
            let half = items.len() / 2;
            if half > 0 {
                replacements.push(Value::Array(items[..half].to_vec()));
                replacements.push(Value::Array(items[half..].to_vec()));
            }
            for at in 0..items.len().min(40) {
                let mut fewer = items.clone();
                fewer.remove(at);
                replacements.push(Value::Array(fewer));
            }
        }
        if let Value::Number(number) = value {
            let half = number.as_f64().map(|value| number_like(number, (value / 2.0).trunc()));
            replacements.extend(half.filter(|half| half != value));
        }
        for replacement in replacements {
            if replacement == *value {
                continue;
            }
            let mut simpler = whole.clone();
            if let Some(place) = simpler.pointer_mut(&pointer) {
                *place = replacement;
            }
            keep_tables(&mut simpler);
            if let Ok(simpler) = serde_json::from_value::<Context>(simpler)
                && plausible(&simpler)
                && simpler != *context
                && weight(&simpler) < weight(context)
            {
                candidates.push(simpler);
            }
        }
    }
    candidates.sort_by_key(weight);
    candidates
}

/// How much there is to read: a smaller context has a smaller weight, so that shrinking ends.
fn weight(context: &Context) -> usize {
    serde_json::to_string(context).map_or(usize::MAX, |text| text.len())
}
