//! A viewer that loses its connection again and again ends with what the host holds: no gap, no double.

use crate::common::{self, next_frame, viewer};
use pointsman::cli::Held;
use pointsman::wire::Frame;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// SplitMix64: chance that repeats.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_lost_connections_lose_and_double_nothing() {
    let fixture = common::start().await;
    let url = fixture.url();
    let done = Arc::new(AtomicBool::new(false));
    let writer = {
        let (url, done) = (url.clone(), done.clone());
        tokio::spawn(async move {
            let mut last = 0;
            for n in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let body = json!({ "title": format!("source {n}"), "host": format!("h{}", n % 7) }).to_string();
                let answer = common::request(&url, "POST", "/api/v1/sources", &[("content-type", "application/json")], &body).await;
                assert_eq!(answer.status, 201, "{}", answer.text);
                last = answer.json()["source"].as_u64().expect("a number");
            }
            last
        })
    };
    let mut chance = Chance(20_261_122);
    let mut held = Held::default();
    let (mut patches, mut resumed, mut snapshots) = (0, 0, 0);
    for connection in 0..100 {
        let had = held.state().is_some();
        let mut socket = viewer(&url, &held.resume()).await;
        let mut got_snapshot = false;
        for _ in 0..chance.below(6) {
            let Some(frame) = next_frame(&mut socket, Duration::from_millis(200)).await else {
                break;
            };
            match &frame {
                Frame::Patch { from, seq, .. } => {
                    patches += 1;
                    assert!(
                        *from == held.seq() && seq >= from,
                        "connection {connection}: {from} to {seq} at {}",
                        held.seq()
                    );
                }
                Frame::Snapshot { .. } => {
                    got_snapshot = true;
                    snapshots += 1;
                }
                Frame::Gap { .. } => panic!("a viewer that is not slow gets no gap"),
                Frame::Hello { .. } | Frame::Samples { .. } => {}
            }
            held.take(frame)
                .unwrap_or_else(|misfit| panic!("connection {connection}: {misfit:?}"));
        }
        if had {
            assert!(!got_snapshot, "connection {connection} resumes");
            resumed += 1;
        }
        // Dropped without a word, as a lost connection is.
        drop(socket);
    }
    done.store(true, Ordering::Relaxed);
    let sources = writer.await.expect("all were taken");
    let mut socket = viewer(&url, &held.resume()).await;
    while let Some(frame) = next_frame(&mut socket, Duration::from_millis(500)).await {
        held.take(frame).expect("frames fit");
    }
    let state: Value = fixture.fetch("/api/v1/state").await;
    assert_eq!(held.state(), Some(&state), "the fold of what was sent is what the host holds");
    assert_eq!(state["pipeline"][0]["count"], sources);
    assert!(
        patches > 20 && resumed > 90 && snapshots <= 100 - resumed,
        "{patches} patches, {resumed} resumed, {snapshots} snapshots"
    );
    fixture.host.stop().await.expect("an end in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_epoch_and_an_unknown_position_get_a_snapshot() {
    let fixture = common::start().await;
    let epoch = fixture.host.parts.hub.epoch().to_string();
    for query in [
        "",
        "?since=1&epoch=another",
        &format!("?since=999999&epoch={epoch}"),
        &format!("?epoch={epoch}"),
    ] {
        let mut socket = viewer(&fixture.url(), query).await;
        let first = next_frame(&mut socket, common::DEADLINE).await;
        assert!(matches!(first, Some(Frame::Hello { .. })), "{query}: {first:?}");
        let second = next_frame(&mut socket, common::DEADLINE).await;
        assert!(matches!(second, Some(Frame::Snapshot { .. })), "{query}: {second:?}");
    }
    let bad = common::request(&fixture.url(), "GET", "/ws?since=x&epoch=y", &common::UPGRADE, "").await;
    assert_eq!((bad.status, bad.json()["code"].clone()), (400, json!("bad_since")));
    fixture.host.stop().await.expect("an end in order");
}
