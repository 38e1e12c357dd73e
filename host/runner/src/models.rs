//! The files of trained models: taken over from the runs that made them, kept while they are wanted.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use pointsman_model::run::ModelFile;
use pointsman_model::{Digest, RunId};
use pointsman_trainer::MODEL_FILE;

use crate::directory::{RunDirectory, remove_dir_if_any, sync_dir};

/// Where all models lie, each in a directory named by the run that made it.
pub(crate) fn models_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("models")
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum AdoptError {
    #[error("{} is not a plain file", .0.display())]
    NotAFile(PathBuf),
    #[error("the model cannot be taken over: {0}")]
    Move(#[from] io::Error),
}

/// Moves the model that a run left in its output directory to where models are kept. None where it left none. May be called again,
/// also after a crash half-way.
pub(crate) fn adopt(data_dir: &Path, run: RunId) -> Result<Option<ModelFile>, AdoptError> {
    let models = models_dir(data_dir);
    let home = models.join(run.to_string());
    if let Some(file) = open_plain(&home.join(MODEL_FILE))? {
        return Ok(Some(describe(run, file)?));
    }
    let made = RunDirectory::of(data_dir, run).out().join(MODEL_FILE);
    let Some(file) = open_plain(&made)? else { return Ok(None) };
    file.sync_all()?;
    let draft = models.join(format!(".new-{run}"));
    remove_dir_if_any(&draft)?;
    fs::create_dir(&draft)?;
    // Found by the next try, should this one stop here.
    fs::hard_link(&made, draft.join(MODEL_FILE))?;
    sync_dir(&draft)?;
    remove_dir_if_any(&home)?;
    fs::rename(&draft, &home)?;
    sync_dir(&models)?;
    Ok(Some(describe(run, file)?))
}

/// A trainer may leave a link to anywhere; only a plain file is a model.
fn open_plain(path: &Path) -> Result<Option<File>, AdoptError> {
    // A pipe without a writer would block forever.
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => return Err(AdoptError::NotAFile(path.to_path_buf())),
        Err(error) => return Err(error.into()),
    };
    if file.metadata()?.is_file() {
        Ok(Some(file))
    } else {
        Err(AdoptError::NotAFile(path.to_path_buf()))
    }
}

fn describe(run: RunId, mut file: File) -> io::Result<ModelFile> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        bytes += count as u64;
    }
    Ok(ModelFile {
        digest: Digest(*hasher.finalize().as_bytes()),
        bytes,
        path: format!("models/{run}"),
    })
}

/// Deletes the models that nobody wants: neither by path nor as the work of a run that is not settled.
pub(crate) fn sweep(data_dir: &Path, wanted: &BTreeSet<String>, unsettled: &BTreeSet<RunId>) -> io::Result<()> {
    for entry in fs::read_dir(models_dir(data_dir))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        // Drafts and whatever else an operator may have put there are left alone.
        let Ok(run) = name.parse().map(RunId) else { continue };
        if !wanted.contains(&format!("models/{name}")) && !unsettled.contains(&run) {
            tracing::info!(model = name, "deleting a model that is not kept");
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data_dir(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("pointsman-models-{name}-{}", std::process::id()));
        remove_dir_if_any(&dir).unwrap();
        fs::create_dir_all(models_dir(&dir)).unwrap();
        fs::create_dir_all(RunDirectory::of(&dir, RunId(1)).out()).unwrap();
        dir
    }

    #[test]
    fn a_model_is_taken_over_once_and_described_alike_each_time() {
        let dir = data_dir("adopt");
        let run = RunDirectory::of(&dir, RunId(1));
        fs::write(run.out().join(MODEL_FILE), b"weights").unwrap();
        let model = adopt(&dir, RunId(1)).unwrap().unwrap();
        assert_eq!(
            model,
            ModelFile {
                digest: Digest::of(b"weights"),
                bytes: 7,
                path: "models/1".into()
            }
        );
        fs::remove_dir_all(run.out()).unwrap();
        assert_eq!(adopt(&dir, RunId(1)).unwrap(), Some(model));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_link_is_no_model() {
        let dir = data_dir("link");
        std::os::unix::fs::symlink("/etc/passwd", RunDirectory::of(&dir, RunId(1)).out().join(MODEL_FILE)).unwrap();
        assert!(matches!(adopt(&dir, RunId(1)), Err(AdoptError::NotAFile(_))));
        assert!(!models_dir(&dir).join("1").exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn only_models_nobody_wants_are_deleted() {
        let dir = data_dir("sweep");
        for name in ["1", "2", "3", "notes"] {
            fs::create_dir(models_dir(&dir).join(name)).unwrap();
        }
        sweep(&dir, &["models/1".to_string()].into(), &[RunId(2)].into()).unwrap();
        let left: BTreeSet<String> = fs::read_dir(models_dir(&dir))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(left, ["1", "2", "notes"].map(String::from).into());
        fs::remove_dir_all(dir).unwrap();
    }
}
