//! The optimiser: Adam, with the n-gram rows updated only when a batch used them.
//!
//! Each run starts with fresh moments. A checkpoint therefore holds weights alone, and the
//! warm-up of the learning rate keeps the first, badly scaled steps small.

use std::ops::Range;

const MOMENT_KEEP: f32 = 0.9;
/// Shorter memory than the usual 0.999: runs have hundreds of steps, not millions.
const SQUARE_KEEP: f32 = 0.98;
const DENSE_NORM_MAX: f32 = 1.0;

pub(crate) struct Adam {
    moment: Vec<f32>,
    square: Vec<f32>,
    steps: i32,
}

impl Adam {
    pub(crate) fn new(weights: usize) -> Adam {
        Adam {
            moment: vec![0.0; weights],
            square: vec![0.0; weights],
            steps: 0,
        }
    }

    /// One update of everything from `dense_start` on, and of the `touched` rows before it. The
    /// gradients it used are zero afterwards.
    pub(crate) fn step(
        &mut self,
        weights: &mut [f32],
        gradient: &mut [f32],
        dense_start: usize,
        touched: &[Range<usize>],
        learning_rate: f32,
    ) {
        // After ten thousand steps both corrections are one in single precision.
        self.steps = (self.steps + 1).min(10_000);
        clip(&mut gradient[dense_start..]);
        self.update(weights, gradient, dense_start..weights.len(), learning_rate);
        for row in touched {
            self.update(weights, gradient, row.clone(), learning_rate);
        }
    }

    fn update(&mut self, weights: &mut [f32], gradient: &mut [f32], range: Range<usize>, learning_rate: f32) {
        let rate = learning_rate / (1.0 - MOMENT_KEEP.powi(self.steps));
        let square_scale = 1.0 / (1.0 - SQUARE_KEEP.powi(self.steps));
        let weights = &mut weights[range.clone()];
        let gradient = &mut gradient[range.clone()];
        let moment = &mut self.moment[range.clone()];
        let square = &mut self.square[range];
        for (((weight, gradient), moment), square) in weights.iter_mut().zip(gradient).zip(moment).zip(square) {
            *moment = MOMENT_KEEP * *moment + (1.0 - MOMENT_KEEP) * *gradient;
            *square = SQUARE_KEEP * *square + (1.0 - SQUARE_KEEP) * *gradient * *gradient;
            *weight -= rate * *moment / ((*square * square_scale).sqrt() + 1e-8);
            *gradient = 0.0;
        }
    }
}

fn clip(gradient: &mut [f32]) {
    let norm = gradient.iter().map(|value| value * value).sum::<f32>().sqrt();
    if norm > DENSE_NORM_MAX {
        let scale = DENSE_NORM_MAX / norm;
        for value in gradient {
            *value *= scale;
        }
    }
}
