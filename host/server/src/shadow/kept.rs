//! Shadows over a restart: what was offered, a file for each kind. What they had seen is not kept; they count anew.
//!
//! A shadow decides nothing, so it is in no journal, and a file that is lost or damaged costs nothing but the shadow.

use crate::policy_install::Offer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pointsman_model::Actor;
use pointsman_model::policy::{PolicyKind, Setting};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::PathBuf;

/// Where offers of shadows lie.
pub struct KeptShadows {
    directory: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    file: String,
    code_base64: String,
    settings: Vec<Setting>,
    trusted: bool,
    signature: Option<String>,
    actor: String,
}

impl KeptShadows {
    pub fn new(directory: PathBuf) -> KeptShadows {
        KeptShadows { directory }
    }

    pub fn keep(&self, kind: PolicyKind, offer: &Offer, actor: &Actor) -> io::Result<()> {
        let Offer {
            file,
            code,
            settings,
            trusted,
            signature,
            budgets: _,
        } = offer;
        let kept = Kept {
            file: file.clone(),
            code_base64: STANDARD.encode(code),
            settings: settings.clone(),
            trusted: *trusted,
            signature: signature.clone(),
            actor: actor.0.clone(),
        };
        fs::create_dir_all(&self.directory)?;
        let path = self.path(kind);
        // Written beside and renamed, so that a start reads the whole file or none.
        let beside = path.with_extension("tmp");
        fs::write(&beside, serde_json::to_vec(&kept)?)?;
        fs::rename(&beside, &path)
    }

    pub fn forget(&self, kind: PolicyKind) -> io::Result<()> {
        match fs::remove_file(self.path(kind)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// None where there is none; an error where there is one that cannot be read.
    pub fn find(&self, kind: PolicyKind) -> io::Result<Option<(Offer, Actor)>> {
        let bytes = match fs::read(self.path(kind)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Kept {
            file,
            code_base64,
            settings,
            trusted,
            signature,
            actor,
        } = serde_json::from_slice(&bytes)?;
        let offer = Offer {
            file,
            code: STANDARD.decode(code_base64).map_err(io::Error::other)?,
            settings,
            trusted,
            signature,
            ..Offer::default()
        };
        Ok(Some((offer, Actor(actor))))
    }

    fn path(&self, kind: PolicyKind) -> PathBuf {
        self.directory.join(format!("{kind}.json"))
    }
}
