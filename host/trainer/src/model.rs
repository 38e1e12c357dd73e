//! A trained model in service: it completes prompts and scores texts.
//!
//! Loaded once and shared by reference; every call brings its own scratch memory and its own seed.

use std::path::Path;

use crate::checkpoint::{self, Card, LoadError, Loaded};
use crate::network::{Activations, BYTES, Network, Shape, softmax};
use crate::rng::Rng;

pub(crate) const CONTEXT: usize = Shape::STANDARD.context;
/// What the network sees before a text begins.
const PADDING: [u8; CONTEXT] = [b'\n'; CONTEXT];
/// Bytes scored at once: enough for the matrix products to pay, few enough to stay in the cache.
const SCORED_AT_ONCE: usize = 64;

#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) network: Network,
    card: Card,
    digest: String,
}

impl Model {
    /// Reads `dir/model.safetensors`. Whatever is not entirely right is refused.
    pub fn load(dir: impl AsRef<Path>) -> Result<Model, LoadError> {
        let Loaded { network, card, digest } = checkpoint::load(dir.as_ref(), Shape::STANDARD)?;
        Ok(Model { network, card, digest })
    }

    /// blake3 of the file the model was read from, in hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Continues a prompt by `max_bytes` bytes. Not necessarily UTF-8. A temperature of zero takes
    /// the likeliest byte each time.
    pub fn complete(&self, prompt: &[u8], max_bytes: usize, temperature: f32, seed: u64) -> Vec<u8> {
        self.completion(prompt, temperature, seed).take(max_bytes).collect()
    }

    /// The bytes that follow a prompt, one by one and without an end: what a stream needs.
    pub fn completion(&self, prompt: &[u8], temperature: f32, seed: u64) -> Completion<'_> {
        let mut context = PADDING;
        let known = prompt.len().min(CONTEXT);
        context[CONTEXT - known..].copy_from_slice(&prompt[prompt.len() - known..]);
        Completion {
            network: &self.network,
            context,
            temperature,
            rng: Rng::new(seed),
            hidden: [0.0; Shape::STANDARD.hidden],
            probabilities: [0.0; BYTES],
        }
    }

    /// Mean loss over all bytes of a text, as if it stood at the start of a document. Zero for an
    /// empty text.
    pub fn bits_per_byte(&self, text: &[u8]) -> f64 {
        self.bits_per_byte_after(b"", text)
    }

    /// Mean loss over the bytes of `text` when it follows `prompt`.
    pub fn bits_per_byte_after(&self, prompt: &[u8], text: &[u8]) -> f64 {
        Scorer::default().bits_per_byte_after(&self.network, prompt, text)
    }
}

/// See [`Model::completion`].
pub struct Completion<'a> {
    network: &'a Network,
    context: [u8; CONTEXT],
    temperature: f32,
    rng: Rng,
    hidden: [f32; Shape::STANDARD.hidden],
    probabilities: [f32; BYTES],
}

impl Iterator for Completion<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.network.logits(&self.context, &mut self.hidden, &mut self.probabilities);
        let byte = if self.temperature > 0.0 {
            for logit in &mut self.probabilities {
                *logit /= self.temperature;
            }
            softmax(&mut self.probabilities, 0);
            self.draw()
        } else {
            let likeliest = (0..BYTES).max_by(|&a, &b| self.probabilities[a].total_cmp(&self.probabilities[b]));
            likeliest.expect("there are bytes to choose from") as u8
        };
        self.context.rotate_left(1);
        self.context[CONTEXT - 1] = byte;
        Some(byte)
    }
}

impl Completion<'_> {
    fn draw(&mut self) -> u8 {
        let mut left = self.rng.unit();
        for (byte, &probability) in self.probabilities.iter().enumerate() {
            left -= probability;
            if left < 0.0 {
                return byte as u8;
            }
        }
        // Rounding left a crumb: the probabilities sum to a little less than one.
        b'\n'
    }
}

/// Scores texts with memory that is kept from text to text.
#[derive(Default)]
pub(crate) struct Scorer {
    acts: Option<Activations>,
    padded: Vec<u8>,
}

impl Scorer {
    /// The mean loss on a held-out block. Its first bytes are context only: what precedes them in the
    /// corpus was trained on and is not at hand.
    pub(crate) fn block(&mut self, network: &Network, block: &[u8]) -> f64 {
        let (prompt, text) = block.split_at(CONTEXT);
        self.bits_per_byte_after(network, prompt, text)
    }

    fn bits_per_byte_after(&mut self, network: &Network, prompt: &[u8], text: &[u8]) -> f64 {
        if text.is_empty() {
            return 0.0;
        }
        self.padded.clear();
        self.padded.extend(PADDING);
        self.padded.extend(&prompt[prompt.len().saturating_sub(CONTEXT)..]);
        let start = self.padded.len() - CONTEXT;
        self.padded.extend(text);
        let acts = self.acts.get_or_insert_with(|| Activations::new(network.shape(), SCORED_AT_ONCE));

        let mut contexts = self.padded[start..self.padded.len() - 1].windows(CONTEXT);
        let mut nats = 0.0;
        for targets in text.chunks(SCORED_AT_ONCE) {
            network.read_contexts(contexts.by_ref().take(targets.len()), acts);
            network.forward(acts);
            nats += network.loss(acts, targets);
        }
        nats / text.len() as f64 / std::f64::consts::LN_2
    }
}
