//! `docs/policy-contract.md` is made from `wit/` and held to it. POINTSMAN_UPDATE=1 writes it anew.

use pointsman_model::policy::PolicyKind;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use wit_parser::{Docs, Handle, Interface, Resolve, Type, TypeDefKind, TypeId, WorldItem, WorldKey};

const HEAD: &str = "# The contract: `pointsman:policy@0.1.0`

Made from `wit/policy-0.1.0` by a test (`POINTSMAN_UPDATE=1 cargo test --release --workspace --test contract`). Names are as
in WIT. A script writes `_` for `-`, JavaScript `camelCase`, Python, Rust and C `snake_case`. `option<...>` may be absent: `()`
in a script, `undefined` in JavaScript, `None` in Python and Rust, `is_some` in C. An index counts from 0.
";

#[test]
fn the_reference_is_that_of_the_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path: PathBuf = root.join("docs/policy-contract.md");
    let made = reference(&root.join("wit/policy-0.1.0"));
    if std::env::var_os("POINTSMAN_UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, &made).expect("the reference is written");
    }
    let kept = std::fs::read_to_string(&path).expect("docs/policy-contract.md is there");
    assert!(
        kept == made,
        "docs/policy-contract.md is not what wit/ says; make it anew with POINTSMAN_UPDATE=1"
    );
    for kind in PolicyKind::ALL {
        assert!(made.contains(&format!("## {kind}\n")), "{kind} has a section");
    }
}

fn reference(contract: &Path) -> String {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(contract).expect("the contract parses");
    let mut page = HEAD.to_string();
    for kind in PolicyKind::ALL {
        let world = &resolve.worlds[resolve.select_world(&[package], Some(kind.slug())).expect("a world of each kind")];
        writeln!(page, "\n## {kind}\n").expect("a string takes text");
        let interface = &resolve.interfaces[resolve.packages[package].interfaces[&format!("{kind}-types")]];
        paragraph(&mut page, &interface.docs);
        page.push_str("Exports:\n\n");
        for (key, item) in &world.exports {
            let WorldKey::Name(name) = key else { continue };
            if let WorldItem::Function(function) = item {
                let parameters: Vec<String> = function
                    .params
                    .iter()
                    .map(|parameter| format!("{}: {}", parameter.name, name_of(&resolve, &parameter.ty)))
                    .collect();
                let result = function
                    .result
                    .as_ref()
                    .map_or(String::new(), |result| format!(" -> {}", name_of(&resolve, result)));
                let docs = line(&function.docs);
                let docs = if docs.is_empty() { docs } else { format!(": {docs}") };
                writeln!(page, "- `{name}({}){result}`{docs}", parameters.join(", ")).expect("a string takes text");
            }
        }
        types(&mut page, &resolve, interface);
    }
    writeln!(page, "\n## Shared by all kinds\n").expect("a string takes text");
    let shared = &resolve.interfaces[resolve.packages[package].interfaces["types"]];
    paragraph(&mut page, &shared.docs);
    types(&mut page, &resolve, shared);
    page
}

fn types(page: &mut String, resolve: &Resolve, interface: &Interface) {
    for (name, id) in &interface.types {
        let definition = &resolve.types[*id];
        let rows: Vec<(String, String, String)> = match &definition.kind {
            TypeDefKind::Record(record) => record
                .fields
                .iter()
                .map(|field| (field.name.clone(), name_of(resolve, &field.ty), line(&field.docs)))
                .collect(),
            TypeDefKind::Variant(variant) => variant
                .cases
                .iter()
                .map(|case| {
                    let carries = case.ty.as_ref().map_or(String::new(), |ty| name_of(resolve, ty));
                    (case.name.clone(), carries, line(&case.docs))
                })
                .collect(),
            TypeDefKind::Enum(words) => words
                .cases
                .iter()
                .map(|case| (case.name.clone(), String::new(), line(&case.docs)))
                .collect(),
            // A name that an interface takes over from another is explained there.
            _ => continue,
        };
        let (what, carries) = match &definition.kind {
            TypeDefKind::Record(_) => ("record", "type"),
            TypeDefKind::Variant(_) => ("variant, one of", "carries"),
            _ => ("enum, one of", ""),
        };
        writeln!(page, "\n### {name} ({what})\n").expect("a string takes text");
        paragraph(page, &definition.docs);
        writeln!(page, "| name | {carries} | |\n| --- | --- | --- |").expect("a string takes text");
        for (name, ty, docs) in rows {
            let ty = if ty.is_empty() { ty } else { format!("`{ty}`") };
            writeln!(page, "| `{name}` | {ty} | {docs} |").expect("a string takes text");
        }
    }
}

fn line(docs: &Docs) -> String {
    let text = docs.contents.as_deref().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn paragraph(page: &mut String, docs: &Docs) {
    let text = line(docs);
    if !text.is_empty() {
        writeln!(page, "{text}\n").expect("a string takes text");
    }
}

fn name_of(resolve: &Resolve, ty: &Type) -> String {
    match ty {
        Type::Id(id) => name_of_id(resolve, *id),
        Type::Bool => "bool".to_string(),
        Type::U8 => "u8".to_string(),
        Type::U16 => "u16".to_string(),
        Type::U32 => "u32".to_string(),
        Type::U64 => "u64".to_string(),
        Type::S8 => "s8".to_string(),
        Type::S16 => "s16".to_string(),
        Type::S32 => "s32".to_string(),
        Type::S64 => "s64".to_string(),
        Type::F32 => "f32".to_string(),
        Type::F64 => "f64".to_string(),
        Type::Char => "char".to_string(),
        Type::String => "string".to_string(),
        Type::ErrorContext => "error-context".to_string(),
    }
}

fn name_of_id(resolve: &Resolve, id: TypeId) -> String {
    let definition = &resolve.types[id];
    if let Some(name) = &definition.name {
        return name.clone();
    }
    let some = |ty: &Option<Type>| ty.as_ref().map_or("_".to_string(), |ty| name_of(resolve, ty));
    match &definition.kind {
        TypeDefKind::Option(ty) => format!("option<{}>", name_of(resolve, ty)),
        TypeDefKind::List(ty) => format!("list<{}>", name_of(resolve, ty)),
        TypeDefKind::Result(result) => format!("result<{}, {}>", some(&result.ok), some(&result.err)),
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<String> = tuple.types.iter().map(|ty| name_of(resolve, ty)).collect();
            format!("tuple<{}>", types.join(", "))
        }
        TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => name_of_id(resolve, *id),
        TypeDefKind::Type(ty) => name_of(resolve, ty),
        other => panic!("the reference has no words for {}", other.as_str()),
    }
}
