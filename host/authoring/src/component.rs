//! From a core module to a component.

use std::path::{Path, PathBuf};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    #[error("the contract in {path} cannot be read: {problem}")]
    Contract { path: PathBuf, problem: String },
    #[error("no component can be made of the module: {0}")]
    Encode(String),
}

/// A component of a core module that carries its component type, as `wit-bindgen`'s Rust bindings leave it.
pub fn wrap(module: &[u8]) -> Result<Vec<u8>, ComponentError> {
    let encode = || ComponentEncoder::default().validate(true).module(module)?.encode();
    encode().map_err(|error| ComponentError::Encode(format!("{error:#}")))
}

/// The same of a module without a component type: it is taken from the contract's world.
pub fn wrap_with_world(module: &[u8], contract: &Path, world: &str) -> Result<Vec<u8>, ComponentError> {
    let refused = |problem: String| ComponentError::Contract {
        path: contract.to_path_buf(),
        problem,
    };
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(contract).map_err(|error| refused(format!("{error:#}")))?;
    let world = resolve
        .select_world(&[package], Some(world))
        .map_err(|error| refused(format!("{error:#}")))?;
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| ComponentError::Encode(format!("{error:#}")))?;
    wrap(&module)
}
