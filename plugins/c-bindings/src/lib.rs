//! The C bindings that `pointsman policy new --lang c` puts into a project are generated once and checked in, so that an
//! author needs no generator. The test here holds them to `wit/`; POINTSMAN_UPDATE=1 writes them anew.

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use wit_bindgen_core::{Files, wit_parser::Resolve};

    #[test]
    fn the_bindings_are_those_of_the_contract() {
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for world in ["source-selection", "retry", "promotion-gate", "curriculum"] {
            let mut resolve = Resolve::default();
            let (package, _) = resolve.push_path(plugins.join("../wit/policy-0.1.0")).expect("the contract parses");
            let world_id = resolve.select_world(&[package], Some(world)).expect("a world of each kind");
            let options = wit_bindgen_c::Opts {
                // One name for all kinds, so that the words in `pointsman.h` are the same; the build adds the component's type.
                rename_world: Some("policy".to_string()),
                no_object_file: true,
                ..wit_bindgen_c::Opts::default()
            };
            let mut files = Files::default();
            options.build().generate(&mut resolve, world_id, &mut files).expect("bindings");
            for (name, made) in files.iter() {
                let path = plugins.join("templates/c/bindings").join(world).join(name);
                if std::env::var_os("POINTSMAN_UPDATE").is_some_and(|value| value == "1") {
                    fs::write(&path, made).expect("the bindings are written");
                }
                let kept = fs::read(&path).unwrap_or_default();
                assert!(kept == made, "{} is not what wit/ says; make it anew with POINTSMAN_UPDATE=1", path.display());
            }
        }
    }
}
