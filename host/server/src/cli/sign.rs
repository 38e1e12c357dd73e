//! `pointsman policy keygen` and `sign`: need no host.

use super::exit::Exit;
use crate::signing;
use serde_json::json;
use std::path::Path;

pub(crate) fn keygen(json: bool, name: &Path) -> Result<(), Exit> {
    let (private, public) = signing::generate(name)?;
    if json {
        println!("{}", json!({ "private": private, "public": public }));
    } else {
        eprintln!(
            "{} signs: keep it to yourself\n{} goes into the directory of trusted keys",
            private.display(),
            public.display()
        );
    }
    Ok(())
}

pub(crate) fn sign(json: bool, file: &Path, key: &Path) -> Result<(), Exit> {
    let code = std::fs::read(file).map_err(|error| Exit::failed(format!("{} cannot be read: {error}", file.display())))?;
    let text = signing::sign(&code, key)?;
    let path = signing::signature_file(file);
    std::fs::write(&path, text).map_err(|error| Exit::failed(format!("{} cannot be written: {error}", path.display())))?;
    let digest = pointsman_policy::sha256(&code).to_string();
    if json {
        println!("{}", json!({ "signature": path, "code_digest": digest }));
    } else {
        eprintln!("{} signs sha256:{digest}", path.display());
    }
    Ok(())
}
