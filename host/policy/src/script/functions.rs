//! What scripts may call. Each function takes time and memory that its arguments' limits bound; there is no clock, no
//! randomness but from the context's seed, and nothing that repeats or replaces text.

use super::engine::{ARRAY_ITEMS_MAX, STRING_BYTES_MAX};
use super::meter;
use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map, Position};

type Outcome<T> = Result<T, Box<EvalAltResult>>;

macro_rules! functions {
    ($($name:literal: $($function:expr),+;)*) => {
        /// Registers all of them.
        pub(super) fn register(engine: &mut Engine) {
            $($(engine.register_fn($name, $function);)+)*
            engine.register_iterator::<std::ops::Range<i64>>();
            engine.register_iterator::<std::ops::RangeInclusive<i64>>();
            engine.register_iterator::<Array>();
        }

        /// Their names, for the lint and its suggestions.
        pub(super) const NAMES: &[&str] = &[$($name),*];
    };
}

functions! {
    "abs": |x: i64| x.saturating_abs(), |x: f64| x.abs();
    "floor": |x: f64| x.floor(), |x: i64| x;
    "ceil": |x: f64| x.ceil(), |x: i64| x;
    "round": |x: f64| x.round(), |x: i64| x;
    "sqrt": |x: f64| x.sqrt(), |x: i64| (x as f64).sqrt();
    "exp": |x: f64| x.exp(), |x: i64| (x as f64).exp();
    "ln": |x: f64| x.ln(), |x: i64| (x as f64).ln();
    "pow": |x: f64, y: f64| x.powf(y), |x: i64, y: i64| (x as f64).powf(y as f64), |x: f64, y: i64| x.powf(y as f64), |x: i64, y: f64| (x as f64).powf(y);
    "min": |x: i64, y: i64| x.min(y), |x: f64, y: f64| x.min(y), |x: i64, y: f64| (x as f64).min(y), |x: f64, y: i64| x.min(y as f64);
    "max": |x: i64, y: i64| x.max(y), |x: f64, y: f64| x.max(y), |x: i64, y: f64| (x as f64).max(y), |x: f64, y: i64| x.max(y as f64);
    "to_float": |x: i64| x as f64, |x: f64| x;
    "to_int": |x: i64| x, to_int;
    "is_finite": |x: f64| x.is_finite(), |_: i64| true;
    "seeded": seeded;

    "len": |text: ImmutableString| text.chars().count() as i64, |list: &mut Array| list.len() as i64, |map: &mut Map| map.len() as i64;
    "is_empty": |text: ImmutableString| text.is_empty(), |list: &mut Array| list.is_empty(), |map: &mut Map| map.is_empty();
    "contains": |text: ImmutableString, part: ImmutableString| text.contains(part.as_str()), array_contains, |map: &mut Map, key: ImmutableString| map.contains_key(key.as_str());
    "starts_with": |text: ImmutableString, part: ImmutableString| text.starts_with(part.as_str());
    "ends_with": |text: ImmutableString, part: ImmutableString| text.ends_with(part.as_str());
    "index_of": |text: ImmutableString, part: ImmutableString| text.find(part.as_str()).map_or(-1, |at| text[..at].chars().count() as i64), array_index_of;
    "sub_string": sub_string;
    "to_lower": |text: ImmutableString| text.to_lowercase();
    "to_upper": |text: ImmutableString| text.to_uppercase();
    "trim": |text: ImmutableString| text.trim().to_string();
    "split": split;
    "to_string": |x: i64| x.to_string(), |x: f64| x.to_string(), |x: bool| x.to_string(), |text: ImmutableString| text;
    "fixed": fixed, |x: i64, digits: i64| fixed(x as f64, digits);

    "push": push;
    "pop": |list: &mut Array| list.pop().unwrap_or(Dynamic::UNIT);
    "append": append;
    "remove": |list: &mut Array, at: i64| usize::try_from(at).ok().filter(|at| *at < list.len()).map_or(Dynamic::UNIT, |at| list.remove(at)), |map: &mut Map, key: ImmutableString| map.remove(key.as_str()).unwrap_or(Dynamic::UNIT);
    "truncate": |list: &mut Array, length: i64| list.truncate(usize::try_from(length).unwrap_or(0));
    "reverse": |list: &mut Array| list.reverse();
    "sum": sum;
    "order": order;
    "fill": fill;
    "keys": |map: &mut Map| map.keys().map(|key| Dynamic::from(key.to_string())).collect::<Array>();
    "values": |map: &mut Map| map.values().cloned().collect::<Array>();

    "log": log;
}

fn error<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Box::new(EvalAltResult::ErrorArithmetic(message.into(), Position::NONE)))
}

fn too_large<T>(what: &str) -> Outcome<T> {
    Err(Box::new(EvalAltResult::ErrorDataTooLarge(what.to_string(), Position::NONE)))
}

fn to_int(x: f64) -> Outcome<i64> {
    // 2^63 is the first float that does not fit.
    if x.abs() < 9_223_372_036_854_775_808.0 {
        Ok(x as i64)
    } else {
        error(format!("{x} is no integer"))
    }
}

/// A number in 0..1 that depends on the seed and the index alone: the one source of chance.
pub(super) fn seeded(seed: i64, index: i64) -> f64 {
    let mut bits = (seed as u64).wrapping_add((index as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Equality of plain values; lists and maps are equal to nothing.
fn same(a: &Dynamic, b: &Dynamic) -> bool {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => return a == b,
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => return false,
    }
    if a.is_string() && b.is_string() {
        return a.read_lock::<ImmutableString>().map(|text| text.clone()) == b.read_lock::<ImmutableString>().map(|text| text.clone());
    }
    (a.is_unit() && b.is_unit()) || (a.is_bool() && b.is_bool() && a.as_bool() == b.as_bool())
}

pub(super) fn number(value: &Dynamic) -> Option<f64> {
    value.as_float().ok().or_else(|| value.as_int().ok().map(|integer| integer as f64))
}

fn array_contains(list: &mut Array, item: Dynamic) -> bool {
    list.iter().any(|candidate| same(candidate, &item))
}

fn array_index_of(list: &mut Array, item: Dynamic) -> i64 {
    list.iter().position(|candidate| same(candidate, &item)).map_or(-1, |at| at as i64)
}

fn sub_string(text: ImmutableString, start: i64, length: i64) -> String {
    let (start, length) = (usize::try_from(start).unwrap_or(0), usize::try_from(length).unwrap_or(0));
    text.chars().skip(start).take(length).collect()
}

fn split(text: ImmutableString, separator: ImmutableString) -> Outcome<Array> {
    if separator.is_empty() {
        return error("split: the separator is empty");
    }
    let parts: Array = text
        .split(separator.as_str())
        .take(ARRAY_ITEMS_MAX + 1)
        .map(|part| Dynamic::from(part.to_string()))
        .collect();
    if parts.len() > ARRAY_ITEMS_MAX {
        too_large("Size of array")
    } else {
        Ok(parts)
    }
}

fn fixed(x: f64, digits: i64) -> String {
    format!("{x:.*}", digits.clamp(0, 12) as usize)
}

fn push(list: &mut Array, item: Dynamic) -> Outcome<()> {
    if list.len() >= ARRAY_ITEMS_MAX {
        return too_large("Size of array");
    }
    list.push(item);
    Ok(())
}

fn append(list: &mut Array, more: Array) -> Outcome<()> {
    if list.len() + more.len() > ARRAY_ITEMS_MAX {
        return too_large("Size of array");
    }
    list.extend(more);
    Ok(())
}

fn sum(list: &mut Array) -> Outcome<f64> {
    list.iter().try_fold(0.0, |sum, item| match number(item) {
        Some(number) => Ok(sum + number),
        None => error(format!("sum: an item is a {}, not a number", item.type_name())),
    })
}

/// Indexes that put the numbers in ascending order; equal ones keep theirs. NaN comes last.
fn order(list: &mut Array) -> Outcome<Array> {
    let mut keys = Vec::with_capacity(list.len());
    for item in list.iter() {
        match number(item) {
            Some(key) => keys.push(key),
            None => return error(format!("order: an item is a {}, not a number", item.type_name())),
        }
    }
    let mut indexes: Vec<i64> = (0..keys.len() as i64).collect();
    indexes.sort_by(|a, b| keys[*a as usize].total_cmp(&keys[*b as usize]));
    Ok(indexes.into_iter().map(Dynamic::from).collect())
}

/// A list of so many equal numbers, flags or texts.
fn fill(count: i64, item: Dynamic) -> Outcome<Array> {
    let count = usize::try_from(count).unwrap_or(0);
    let bytes = item.read_lock::<ImmutableString>().map_or(0, |text| text.len());
    if item.is_array() || item.is_map() {
        return error("fill: the item is a list or a map");
    }
    if count > ARRAY_ITEMS_MAX || count.saturating_mul(bytes) > STRING_BYTES_MAX {
        return too_large("Size of array");
    }
    Ok(vec![item; count])
}

fn log(message: ImmutableString) -> Outcome<()> {
    meter::log(&message).map_err(|_| {
        Box::new(EvalAltResult::ErrorTerminated(
            Dynamic::from(meter::Ended::LogFlood),
            Position::NONE,
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_comes_from_the_seed_and_is_spread_evenly() {
        let mean = (0..10_000).map(|index| seeded(42, index)).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        assert_eq!(seeded(1, 2), seeded(1, 2));
        assert_ne!(seeded(1, 2), seeded(2, 1));
    }

    #[test]
    fn order_is_stable() {
        let mut keys: Array = vec![2.0.into(), 1.0.into(), Dynamic::from(2_i64), 0.5.into()];
        let indexes: Vec<i64> = order(&mut keys)
            .expect("numbers")
            .into_iter()
            .map(|index| index.as_int().expect("an index"))
            .collect();
        assert_eq!(indexes, [3, 1, 0, 2]);
    }

    #[test]
    fn integers_are_not_made_of_infinity() {
        assert_eq!(to_int(-3.9).expect("fits"), -3);
        assert!(to_int(f64::INFINITY).is_err() && to_int(f64::NAN).is_err() && to_int(1e19).is_err());
    }
}
