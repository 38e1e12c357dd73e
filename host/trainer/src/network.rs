//! The network: what the last eight bytes suggest about the next one.
//!
//! Two kinds of features are looked up and laid side by side: an embedding of each of the last
//! bytes, and an embedding of the hashed last two, three and four bytes. One hidden layer reads
//! them; a softmax over 256 bytes comes out. Lookups are nearly free, so the n-grams buy in two
//! seconds of one core what a recurrent network needs minutes to learn; yet everything is learnt by
//! gradients, and what is not practised is forgotten.
//!
//! Gradients are written out by hand. A test compares them with finite differences, tensor by tensor.

use std::ops::Range;

use crate::rng::Rng;

pub(crate) const BYTES: usize = 256;

/// The sizes that make two networks interchangeable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// How many bytes back the network sees.
    pub(crate) context: usize,
    pub(crate) embedding: usize,
    pub(crate) hidden: usize,
    pub(crate) ngram_rows: usize,
    pub(crate) ngram_width: usize,
    /// Number of n-gram tables; the first hashes two bytes, the next three, and so on.
    pub(crate) ngram_orders: usize,
}

impl Shape {
    /// Measured against wider, narrower and recurrent networks: the best after two to four
    /// seconds on one core, with a checkpoint of 1 MB.
    pub(crate) const STANDARD: Shape = Shape {
        context: 8,
        embedding: 16,
        hidden: 128,
        ngram_rows: 4096,
        ngram_width: 16,
        ngram_orders: 3,
    };

    fn input_width(self) -> usize {
        self.context * self.embedding + self.ngram_orders * self.ngram_width
    }

    /// The tensors in the order in which they lie in memory and in a checkpoint.
    pub(crate) fn tensors(self) -> Vec<Tensor> {
        let mut tensors = Vec::new();
        let mut start = 0;
        let mut add = |name: String, shape: Vec<usize>| {
            let end = start + shape.iter().product::<usize>();
            tensors.push(Tensor {
                name,
                shape,
                range: start..end,
            });
            start = end;
        };
        for order in 0..self.ngram_orders {
            add(format!("ngram.{}", order + 2), vec![self.ngram_rows, self.ngram_width]);
        }
        add("embedding".into(), vec![BYTES, self.embedding]);
        add("hidden.weight".into(), vec![self.input_width(), self.hidden]);
        add("hidden.bias".into(), vec![self.hidden]);
        add("output.weight".into(), vec![self.hidden, BYTES]);
        add("output.bias".into(), vec![BYTES]);
        tensors
    }
}

/// A named part of the flat weight vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) range: Range<usize>,
}

/// Where each tensor lies in the flat weight vector.
#[derive(Clone, Debug)]
struct Layout {
    ngrams: Vec<Range<usize>>,
    embedding: Range<usize>,
    hidden_weight: Range<usize>,
    hidden_bias: Range<usize>,
    output_weight: Range<usize>,
    output_bias: Range<usize>,
}

impl Layout {
    fn of(shape: Shape) -> Layout {
        let mut ranges = shape.tensors().into_iter().map(|tensor| tensor.range);
        let mut next = || ranges.next().expect("a shape lists all its tensors");
        Layout {
            ngrams: (0..shape.ngram_orders).map(|_| next()).collect(),
            embedding: next(),
            hidden_weight: next(),
            hidden_bias: next(),
            output_weight: next(),
            output_bias: next(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Network {
    shape: Shape,
    layout: Layout,
    pub(crate) weights: Vec<f32>,
}

/// Everything a pass over a batch needs to remember. Reused from step to step: at a thousand steps
/// a second allocation would be a tenth of the work.
pub(crate) struct Activations {
    examples: usize,
    contexts: Vec<u8>,
    input: Vec<f32>,
    /// Which row of each n-gram table an example used: `examples x orders`.
    ngram_rows: Vec<usize>,
    hidden: Vec<f32>,
    /// Logits, then probabilities, then their gradient.
    output: Vec<f32>,
    /// Gradients of `hidden` and of `input`.
    hidden_back: Vec<f32>,
    input_back: Vec<f32>,
}

impl Activations {
    pub(crate) fn new(shape: Shape, examples_max: usize) -> Activations {
        Activations {
            examples: 0,
            contexts: vec![0; examples_max * shape.context],
            input: vec![0.0; examples_max * shape.input_width()],
            ngram_rows: vec![0; examples_max * shape.ngram_orders],
            hidden: vec![0.0; examples_max * shape.hidden],
            output: vec![0.0; examples_max * BYTES],
            hidden_back: Vec::new(),
            input_back: Vec::new(),
        }
    }
}

impl Network {
    /// A network that knows nothing yet.
    pub(crate) fn random(shape: Shape, rng: &mut Rng) -> Network {
        let mut network = Network::zeroed(shape);
        let layout = network.layout.clone();
        let mut fill = |range: &Range<usize>, deviation: f32| {
            for weight in &mut network.weights[range.clone()] {
                *weight = rng.normal() * deviation;
            }
        };
        for ngram in &layout.ngrams {
            fill(ngram, 0.1);
        }
        fill(&layout.embedding, 0.3);
        fill(&layout.hidden_weight, (2.0 / shape.input_width() as f32).sqrt());
        fill(&layout.output_weight, (1.0 / shape.hidden as f32).sqrt());
        network
    }

    pub(crate) fn zeroed(shape: Shape) -> Network {
        let layout = Layout::of(shape);
        Network {
            shape,
            weights: vec![0.0; layout.output_bias.end],
            layout,
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// The rows of n-gram tables lie before this place, everything else after it.
    pub(crate) fn dense_start(&self) -> usize {
        self.layout.embedding.start
    }

    /// Looks up the features of a batch. Each context has exactly `shape.context` bytes, the
    /// newest last.
    pub(crate) fn read_contexts<'a>(&self, contexts: impl Iterator<Item = &'a [u8]>, acts: &mut Activations) {
        let Shape {
            context,
            embedding,
            ngram_orders,
            ngram_width,
            ..
        } = self.shape;
        let width = self.shape.input_width();
        acts.examples = 0;
        for (bytes, input) in contexts.zip(acts.input.chunks_exact_mut(width)) {
            acts.contexts[acts.examples * context..][..context].copy_from_slice(bytes);
            let (letters, ngrams) = input.split_at_mut(context * embedding);
            for (&byte, slot) in bytes.iter().zip(letters.chunks_exact_mut(embedding)) {
                slot.copy_from_slice(&self.weights[self.embedding_row(byte)]);
            }
            let rows = &mut acts.ngram_rows[acts.examples * ngram_orders..][..ngram_orders];
            for (order, slot) in ngrams.chunks_exact_mut(ngram_width).enumerate() {
                rows[order] = ngram_row(&bytes[context - order - 2..], self.shape.ngram_rows);
                slot.copy_from_slice(&self.weights[self.ngram_range(order, rows[order])]);
            }
            acts.examples += 1;
        }
    }

    /// From features to logits.
    pub(crate) fn forward(&self, acts: &mut Activations) {
        let n = acts.examples;
        let (hidden, width) = (self.shape.hidden, self.shape.input_width());
        for row in acts.hidden[..n * hidden].chunks_exact_mut(hidden) {
            row.copy_from_slice(&self.weights[self.layout.hidden_bias.clone()]);
        }
        let weight = &self.weights[self.layout.hidden_weight.clone()];
        gemm([n, width, hidden], plain(&acts.input), plain(weight), 1.0, &mut acts.hidden);
        for value in &mut acts.hidden[..n * hidden] {
            *value = value.max(0.0);
        }
        for row in acts.output[..n * BYTES].chunks_exact_mut(BYTES) {
            row.copy_from_slice(&self.weights[self.layout.output_bias.clone()]);
        }
        let weight = &self.weights[self.layout.output_weight.clone()];
        gemm([n, hidden, BYTES], plain(&acts.hidden), plain(weight), 1.0, &mut acts.output);
    }

    /// Turns logits into probabilities; returns the summed loss in nats.
    pub(crate) fn loss(&self, acts: &mut Activations, targets: &[u8]) -> f64 {
        assert_eq!(targets.len(), acts.examples, "one target for each context");
        acts.output
            .chunks_exact_mut(BYTES)
            .zip(targets)
            .map(|(logits, &target)| f64::from(softmax(logits, target)))
            .sum()
    }

    /// The mean loss of a batch in nats, and its gradient in `gradient`.
    ///
    /// Dense tensors are overwritten. N-gram rows are added to, and only the batch's own: the
    /// optimiser clears what it used.
    pub(crate) fn backward(&self, acts: &mut Activations, targets: &[u8], gradient: &mut [f32]) -> f64 {
        let n = acts.examples;
        let (hidden, width) = (self.shape.hidden, self.shape.input_width());
        let loss = self.loss(acts, targets) / n as f64;
        let Activations {
            contexts,
            input,
            ngram_rows,
            hidden: active,
            output,
            hidden_back,
            input_back,
            examples: _,
        } = acts;

        let share = 1.0 / n as f32;
        for (row, &target) in output.chunks_exact_mut(BYTES).zip(targets) {
            row[usize::from(target)] -= 1.0;
            for value in row {
                *value *= share;
            }
        }
        let Layout {
            embedding,
            hidden_weight,
            hidden_bias,
            output_weight,
            output_bias,
            ..
        } = &self.layout;
        gemm(
            [hidden, n, BYTES],
            turned(active),
            plain(output),
            0.0,
            &mut gradient[output_weight.clone()],
        );
        sum_rows(&output[..n * BYTES], &mut gradient[output_bias.clone()]);

        hidden_back.resize(active.len(), 0.0);
        let weight = &self.weights[output_weight.clone()];
        gemm([n, BYTES, hidden], plain(output), turned(weight), 0.0, hidden_back);
        for (back, &value) in hidden_back.iter_mut().zip(active.iter()) {
            if value <= 0.0 {
                *back = 0.0;
            }
        }
        gemm(
            [width, n, hidden],
            turned(input),
            plain(hidden_back),
            0.0,
            &mut gradient[hidden_weight.clone()],
        );
        sum_rows(&hidden_back[..n * hidden], &mut gradient[hidden_bias.clone()]);

        input_back.resize(input.len(), 0.0);
        let weight = &self.weights[hidden_weight.clone()];
        gemm([n, hidden, width], plain(hidden_back), turned(weight), 0.0, input_back);

        gradient[embedding.clone()].fill(0.0);
        let letters_width = self.shape.context * self.shape.embedding;
        let examples = contexts
            .chunks_exact(self.shape.context)
            .zip(ngram_rows.chunks_exact(self.shape.ngram_orders))
            .zip(input_back.chunks_exact(width));
        for ((bytes, rows), back) in examples.take(n) {
            let (letters, ngrams) = back.split_at(letters_width);
            for (&byte, slot) in bytes.iter().zip(letters.chunks_exact(self.shape.embedding)) {
                add(&mut gradient[self.embedding_row(byte)], slot);
            }
            for (order, slot) in ngrams.chunks_exact(self.shape.ngram_width).enumerate() {
                add(&mut gradient[self.ngram_range(order, rows[order])], slot);
            }
        }
        loss
    }

    /// The places of all n-gram rows the batch used, each once.
    pub(crate) fn touched_rows(&self, acts: &Activations, touched: &mut Vec<Range<usize>>) {
        let orders = self.shape.ngram_orders;
        touched.clear();
        touched.extend(
            acts.ngram_rows[..acts.examples * orders]
                .iter()
                .enumerate()
                .map(|(at, &row)| self.ngram_range(at % orders, row)),
        );
        touched.sort_unstable_by_key(|range| range.start);
        touched.dedup();
    }

    /// Logits for a single context, without the packing that a matrix product would do first.
    /// `hidden` is scratch of the hidden layer's size.
    pub(crate) fn logits(&self, bytes: &[u8], hidden: &mut [f32], logits: &mut [f32]) {
        let Shape {
            context,
            ngram_orders,
            ngram_rows,
            hidden: width,
            ..
        } = self.shape;
        hidden.copy_from_slice(&self.weights[self.layout.hidden_bias.clone()]);
        let mut weight = self.weights[self.layout.hidden_weight.clone()].chunks_exact(width);
        let letters = bytes.iter().map(|&byte| self.embedding_row(byte));
        let ngrams = (0..ngram_orders).map(|order| self.ngram_range(order, ngram_row(&bytes[context - order - 2..], ngram_rows)));
        for features in letters.chain(ngrams) {
            for (&feature, row) in self.weights[features].iter().zip(&mut weight) {
                add_scaled(hidden, feature, row);
            }
        }
        logits.copy_from_slice(&self.weights[self.layout.output_bias.clone()]);
        let weight = self.weights[self.layout.output_weight.clone()].chunks_exact(BYTES);
        for (&value, row) in hidden.iter().zip(weight) {
            if value > 0.0 {
                add_scaled(logits, value, row);
            }
        }
    }

    fn embedding_row(&self, byte: u8) -> Range<usize> {
        let start = self.layout.embedding.start + usize::from(byte) * self.shape.embedding;
        start..start + self.shape.embedding
    }

    fn ngram_range(&self, order: usize, row: usize) -> Range<usize> {
        let start = self.layout.ngrams[order].start + row * self.shape.ngram_width;
        start..start + self.shape.ngram_width
    }
}

/// Probabilities in place of logits; returns the target's loss in nats. The loss is taken from the
/// logits and not from the probability, which a diverging network rounds to zero.
pub(crate) fn softmax(logits: &mut [f32], target: u8) -> f32 {
    let target = logits[usize::from(target)];
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        *logit = (*logit - max).exp();
        sum += *logit;
    }
    let scale = 1.0 / sum;
    for value in logits.iter_mut() {
        *value *= scale;
    }
    max - target + sum.ln()
}

fn ngram_row(bytes: &[u8], rows: usize) -> usize {
    let start = 0xcbf2_9ce4_8422_2325 ^ bytes.len() as u64;
    let hash = bytes
        .iter()
        .fold(start, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    ((hash ^ (hash >> 29)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as usize % rows
}

fn add(sum: &mut [f32], values: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += value;
    }
}

fn add_scaled(sum: &mut [f32], scale: f32, values: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += scale * value;
    }
}

fn sum_rows(rows: &[f32], sum: &mut [f32]) {
    sum.fill(0.0);
    for row in rows.chunks_exact(sum.len()) {
        add(sum, row);
    }
}

/// A row-major matrix, to be read as it lies or with rows and columns exchanged.
struct Matrix<'a> {
    values: &'a [f32],
    turned: bool,
}

fn plain(values: &[f32]) -> Matrix<'_> {
    Matrix { values, turned: false }
}

fn turned(values: &[f32]) -> Matrix<'_> {
    Matrix { values, turned: true }
}

/// `c = keep * c + a b`, where `a` is m by k, `b` is k by n and `c` is m by n.
fn gemm([m, k, n]: [usize; 3], a: Matrix<'_>, b: Matrix<'_>, keep: f32, c: &mut [f32]) {
    assert!(
        a.values.len() >= m * k && b.values.len() >= k * n && c.len() >= m * n,
        "a matrix is shorter than its dimensions"
    );
    let strides = |matrix: &Matrix<'_>, rows: usize, columns: usize| {
        if matrix.turned { (1, rows as isize) } else { (columns as isize, 1) }
    };
    let (a_row, a_column) = strides(&a, m, k);
    let (b_row, b_column) = strides(&b, k, n);
    let (a, b) = (a.values.as_ptr(), b.values.as_ptr());
    // SAFETY: the assertion above keeps every index within its slice, and `c` is borrowed
    // mutably, so it overlaps neither `a` nor `b`.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            a,
            a_row,
            a_column,
            b,
            b_row,
            b_column,
            keep,
            c.as_mut_ptr(),
            n as isize,
            1,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: Shape = Shape {
        context: 4,
        embedding: 6,
        hidden: 12,
        ngram_rows: 64,
        ngram_width: 5,
        ngram_orders: 2,
    };

    /// The largest entries of every tensor's gradient agree with finite differences. A weight that a
    /// nudge carries across the corner of a ReLU has two slopes and is left out; such are few.
    #[test]
    fn gradients_agree_with_finite_differences() {
        let mut network = Network::random(TINY, &mut Rng::new(7));
        let mut rng = Rng::new(11);
        let text: Vec<u8> = (0..40).map(|_| b'a' + rng.below(9) as u8).collect();
        let contexts = || text.windows(TINY.context + 1).map(|bytes| &bytes[..TINY.context]);
        let targets = &text[TINY.context..];
        let mut acts = Activations::new(TINY, targets.len());
        let mut batch_loss = |network: &Network| {
            network.read_contexts(contexts(), &mut acts);
            network.forward(&mut acts);
            network.loss(&mut acts, targets) / targets.len() as f64
        };

        let mut gradient = vec![0.0; network.weights.len()];
        let mut acts = Activations::new(TINY, targets.len());
        network.read_contexts(contexts(), &mut acts);
        network.forward(&mut acts);
        network.backward(&mut acts, targets, &mut gradient);

        for tensor in TINY.tensors() {
            let mut places: Vec<usize> = tensor.range.clone().collect();
            places.sort_by(|&a, &b| gradient[b].abs().total_cmp(&gradient[a].abs()));
            let mut agreeing = 0;
            for &place in &places[..8] {
                let (weight, nudge) = (network.weights[place], 1e-3);
                let here = batch_loss(&network);
                network.weights[place] = weight + nudge;
                let above = (batch_loss(&network) - here) / f64::from(nudge);
                network.weights[place] = weight - nudge;
                let below = (here - batch_loss(&network)) / f64::from(nudge);
                network.weights[place] = weight;
                let found = f64::from(gradient[place]);
                let allowed = 1e-3 + 0.02 * found.abs();
                if (above - below).abs() > 2.0 * allowed {
                    continue;
                }
                let expected = (above + below) / 2.0;
                assert!(
                    (expected - found).abs() < allowed,
                    "{} at {place}: {found}, finite difference {expected}",
                    tensor.name
                );
                agreeing += 1;
            }
            assert!(agreeing >= 5, "{}: {agreeing} entries were fit to compare", tensor.name);
        }
    }

    #[test]
    fn a_single_context_scores_as_in_a_batch() {
        let network = Network::random(TINY, &mut Rng::new(3));
        let text = b"the points";
        let mut acts = Activations::new(TINY, text.len());
        network.read_contexts(text.windows(TINY.context), &mut acts);
        network.forward(&mut acts);
        let (mut hidden, mut logits) = ([0.0; TINY.hidden], [0.0; BYTES]);
        for (context, batch) in text.windows(TINY.context).zip(acts.output.chunks_exact(BYTES)) {
            network.logits(context, &mut hidden, &mut logits);
            for (one, many) in logits.iter().zip(batch) {
                assert!((one - many).abs() < 1e-4);
            }
        }
    }
}
