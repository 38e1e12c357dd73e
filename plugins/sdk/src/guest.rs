//! What the export macros call between the bindings and an author's trait. Not for authors.

use crate::settings::{check_declared, complete};
use crate::{Description, Kind, Setting, SettingError, Settings};

/// Runs before each export: a panic's message goes to the host's log before it becomes a trap.
pub fn enter() {
    #[cfg(target_arch = "wasm32")]
    {
        // An instance may serve one decision or many.
        static ONCE: std::sync::Once = std::sync::Once::new();
        // One line: place and message are two in the standard library's words.
        let hook = |panic: &std::panic::PanicHookInfo<'_>| crate::write(crate::Level::Warn, &panic.to_string().replace('\n', " "));
        ONCE.call_once(|| std::panic::set_hook(Box::new(hook)));
    }
}

/// The author's description with the kind that the macro knows.
pub fn describe(mut description: Description, kind: Kind) -> Description {
    description.kind = kind;
    description
}

/// The declared bounds first; the author's own check sees only settings that keep to them, complete.
pub fn check_settings(description: Description, given: Vec<Setting>, own: fn(&Settings<'_>) -> Vec<SettingError>) -> Vec<SettingError> {
    let problems = check_declared(&description.settings, &given);
    if problems.is_empty() {
        own(&Settings::new(&complete(&description.settings, given)))
    } else {
        problems
    }
}
