//! Wants more than the log: a preopened folder, as a module built for WASI would.

use pointsman_policy_sdk::prelude::*;

#[allow(unreachable_pub)]
mod system {
    wit_bindgen::generate!({
        inline: "
            package wasi:filesystem@0.2.0;
            interface preopens {
                get-directory-count: func() -> u32;
            }
            world wants-files {
                import preopens;
            }
        ",
        world: "wants-files",
    });
}

pub struct UndeclaredImport;

impl SourceSelection for UndeclaredImport {
    fn describe() -> Description {
        hostile::innocent("hostile-undeclared-import", "Looks for files.")
    }

    fn decide(context: &SelectionContext) -> Result<SelectionDecision, PolicyError> {
        let folders = system::wasi::filesystem::preopens::get_directory_count();
        Ok(hostile::first(context).reason(Reason::new("folders_found").value(f64::from(folders)).text("Looked around.")))
    }
}

export_source_selection!(UndeclaredImport);
