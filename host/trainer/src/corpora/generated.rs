//! Texts made when they are needed, from fixed seeds: the same bytes in every installation.

use std::fmt::Write;

use crate::rng::Rng;

/// Lines as Pointsman's own journal writes them: regular, and so the easiest host of all.
pub(super) fn events(bytes: usize) -> Vec<u8> {
    const HOSTS: [&str; 7] = ["novel", "speeches", "lexicon", "code", "events", "sums", "noise"];
    const POLICIES: [&str; 4] = ["source-selection", "retry", "promotion-gate", "curriculum"];
    const REASONS: [&str; 6] = [
        "oldest source of the host that waited longest",
        "host is over its cap",
        "second attempt after a transient failure",
        "gain above the bound on every host",
        "speeches lose more than the gate allows",
        "held-out score of the host is the worst",
    ];
    let mut rng = Rng::new(0xE7E2);
    let mut text = String::new();
    let (mut seq, mut at, mut run, mut model) = (1, 1_764_000_000_000_u64, 0, 0);
    while text.len() < bytes {
        seq += 1;
        at += rng.below(4_000) as u64;
        let host = *rng.pick(&HOSTS);
        let event = match rng.below(8) {
            0 => format!(
                r#""type":"source_queued","source":{},"new":{{"title":"Practise {host}","host":"{host}","origin":"{}"}}"#,
                run + 1 + rng.below(9),
                rng.pick(&["ui", "api", "cli", "campaign", "curriculum"]),
            ),
            1 => {
                run += 1;
                format!(
                    r#""type":"run_planned","run":{{"id":{run},"class":"training","host":"{host}","steps":{},"seed":{}}}"#,
                    400 + 100 * rng.below(12),
                    rng.below(1_000_000),
                )
            }
            2 => format!(
                r#""type":"run_started","token":{{"run":{run},"attempt":{},"term":1}}"#,
                1 + rng.below(3)
            ),
            3 | 4 => format!(
                r#""type":"training.log","run":{run},"step":{},"loss":{:.4},"bytesPerSecond":{}"#,
                25 * (1 + rng.below(60)),
                1.5 + 3.0 * rng.unit(),
                150_000 + rng.below(90_000),
            ),
            5 => format!(
                r#""type":"decided","policy":"{}","verdict":"{}","reason":"{}","cost_us":{}"#,
                rng.pick(&POLICIES),
                rng.pick(&["pick", "wait", "retry", "give_up", "advance", "hold"]),
                rng.pick(&REASONS),
                3 + rng.below(400),
            ),
            6 => format!(
                r#""type":"run_finished","token":{{"run":{run},"attempt":1,"term":1}},"outcome":"{}","evalLoss":{:.4}"#,
                rng.pick(&["completed", "completed", "failed", "cancelled"]),
                2.0 + 2.0 * rng.unit(),
            ),
            _ => {
                model += 1;
                format!(
                    r#""type":"model_applied","model":"m{model:04}","before":"m{:04}","gain":{:.4}"#,
                    model - 1,
                    0.2 * rng.unit(),
                )
            }
        };
        writeln!(text, r#"{{"seq":{seq},"at":{at},"event":{{{event}}}}}"#).expect("writing to a string cannot fail");
    }
    text.truncate(bytes);
    text.into_bytes()
}

/// Sums such as `12+7=19`: well-formed, learnable, and of no use to any host that judges.
pub(super) fn sums(bytes: usize) -> Vec<u8> {
    let mut rng = Rng::new(0x50E5);
    let mut text = String::new();
    while text.len() < bytes {
        let (a, b) = (rng.below(100), rng.below(100));
        writeln!(text, "{a}+{b}={}", a + b).expect("writing to a string cannot fail");
    }
    text.truncate(bytes);
    text.into_bytes()
}

/// Random printable bytes: a poisoned source.
pub(super) fn noise(bytes: usize) -> Vec<u8> {
    let mut rng = Rng::new(0x0153);
    (0..bytes).map(|_| b' ' + rng.below(95) as u8).collect()
}
