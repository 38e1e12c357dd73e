//! Scoring on held-out blocks, for the curve of a run and for the verdict over a candidate.

use pointsman_model::protocol::{BlockPair, Evaluation, HostBits, HostPair, Slice};

use crate::corpora::{self, HELD_OUT_BLOCKS};
use crate::model::Scorer;
use crate::network::Network;

/// Every eighth held-out block: a curve needs to be cheap, and all its points the same blocks.
const CURVE_STRIDE: usize = 8;

/// How an evaluation looks when nothing else is asked for.
pub(crate) const DEFAULT_SLICE: Slice = Slice {
    offset: 0,
    blocks_per_host: 8,
};

pub(crate) struct Judge {
    scorer: Scorer,
}

impl Judge {
    pub(crate) fn new() -> Judge {
        Judge { scorer: Scorer::default() }
    }

    /// A quick look at every host, always at the same blocks.
    pub(crate) fn all_hosts(&mut self, network: &Network) -> Vec<HostBits> {
        let hosts = corpora::hosts().iter();
        hosts
            .map(|host| {
                let blocks = corpora::held_out(host);
                let scores = blocks.iter().step_by(CURVE_STRIDE).map(|block| self.scorer.block(network, block));
                HostBits {
                    host: host.to_string(),
                    bits: average(scores),
                }
            })
            .collect()
    }

    /// Both networks on the same blocks of one host.
    pub(crate) fn pairs(&mut self, baseline: &Network, candidate: &Network, host: &str, slice: Slice) -> Vec<BlockPair> {
        let blocks = corpora::held_out(host);
        slice_blocks(slice)
            .map(|block| BlockPair {
                host: host.to_string(),
                block: block as u32,
                baseline: self.scorer.block(baseline, blocks[block]),
                candidate: self.scorer.block(candidate, blocks[block]),
            })
            .collect()
    }
}

/// The block numbers of a slice, each once. Neighbouring numbers lie far apart in the text, so that
/// a small slice is no single chapter.
fn slice_blocks(slice: Slice) -> impl Iterator<Item = usize> {
    /// Has no divisor in common with the number of blocks, so that every block gets its turn.
    const SPREAD: usize = 13;
    let Slice { offset, blocks_per_host } = slice;
    let wanted = (blocks_per_host as usize).min(HELD_OUT_BLOCKS);
    let first = offset as usize % HELD_OUT_BLOCKS;
    (first..first + wanted).map(|turn| turn * SPREAD % HELD_OUT_BLOCKS)
}

pub(crate) fn evaluation(pairs: Vec<BlockPair>) -> Evaluation {
    let per_host: Vec<HostPair> = pairs
        .chunk_by(|a, b| a.host == b.host)
        .map(|pairs| HostPair {
            host: pairs[0].host.clone(),
            baseline: average(pairs.iter().map(|pair| pair.baseline)),
            candidate: average(pairs.iter().map(|pair| pair.candidate)),
            n: pairs.len() as u32,
        })
        .collect();
    Evaluation {
        baseline_mean: average(per_host.iter().map(|host| host.baseline)),
        candidate_mean: average(per_host.iter().map(|host| host.candidate)),
        per_host,
        pairs,
    }
}

pub(crate) fn mean(hosts: &[HostBits]) -> f64 {
    average(hosts.iter().map(|host| host.bits))
}

/// Zero of nothing.
fn average(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn four_slices_of_eight_see_every_block_once() {
        let seen: BTreeSet<usize> = (0..4)
            .flat_map(|turn| {
                slice_blocks(Slice {
                    offset: turn * 8,
                    blocks_per_host: 8,
                })
            })
            .collect();
        assert_eq!(seen.len(), HELD_OUT_BLOCKS);
    }

    #[test]
    fn a_slice_wider_than_the_corpus_repeats_nothing() {
        let wide = Slice {
            offset: u32::MAX,
            blocks_per_host: 1_000,
        };
        let blocks: Vec<usize> = slice_blocks(wide).collect();
        assert_eq!(blocks.len(), HELD_OUT_BLOCKS);
        assert_eq!(blocks.iter().collect::<BTreeSet<_>>().len(), HELD_OUT_BLOCKS);
    }
}
