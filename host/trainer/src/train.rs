//! Making steps: drawing batches from texts, and moving the weights against the gradient.

use std::ops::Range;

use crate::adam::Adam;
use crate::model::CONTEXT;
use crate::network::{Activations, Network};
use crate::rng::Rng;

/// Bytes predicted in one step.
pub(crate) const BATCH_BYTES: usize = 256;

/// A blind guess among 256 bytes costs 8 bits. Four times that is no learning but a network that
/// flies apart: the optimiser's steps are bounded, so it may take long until numbers overflow.
pub(crate) const DIVERGED_BITS: f64 = 32.0;

/// Where the bytes of a batch come from.
pub(crate) struct Mix<'a> {
    /// The texts to learn, each as often as the others. Every text is longer than a context.
    pub(crate) fresh: Vec<&'a [u8]>,
    /// The texts to practise, lest they be forgotten. May be empty: then all is fresh.
    pub(crate) replay: Vec<&'a [u8]>,
    /// Share of a batch that is practice, from 0 to 1.
    pub(crate) replay_share: f64,
}

impl Mix<'_> {
    pub(crate) fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for text in self.fresh.iter().chain(&self.replay) {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text);
        }
        hasher.finalize().to_hex().to_string()
    }

    fn replayed_bytes(&self) -> usize {
        if self.replay.is_empty() {
            return 0;
        }
        (self.replay_share * BATCH_BYTES as f64).round() as usize
    }
}

pub(crate) struct Trainer<'a> {
    pub(crate) network: Network,
    mix: Mix<'a>,
    rng: Rng,
    adam: Adam,
    acts: Activations,
    gradient: Vec<f32>,
    touched: Vec<Range<usize>>,
    contexts: Vec<&'a [u8]>,
    targets: Vec<u8>,
}

impl<'a> Trainer<'a> {
    pub(crate) fn new(network: Network, mix: Mix<'a>, rng: Rng) -> Trainer<'a> {
        let weights = network.weights.len();
        Trainer {
            acts: Activations::new(network.shape(), BATCH_BYTES),
            adam: Adam::new(weights),
            gradient: vec![0.0; weights],
            touched: Vec::with_capacity(3 * BATCH_BYTES),
            contexts: Vec::with_capacity(BATCH_BYTES),
            targets: Vec::with_capacity(BATCH_BYTES),
            network,
            mix,
            rng,
        }
    }

    /// Learns one batch; returns its mean loss in bits per byte, from before the update.
    pub(crate) fn step(&mut self, learning_rate: f64) -> f64 {
        self.draw_batch();
        self.network.read_contexts(self.contexts.iter().copied(), &mut self.acts);
        self.network.forward(&mut self.acts);
        let nats = self.network.backward(&mut self.acts, &self.targets, &mut self.gradient);
        self.network.touched_rows(&self.acts, &mut self.touched);
        let dense_start = self.network.dense_start();
        self.adam.step(
            &mut self.network.weights,
            &mut self.gradient,
            dense_start,
            &self.touched,
            learning_rate as f32,
        );
        nats / std::f64::consts::LN_2
    }

    fn draw_batch(&mut self) {
        self.contexts.clear();
        self.targets.clear();
        let replayed = self.mix.replayed_bytes();
        for example in 0..BATCH_BYTES {
            let texts = if example < replayed { &self.mix.replay } else { &self.mix.fresh };
            let text = texts[self.rng.below(texts.len())];
            let at = CONTEXT + self.rng.below(text.len() - CONTEXT);
            self.contexts.push(&text[at - CONTEXT..at]);
            self.targets.push(text[at]);
        }
    }
}

/// Rises over the first steps, because a fresh optimiser scales them badly, and falls along a cosine
/// to a tenth of the peak, because the last steps should settle what was learnt.
pub(crate) fn learning_rate(peak: f64, step: u32, steps: u32) -> f64 {
    const WARMUP_STEPS: f64 = 50.0;
    let rise = (f64::from(step + 1) / WARMUP_STEPS).min(1.0);
    let done = f64::from(step) / f64::from(steps);
    peak * rise * (0.55 + 0.45 * (std::f64::consts::PI * done).cos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpora;
    use crate::judge::{Judge, mean};
    use crate::network::Shape;

    fn texts(hosts: &[&str]) -> Vec<&'static [u8]> {
        hosts.iter().map(|host| corpora::training_text(host).unwrap()).collect()
    }

    fn continued(base: &Network, host: &str, steps: u32) -> Network {
        let mix = Mix {
            fresh: texts(&[host]),
            replay: Vec::new(),
            replay_share: 0.0,
        };
        let mut trainer = Trainer::new(base.clone(), mix, Rng::new(5));
        for step in 0..steps {
            trainer.step(learning_rate(1e-3, step, steps));
        }
        trainer.network
    }

    /// One base model serves all claims: the training is what takes the time.
    #[test]
    fn useful_sources_help_and_harmful_ones_harm() {
        let mix = Mix {
            fresh: texts(&["novel", "speeches"]),
            replay: Vec::new(),
            replay_share: 0.0,
        };
        let mut trainer = Trainer::new(Network::random(Shape::STANDARD, &mut Rng::new(1)), mix, Rng::new(2));
        let first = trainer.step(0.0);
        assert!((7.0..9.0).contains(&first), "an untrained network guesses: {first}");
        let mut last = 0.0;
        for step in 0..300 {
            last = trainer.step(learning_rate(3e-3, step, 300));
        }
        assert!(last < 3.9, "after 300 steps: {last} bits per byte");

        let base = trainer.network;
        let mut judge = Judge::new();
        let mut change = |host: &str| {
            let after = continued(&base, host, 300);
            mean(&judge.all_hosts(&after)) - mean(&judge.all_hosts(&base))
        };
        assert!(change("code") < -0.3);
        assert!(change("noise") > 0.1);
        assert!(change("sums") > 0.1);
    }

    #[test]
    fn a_replay_share_is_kept_in_every_batch() {
        let (fresh, replay) = ([b'f'; 300], [b'r'; 300]);
        let mix = Mix {
            fresh: vec![&fresh],
            replay: vec![&replay],
            replay_share: 0.25,
        };
        let network = Network::random(Shape::STANDARD, &mut Rng::new(1));
        let mut trainer = Trainer::new(network, mix, Rng::new(2));
        trainer.draw_batch();
        let replayed = trainer.targets.iter().filter(|&&byte| byte == b'r').count();
        assert_eq!(replayed, BATCH_BYTES / 4);
    }
}
