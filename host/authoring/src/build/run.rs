//! Runs a tool and tells that it is still running.

use super::{BuildError, Progress};
use std::io::{Read, Seek, SeekFrom};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often a running tool is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The end of a tool's words that an error quotes.
const OUTPUT_BYTES_MAX: u64 = 8 << 10;

/// Keeps the tool's words, and tells them only where it fails.
pub(super) fn quietly(step: &str, command: &mut Command, tell: &mut dyn FnMut(Progress<'_>)) -> Result<(), BuildError> {
    let start_failed = |command: &Command, source| BuildError::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    };
    // A file and not a pipe: nobody has to empty it while the tool runs.
    let mut words = scratch_file().map_err(|source| start_failed(command, source))?;
    let (out, err) = match (words.try_clone(), words.try_clone()) {
        (Ok(out), Ok(err)) => (out, err),
        (Err(source), _) | (_, Err(source)) => return Err(start_failed(command, source)),
    };
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    let started = Instant::now();
    tell(Progress::Begins(step));
    let mut child = command.spawn().map_err(|source| start_failed(command, source))?;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => {
                tell(Progress::GoesOn(step, started.elapsed()));
                std::thread::park_timeout(LOOK_EVERY);
            }
            Err(source) => return Err(start_failed(command, source)),
        }
    };
    if status.success() {
        tell(Progress::Ends(step, started.elapsed()));
        return Ok(());
    }
    let mut output = Vec::new();
    let length = words.seek(SeekFrom::End(0)).unwrap_or(0);
    let quoted = words
        .seek(SeekFrom::Start(length.saturating_sub(OUTPUT_BYTES_MAX)))
        .and_then(|_| words.read_to_end(&mut output));
    let output = match quoted {
        Ok(_) => format!(":\n{}", String::from_utf8_lossy(&output).trim_end()),
        Err(error) => format!("; its words cannot be read: {error}"),
    };
    Err(BuildError::Failed {
        step: step.to_string(),
        status,
        output,
    })
}

/// Lets the tool speak for itself: cargo shows its own progress.
pub(super) fn aloud(step: &str, command: &mut Command, tell: &mut dyn FnMut(Progress<'_>)) -> Result<(), BuildError> {
    let started = Instant::now();
    tell(Progress::Begins(step));
    let status = command.stdin(Stdio::null()).status().map_err(|source| BuildError::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })?;
    if !status.success() {
        return Err(BuildError::Failed {
            step: step.to_string(),
            status,
            output: "; the compiler's words are above".to_string(),
        });
    }
    tell(Progress::Ends(step, started.elapsed()));
    Ok(())
}

/// A file without a name: it is gone when it is closed.
fn scratch_file() -> std::io::Result<std::fs::File> {
    let path = std::env::temp_dir().join(format!("pointsman-build-{}-{:?}", std::process::id(), std::thread::current().id()));
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
