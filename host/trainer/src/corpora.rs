//! The texts to learn from and the blocks to be judged by.
//!
//! A host is a domain: a novel, speeches, a lexicon, source code, event logs. About 100 kB of each
//! are carried in the program or generated when first used. Every corpus is cut into blocks of 512
//! bytes; 32 of them, taken evenly so that they are of the same kind as the rest, are held out and
//! never trained on. Two more hosts, `sums` and `noise`, can be trained on but judge nothing: they stand
//! for the sources that make a model worse, so that a promotion gate has something to refuse.

mod generated;

use std::sync::OnceLock;

/// Size of a held-out block.
pub const BLOCK_BYTES: usize = 512;
/// Held-out blocks per host.
pub const HELD_OUT_BLOCKS: usize = 32;

const CORPUS_BYTES: usize = 200 * BLOCK_BYTES;

/// The hosts a model is judged by.
pub fn hosts() -> &'static [&'static str] {
    &["novel", "speeches", "lexicon", "code", "events"]
}

/// All hosts that can be trained on without bringing a text along.
pub fn training_hosts() -> &'static [&'static str] {
    &["novel", "speeches", "lexicon", "code", "events", "sums", "noise"]
}

/// The blocks of `host` that are never trained on; none for a host that judges nothing.
pub fn held_out(host: &str) -> Vec<&'static [u8]> {
    if !hosts().contains(&host) {
        return Vec::new();
    }
    let corpus = corpus(host).expect("a host that judges has a corpus");
    corpus.held_out.chunks_exact(BLOCK_BYTES).collect()
}

/// What may be trained on for `host`; nothing for a host without a corpus.
pub(crate) fn training_text(host: &str) -> Option<&'static [u8]> {
    corpus(host).map(|corpus| corpus.training.as_slice())
}

struct Corpus {
    training: Vec<u8>,
    held_out: Vec<u8>,
}

fn corpus(host: &str) -> Option<&'static Corpus> {
    static CORPORA: [OnceLock<Corpus>; 7] = [const { OnceLock::new() }; 7];
    let at = training_hosts().iter().position(|known| *known == host)?;
    Some(CORPORA[at].get_or_init(|| {
        let text = match host {
            "novel" => unpack(include_bytes!("../data/novel.xz")),
            "speeches" => unpack(include_bytes!("../data/speeches.xz")),
            "lexicon" => unpack(include_bytes!("../data/lexicon.xz")),
            "code" => unpack(include_bytes!("../data/code.xz")),
            "events" => generated::events(CORPUS_BYTES),
            "sums" => generated::sums(CORPUS_BYTES),
            "noise" => generated::noise(CORPUS_BYTES),
            other => unreachable!("{other} is not in the list it was found in"),
        };
        split(&text)
    }))
}

fn unpack(mut packed: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(CORPUS_BYTES);
    lzma_rs::xz_decompress(&mut packed, &mut text).expect("the corpora are part of the program");
    text
}

/// Where a held-out block was taken out, the training text goes on with the block after it: one
/// odd seam in three thousand bytes, and no byte on both sides.
fn split(text: &[u8]) -> Corpus {
    let blocks = text.len() / BLOCK_BYTES;
    let mut corpus = Corpus {
        training: Vec::with_capacity(text.len()),
        held_out: Vec::with_capacity(HELD_OUT_BLOCKS * BLOCK_BYTES),
    };
    for (at, block) in text.chunks_exact(BLOCK_BYTES).enumerate() {
        // True for exactly HELD_OUT_BLOCKS of the blocks, evenly spread.
        let is_held_out = (at + 1) * HELD_OUT_BLOCKS / blocks > at * HELD_OUT_BLOCKS / blocks;
        let side = if is_held_out { &mut corpus.held_out } else { &mut corpus.training };
        side.extend_from_slice(block);
    }
    corpus
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_has_a_hundred_kilobytes_and_its_held_out_blocks() {
        for host in training_hosts() {
            let corpus = corpus(host).unwrap();
            let total = corpus.training.len() + corpus.held_out.len();
            assert!((98_000..=103_000).contains(&total), "{host}: {total} bytes");
            assert_eq!(corpus.held_out.len(), HELD_OUT_BLOCKS * BLOCK_BYTES, "{host}");
        }
        assert!(held_out("noise").is_empty());
        assert!(held_out("unknown").is_empty());
    }

    #[test]
    fn no_held_out_block_is_trained_on() {
        for host in hosts() {
            let training = training_text(host).unwrap();
            for block in held_out(host) {
                // Code and events repeat short passages by nature; 128 bytes in a row would be a leak.
                let probe = &block[192..320];
                assert!(
                    !training.windows(probe.len()).any(|window| window == probe),
                    "{host}: {}",
                    String::from_utf8_lossy(probe)
                );
            }
        }
    }
}
