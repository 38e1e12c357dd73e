//! W39: ten thousand mutants of valid components.
//!
//! Most are refused when they are read or validated. What validates is a component and is compiled in a child as any
//! other; it may even be accepted, as a flipped bit in a text or a constant makes another lawful policy. Then it is asked.

use super::rig::{Rig, ms_since, question};
use super::table::{Seen, Table, seen};
use anyhow::{Context, Result, ensure};
use pointsman_policy::{ProblemCode, Stage};
use std::collections::BTreeMap;
use std::time::Instant;

/// `MUTANTS=n` and `SEED=n` in the environment make fewer, or others.
const MUTANTS: usize = 10_000;
const SEED: usize = 0x5eed_0f39;
/// One that is refused before it is compiled; and one that is compiled and asked, by the clock.
const REFUSED_WITHIN_MS: f64 = 500.0;
const COMPILED_WITHIN_MS: f64 = 20_000.0;

pub(super) fn play(rig: &Rig, table: &mut Table) {
    let from_environment = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<usize>().ok());
    let seed = from_environment("SEED").unwrap_or(SEED);
    let count = from_environment("MUTANTS").unwrap_or(MUTANTS);
    let attack = format!("{count} mutants of valid components, SEED={seed}");
    table.case("W39", &attack, "R-load or harmless, no panic", || mutants(rig, seed as u64, count));
}

fn mutants(rig: &Rig, seed: u64, count: usize) -> Result<Seen> {
    let mut paths: Vec<_> = std::fs::read_dir(&rig.plugins)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    // What is built for a bench is no policy: each of its mutants would be refused for that.
    paths.retain(|path| path.file_stem().is_none_or(|stem| !stem.as_encoded_bytes().starts_with(b"bench_")));
    paths.sort();
    let originals = paths.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
    ensure!(!originals.is_empty(), "{} holds no components", rig.plugins.display());

    let began = Instant::now();
    let mut random = Random(seed.max(1));
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let mut slowest_ms: f64 = 0.0;
    let mut made = 0;
    while made < count {
        let original = random.one_of(&originals);
        let mutant = match made % 10 {
            0..=2 => truncated(original, &mut random),
            3..=6 => flipped(original, &mut random),
            _ => shuffled(original, &mut random),
        };
        // A mutant that is its original says nothing.
        if mutant == *original {
            continue;
        }
        made += 1;
        let one = Instant::now();
        let outcome = rig.check("mutant.wasm", mutant);
        let ms = ms_since(one);
        slowest_ms = slowest_ms.max(ms);
        let word = match outcome {
            Ok(checked) => {
                let description = checked.description.clone();
                rig.library.install(checked);
                let answer = rig.ask(&description.policy, &question(&description));
                rig.library.remove(&description.policy.digest);
                match answer {
                    Ok(_) => "accepted, and answers".to_string(),
                    Err(fault) => format!("accepted, then {}", fault.class.slug()),
                }
            }
            Err(problem) => {
                ensure!(problem.code != ProblemCode::HostFailure, "mutant {made}: {problem}");
                let before_compile = matches!(problem.stage, Stage::Fetch | Stage::Parse);
                let within = if before_compile { REFUSED_WITHIN_MS } else { COMPILED_WITHIN_MS };
                ensure!(ms <= within, "mutant {made} took {ms:.0} ms: {problem}");
                format!("{} {}", problem.stage, problem.code)
            }
        };
        *outcomes.entry(word).or_default() += 1;
        if made % 500 == 0 {
            rig.unharmed().with_context(|| format!("after mutant {made}"))?;
        }
    }
    let refused: usize = outcomes
        .iter()
        .filter(|(word, _)| !word.starts_with("accepted"))
        .map(|(_, count)| count)
        .sum();
    ensure!(refused * 2 > count, "only {refused} were refused: these are no mutants");
    let list: Vec<String> = outcomes.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let whole_s = began.elapsed().as_secs_f64();
    Ok(seen(
        format!("{} in {whole_s:.0} s; slowest in the last column", list.join(", ")),
        slowest_ms,
    ))
}

fn truncated(original: &[u8], random: &mut Random) -> Vec<u8> {
    let mut mutant = original.to_vec();
    mutant.truncate(random.below(original.len()));
    mutant
}

/// One to a few hundred bits: single ones often survive in a text, many of them in nothing.
fn flipped(original: &[u8], random: &mut Random) -> Vec<u8> {
    let mut mutant = original.to_vec();
    let bits = match random.below(16) {
        0 => 1,
        1..=3 => 2 + random.below(14),
        _ => 16 + random.below(240),
    };
    for _ in 0..bits {
        let at = random.below(mutant.len());
        mutant[at] ^= 1 << random.below(8);
    }
    mutant
}

/// Sections of the component swapped, doubled, dropped, cut or given a wrong length.
fn shuffled(original: &[u8], random: &mut Random) -> Vec<u8> {
    let Some(mut sections) = sections(original) else {
        return flipped(original, random);
    };
    let (one, other) = (random.below(sections.len()), random.below(sections.len()));
    match random.below(5) {
        0 => sections.swap(one, other),
        1 => sections.insert(other, sections[one].clone()),
        2 => {
            sections.remove(one);
        }
        3 => {
            let length = sections[one].len();
            sections[one].truncate(random.below(length));
        }
        _ => {
            // The second byte is the first of the section's length.
            sections[one][1] = sections[one][1].wrapping_add(1 + random.below(127) as u8);
        }
    }
    let mut mutant = original[..HEADER_BYTES].to_vec();
    mutant.extend(sections.into_iter().flatten());
    mutant
}

const HEADER_BYTES: usize = 8;

/// Each with its kind and length; none where the bytes do not divide.
fn sections(component: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut rest = component.get(HEADER_BYTES..)?;
    let mut sections = Vec::new();
    while !rest.is_empty() {
        let mut length = 0usize;
        let mut header = 1;
        loop {
            let byte = *rest.get(header)?;
            length |= usize::from(byte & 0x7f) << (7 * (header - 1));
            header += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (section, after) = rest.split_at_checked(header + length)?;
        sections.push(section.to_vec());
        rest = after;
    }
    Some(sections)
}

/// xorshift64: mutants need to be spread, not secret.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound.max(1)
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}
