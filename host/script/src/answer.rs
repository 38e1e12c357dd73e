//! What scripts return, as serde would write it: `"idle"`, `#{ pick: [0] }`, `#{ retry: 5000 }`. Whole numbers may be
//! written as floats and the other way round; everything else is told precisely where it is wrong.

use crate::functions::number as as_number;
use crate::nearest::nearest;
use crate::outcome::{AskedLimits, Objection, Told};
use pointsman_model::decision::*;
use pointsman_model::policy::*;
use pointsman_model::source::Lane;
use rhai::{Array, Dynamic, ImmutableString, Map};

type Read<T> = Result<T, String>;

pub(crate) fn told(value: Dynamic) -> Read<Told> {
    let mut fields = Fields::new(map(value, "the result")?, "the description");
    let kind = fields.text("kind")?;
    let Some(kind) = PolicyKind::parse(&kind.replace('_', "-")) else {
        let kinds = PolicyKind::ALL.map(PolicyKind::slug).join(", ");
        return Err(format!("kind is '{kind}'; it must be one of {kinds}"));
    };
    let told = Told {
        name: fields.text("name")?,
        version: fields.text("version")?,
        kind,
        summary: fields.optional("summary", text)?.unwrap_or_default(),
        settings: fields
            .optional("settings", |value, what| each(value, what, setting_spec))?
            .unwrap_or_default(),
        state_version: fields.optional("state_version", index)?.unwrap_or(0),
        limits: match fields.optional("limits", map)? {
            None => AskedLimits::default(),
            Some(limits) => {
                let mut limits = Fields::new(limits, "limits");
                let asked = AskedLimits {
                    fuel: limits.optional("fuel", whole)?,
                    deadline_ms: limits
                        .optional("deadline_ms", whole)?
                        .map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
                    memory_bytes: limits.optional("memory_bytes", whole)?,
                };
                limits.end()?;
                asked
            }
        },
    };
    fields.end()?;
    Ok(told)
}

fn setting_spec(value: Dynamic, what: &str) -> Read<SettingSpec> {
    let mut fields = Fields::new(map(value, what)?, what);
    let spec = SettingSpec {
        name: fields.text("name")?,
        help: fields.optional("help", text)?.unwrap_or_default(),
        default: fields.required("default", setting_value)?,
        minimum: fields.optional("minimum", number)?,
        maximum: fields.optional("maximum", number)?,
    };
    fields.end()?;
    Ok(spec)
}

/// A list, or nothing.
pub(crate) fn objections(value: Dynamic) -> Read<Vec<Objection>> {
    if value.is_unit() {
        return Ok(Vec::new());
    }
    each(value, "the result", |value, what| {
        let mut fields = Fields::new(map(value, what)?, what);
        let objection = Objection {
            name: fields.text("name")?,
            problem: fields.text("problem")?,
        };
        fields.end()?;
        Ok(objection)
    })
}

pub(crate) fn decision(kind: PolicyKind, value: Dynamic) -> Read<(Verdict, Advice)> {
    let mut fields = Fields::new(map(value, "the result")?, "the decision");
    let verdict = fields.required("verdict", |value, _| verdict(kind, value))?;
    let advice = Advice {
        reasons: fields
            .optional("reasons", |value, what| each(value, what, reason))?
            .unwrap_or_default(),
        scores: fields.optional("scores", scores)?,
        distribution: fields
            .optional("distribution", |value, what| each(value, what, number))?
            .unwrap_or_default(),
        state: fields.optional("state", state)?,
        suggestions: fields.optional("suggestions", values)?.unwrap_or_default(),
        extras: fields.optional("extras", values)?.unwrap_or_default(),
    };
    fields.end()?;
    Ok((verdict, advice))
}

fn verdict(kind: PolicyKind, value: Dynamic) -> Read<Verdict> {
    let (word, payload) = word_and_payload(value)?;
    let verdict = match (kind, word.as_str(), payload) {
        (PolicyKind::SourceSelection, "pick", Some(picked)) => {
            Verdict::Selection(SelectionVerdict::Pick(each(picked, "verdict.pick", index)?))
        }
        (PolicyKind::SourceSelection, "idle", None) => Verdict::Selection(SelectionVerdict::Idle),
        (PolicyKind::Retry, "retry", Some(after)) => Verdict::Retry(RetryVerdict::Retry(whole(after, "verdict.retry")?)),
        (PolicyKind::Retry, "move_lane", Some(lane)) => match text(lane, "verdict.move_lane")?.as_str() {
            "queue" => Verdict::Retry(RetryVerdict::MoveLane(Lane::Queue)),
            "curriculum" => Verdict::Retry(RetryVerdict::MoveLane(Lane::Curriculum)),
            other => return Err(format!("verdict.move_lane is '{other}'; it must be \"queue\" or \"curriculum\"")),
        },
        (PolicyKind::Retry, "disable", None) => Verdict::Retry(RetryVerdict::Disable),
        (PolicyKind::Retry, "give_up", None) => Verdict::Retry(RetryVerdict::GiveUp),
        (PolicyKind::PromotionGate, "advance", None) => Verdict::Gate(GateVerdict::Advance),
        (PolicyKind::PromotionGate, "need_more", Some(pairs)) => Verdict::Gate(GateVerdict::NeedMore(index(pairs, "verdict.need_more")?)),
        (PolicyKind::PromotionGate, "reject", None) => Verdict::Gate(GateVerdict::Reject),
        (PolicyKind::PromotionGate, "hold", None) => Verdict::Gate(GateVerdict::Hold),
        (PolicyKind::PromotionGate, "roll_back", None) => Verdict::Gate(GateVerdict::RollBack),
        (PolicyKind::Curriculum, "plant", Some(seeds)) => {
            Verdict::Curriculum(CurriculumVerdict::Plant(each(seeds, "verdict.plant", seed)?))
        }
        (PolicyKind::Curriculum, "park", Some(hosts)) => Verdict::Curriculum(CurriculumVerdict::Park(each(hosts, "verdict.park", index)?)),
        (PolicyKind::Curriculum, "nothing", None) => Verdict::Curriculum(CurriculumVerdict::Nothing),
        (_, word, _) => return Err(format!("verdict '{word}' is not one of a {kind} policy: {}", verdicts(kind))),
    };
    Ok(verdict)
}

fn verdicts(kind: PolicyKind) -> &'static str {
    match kind {
        PolicyKind::SourceSelection => "#{ pick: [index, ...] } or \"idle\"",
        PolicyKind::Retry => "#{ retry: milliseconds }, #{ move_lane: \"queue\" }, \"disable\" or \"give_up\"",
        PolicyKind::PromotionGate => "\"advance\", #{ need_more: pairs }, \"reject\", \"hold\" or \"roll_back\"",
        PolicyKind::Curriculum => "#{ plant: [#{ host, steps, learning_rate, replay_share }, ...] }, #{ park: [host, ...] } or \"nothing\"",
    }
}

fn word_and_payload(value: Dynamic) -> Read<(String, Option<Dynamic>)> {
    if value.is_map() {
        let mut entries = map(value, "verdict")?.into_iter();
        return match (entries.next(), entries.next()) {
            (Some((word, payload)), None) => Ok((word.to_string(), Some(payload))),
            _ => Err("verdict must be a text, or a map with one entry".to_string()),
        };
    }
    text(value, "verdict")
        .map(|word| (word, None))
        .map_err(|_| "verdict must be a text, or a map with one entry".to_string())
}

fn seed(value: Dynamic, what: &str) -> Read<Seed> {
    let mut fields = Fields::new(map(value, what)?, what);
    let seed = Seed {
        host: fields.required("host", index)?,
        steps: fields.required("steps", index)?,
        learning_rate: fields.required("learning_rate", number)?,
        replay_share: fields.required("replay_share", number)?,
    };
    fields.end()?;
    Ok(seed)
}

fn reason(value: Dynamic, what: &str) -> Read<Reason> {
    let mut fields = Fields::new(map(value, what)?, what);
    let reason = Reason {
        code: fields.text("code")?,
        feature: fields.optional("feature", text)?,
        value: fields.optional("value", number)?,
        threshold: fields.optional("threshold", number)?,
        margin: fields.optional("margin", number)?,
        text: fields.optional("text", text)?.unwrap_or_default(),
    };
    fields.end()?;
    Ok(reason)
}

/// A list of totals alone, or the whole table.
fn scores(value: Dynamic, what: &str) -> Read<Scores> {
    if value.is_array() {
        return Ok(Scores {
            totals: each(value, what, number)?,
            ..Scores::default()
        });
    }
    let mut fields = Fields::new(map(value, what)?, what);
    let scores = Scores {
        totals: fields.required("totals", |value, what| each(value, what, number))?,
        term_names: fields
            .optional("term_names", |value, what| each(value, what, text))?
            .unwrap_or_default(),
        terms: fields
            .optional("terms", |value, what| each(value, what, number))?
            .unwrap_or_default(),
        rules: fields.optional("rules", |value, what| each(value, what, text))?.unwrap_or_default(),
        blocked: fields
            .optional("blocked", |value, what| each(value, what, block))?
            .unwrap_or_default(),
    };
    fields.end()?;
    Ok(scores)
}

fn block(value: Dynamic, what: &str) -> Read<Block> {
    let mut fields = Fields::new(map(value, what)?, what);
    let block = Block {
        candidate: fields.required("candidate", index)?,
        rule: fields.required("rule", index)?,
    };
    fields.end()?;
    Ok(block)
}

/// Any value made of numbers, texts, flags, lists and maps, kept as JSON.
pub(crate) fn state(value: Dynamic, what: &str) -> Read<Vec<u8>> {
    serde_json::to_vec(&value).map_err(|error| format!("{what} cannot be kept: {error}"))
}

fn values(value: Dynamic, what: &str) -> Read<Vec<Setting>> {
    map(value, what)?
        .into_iter()
        .map(|(name, value)| {
            let value = setting_value(value, &format!("{what}.{name}"))?;
            Ok(Setting {
                name: name.to_string(),
                value,
            })
        })
        .collect()
}

fn setting_value(value: Dynamic, what: &str) -> Read<Value> {
    if let Ok(flag) = value.as_bool() {
        return Ok(Value::Flag(flag));
    }
    match as_number(&value) {
        Some(number) => Ok(Value::Number(number)),
        None if value.is_string() => Ok(Value::Text(text(value, what)?)),
        None => Err(format!("{what} must be a number, a text or a flag, not {}", kind_of(&value))),
    }
}

/// A map that is taken apart field by field; what is left over at the end is a mistake.
struct Fields<'a> {
    map: Map,
    what: &'a str,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    fn new(map: Map, what: &'a str) -> Fields<'a> {
        Fields {
            map,
            what,
            known: Vec::new(),
        }
    }

    fn text(&mut self, name: &'static str) -> Read<String> {
        self.required(name, text)
    }

    fn required<T>(&mut self, name: &'static str, read: impl FnOnce(Dynamic, &str) -> Read<T>) -> Read<T> {
        match self.optional(name, read)? {
            Some(value) => Ok(value),
            None => {
                let fix = nearest(name, self.map.keys().map(|key| key.as_str())).map(|found| format!("; is it '{found}'?"));
                Err(format!("{} has no '{name}'{}", self.what, fix.unwrap_or_default()))
            }
        }
    }

    /// Absent and `()` are the same.
    fn optional<T>(&mut self, name: &'static str, read: impl FnOnce(Dynamic, &str) -> Read<T>) -> Read<Option<T>> {
        self.known.push(name);
        match self.map.remove(name) {
            None => Ok(None),
            Some(value) if value.is_unit() => Ok(None),
            Some(value) => read(value, name).map(Some),
        }
    }

    fn end(self) -> Read<()> {
        match self.map.keys().next() {
            None => Ok(()),
            Some(name) => {
                let fix = match nearest(name, self.known.iter().copied()) {
                    Some(meant) => format!("did you mean '{meant}'?"),
                    None => format!("it has {}", self.known.join(", ")),
                };
                Err(format!("'{name}' is not a field of {}; {fix}", self.what))
            }
        }
    }
}

fn each<T>(value: Dynamic, what: &str, mut read: impl FnMut(Dynamic, &str) -> Read<T>) -> Read<Vec<T>> {
    let type_name = kind_of(&value);
    let list = value
        .try_cast::<Array>()
        .ok_or_else(|| format!("{what} must be a list, not {type_name}"))?;
    list.into_iter()
        .enumerate()
        .map(|(at, item)| read(item, what).map_err(|problem| format!("{what}[{at}]: {problem}")))
        .collect()
}

fn map(value: Dynamic, what: &str) -> Read<Map> {
    let type_name = kind_of(&value);
    value
        .try_cast::<Map>()
        .ok_or_else(|| format!("{what} must be a map, not {type_name}"))
}

fn text(value: Dynamic, what: &str) -> Read<String> {
    let type_name = kind_of(&value);
    value
        .try_cast::<ImmutableString>()
        .map(|text| text.to_string())
        .ok_or_else(|| format!("{what} must be a text, not {type_name}"))
}

fn number(value: Dynamic, what: &str) -> Read<f64> {
    as_number(&value).ok_or_else(|| format!("{what} must be a number, not {}", kind_of(&value)))
}

fn whole(value: Dynamic, what: &str) -> Read<u64> {
    // 2^53: above it, a float no longer tells neighbours apart.
    const FLOAT_MAX: f64 = 9_007_199_254_740_992.0;
    if let Ok(integer) = value.as_int() {
        return u64::try_from(integer).map_err(|_| format!("{what} is {integer}; it must not be negative"));
    }
    match value.as_float() {
        Ok(float) if (0.0..=FLOAT_MAX).contains(&float) && float.fract() == 0.0 => Ok(float as u64),
        Ok(float) => Err(format!("{what} is {float}; it must be a whole number from 0")),
        Err(_) => Err(format!("{what} must be a whole number, not {}", kind_of(&value))),
    }
}

fn index(value: Dynamic, what: &str) -> Read<u32> {
    let number = whole(value, what)?;
    u32::try_from(number).map_err(|_| format!("{what} is {number}; at most {} is possible", u32::MAX))
}

fn kind_of(value: &Dynamic) -> &'static str {
    if value.is_unit() {
        "()"
    } else if value.is_string() {
        "a text"
    } else if value.is_int() || value.is_float() {
        "a number"
    } else if value.is_bool() {
        "a flag"
    } else if value.is_array() {
        "a list"
    } else if value.is_map() {
        "a map"
    } else {
        "a value of the context"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(kind: PolicyKind, source: &str) -> Read<(Verdict, Advice)> {
        let engine = rhai::Engine::new_raw();
        decision(kind, engine.eval_expression::<Dynamic>(source).expect("a value"))
    }

    #[test]
    fn verdicts_read_as_serde_writes_them() {
        let check = |kind, source: &str, verdict| {
            let (read, _) = parsed(kind, &format!("#{{ verdict: {source} }}")).expect("a verdict");
            assert_eq!(read, verdict);
        };
        check(PolicyKind::SourceSelection, "\"idle\"", Verdict::Selection(SelectionVerdict::Idle));
        check(
            PolicyKind::SourceSelection,
            "#{ pick: [2, 0.0] }",
            Verdict::Selection(SelectionVerdict::Pick(vec![2, 0])),
        );
        check(PolicyKind::Retry, "#{ retry: 5000.0 }", Verdict::Retry(RetryVerdict::Retry(5000)));
        check(
            PolicyKind::Retry,
            "#{ move_lane: \"curriculum\" }",
            Verdict::Retry(RetryVerdict::MoveLane(Lane::Curriculum)),
        );
        check(
            PolicyKind::PromotionGate,
            "#{ need_more: 10 }",
            Verdict::Gate(GateVerdict::NeedMore(10)),
        );
        check(
            PolicyKind::Curriculum,
            "#{ plant: [#{ host: 0, steps: 400, learning_rate: 0.001, replay_share: 0 }] }",
            Verdict::Curriculum(CurriculumVerdict::Plant(vec![Seed {
                host: 0,
                steps: 400,
                learning_rate: 0.001,
                replay_share: 0.0,
            }])),
        );
    }

    #[test]
    fn mistakes_are_named() {
        let check = |source: &str, problem: &str| {
            assert_eq!(parsed(PolicyKind::Retry, source).expect_err("a mistake"), problem);
        };
        check("#{ verdict: #{ retry: -1 } }", "verdict.retry is -1; it must not be negative");
        check(
            "#{ verdict: #{ retry: 1.5 } }",
            "verdict.retry is 1.5; it must be a whole number from 0",
        );
        check(
            "#{ verdict: \"give_up\", reason: [] }",
            "'reason' is not a field of the decision; did you mean 'reasons'?",
        );
        check("#{ verdcit: \"give_up\" }", "the decision has no 'verdict'; is it 'verdcit'?");
        check(
            "#{ verdict: \"give_up\", reasons: [#{ text: \"x\" }] }",
            "reasons[0]: reasons has no 'code'",
        );
        check("#{ verdict: \"give_up\", reasons: \"x\" }", "reasons must be a list, not a text");
    }
}
