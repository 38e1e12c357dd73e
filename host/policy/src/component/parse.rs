//! What is refused before anything is compiled: core modules and imports of a world that policies do not have.

use crate::problem::{PolicyProblem, ProblemCode, Stage};
use wasmparser::{ComponentTypeRef, Encoding, Parser, Payload, TypeBounds};

/// Interfaces of the contract that a component may name. All but `log` hold types only.
const INTERFACES: [&str; 6] = [
    "log",
    "types",
    "source-selection-types",
    "retry-types",
    "promotion-gate-types",
    "curriculum-types",
];

pub(super) fn check(file: &str, code: &[u8]) -> Result<(), PolicyProblem> {
    let refuse = |code, message: String| PolicyProblem::new(code, Stage::Parse, file, message);
    let malformed = |error: wasmparser::BinaryReaderError| {
        refuse(
            ProblemCode::Malformed,
            format!("not a valid component: {} at byte {}", error.message(), error.offset()),
        )
        .fix("build it again; the file may be truncated")
    };
    // Nested components and modules stand inside; only the imports of the outermost are asked of us.
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(code) {
        match payload.map_err(malformed)? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => {
                return Err(
                    refuse(ProblemCode::CoreModule, "it is a core module and not a component".to_string())
                        .fix("run `wasm-tools component new`, or build it with the SDK in plugins/"),
                );
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports {
                    let import = import.map_err(malformed)?;
                    let name = import.name.name;
                    // A world that uses the contract's types names them again as imports; a name of a type can do nothing.
                    let only_a_name = matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_)));
                    if !only_a_name && !is_ours(name) {
                        return Err(refuse(
                            ProblemCode::RefusedImport,
                            format!("it imports '{name}', which policies do not have"),
                        )
                        .fix("build for wasm32-unknown-unknown with no WASI; a policy may import pointsman:policy/log only"));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_ours(import: &str) -> bool {
    let Some((interface, version)) = import.strip_prefix("pointsman:policy/").and_then(|rest| rest.split_once('@')) else {
        return false;
    };
    INTERFACES.contains(&interface) && version.starts_with("0.1.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_contract_is_ours() {
        assert!(is_ours("pointsman:policy/log@0.1.0"));
        assert!(is_ours("pointsman:policy/retry-types@0.1.3"));
        for foreign in [
            "wasi:clocks/wall-clock@0.2.0",
            "pointsman:policy/log@0.2.0",
            "pointsman:policy/files@0.1.0",
            "log",
        ] {
            assert!(!is_ours(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_core_module_is_told_from_a_component() {
        let problem = check("p.wasm", b"\0asm\x01\0\0\0").expect_err("a core module");
        assert_eq!(problem.code, ProblemCode::CoreModule);
        let problem = check("p.wasm", b"\0asm\x0d\0\x01\0\xff").expect_err("a damaged component");
        assert_eq!(problem.code, ProblemCode::Malformed);
        check("p.wasm", b"\0asm\x0d\0\x01\0").expect("an empty component parses");
    }
}
