//! Lines in the host's log, the one import a policy may have.

pub use crate::bindings::source_selection::pointsman::policy::log::Level;

/// Writes one line. The host bounds calls and bytes per decision, and each costs fuel.
pub fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::source_selection::pointsman::policy::log::log(level, message);
    // In a test on the author's machine there is no host: the line goes to the test's output.
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{level:?}: {message}");
}

/// Writes a line into the host's log under this policy's name: `log!("picked {n}")`, or `log!(warn, "odd: {what}")`.
#[macro_export]
macro_rules! log {
    (debug, $($text:tt)+) => { $crate::write($crate::Level::Debug, &::std::format!($($text)+)) };
    (info, $($text:tt)+) => { $crate::write($crate::Level::Info, &::std::format!($($text)+)) };
    (warn, $($text:tt)+) => { $crate::write($crate::Level::Warn, &::std::format!($($text)+)) };
    ($($text:tt)+) => { $crate::write($crate::Level::Info, &::std::format!($($text)+)) };
}
