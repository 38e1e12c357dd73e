//! Components written as text, down to the byte, and code that is loaded without being asked anything. Tests, benchmarks
//! and the end-to-end attacks share this file.
#![allow(dead_code, unreachable_pub)]

use pointsman_model::policy::{EngineKind, PolicyDescription, PolicyKind, PolicyLimits, PolicyRef};
use pointsman_policy::{Library, PolicyProblem, version_digest};

/// Why a guest could not be made: a mistake in its text.
#[derive(Debug)]
pub struct Unmade(String);

impl std::fmt::Display for Unmade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unmade {}

fn unmade(error: impl std::fmt::Display) -> Unmade {
    Unmade(format!("{error:#}"))
}

/// A retry policy in core WebAssembly that is lawful but for what a case replaces.
pub struct Guest {
    pub imports: String,
    pub memory: String,
    /// Functions, data, tables.
    pub parts: String,
    /// Body of the allocator that the host calls to hand over the context: parameter 3 is the size.
    pub realloc: String,
    /// Body of `decide`: leaves the address of its result. 4096 and what follows is zero, which reads as "retry at once,
    /// with no advice".
    pub decide: String,
}

impl Default for Guest {
    fn default() -> Guest {
        Guest {
            imports: String::new(),
            memory: "(memory (export \"memory\") 4)".into(),
            parts: String::new(),
            realloc: "(local $at i32)
                (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
                (global.set $next (i32.add (local.get $at) (local.get 3)))
                (if (i32.gt_u (global.get $next) (i32.const 262144)) (then unreachable))
                (local.get $at)"
                .into(),
            decide: "(i32.const 4096)".into(),
        }
    }
}

impl Guest {
    pub fn deciding(decide: &str) -> Guest {
        Guest {
            decide: decide.into(),
            ..Guest::default()
        }
    }

    /// The core module as text.
    pub fn text(&self) -> String {
        let Guest {
            imports,
            memory,
            parts,
            realloc,
            decide,
        } = self;
        format!(
            r#"(module
            {imports}
            {memory}
            (global $next (mut i32) (i32.const 65536))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
            (data (i32.const 256) "wat-guest")
            (data (i32.const 272) "1.0.0")
            (func (export "describe") (result i32)
                (i32.store (i32.const 1024) (i32.const 256))
                (i32.store (i32.const 1028) (i32.const 9))
                (i32.store (i32.const 1032) (i32.const 272))
                (i32.store (i32.const 1036) (i32.const 5))
                (i32.store8 (i32.const 1040) (i32.const 1))
                (i32.const 1024))
            (func (export "check-settings") (param i32 i32) (result i32) (i32.const 2048))
            {parts}
            (func (export "decide") (param i32) (result i32) {decide}))"#
        )
    }

    pub fn core(&self) -> Result<Vec<u8>, Unmade> {
        wat::parse_str(self.text()).map_err(unmade)
    }

    /// With the types of the contract's retry world.
    pub fn component(&self) -> Result<Vec<u8>, Unmade> {
        component_of(&self.core()?, "retry")
    }
}

/// A core module with the types of a world of the contract.
pub fn component_of(core: &[u8], world: &str) -> Result<Vec<u8>, Unmade> {
    let (resolve, package) = contract()?;
    let world = resolve.select_world(&[package], Some(world)).map_err(unmade)?;
    encoded(core, &resolve, world)
}

/// Of a world of its own that includes worlds of the contract.
pub fn component_of_worlds(core: &[u8], items: &str) -> Result<Vec<u8>, Unmade> {
    let (mut resolve, _) = contract()?;
    let text = format!("package test:guest; world guest {{ {items} }}");
    let package = resolve.push_str("guest.wit", &text).map_err(unmade)?;
    let world = resolve.select_world(&[package], Some("guest")).map_err(unmade)?;
    encoded(core, &resolve, world)
}

fn contract() -> Result<(wit_parser::Resolve, wit_parser::PackageId), Unmade> {
    let mut resolve = wit_parser::Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/policy-0.1.0");
    let (package, _) = resolve.push_dir(wit).map_err(unmade)?;
    Ok((resolve, package))
}

fn encoded(core: &[u8], resolve: &wit_parser::Resolve, world: wit_parser::WorldId) -> Result<Vec<u8>, Unmade> {
    let mut core = core.to_vec();
    wit_component::embed_component_metadata(&mut core, resolve, world, wit_component::StringEncoding::UTF8).map_err(unmade)?;
    let encoder = wit_component::ComponentEncoder::default();
    encoder.module(&core).and_then(|mut encoder| encoder.encode()).map_err(unmade)
}

/// Loads code as a start of the host does: without asking it anything, as it was once accepted.
pub fn load_unasked(
    library: &Library,
    engine: EngineKind,
    kind: PolicyKind,
    code: &[u8],
    limits: PolicyLimits,
) -> Result<PolicyDescription, PolicyProblem> {
    let description = PolicyDescription {
        policy: PolicyRef {
            name: "hostile".into(),
            version: "1".into(),
            digest: version_digest(engine, kind, pointsman_policy::sha256(code), &[], limits),
            engine,
        },
        kind,
        summary: String::new(),
        settings_schema: Vec::new(),
        settings: Vec::new(),
        limits,
        state_version: 0,
        code_bytes: code.len() as u64,
    };
    library.load_recorded(&description, code)?;
    Ok(description)
}
