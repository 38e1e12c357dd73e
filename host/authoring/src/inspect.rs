//! What a file is, read from its bytes alone: nothing of it is compiled or run.

use pointsman_model::policy::PolicyKind;
use serde::Serialize;
use wasmparser::{ComponentExternalKind, ComponentTypeRef, Encoding, KnownCustom, Parser, Payload, ProducersSectionReader, TypeBounds};

/// The functions that a kind's world exports; `migrate` is the one that may come on top.
const EXPORTS: [&str; 3] = ["describe", "check-settings", "decide"];

/// A look into a component.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Inspection {
    pub bytes: u64,
    /// By the types of the contract that it names; none where that names none or several kinds.
    pub kind: Option<PolicyKind>,
    /// Versions of `pointsman:policy` that its imports name.
    pub contract: Vec<String>,
    /// What it needs at run time: instances, functions and resources.
    pub imports: Vec<String>,
    /// Interfaces and types that it only names.
    pub type_imports: Vec<String>,
    pub exports: Vec<String>,
    /// Functions of the contract that it should export and does not.
    pub exports_missing: Vec<String>,
    pub core_modules: u32,
    /// Who made it, as tools left it in the file: `language: Rust`.
    pub producers: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error("it is a core module and not a component; `pointsman policy build` makes one in a project")]
    CoreModule,
    #[error("it is not a WebAssembly component")]
    NotWasm,
    #[error("it is not a valid component: {message} at byte {offset}")]
    Malformed { message: String, offset: u64 },
}

impl Inspection {
    pub fn of(bytes: &[u8]) -> Result<Inspection, InspectError> {
        if !bytes.starts_with(b"\0asm") {
            return Err(InspectError::NotWasm);
        }
        let malformed = |error: wasmparser::BinaryReaderError| InspectError::Malformed {
            message: error.message().to_string(),
            offset: error.offset() as u64,
        };
        let mut found = Inspection {
            bytes: bytes.len() as u64,
            ..Inspection::default()
        };
        // Imports and exports are those of the outermost component; modules are counted wherever they stand.
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(malformed)? {
                Payload::Version {
                    encoding: Encoding::Module,
                    ..
                } if depth == 0 => return Err(InspectError::CoreModule),
                Payload::ModuleSection { .. } => {
                    depth += 1;
                    found.core_modules += 1;
                }
                Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(imports) if depth == 0 => {
                    for import in imports {
                        let import = import.map_err(malformed)?;
                        let only_a_name = matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_)));
                        let holds_types = import.name.name.starts_with("pointsman:policy/") && !import.name.name.contains("/log@");
                        let list = if only_a_name || holds_types {
                            &mut found.type_imports
                        } else {
                            &mut found.imports
                        };
                        list.push(import.name.name.to_string());
                    }
                }
                Payload::ComponentExportSection(exports) if depth == 0 => {
                    for export in exports {
                        let export = export.map_err(malformed)?;
                        if matches!(export.kind, ComponentExternalKind::Func | ComponentExternalKind::Instance) {
                            found.exports.push(export.name.name.to_string());
                        }
                    }
                }
                // Wherever it stands: what an encoder adds is outside, what a compiler adds is in a module.
                Payload::CustomSection(section) => {
                    if let KnownCustom::Producers(section) = section.as_known() {
                        add_producers(&mut found.producers, section);
                    }
                }
                _ => {}
            }
        }
        found.producers.sort();
        found.exports_missing = EXPORTS
            .iter()
            .filter(|wanted| !found.exports.iter().any(|export| export == *wanted))
            .map(|wanted| wanted.to_string())
            .collect();
        found.read_contract();
        Ok(found)
    }

    fn read_contract(&mut self) {
        let mut kinds = Vec::new();
        for import in self.imports.iter().chain(&self.type_imports) {
            let Some((interface, version)) = import.strip_prefix("pointsman:policy/").and_then(|rest| rest.split_once('@')) else {
                continue;
            };
            if !self.contract.iter().any(|known| known == version) {
                self.contract.push(version.to_string());
            }
            if let Some(kind) = interface.strip_suffix("-types").and_then(PolicyKind::parse)
                && !kinds.contains(&kind)
            {
                kinds.push(kind);
            }
        }
        self.kind = match kinds.as_slice() {
            [kind] => Some(*kind),
            [] | [_, _, ..] => None,
        };
    }
}

/// One line for each tool, without doubles. A section that cannot be read has none: producers are a courtesy.
fn add_producers(lines: &mut Vec<String>, section: ProducersSectionReader<'_>) {
    for field in section.into_iter().flatten() {
        for value in field.values.into_iter().flatten() {
            let line = format!("{}: {} {}", field.name, value.name, value.version).trim_end().to_string();
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component;
    use std::path::Path;
    use wit_parser::Resolve;

    fn contract() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/policy-0.1.0")
    }

    #[test]
    fn the_contract_names_every_kind() {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(contract()).expect("the contract parses");
        for kind in PolicyKind::ALL {
            resolve.select_world(&[package], Some(kind.slug())).expect("a world of each kind");
        }
    }

    #[test]
    fn what_is_no_component_is_told_apart() {
        assert!(matches!(Inspection::of(b"fn decide"), Err(InspectError::NotWasm)));
        assert!(matches!(Inspection::of(b"\0asm\x01\0\0\0"), Err(InspectError::CoreModule)));
        assert!(matches!(
            Inspection::of(b"\0asm\x0d\0\x01\0\xff"),
            Err(InspectError::Malformed { .. })
        ));
        let empty = Inspection::of(b"\0asm\x0d\0\x01\0").expect("an empty component");
        assert_eq!(empty.exports_missing, EXPORTS);
    }

    #[test]
    fn a_module_without_the_exports_makes_no_component() {
        let error = component::wrap_with_world(b"\0asm\x01\0\0\0", &contract(), "retry").expect_err("it exports nothing");
        assert!(error.to_string().contains("no component can be made"), "{error}");
        let error = component::wrap_with_world(b"\0asm\x01\0\0\0", &contract(), "odd").expect_err("there is no such world");
        assert!(error.to_string().contains("cannot be read"), "{error}");
    }
}
