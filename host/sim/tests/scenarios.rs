//! Runs every `tests/scenarios/*.txt` and compares the transcript with the `.out` beside it.
//! `UPDATE=1 cargo test -p pointsman-sim` writes the transcripts anew; read the difference before you commit it.

use std::path::{Path, PathBuf};

#[test]
fn scenarios_match_their_transcripts() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let mut scripts: Vec<PathBuf> = std::fs::read_dir(&dir)
        .expect("tests/scenarios can be read")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    scripts.sort();
    assert!(!scripts.is_empty(), "there are scenarios");
    let mut wrong = Vec::new();
    for script in scripts {
        let name = script.file_stem().expect("a file name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&script).expect("a script can be read");
        let transcript = pointsman_sim::scenario::run(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected_path = script.with_extension("out");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&expected_path, &transcript).expect("the transcript can be written");
        }
        let expected = std::fs::read_to_string(&expected_path).unwrap_or_default();
        if transcript != expected {
            let line = transcript.lines().zip(expected.lines()).position(|(new, old)| new != old);
            let at = line.unwrap_or(transcript.lines().count().min(expected.lines().count()));
            wrong.push(format!(
                "{name}.out line {}:\n  expected {:?}\n  got      {:?}",
                at + 1,
                expected.lines().nth(at),
                transcript.lines().nth(at)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
