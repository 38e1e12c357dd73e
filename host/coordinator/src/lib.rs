//! The thinking part of Pointsman.

mod port;

pub use port::Policies;
