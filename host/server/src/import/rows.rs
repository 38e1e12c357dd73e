//! A record as a source: its fields read one by one, each problem with the name of its field and a cure.

use super::Format;
use super::records::Record;
use pointsman_coordinator::source_problems;
use pointsman_model::settings::Settings;
use pointsman_model::source::{Lane, NewSource, Origin, TrainingParams};
use serde::Deserialize;

const RANGES: &str = "steps from 1 to 1000000, learning_rate from 1e-7 to 100, replay_share from 0 to 0.95";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
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

pub(super) fn header(record: &Record) -> Result<Vec<Column>, String> {
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
pub(super) type Problems = Vec<(String, String)>;

pub(super) struct Parser<'s> {
    pub(super) format: Format,
    pub(super) origin: Origin,
    pub(super) settings: &'s Settings,
    pub(super) columns: Vec<Column>,
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
    pub(super) fn parse(&self, record: &Record) -> Result<NewSource, Problems> {
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

pub(super) fn cure(field: &str, format: Format) -> String {
    match field.split(['.', '[']).next().unwrap_or_default() {
        "title" => "say in 1 to 200 bytes, without control characters, what is to be practised".into(),
        "body" => "shorten the text to 256 KiB, or split it over several lines".into(),
        "host" => "name a host with at most 120 bytes and without control characters, or leave it out".into(),
        "priority" => "a whole number; higher goes first".into(),
        "lane" => "queue or curriculum".into(),
        "params" | "steps" | "learning_rate" | "replay_share" => match format {
            Format::Jsonl => format!("{RANGES}, all three or none"),
            Format::Csv => format!("{RANGES}; what is left empty is as the settings have it"),
        },
        _ => match format {
            Format::Jsonl => "one object in JSON, such as {\"title\":\"Learn Latin\",\"host\":\"lexicon\",\"body\":\"...\"}".into(),
            Format::Csv => "as many fields as the header has; fields with commas, quotes or line ends within quotes".into(),
        },
    }
}
