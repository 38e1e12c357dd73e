//! What scripts may call. Each function takes time and memory that its arguments' limits bound; there is no clock, no
//! randomness but from the context's seed, and nothing that repeats or replaces text.
//!
//! Each gives the same result to the bit natively and inside wasm: exponentials and powers come from `libm` and not from
//! the system, counts do not depend on the width of a pointer, and a NaN has no sign.

use crate::engine::{ARRAY_ITEMS_MAX, STRING_BYTES_MAX};
use crate::meter::{Ended, Hooks, may_log};
use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map, Position, RhaiNativeFunc};
use std::any::TypeId;

type Outcome<T> = Result<T, Box<EvalAltResult>>;

macro_rules! functions {
    ($($name:literal $parameters:tt: $($function:expr),+;)*) => {
        /// Registers all of them.
        pub(crate) fn register(engine: &mut Engine, hooks: Hooks) {
            $($(engine.register_fn($name, $function);)+)*
            engine.register_fn("log", move |text: ImmutableString| log(hooks, &text));
            engine.register_iterator::<std::ops::Range<i64>>();
            engine.register_iterator::<std::ops::RangeInclusive<i64>>();
            engine.register_iterator::<Array>();
        }

        /// Their names, for the lint and its suggestions.
        pub(crate) const NAMES: &[&str] = &[$($name,)* "log"];

        /// How each is called, with the types it was registered with.
        pub(crate) fn signatures() -> Vec<(&'static str, Vec<String>)> {
            let mut signatures = vec![$(
                ($name, vec![$(signature($name, stringify!($parameters), &$function)),+]),
            )*];
            signatures.push(("log", vec!["log(text: text)".to_string()]));
            signatures
        }
    };
}

functions! {
    "abs" (x): |x: i64| x.saturating_abs(), |x: f64| x.abs();
    "floor" (x): |x: f64| x.floor(), |x: i64| x;
    "ceil" (x): |x: f64| x.ceil(), |x: i64| x;
    "round" (x): |x: f64| x.round(), |x: i64| x;
    "sqrt" (x): |x: f64| x.sqrt(), |x: i64| (x as f64).sqrt();
    "exp" (x): |x: f64| libm::exp(x), |x: i64| libm::exp(x as f64);
    "ln" (x): |x: f64| libm::log(x), |x: i64| libm::log(x as f64);
    "pow" (x, y): |x: f64, y: f64| libm::pow(x, y), |x: i64, y: i64| libm::pow(x as f64, y as f64), |x: f64, y: i64| libm::pow(x, y as f64), |x: i64, y: f64| libm::pow(x as f64, y);
    "min" (x, y): |x: i64, y: i64| x.min(y), smaller, |x: i64, y: f64| smaller(x as f64, y), |x: f64, y: i64| smaller(x, y as f64);
    "max" (x, y): |x: i64, y: i64| x.max(y), greater, |x: i64, y: f64| greater(x as f64, y), |x: f64, y: i64| greater(x, y as f64);
    "to_float" (x): |x: i64| x as f64, |x: f64| x;
    "to_int" (x): |x: i64| x, to_int;
    "is_finite" (x): |x: f64| x.is_finite(), |_: i64| true;
    "seeded" (seed, index): seeded;

    "len" (value): |text: ImmutableString| text.chars().count() as i64, |list: &mut Array| list.len() as i64, |map: &mut Map| map.len() as i64;
    "is_empty" (value): |text: ImmutableString| text.is_empty(), |list: &mut Array| list.is_empty(), |map: &mut Map| map.is_empty();
    "contains" (value, part): |text: ImmutableString, part: ImmutableString| text.contains(part.as_str()), array_contains, |map: &mut Map, key: ImmutableString| map.contains_key(key.as_str());
    "starts_with" (text, part): |text: ImmutableString, part: ImmutableString| text.starts_with(part.as_str());
    "ends_with" (text, part): |text: ImmutableString, part: ImmutableString| text.ends_with(part.as_str());
    "index_of" (value, part): |text: ImmutableString, part: ImmutableString| text.find(part.as_str()).map_or(-1, |at| text[..at].chars().count() as i64), array_index_of;
    "sub_string" (text, start, length): sub_string;
    "to_lower" (text): |text: ImmutableString| text.to_lowercase();
    "to_upper" (text): |text: ImmutableString| text.to_uppercase();
    "trim" (text): |text: ImmutableString| text.trim().to_string();
    "split" (text, separator): split;
    "to_string" (value): |x: i64| x.to_string(), |x: f64| x.to_string(), |x: bool| x.to_string(), |text: ImmutableString| text;
    "fixed" (x, digits): fixed, |x: i64, digits: i64| fixed(x as f64, digits);

    "push" (list, item): push;
    "pop" (list): |list: &mut Array| list.pop().unwrap_or(Dynamic::UNIT);
    "append" (list, more): append;
    "remove" (value, key): |list: &mut Array, at: i64| usize::try_from(at).ok().filter(|at| *at < list.len()).map_or(Dynamic::UNIT, |at| list.remove(at)), |map: &mut Map, key: ImmutableString| map.remove(key.as_str()).unwrap_or(Dynamic::UNIT);
    "truncate" (list, length): |list: &mut Array, length: i64| list.truncate(count(length));
    "reverse" (list): |list: &mut Array| list.reverse();
    "sum" (list): sum;
    "order" (list): order;
    "fill" (count, item): fill;
    "keys" (map): |map: &mut Map| map.keys().map(|key| Dynamic::from(key.to_string())).collect::<Array>();
    "values" (map): |map: &mut Map| map.values().cloned().collect::<Array>();
}

/// How one form is called, told by the types of the Rust function behind it.
fn signature<A: 'static, const N: usize, const X: bool, R: 'static, const F: bool, Form>(name: &str, parameters: &str, _: &Form) -> String
where
    Form: RhaiNativeFunc<A, N, X, R, F>,
{
    let parameters: Vec<String> = parameters
        .trim_matches(['(', ')'])
        .split(", ")
        .zip(Form::param_types())
        .map(|(parameter, of)| format!("{parameter}: {}", type_word(of)))
        .collect();
    let result = TypeId::of::<R>();
    let arrow = if result == TypeId::of::<()>() {
        String::new()
    } else {
        format!(" -> {}", type_word(result))
    };
    format!("{name}({}){arrow}", parameters.join(", "))
}

fn type_word(of: TypeId) -> &'static str {
    let words = [
        (TypeId::of::<i64>(), "int"),
        (TypeId::of::<f64>(), "float"),
        (TypeId::of::<bool>(), "flag"),
        (TypeId::of::<ImmutableString>(), "text"),
        (TypeId::of::<String>(), "text"),
        (TypeId::of::<Array>(), "list"),
        (TypeId::of::<Map>(), "map"),
    ];
    words.iter().find(|(known, _)| *known == of).map_or("any", |(_, word)| word)
}

fn error<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Box::new(EvalAltResult::ErrorArithmetic(message.into(), Position::NONE)))
}

fn too_large<T>(what: &str) -> Outcome<T> {
    Err(Box::new(EvalAltResult::ErrorDataTooLarge(what.to_string(), Position::NONE)))
}

/// A count or length as a script gives it: none below zero, and more than fits anywhere is as good as any larger one.
fn count(number: i64) -> usize {
    number.clamp(0, i64::from(i32::MAX)) as usize
}

/// Of a NaN and a number the number; of two zeros the first. The machine's own instruction may choose otherwise.
fn smaller(x: f64, y: f64) -> f64 {
    if y < x || x.is_nan() { y } else { x }
}

fn greater(x: f64, y: f64) -> f64 {
    if y > x || x.is_nan() { y } else { x }
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
pub(crate) fn seeded(seed: i64, index: i64) -> f64 {
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

pub(crate) fn number(value: &Dynamic) -> Option<f64> {
    value.as_float().ok().or_else(|| value.as_int().ok().map(|integer| integer as f64))
}

fn array_contains(list: &mut Array, item: Dynamic) -> bool {
    list.iter().any(|candidate| same(candidate, &item))
}

fn array_index_of(list: &mut Array, item: Dynamic) -> i64 {
    list.iter().position(|candidate| same(candidate, &item)).map_or(-1, |at| at as i64)
}

fn sub_string(text: ImmutableString, start: i64, length: i64) -> String {
    text.chars().skip(count(start)).take(count(length)).collect()
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
            // The sign of a NaN differs between machines, and a negative one would come first.
            Some(key) if key.is_nan() => keys.push(f64::NAN),
            Some(key) => keys.push(key),
            None => return error(format!("order: an item is a {}, not a number", item.type_name())),
        }
    }
    let mut indexes: Vec<i64> = (0..keys.len() as i64).collect();
    indexes.sort_by(|a, b| keys[*a as usize].total_cmp(&keys[*b as usize]));
    Ok(indexes.into_iter().map(Dynamic::from).collect())
}

/// A list of so many equal numbers, flags or texts.
fn fill(items: i64, item: Dynamic) -> Outcome<Array> {
    let count = count(items);
    let bytes = item.read_lock::<ImmutableString>().map_or(0, |text| text.len());
    if item.is_array() || item.is_map() {
        return error("fill: the item is a list or a map");
    }
    if count > ARRAY_ITEMS_MAX || count.saturating_mul(bytes) > STRING_BYTES_MAX {
        return too_large("Size of array");
    }
    Ok(vec![item; count])
}

fn log(hooks: Hooks, message: &str) -> Outcome<()> {
    if !may_log(message) {
        return Err(Box::new(EvalAltResult::ErrorTerminated(
            Dynamic::from(Ended::LogFlood),
            Position::NONE,
        )));
    }
    (hooks.log)(message);
    Ok(())
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
    fn nothing_depends_on_the_machine() {
        let mut keys: Array = vec![Dynamic::from(-f64::NAN), 1.0.into(), Dynamic::from(f64::NAN), 0.5.into()];
        let indexes: Vec<i64> = order(&mut keys)
            .expect("numbers")
            .into_iter()
            .map(|index| index.as_int().expect("an index"))
            .collect();
        assert_eq!(indexes, [3, 1, 0, 2], "a NaN comes last, whatever its sign");
        assert!(smaller(0.0, -0.0).is_sign_positive() && smaller(-0.0, 0.0).is_sign_negative());
        assert_eq!((smaller(f64::NAN, 1.0), greater(1.0, f64::NAN)), (1.0, 1.0));
        // More than 32 bits hold.
        assert_eq!(sub_string("abc".into(), 0, i64::MAX), "abc");
        assert_eq!(sub_string("abc".into(), 1 << 32, 3), "");
        assert!(fill(1 << 32, 0.into()).is_err());
    }

    #[test]
    fn integers_are_not_made_of_infinity() {
        assert_eq!(to_int(-3.9).expect("fits"), -3);
        assert!(to_int(f64::INFINITY).is_err() && to_int(f64::NAN).is_err() && to_int(1e19).is_err());
    }
}
