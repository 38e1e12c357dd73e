//! Compiled code on disk, each beside the SHA-256 of what it was compiled from: to name a version, that is needed, and
//! where the processor does not help with it, it takes longer than to load the code.
//!
//! Loading compiled code is running it, so nothing is loaded that this host did not write: each file carries a keyed
//! BLAKE3 of its name and bytes, under a key that never leaves the directory's key file. A file that does not verify is
//! compiled anew and replaced. Failing to write is no failure: the next start compiles again.

use super::engine::fingerprint_of;
use pointsman_model::ids::Digest;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::Engine;
use wasmtime::component::Component;

const KEY_NAME: &str = "key";
const MAC_BYTES: usize = 32;
/// Far above what the largest policy compiles to; a larger file is not ours.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// What is kept on disk. Beyond it the files that were written longest ago go: they are compiled again if they are needed.
pub const COMPILED_FILES_MAX: usize = 256;
pub const COMPILED_BYTES_MAX: u64 = 2 << 30;

pub(crate) struct CompiledCache {
    directory: PathBuf,
    key: [u8; 32],
}

impl CompiledCache {
    pub(crate) fn open(directory: &Path) -> io::Result<CompiledCache> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let key = read_or_make_key(&directory.join(KEY_NAME))?;
        Ok(CompiledCache {
            directory: directory.to_path_buf(),
            key,
        })
    }

    /// The code compiled, and its SHA-256. None where there is no such file, or where it is not as we wrote it.
    pub(crate) fn load(&self, engine: &Engine, code: &[u8]) -> Option<(Component, Digest)> {
        let name = file_name(engine, code);
        let path = self.directory.join(&name);
        let file = File::open(&path).ok()?;
        let length = file.metadata().ok()?.len();
        if length > FILE_BYTES_MAX {
            return None;
        }
        // Read once into memory of our own: a mapped file could be changed between the check and the use.
        let mut bytes = Vec::with_capacity(usize::try_from(length).ok()? + 1);
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        let (mac, kept) = bytes.split_at_checked(MAC_BYTES)?;
        // `blake3::Hash` compares in constant time.
        if self.mac(&name, &[kept]) != blake3::Hash::from_bytes(mac.try_into().ok()?) {
            tracing::warn!(path = %path.display(), "compiled policy was altered or damaged; compiling it anew");
            return None;
        }
        let (sha256, compiled) = kept.split_first_chunk()?;
        // SAFETY: the bytes are those that `keep` was given by our own compiler, as only the holder of the key can have
        // made the code that authenticates them; the name binds them to this engine's configuration.
        match unsafe { Component::deserialize(engine, compiled) } {
            Ok(component) => Some((component, Digest(*sha256))),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled policy does not load; compiling it anew");
                None
            }
        }
    }

    pub(crate) fn keep(&self, engine: &Engine, code: &[u8], sha256: Digest, compiled: &[u8]) {
        if let Err(error) = self.write(&file_name(engine, code), sha256, compiled) {
            tracing::warn!(directory = %self.directory.display(), %error, "compiled policy could not be kept");
        }
        if let Err(error) = self.sweep() {
            tracing::warn!(directory = %self.directory.display(), %error, "compiled policies could not be swept");
        }
    }

    fn sweep(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            // Another thread may have taken it away meanwhile.
            let Ok(metadata) = entry.metadata() else { continue };
            if entry.file_name() != KEY_NAME {
                files.push((metadata.modified()?, metadata.len(), entry.path()));
            }
        }
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        let mut count = files.len();
        files.sort();
        for (_, file_bytes, path) in files {
            if count <= COMPILED_FILES_MAX && bytes <= COMPILED_BYTES_MAX {
                break;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            bytes -= file_bytes;
            count -= 1;
        }
        Ok(())
    }

    fn write(&self, name: &str, sha256: Digest, compiled: &[u8]) -> io::Result<()> {
        // Two threads may compile the same code, so the process's id is not enough of a name.
        static WRITTEN: AtomicU64 = AtomicU64::new(0);
        let count = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let beside = self.directory.join(format!("{name}.{}-{count}.tmp", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        // Written beside and renamed, so that a reader sees the whole file or none.
        let written = file
            .write_all(self.mac(name, &[&sha256.0, compiled]).as_bytes())
            .and_then(|()| file.write_all(&sha256.0))
            .and_then(|()| file.write_all(compiled))
            .and_then(|()| fs::rename(&beside, self.directory.join(name)));
        if written.is_err() {
            // A disk that is full is not helped by half a file.
            let _ = fs::remove_file(&beside);
        }
        written
    }

    fn mac(&self, name: &str, kept: &[&[u8]]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        for part in kept {
            hasher.update(part);
        }
        hasher.finalize()
    }
}

/// Code and engine: another wasmtime, processor or configuration has other files.
fn file_name(engine: &Engine, code: &[u8]) -> String {
    let code = Digest::of(code);
    let engine: String = fingerprint_of(engine).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{engine}-{code}.cwasm")
}

fn read_or_make_key(path: &Path) -> io::Result<[u8; 32]> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let mut key = [0; 32];
            File::open("/dev/urandom")?.read_exact(&mut key)?;
            file.write_all(&key)?;
            file.sync_all()?;
            Ok(key)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let bytes = fs::read(path)?;
            let private = fs::metadata(path)?.permissions().mode() & 0o077 == 0;
            match bytes.try_into() {
                Ok(key) if private => Ok(key),
                // Damaged, or readable by others: what was signed with it proves nothing any more.
                Ok(_) | Err(_) => {
                    fs::remove_file(path)?;
                    read_or_make_key(path)
                }
            }
        }
        Err(error) => Err(error),
    }
}
