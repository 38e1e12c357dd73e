use super::*;
use serde_json::json;

const HEAD: &str = "# Rows\n\n| Row | What | API | Command | Screen | Test | Note |\n| --- | --- | --- | --- | --- | --- | --- |\n";
const ONE: &str = "| S1 | What waits | `GET /api/v1/queue` lanes.pending, lock.since | `queue status` | #/queue Lanes<br>#/jobs/:id | `lanes.txt`<br>`queue.rs::it_is_told` | |\n";
const TWO: &str = "| S2 | What is to come | - | - | - | - | NOT DONE: nothing of it is there. |\n";

fn document() -> Value {
    json!({
        "paths": { "/api/v1/queue": { "get": { "responses": {
            "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Queue" } } } },
            "503": {},
        } } } },
        "components": { "schemas": {
            "Queue": { "properties": {
                "lanes": { "type": "array", "items": { "$ref": "#/components/schemas/Lane" } },
                "lock": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Lock" }] },
            } },
            "Lane": { "properties": { "pending": { "type": "integer" } } },
            "Lock": { "properties": { "since": { "type": "integer" } } },
        } },
    })
}

fn read(file: &str) -> Option<String> {
    let text = match file {
        "host/server/tests/host/queue.rs" => {
            "fn helper() {}\n\n/// What it is about.\n#[tokio::test(flavor = \"multi_thread\")]\nasync fn it_is_told() {}\n"
        }
        "tests/scenarios/lanes.txt" => "show queue\n",
        "tests/browser/queue.mjs" => "await checks.check('queue: lanes are there', async () => {});\n",
        _ => return None,
    };
    Some(text.to_string())
}

/// What a table of two rows is told.
fn examined(rows: &str) -> Report {
    let known = Known {
        document: document(),
        routes: routes("case 'queue': return '#/queue' + query(route.filter); case 'job': return `#/jobs/${route.id}`;"),
        commands: "queue status --json -> 0\n".to_string(),
        pages: "<h2 id=\"lanes-title\">Lanes</h2>".to_string(),
        read: &read,
    };
    examine(&format!("{HEAD}{rows}"), 2, &known)
}

#[test]
fn what_is_there_passes_and_is_counted() {
    let report = examined(&format!("{ONE}{TWO}"));
    assert_eq!(report.faults, Vec::<String>::new());
    assert_eq!((report.shown, report.in_part, report.not_done), (1, 0, 1));
    let in_part = ONE.replace("| |\n", "| PARTLY: the rest is missing. |\n");
    assert_eq!(examined(&format!("{in_part}{TWO}")).in_part, 1);
}

#[test]
fn a_row_that_is_missing_or_doubled_is_named() {
    assert_eq!(
        examined(ONE).faults,
        ["tests/features.md: S2 is missing; give it a row, with NOT DONE in its note where nothing shows it"]
    );
    assert_eq!(
        examined(&format!("{ONE}{TWO}{TWO}")).faults,
        ["tests/features.md:7: S2 stands here a second time; make one row of the two"]
    );
    let beyond = TWO.replace("S2", "S3");
    assert_eq!(
        examined(&format!("{ONE}{TWO}{beyond}")).faults,
        ["tests/features.md:7: S3 is no row; they are S1 to S2"]
    );
}

#[test]
fn a_row_that_falls_apart_is_named() {
    let apart = ONE.replace("What waits", "What | waits");
    assert_eq!(
        examined(&format!("{apart}{TWO}")).faults[0],
        "tests/features.md:5: a row has 7 cells, and no | within one"
    );
}

/// The one fault of the first row with something in it replaced by something else.
fn fault_with(part: &str, other: &str) -> String {
    let changed = ONE.replace(part, other);
    assert_ne!(changed, ONE, "{part} is a part of it");
    let mut faults = examined(&format!("{changed}{TWO}")).faults;
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults.remove(0)
}

#[test]
fn what_is_named_and_not_there_is_told_with_the_cure() {
    for (part, other, told) in [
        (
            "GET /api/v1/queue",
            "POST /api/v1/queue",
            "names POST /api/v1/queue, which is not in docs/openapi.json",
        ),
        ("lock.since", "lock.until", "names the field lock.until of GET /api/v1/queue"),
        ("queue status", "queue state", "names the command queue state"),
        ("#/queue Lanes", "#/lanes Lanes", "names the screen #/lanes"),
        ("#/queue Lanes", "#/queue Tracks", "names the panel Tracks"),
        ("lanes.txt", "lines.txt", "there is no tests/scenarios/lines.txt"),
        (
            "queue.rs::it_is_told",
            "queue.rs::helper",
            "which host/server/tests/host/queue.rs has not",
        ),
        (
            "queue.rs::it_is_told",
            "queue.mjs::queue: lanes",
            "which tests/browser/queue.mjs has not",
        ),
        ("| What waits |", "| |", "says nothing of what it is"),
        ("| |\n", "| NOT DONE |\n", "is NOT DONE and claims a test"),
        ("`lanes.txt`<br>`queue.rs::it_is_told`", "-", "has no test"),
    ] {
        let fault = fault_with(part, other);
        assert!(fault.starts_with("tests/features.md:5: S1 ") && fault.contains(told), "{fault}");
    }
    let shown_on_the_page = ONE.replace("queue.rs::it_is_told", "queue.mjs::queue: lanes are there");
    assert_eq!(examined(&format!("{shown_on_the_page}{TWO}")).faults, Vec::<String>::new());
}
