//! `features`: each row of the control center stands in `tests/features.md`, and all that it names is there.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::path::Path;

const TABLE: &str = "tests/features.md";
const LAST_ROW: u32 = 195;
const DOCUMENT: &str = "docs/openapi.json";
const ROUTES: &str = "web/src/route.ts";
/// The panels of settings are named by the host.
const SETTINGS: &str = "host/server/src/settings.rs";
const COMMANDS: &str = "host/server/tests/command_line.txt";
/// Where a test's file is that is named without its folder.
const FOLDERS: [(&str, &str); 3] = [
    (".rs", "host/server/tests/host"),
    (".mjs", "tests/browser"),
    (".txt", "tests/scenarios"),
];

pub(crate) fn check(root: &Path) -> Result<()> {
    let text = |file: &str| fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"));
    let table = text(TABLE)?;
    let read = |file: &str| fs::read_to_string(root.join(file)).ok();
    let known = Known {
        document: serde_json::from_str(&text(DOCUMENT)?).with_context(|| format!("{DOCUMENT} is no JSON"))?,
        routes: routes(&text(ROUTES)?),
        commands: text(COMMANDS)?,
        pages: pages(&root.join("web/src"))? + &text(SETTINGS)?,
        read: &read,
    };
    let report = examine(&table, LAST_ROW, &known);
    if !report.faults.is_empty() {
        bail!("the rows of the control center:\n  {}", report.faults.join("\n  "));
    }
    eprintln!(
        "features: of {LAST_ROW} rows {} are shown by a test ({} of them in part, as their notes say), {} are NOT DONE",
        report.shown, report.in_part, report.not_done
    );
    Ok(())
}

/// What the table is held against.
struct Known<'k> {
    document: Value,
    routes: Vec<String>,
    commands: String,
    /// The text of all components of the page, and what the host names for them.
    pages: String,
    /// A file of the repository, where there is one.
    read: &'k dyn Fn(&str) -> Option<String>,
}

#[derive(Default)]
struct Report {
    faults: Vec<String>,
    shown: usize,
    in_part: usize,
    not_done: usize,
}

fn examine(table: &str, last: u32, known: &Known<'_>) -> Report {
    let mut report = Report::default();
    let mut seen: Vec<u32> = Vec::new();
    for (index, line) in table.lines().enumerate().filter(|(_, line)| line.starts_with("| S")) {
        let place = format!("{TABLE}:{}", index + 1);
        let cells: Vec<String> = line
            .trim()
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().replace('`', ""))
            .collect();
        let [row, what, api, command, screen, test, note] = cells.as_slice() else {
            report.faults.push(format!("{place}: a row has 7 cells, and no | within one"));
            continue;
        };
        let number: u32 = row.strip_prefix('S').and_then(|digits| digits.parse().ok()).unwrap_or(0);
        if number == 0 || number > last {
            report.faults.push(format!("{place}: {row} is no row; they are S1 to S{last}"));
            continue;
        }
        let mut faults = Vec::new();
        if seen.contains(&number) {
            faults.push("stands here a second time; make one row of the two".to_string());
        }
        seen.push(number);
        if what.is_empty() {
            faults.push("says nothing of what it is; a few words, please".to_string());
        }
        parts(api).for_each(|part| faults.extend(api_faults(part, &known.document)));
        faults.extend(parts(command).filter_map(|part| command_fault(part, &known.commands)));
        faults.extend(parts(screen).filter_map(|part| screen_fault(part, known)));
        faults.extend(parts(test).filter_map(|part| test_fault(part, known.read)));
        let is_shown = parts(test).next().is_some();
        let is_not_done = note.contains("NOT DONE");
        match (is_shown, is_not_done) {
            (true, true) => faults.push("is NOT DONE and claims a test; take out the one or the other".to_string()),
            (false, false) => faults.push("has no test; name one, or say NOT DONE in its note".to_string()),
            (true, false) => report.shown += 1,
            (false, true) => report.not_done += 1,
        }
        if is_shown && note.contains("PARTLY") {
            report.in_part += 1;
        }
        let told = faults.into_iter().map(|fault| format!("{place}: {row} {fault}"));
        report.faults.extend(told);
    }
    let missing = (1..=last).filter(|number| !seen.contains(number));
    let told =
        missing.map(|number| format!("{TABLE}: S{number} is missing; give it a row, with NOT DONE in its note where nothing shows it"));
    report.faults.extend(told);
    report
}

/// What stands in a cell, one by one.
fn parts(cell: &str) -> impl Iterator<Item = &str> {
    cell.split("<br>").map(str::trim).filter(|part| !part.is_empty() && *part != "-")
}

/// `GET /api/v1/state window.done, window.size`: the operation is described, and its answer has these fields.
fn api_faults(part: &str, document: &Value) -> Vec<String> {
    let mut words = part.splitn(3, ' ');
    let mut word = || words.next().unwrap_or_default();
    let (method, path, fields) = (word(), word(), word());
    let operation = &document["paths"][path][method.to_lowercase().as_str()];
    if operation.is_null() {
        return vec![format!(
            "names {method} {path}, which is not in {DOCUMENT}; name an operation that is, or write the document anew: POINTSMAN_UPDATE=1"
        )];
    }
    let answers = operation["responses"].as_object().into_iter().flatten();
    let mut good = answers.filter(|(status, _)| status.starts_with('2'));
    let content = good.next().and_then(|(_, answer)| answer["content"].as_object()?.values().next());
    let has = |field: &str| {
        let names: Vec<&str> = field.split('.').collect();
        content.is_some_and(|content| has_field(document, &content["schema"], &names))
    };
    fields
        .split(',')
        .map(str::trim)
        .filter(|field| !field.is_empty() && !has(field))
        .map(|field| format!("names the field {field} of {method} {path}, which its answer in {DOCUMENT} has not; name one that it has"))
        .collect()
}

/// Whether a schema leads to a field, through references, lists and what may be none.
fn has_field(document: &Value, schema: &Value, names: &[&str]) -> bool {
    let Some((first, rest)) = names.split_first() else {
        return true;
    };
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        return target.is_some_and(|target| has_field(document, target, names));
    }
    let field = &schema["properties"][*first];
    if !field.is_null() {
        return has_field(document, field, rest);
    }
    let mut choices = ["oneOf", "anyOf", "allOf"]
        .into_iter()
        .filter_map(|word| schema[word].as_array())
        .flatten();
    choices.any(|choice| has_field(document, choice, names))
        || (schema["items"].is_object() && has_field(document, &schema["items"], names))
}

fn command_fault(part: &str, commands: &str) -> Option<String> {
    let is_there = commands
        .lines()
        .any(|line| line.strip_prefix(part).is_some_and(|rest| rest.starts_with(' ')));
    (!is_there).then(|| format!("names the command {part}, with which no line of {COMMANDS} begins; name one that is tested there"))
}

/// `#/queue Lanes`: the address is one of the page's, and a component has a panel of that name.
fn screen_fault(part: &str, known: &Known<'_>) -> Option<String> {
    if part == "every page" {
        return None;
    }
    let (address, panel) = part.split_once(' ').unwrap_or((part, ""));
    if !known.routes.contains(&plain(address)) {
        return Some(format!("names the screen {address}, unknown to {ROUTES}; name one it knows"));
    }
    (!known.pages.contains(panel)).then(|| format!("names the panel {panel}, and no component of web/src does; name it as the page does"))
}

/// The addresses that the page makes, with each variable part as `:`.
fn routes(source: &str) -> Vec<String> {
    let pieces = source.split(['\'', '`']);
    pieces.filter(|piece| piece.starts_with("#/")).map(plain).collect()
}

fn plain(address: &str) -> String {
    let is_variable = |segment: &str| segment.starts_with(':') || segment.starts_with("${");
    let segments = address.split('/');
    let plain: Vec<&str> = segments.map(|segment| if is_variable(segment) { ":" } else { segment }).collect();
    plain.join("/")
}

/// `queue.rs::name`, `queue.mjs::title` or `lanes.txt`: the file is there, and has that test.
fn test_fault(part: &str, read: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let (file, name) = part.split_once("::").unwrap_or((part, ""));
    let folder = FOLDERS.iter().find(|(end, _)| !file.contains('/') && file.ends_with(*end));
    let path = folder.map_or(file.to_string(), |(_, folder)| format!("{folder}/{file}"));
    let Some(text) = read(&path) else {
        return Some(format!("names the test {part}, and there is no {path}; name one that is there"));
    };
    let has_it = match path.rsplit('.').next() {
        Some("rs") => is_rust_test(&text, name),
        Some("txt") => name.is_empty(),
        _ => text.contains(&format!("'{name}'")) || text.contains(&format!("`{name}`")),
    };
    (!has_it).then(|| format!("names the test {part}, which {path} has not; name one of its tests"))
}

/// Whether a function of that name stands right below an attribute that makes it a test.
fn is_rust_test(text: &str, name: &str) -> bool {
    let start = format!("fn {name}(");
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if is_test && line.trim_start_matches("async ").starts_with(&start) {
            return true;
        } else if !line.starts_with("#[") && !line.starts_with("///") {
            is_test = false;
        }
    }
    false
}

/// The text of all components below a folder.
fn pages(folder: &Path) -> Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            text.push_str(&pages(&path)?);
        } else if path.extension().is_some_and(|end| end == "svelte") {
            text.push_str(&fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?);
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
