//! The loss curve of a run: records of fixed size in an append file, read back in bounded memory.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use pointsman_model::RunId;
use serde::{Deserialize, Serialize};

use crate::directory::RunDirectory;

/// One point of a loss curve, in bits per byte.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub step: u64,
    pub loss: f64,
    pub eval_loss: Option<f64>,
}

/// Most points that a reader is handed; a longer curve is thinned out.
pub const SAMPLES_READ_MAX: usize = 20_000;
/// Most points that are kept of a run: 24 MB.
pub const SAMPLES_KEPT_MAX: u64 = 1_000_000;
pub(crate) const RECORD_BYTES: u64 = 24;

impl Sample {
    /// Little-endian step, loss and held-out loss; "not measured" is a NaN, which no event can carry.
    pub(crate) fn to_record(self) -> [u8; RECORD_BYTES as usize] {
        let mut record = [0; RECORD_BYTES as usize];
        record[..8].copy_from_slice(&self.step.to_le_bytes());
        record[8..16].copy_from_slice(&self.loss.to_le_bytes());
        record[16..].copy_from_slice(&self.eval_loss.unwrap_or(f64::NAN).to_le_bytes());
        record
    }

    fn from_record(record: &[u8; RECORD_BYTES as usize]) -> Sample {
        let word = |at: usize| <[u8; 8]>::try_from(&record[at..at + 8]).expect("a record has three words of 8 bytes");
        let eval_loss = f64::from_le_bytes(word(16));
        Sample {
            step: u64::from_le_bytes(word(0)),
            loss: f64::from_le_bytes(word(8)),
            eval_loss: (!eval_loss.is_nan()).then_some(eval_loss),
        }
    }
}

/// The loss curve of a run so far, thinned out beyond [`SAMPLES_READ_MAX`] points. A run that is unknown, or has said nothing, has none.
pub fn read_samples(data_dir: &Path, run: RunId) -> io::Result<Vec<Sample>> {
    read_file(&RunDirectory::of(data_dir, run).samples(), SAMPLES_READ_MAX)
}

fn read_file(path: &Path, points_max: usize) -> io::Result<Vec<Sample>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let count = file.metadata()?.len() / RECORD_BYTES;
    read_records(BufReader::with_capacity(64 << 10, file), count, points_max)
}

/// Records from byte `from` on, thinned out to `points_max`, and where the next ones will start.
pub(crate) fn read_from(path: &Path, from: u64, points_max: usize) -> io::Result<(Vec<Sample>, u64)> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), from)),
        Err(error) => return Err(error),
    };
    let count = file.metadata()?.len().saturating_sub(from) / RECORD_BYTES;
    file.seek(SeekFrom::Start(from))?;
    let samples = read_records(BufReader::with_capacity(64 << 10, file), count, points_max)?;
    Ok((samples, from + count * RECORD_BYTES))
}

fn read_records(mut reader: impl Read, count: u64, points_max: usize) -> io::Result<Vec<Sample>> {
    // Of each bucket one point stays: one with a held-out loss if there is any, else the last.
    let bucket = count.div_ceil(points_max as u64).max(1);
    let mut samples: Vec<Sample> = Vec::with_capacity(count.div_ceil(bucket) as usize);
    let mut record = [0; RECORD_BYTES as usize];
    for at in 0..count {
        reader.read_exact(&mut record)?;
        let sample = Sample::from_record(&record);
        if at % bucket == 0 {
            samples.push(sample);
        } else if let Some(last) = samples.last_mut()
            && (sample.eval_loss.is_some() || last.eval_loss.is_none())
        {
            *last = sample;
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(samples: &[Sample]) -> Vec<u8> {
        samples.iter().flat_map(|sample| sample.to_record()).collect()
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        let samples = [
            Sample {
                step: 7,
                loss: 2.5,
                eval_loss: None,
            },
            Sample {
                step: u64::MAX,
                loss: -0.0,
                eval_loss: Some(1e-300),
            },
        ];
        assert_eq!(read_records(&records(&samples)[..], 2, 100).unwrap(), samples);
    }

    #[test]
    fn a_long_curve_is_thinned_out_and_keeps_its_rare_held_out_points() {
        let samples: Vec<Sample> = (0..10_000)
            .map(|step| Sample {
                step,
                loss: 1.0,
                eval_loss: (step % 1_000 == 500).then_some(2.0),
            })
            .collect();
        let thin = read_records(&records(&samples)[..], 10_000, 300).unwrap();
        assert!(thin.len() <= 300, "{}", thin.len());
        assert_eq!(thin.iter().filter(|sample| sample.eval_loss.is_some()).count(), 10);
        assert_eq!(thin.last().unwrap().step, 9_999);
    }
}
