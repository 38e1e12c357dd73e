//! Sources from a file: read line by line, taken in durable parts, and whatever is not taken is told with its line, field and cure.
//!
//! A part is so many lines of the file, whether they are good or bad: where it begins and ends the file alone says. So a file that
//! is sent again under the same name (nonce) is cut the same way, and the coordinator tells by number and digest which parts it
//! has: a repeat doubles nothing, and one that broke off goes on.

use pointsman_coordinator::source_problems;
use pointsman_model::settings::Settings;
use pointsman_model::source::{Lane, NewSource, Origin, TrainingParams};
use serde::Deserialize;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};

/// Records of one part: one command, one entry of the journal, one transaction.
const PART_RECORDS: usize = 500;
/// A part ends earlier where its text is long.
const PART_BYTES: usize = 512 << 10;
/// Longest record: a source's text has a quarter of it, and may be escaped.
const RECORD_BYTES_MAX: usize = 1 << 20;
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

/// One object of a JSONL file, or one record of a CSV file.
struct Record {
    /// Its first and last line, from 1.
    line: u64,
    last_line: u64,
    /// Without the line's end.
    bytes: Vec<u8>,
    broken: Option<&'static str>,
}

impl Record {
    fn is_blank(&self) -> bool {
        self.broken.is_none() && self.bytes.iter().all(u8::is_ascii_whitespace)
    }
}

struct Records<R> {
    file: R,
    format: Format,
    line: u64,
    bytes: u64,
    /// Lines that were read for a record that has no end: read again, each for itself.
    again: VecDeque<Line>,
}

struct Line {
    bytes: Vec<u8>,
    too_long: bool,
}

impl<R: BufRead> Records<R> {
    fn new(file: R, format: Format) -> Records<R> {
        Records {
            file,
            format,
            line: 0,
            bytes: 0,
            again: VecDeque::new(),
        }
    }

    fn next(&mut self) -> std::io::Result<Option<Record>> {
        let Some(first) = self.next_line()? else { return Ok(None) };
        self.line += 1;
        let line = self.line;
        if first.too_long {
            return Ok(Some(self.broken(line, first, "is longer than 1 MiB")));
        }
        if self.format == Format::Jsonl || !ends_in_quotes(&first.bytes) {
            return Ok(Some(Record {
                line,
                last_line: line,
                bytes: first.bytes,
                broken: None,
            }));
        }
        // A quoted field goes on in the next line.
        let mut bytes = first.bytes.clone();
        let mut taken = VecDeque::new();
        loop {
            match self.next_line()? {
                Some(next) if !next.too_long && bytes.len() + next.bytes.len() < RECORD_BYTES_MAX => {
                    bytes.push(b'\n');
                    bytes.extend_from_slice(&next.bytes);
                    taken.push_back(next);
                    if !ends_in_quotes(&bytes) {
                        self.line += taken.len() as u64;
                        return Ok(Some(Record {
                            line,
                            last_line: self.line,
                            bytes,
                            broken: None,
                        }));
                    }
                }
                next => {
                    taken.extend(next);
                    taken.append(&mut self.again);
                    self.again = taken;
                    return Ok(Some(self.broken(line, first, "opens a quote that nothing closes")));
                }
            }
        }
    }

    fn broken(&self, line: u64, first: Line, problem: &'static str) -> Record {
        Record {
            line,
            last_line: line,
            bytes: first.bytes,
            broken: Some(problem),
        }
    }

    fn next_line(&mut self) -> std::io::Result<Option<Line>> {
        if let Some(line) = self.again.pop_front() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        let read = (&mut self.file).take(RECORD_BYTES_MAX as u64 + 1).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.bytes += read as u64;
        let mut too_long = false;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        } else if bytes.len() > RECORD_BYTES_MAX {
            too_long = true;
            bytes.truncate(256);
            self.bytes += skip_line(&mut self.file)?;
        }
        Ok(Some(Line { bytes, too_long }))
    }
}

fn skip_line(file: &mut impl BufRead) -> std::io::Result<u64> {
    let mut skipped = 0;
    loop {
        let available = file.fill_buf()?;
        if available.is_empty() {
            return Ok(skipped);
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(available.len(), |end| end + 1);
        file.consume(taken);
        skipped += taken as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}

/// Whether a record of CSV is within quotes at its end: they open at the beginning of a field only, and two of them are one.
fn ends_in_quotes(bytes: &[u8]) -> bool {
    let mut quoted = false;
    let mut at_field = true;
    let mut rest = bytes.iter().peekable();
    while let Some(byte) = rest.next() {
        match (quoted, *byte) {
            (true, b'"') if rest.peek() == Some(&&b'"') => {
                rest.next();
            }
            (true, b'"') => quoted = false,
            (true, _) => {}
            (false, b'"') if at_field => quoted = true,
            (false, _) => {}
        }
        at_field = !quoted && matches!(*byte, b',' | b'\n');
    }
    quoted
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Title,
    Body,
    Host,
    Priority,
    Lane,
    Steps,
    LearningRate,
    ReplayShare,
}

const COLUMNS: &[(&str, Column)] = &[
    ("title", Column::Title),
    ("body", Column::Body),
    ("prompt", Column::Body),
    ("host", Column::Host),
    ("priority", Column::Priority),
    ("lane", Column::Lane),
    ("steps", Column::Steps),
    ("learning_rate", Column::LearningRate),
    ("replay_share", Column::ReplayShare),
];

fn known_columns() -> String {
    COLUMNS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn fields(record: &Record) -> Result<csv::StringRecord, String> {
    if let Some(problem) = record.broken {
        return Err(problem.into());
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(record.bytes.len().clamp(64, 8 << 10))
        .from_reader(record.bytes.as_slice());
    let mut fields = csv::StringRecord::new();
    match reader.read_record(&mut fields) {
        Ok(_) => Ok(fields),
        Err(error) => Err(match error.kind() {
            csv::ErrorKind::Utf8 { .. } => "is not UTF-8".into(),
            _ => format!("is not CSV: {error}"),
        }),
    }
}

fn header(record: &Record) -> Result<Vec<Column>, String> {
    let names = fields(record)?;
    let column = |name: &str| {
        let name = name.trim().trim_start_matches('\u{feff}').to_ascii_lowercase();
        let found = COLUMNS.iter().find(|(known, _)| *known == name);
        found.map(|(_, column)| *column).ok_or_else(|| {
            let name: String = name.chars().take(40).collect();
            format!("the header names a column '{name}'; the columns are {}", known_columns())
        })
    };
    let columns = names.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    for (index, column) in columns.iter().enumerate() {
        if columns[..index].contains(column) {
            return Err(format!(
                "the header names the column '{}' twice",
                names.get(index).unwrap_or_default().trim()
            ));
        }
    }
    if !columns.contains(&Column::Title) {
        return Err(format!("the header has no column 'title'; the columns are {}", known_columns()));
    }
    Ok(columns)
}

/// Fields at fault and what is wrong with each; never empty.
type Problems = Vec<(String, String)>;

struct Parser<'s> {
    format: Format,
    origin: Origin,
    settings: &'s Settings,
    columns: Vec<Column>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonRow {
    title: String,
    #[serde(default, alias = "prompt")]
    body: String,
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    priority: i32,
    #[serde(default)]
    lane: Option<Lane>,
    #[serde(default)]
    params: Option<TrainingParams>,
}

impl Parser<'_> {
    fn parse(&self, record: &Record) -> Result<NewSource, Problems> {
        if let Some(problem) = record.broken {
            return Err(vec![(String::new(), problem.into())]);
        }
        let row = match self.format {
            Format::Jsonl => self.json(&record.bytes)?,
            Format::Csv => self.csv(record)?,
        };
        let problems = source_problems(&row);
        match problems.is_empty() {
            true => Ok(row),
            false => Err(problems.into_iter().map(|problem| (problem.field, problem.problem)).collect()),
        }
    }

    fn json(&self, bytes: &[u8]) -> Result<NewSource, Problems> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let row: JsonRow = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let field = error.path().to_string();
            let inner = error.inner();
            let field = if inner.is_data() && field != "." { field } else { String::new() };
            vec![(field, plain(&inner.to_string()))]
        })?;
        reader
            .end()
            .map_err(|_| vec![(String::new(), "has something after the object".into())])?;
        let JsonRow {
            title,
            body,
            host,
            priority,
            lane,
            params,
        } = row;
        Ok(NewSource {
            title,
            body,
            host,
            lane: lane.unwrap_or(Lane::Queue),
            origin: self.origin,
            priority,
            params,
        })
    }

    fn csv(&self, record: &Record) -> Result<NewSource, Problems> {
        let whole = |problem: String| vec![(String::new(), problem)];
        let fields = fields(record).map_err(whole)?;
        if fields.len() != self.columns.len() {
            return Err(whole(format!("has {} fields, the header has {}", fields.len(), self.columns.len())));
        }
        let of = |column: Column| {
            let at = self.columns.iter().position(|found| *found == column);
            at.and_then(|at| fields.get(at)).filter(|text| !text.is_empty())
        };
        let mut problems = Problems::new();
        let lane = match of(Column::Lane).map(str::trim) {
            None | Some("queue") => Lane::Queue,
            Some("curriculum") => Lane::Curriculum,
            Some(other) => {
                problems.push(("lane".into(), format!("is '{}'", other.chars().take(40).collect::<String>())));
                Lane::Queue
            }
        };
        let priority = number(&mut problems, "priority", of(Column::Priority)).unwrap_or(0);
        let steps = number(&mut problems, "steps", of(Column::Steps));
        let learning_rate = number(&mut problems, "learning_rate", of(Column::LearningRate));
        let replay_share = number(&mut problems, "replay_share", of(Column::ReplayShare));
        let names_any = steps.is_some() || learning_rate.is_some() || replay_share.is_some();
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(NewSource {
            title: of(Column::Title).unwrap_or_default().into(),
            body: of(Column::Body).unwrap_or_default().into(),
            host: of(Column::Host).map(String::from),
            lane,
            origin: self.origin,
            priority,
            params: names_any.then(|| TrainingParams {
                steps: steps.unwrap_or(self.settings.default_steps),
                learning_rate: learning_rate.unwrap_or(self.settings.default_learning_rate),
                replay_share: replay_share.unwrap_or(self.settings.default_replay_share),
            }),
        })
    }
}

fn number<T: std::str::FromStr>(problems: &mut Problems, name: &str, text: Option<&str>) -> Option<T> {
    let text = text?;
    match text.trim().parse() {
        Ok(number) => Some(number),
        Err(_) => {
            let text: String = text.chars().take(40).collect();
            problems.push((name.into(), format!("'{text}' is not a number of the kind that is needed")));
            None
        }
    }
}

/// serde's sentence without the place, which is told apart.
fn plain(message: &str) -> String {
    let end = message.rfind(" at line ").unwrap_or(message.len());
    message[..end].to_string()
}

fn cure(field: &str, format: Format) -> String {
    match field.split(['.', '[']).next().unwrap_or_default() {
        "title" => "say in 1 to 200 bytes, without control characters, what is to be practised".into(),
        "body" => "shorten the text to 256 KiB, or split it over several lines".into(),
        "host" => "name a host with at most 120 bytes and without control characters, or leave it out".into(),
        "priority" => "a whole number; higher goes first".into(),
        "lane" => "queue or curriculum".into(),
        "params" | "steps" | "learning_rate" | "replay_share" => {
            "steps from 1 to 1000000, learning_rate from 1e-7 to 100, replay_share from 0 to 0.95, all three or none".into()
        }
        _ => match format {
            Format::Jsonl => "one object in JSON, such as {\"title\":\"Learn Latin\",\"host\":\"lexicon\",\"body\":\"...\"}".into(),
            Format::Csv => "as many fields as the header has; fields with commas, quotes or line ends within quotes".into(),
        },
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
