//! Models on disk: a directory with one file in the safetensors layout.
//!
//! The file is complete or absent: it is written beside its place, flushed, renamed, and the
//! directory is flushed. Its header carries a card that says where the model came from, and a
//! seal over card and weights, so that a damaged file is refused and never served. There is no clock
//! in it: the same training gives the same bytes, and so the same digest.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::network::{Network, Shape};

/// Name of the file in a model's directory.
pub const MODEL_FILE: &str = "model.safetensors";

const SEAL: &str = "seal";
/// The file's first bytes: the header's length, little-endian.
const LENGTH_BYTES: usize = 8;

/// Where a model came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// Digest of the model it was continued from.
    pub parent: Option<String>,
    pub seed: u64,
    /// Title of the source it was trained on.
    pub source: String,
    /// Steps of the last run, not of all its ancestors.
    pub steps: u64,
    /// Digest of the texts of the last run.
    pub data: String,
}

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read the model file {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("the model file is cut short: {found} bytes, {expected} expected")]
    Truncated { expected: u64, found: u64 },
    #[error("the model file has no usable header: {0}")]
    Header(String),
    #[error("tensor {tensor} has shape {found}, but this network needs {expected:?}")]
    Shape {
        tensor: String,
        expected: Vec<usize>,
        found: String,
    },
    #[error("the model file is damaged: its contents do not match its seal")]
    Damaged,
    #[error("tensor {tensor} holds a number that is not finite")]
    NotFinite { tensor: String },
}

/// A checkpoint that is complete on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) path: PathBuf,
    /// blake3 of the whole file, in hex.
    pub(crate) digest: String,
    pub(crate) bytes: u64,
}

pub(crate) struct Loaded {
    pub(crate) network: Network,
    pub(crate) card: Card,
    pub(crate) digest: String,
}

pub(crate) fn save(network: &Network, card: &Card, dir: &Path) -> io::Result<Saved> {
    let file = encode(network, card);
    fs::create_dir_all(dir)?;
    let path = dir.join(MODEL_FILE);
    let unfinished = dir.join("model.safetensors.tmp");
    let mut output = File::create(&unfinished)?;
    output.write_all(&file)?;
    output.sync_all()?;
    fs::rename(&unfinished, &path)?;
    // Without this a power loss may take the new name back although the bytes are safe.
    File::open(dir)?.sync_all()?;
    Ok(Saved {
        path,
        digest: blake3::hash(&file).to_hex().to_string(),
        bytes: file.len() as u64,
    })
}

pub(crate) fn load(dir: &Path, shape: Shape) -> Result<Loaded, LoadError> {
    let path = dir.join(MODEL_FILE);
    let file = fs::read(&path).map_err(|source| LoadError::Read { path, source })?;
    decode(&file, shape)
}

fn encode(network: &Network, card: &Card) -> Vec<u8> {
    let weights: Vec<u8> = network.weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
    let Card {
        parent,
        seed,
        source,
        steps,
        data,
    } = card;
    let mut metadata = Map::new();
    if let Some(parent) = parent {
        metadata.insert("parent".into(), json!(parent));
    }
    metadata.insert("seed".into(), json!(seed.to_string()));
    metadata.insert("source".into(), json!(source));
    metadata.insert("steps".into(), json!(steps.to_string()));
    metadata.insert("data".into(), json!(data));

    let mut header = Map::new();
    for tensor in network.shape().tensors() {
        header.insert(
            tensor.name,
            json!({
                "dtype": "F32",
                "shape": tensor.shape,
                "data_offsets": [tensor.range.start * 4, tensor.range.end * 4],
            }),
        );
    }
    header.insert("__metadata__".into(), Value::Object(metadata));
    let seal = seal(&header, &weights);
    header["__metadata__"][SEAL] = json!(seal);

    let mut header = Value::Object(header).to_string();
    // Readers may map the weights: keep them aligned.
    while header.len() % 8 != 0 {
        header.push(' ');
    }
    let mut file = Vec::with_capacity(LENGTH_BYTES + header.len() + weights.len());
    file.extend((header.len() as u64).to_le_bytes());
    file.extend(header.bytes());
    file.extend(weights);
    file
}

fn decode(file: &[u8], shape: Shape) -> Result<Loaded, LoadError> {
    let cut_short = |expected: u64| LoadError::Truncated {
        expected,
        found: file.len() as u64,
    };
    let (length, rest) = file
        .split_first_chunk::<LENGTH_BYTES>()
        .ok_or_else(|| cut_short(LENGTH_BYTES as u64))?;
    let length = u64::from_le_bytes(*length);
    let (header, weights) = usize::try_from(length)
        .ok()
        .and_then(|length| rest.split_at_checked(length))
        .ok_or_else(|| cut_short(length.saturating_add(LENGTH_BYTES as u64)))?;
    let mut header: Map<String, Value> = serde_json::from_slice(header).map_err(|error| LoadError::Header(error.to_string()))?;

    let mut network = Network::zeroed(shape);
    for tensor in shape.tensors() {
        let expected = json!(tensor.shape);
        let found = header.get(&tensor.name).and_then(|entry| entry.get("shape"));
        if found != Some(&expected) {
            return Err(LoadError::Shape {
                tensor: tensor.name,
                expected: tensor.shape,
                found: found.map_or("missing".to_string(), Value::to_string),
            });
        }
    }
    let expected = network.weights.len() * 4;
    if weights.len() < expected {
        return Err(cut_short((file.len() - weights.len() + expected) as u64));
    }

    let metadata = header
        .get_mut("__metadata__")
        .and_then(Value::as_object_mut)
        .ok_or_else(|| LoadError::Header("it has no metadata".into()))?;
    let Some(Value::String(sealed)) = metadata.remove(SEAL) else {
        return Err(LoadError::Header("it has no seal".into()));
    };
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).map(str::to_string);
    let number = |name: &str| text(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    let card = Card {
        parent: text("parent"),
        seed: number("seed"),
        source: text("source").unwrap_or_default(),
        steps: number("steps"),
        data: text("data").unwrap_or_default(),
    };
    if seal(&header, weights) != sealed {
        return Err(LoadError::Damaged);
    }

    for (weight, bytes) in network.weights.iter_mut().zip(weights.chunks_exact(4)) {
        *weight = f32::from_le_bytes(bytes.try_into().expect("chunks of four bytes"));
    }
    for tensor in shape.tensors() {
        if !network.weights[tensor.range].iter().all(|weight| weight.is_finite()) {
            return Err(LoadError::NotFinite { tensor: tensor.name });
        }
    }
    Ok(Loaded {
        network,
        card,
        digest: blake3::hash(file).to_hex().to_string(),
    })
}

/// Over the header without the seal, and the weights. A map prints its keys in order, so the header
/// reads back as it was sealed.
fn seal(header: &Map<String, Value>, weights: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(Value::Object(header.clone()).to_string().as_bytes());
    hasher.update(weights);
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const TINY: Shape = Shape {
        context: 4,
        embedding: 2,
        hidden: 3,
        ngram_rows: 8,
        ngram_width: 2,
        ngram_orders: 2,
    };

    fn tiny_file() -> Vec<u8> {
        let card = Card {
            parent: Some("00ff".into()),
            seed: 7,
            source: "Practise \"code\"".into(),
            steps: 400,
            data: "11ee".into(),
        };
        encode(&Network::random(TINY, &mut Rng::new(1)), &card)
    }

    #[test]
    fn what_was_written_is_read() {
        let file = tiny_file();
        let loaded = decode(&file, TINY).unwrap();
        assert_eq!(encode(&loaded.network, &loaded.card), file);
        assert_eq!(loaded.card.source, "Practise \"code\"");
        assert_eq!(loaded.card.parent.as_deref(), Some("00ff"));
    }

    #[test]
    fn a_file_cut_short_anywhere_is_refused() {
        let file = tiny_file();
        for length in (0..file.len()).step_by(7) {
            assert!(decode(&file[..length], TINY).is_err(), "{length} bytes");
        }
        assert!(matches!(decode(&file[..file.len() - 1], TINY), Err(LoadError::Truncated { .. })));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let file = tiny_file();
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << (at % 8);
            assert!(decode(&damaged, TINY).is_err(), "byte {at}");
        }
    }

    #[test]
    fn another_shape_is_refused_by_name() {
        let wider = Shape { hidden: 4, ..TINY };
        match decode(&tiny_file(), wider) {
            Err(LoadError::Shape { tensor, .. }) => assert_eq!(tensor, "hidden.weight"),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("loaded"),
        }
    }
}
