//! Sources from a file: read line by line, taken in durable parts, and whatever is not taken is told with its line, field and cure.
//!
//! A part is so many lines of the file, whether they are good or bad: where it begins and ends the file alone says. So a file that
//! is sent again under the same name (nonce) is cut the same way, and the coordinator tells by number and digest which parts it
//! has: a repeat doubles nothing, and one that broke off goes on.

mod records;
mod rows;

use pointsman_model::settings::Settings;
use pointsman_model::source::{NewSource, Origin};
use records::{Record, Records};
use rows::{Parser, cure, header};
use std::io::{BufReader, Read};

/// Records of one part: one command, one entry of the journal, one transaction.
const PART_RECORDS: usize = 500;
/// A part ends earlier where its text is long.
const PART_BYTES: usize = 512 << 10;
/// Bad lines after which a file is taken to be of another kind than it was said to be.
pub const REFUSED_MAX: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An object in JSON on each line.
    Jsonl,
    /// RFC 4180 with a header.
    Csv,
}

impl Format {
    pub fn parse(word: &str) -> Option<Format> {
        match word {
            "jsonl" | "ndjson" => Some(Format::Jsonl),
            "csv" => Some(Format::Csv),
            _ => None,
        }
    }

    pub fn of_content_type(kind: &str) -> Option<Format> {
        match kind.split(';').next()?.trim().to_ascii_lowercase().as_str() {
            "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines" => Some(Format::Jsonl),
            "text/csv" => Some(Format::Csv),
            _ => None,
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Format::Jsonl => "application/x-ndjson",
            Format::Csv => "text/csv",
        }
    }
}

/// A part of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// From 0.
    pub number: u32,
    pub digest: u64,
    pub rows: Vec<NewSource>,
    pub refused: u32,
}

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub queued: u32,
    /// It had been taken before.
    pub known: bool,
}

/// A record that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub line: u64,
    /// Empty where the record as a whole is wrong.
    pub field: String,
    pub problem: String,
    pub fix: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub lines: u64,
    pub bytes: u64,
    pub queued: u64,
    pub known: u64,
    pub refused: u64,
    pub blank: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError<E> {
    #[error("the file could not be read; nothing after line {line} was taken")]
    Read { line: u64, source: std::io::Error },
    #[error("line {line}: {problem}")]
    Header { line: u64, problem: String },
    #[error("{REFUSED_MAX} lines were refused, so the rest was not read; nothing after line {line} was taken")]
    TooManyRefused { line: u64 },
    #[error("a part was not taken")]
    Take(E),
}

/// Where parts, refused lines and progress go.
pub trait Sink {
    type Error;
    fn take(&mut self, part: Part) -> Result<Taken, Self::Error>;
    fn refused(&mut self, refused: Refused);
    fn progress(&mut self, counts: &Counts);
}

/// Reads a whole file. What was taken before an error stands.
pub fn run<S: Sink>(
    file: impl Read,
    format: Format,
    origin: Origin,
    settings: &Settings,
    sink: &mut S,
) -> Result<Counts, ImportError<S::Error>> {
    let mut records = Records::new(BufReader::with_capacity(64 << 10, file), format);
    let mut parser = Parser {
        format,
        origin,
        settings,
        columns: Vec::new(),
    };
    let mut counts = Counts::default();
    let mut part = Gathered::default();
    let mut number = 0;
    // The last line of the parts that were taken.
    let mut through = 0;
    while let Some(record) = records.next().map_err(|source| ImportError::Read { line: through, source })? {
        counts.lines = record.last_line;
        counts.bytes = records.bytes;
        part.add(&record);
        if format == Format::Csv && parser.columns.is_empty() && !record.is_blank() {
            parser.columns = header(&record).map_err(|problem| ImportError::Header {
                line: record.line,
                problem,
            })?;
        } else if record.is_blank() {
            counts.blank += 1;
        } else {
            match parser.parse(&record) {
                Ok(row) => part.rows.push(row),
                Err(mut problems) => {
                    // One record is one refusal; its first problem names the field, the others follow.
                    part.refused += 1;
                    counts.refused += 1;
                    let (field, problem) = problems.remove(0);
                    let more: String = problems.iter().map(|(field, problem)| format!("; {field}: {problem}")).collect();
                    sink.refused(Refused {
                        line: record.line,
                        fix: cure(&field, format),
                        field,
                        problem: format!("{problem}{more}"),
                    });
                }
            }
        }
        let is_full = part.records >= PART_RECORDS || part.bytes >= PART_BYTES;
        let too_many = counts.refused >= REFUSED_MAX as u64;
        if is_full || too_many {
            // A part that ends early because the rest is not read is cut elsewhere the next time: it is not taken under its number.
            if too_many && !is_full {
                return Err(ImportError::TooManyRefused { line: through });
            }
            take(sink, &mut part, &mut number, &mut counts)?;
            through = record.last_line;
            sink.progress(&counts);
            if too_many {
                return Err(ImportError::TooManyRefused { line: through });
            }
        }
    }
    if part.records > 0 {
        take(sink, &mut part, &mut number, &mut counts)?;
    }
    counts.bytes = records.bytes;
    sink.progress(&counts);
    Ok(counts)
}

fn take<S: Sink>(sink: &mut S, part: &mut Gathered, number: &mut u32, counts: &mut Counts) -> Result<(), ImportError<S::Error>> {
    let Gathered {
        records: _,
        bytes: _,
        digest,
        rows,
        refused,
    } = std::mem::take(part);
    let digest = digest.finalize();
    let digest = u64::from_le_bytes(digest.as_bytes()[..8].try_into().expect("a digest has 32 bytes"));
    let good = rows.len() as u64;
    let taken = sink
        .take(Part {
            number: *number,
            digest,
            rows,
            refused,
        })
        .map_err(ImportError::Take)?;
    *number += 1;
    counts.queued += u64::from(taken.queued);
    counts.known += if taken.known { good } else { 0 };
    Ok(())
}

#[derive(Default)]
struct Gathered {
    records: usize,
    bytes: usize,
    digest: blake3::Hasher,
    rows: Vec<NewSource>,
    refused: u32,
}

impl Gathered {
    fn add(&mut self, record: &Record) {
        self.records += 1;
        self.bytes += record.bytes.len();
        self.digest.update(&(record.bytes.len() as u64).to_le_bytes());
        self.digest.update(&record.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept {
        parts: Vec<Part>,
        refused: Vec<Refused>,
    }

    impl Sink for Kept {
        type Error = std::convert::Infallible;
        fn take(&mut self, part: Part) -> Result<Taken, Self::Error> {
            let queued = part.rows.len() as u32;
            self.parts.push(part);
            Ok(Taken { queued, known: false })
        }
        fn refused(&mut self, refused: Refused) {
            self.refused.push(refused);
        }
        fn progress(&mut self, _: &Counts) {}
    }

    fn read(text: &[u8], format: Format) -> (Kept, Result<Counts, String>) {
        let mut kept = Kept::default();
        let counts = run(text, format, Origin::Cli, &Settings::default(), &mut kept);
        (kept, counts.map_err(|error| error.to_string()))
    }

    fn titles(kept: &Kept) -> Vec<&str> {
        let rows = kept.parts.iter().flat_map(|part| &part.rows);
        rows.map(|row| row.title.as_str()).collect()
    }

    fn lines(kept: &Kept) -> Vec<(u64, &str)> {
        kept.refused.iter().map(|refused| (refused.line, refused.field.as_str())).collect()
    }

    #[test]
    fn each_line_is_taken_or_told_with_its_number_and_field() {
        let text = b"{\"title\":\"One\",\"host\":\"novel\"}\n\n{\"title\":\"\"}\nnot json\n{\"title\":\"Two\",\"priority\":\"high\"}\n\
            {\"title\":\"Three\",\"colour\":1}\n{\"title\":\"Four\"}";
        let (kept, counts) = read(text, Format::Jsonl);
        assert_eq!(titles(&kept), ["One", "Four"]);
        assert_eq!(lines(&kept), [(3, "title"), (4, ""), (5, "priority"), (6, "colour")]);
        let counts = counts.expect("read");
        assert_eq!((counts.lines, counts.queued, counts.refused, counts.blank), (7, 2, 4, 1));
        assert_eq!(counts.bytes, text.len() as u64);
    }

    #[test]
    fn a_csv_record_may_span_lines_and_an_open_quote_costs_one_line() {
        let text =
            b"title,host,body,steps\nOne,novel,\"first line\nsecond, \"\"quoted\"\" line\",200\n5\" disk,,,\nTwo,novel,\"never closed,\n\
            Three,code,text,many\nFour,code,text,10\nFive,code\n";
        let (kept, counts) = read(text, Format::Csv);
        assert_eq!(titles(&kept), ["One", "5\" disk", "Four"]);
        assert_eq!(kept.parts[0].rows[0].body, "first line\nsecond, \"quoted\" line");
        assert_eq!(kept.parts[0].rows[0].params.as_ref().map(|params| params.steps), Some(200));
        assert_eq!(lines(&kept), [(5, ""), (6, "steps"), (8, "")]);
        assert_eq!(counts.map(|counts| counts.lines), Ok(8));
    }

    #[test]
    fn a_header_that_is_not_understood_stops_before_anything_is_taken() {
        let (kept, counts) = read(b"name,host\nOne,novel\n", Format::Csv);
        assert!(counts.expect_err("refused").contains("a column 'name'"));
        assert!(kept.parts.is_empty());
        let (_, counts) = read(b"host\nnovel\n", Format::Csv);
        assert!(counts.expect_err("refused").contains("no column 'title'"));
    }

    #[test]
    fn parts_are_cut_by_the_file_alone() {
        let text: String = (0..1_234).map(|n| format!("{{\"title\":\"Source {n}\"}}\n")).collect();
        let (one, _) = read(text.as_bytes(), Format::Jsonl);
        let (two, _) = read(text.as_bytes(), Format::Jsonl);
        assert_eq!(one.parts, two.parts);
        assert_eq!(one.parts.iter().map(|part| part.rows.len()).collect::<Vec<_>>(), [500, 500, 234]);
        let changed = text.replace("Source 700\"", "Source 7oo\"");
        let (other, _) = read(changed.as_bytes(), Format::Jsonl);
        let same: Vec<bool> = one
            .parts
            .iter()
            .zip(&other.parts)
            .map(|(one, other)| one.digest == other.digest)
            .collect();
        assert_eq!(same, [true, false, true]);
    }

    #[test]
    fn a_line_without_end_is_skipped_and_counted() {
        let mut text = b"{\"title\":\"".to_vec();
        text.resize(3 << 20, b'x');
        text.extend_from_slice(b"\"}\n{\"title\":\"After\"}\n");
        let (kept, counts) = read(&text, Format::Jsonl);
        assert_eq!(titles(&kept), ["After"]);
        assert_eq!(lines(&kept), [(1, "")]);
        assert_eq!(counts.map(|counts| counts.bytes), Ok(text.len() as u64));
    }

    #[test]
    fn a_file_of_another_kind_is_given_up_on() {
        let text = "nothing of the kind\n".repeat(REFUSED_MAX + 5_000);
        let (kept, counts) = read(text.as_bytes(), Format::Jsonl);
        assert!(counts.is_err());
        assert_eq!(kept.refused.len(), REFUSED_MAX);
    }
}
