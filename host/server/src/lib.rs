//! The host: the one process that runs the coordinator, keeps the journal, answers HTTP and shows the page.
//!
//! | look at | for |
//! | --- | --- |
//! | [`driver`] | the thread that owns the state; its order is the promise: append, then tell |
//! | [`inbox`] | how commands reach it |
//! | [`recovery`] | from the journal to a state |
//! | [`view`], [`hub`] | the read model of the first screen, and the frames that viewers share |
//! | [`http`] | the API and its document, the live stream and the page |
//! | [`idempotency`] | requests that are carried out once, however often they are sent |
//! | [`policy_install`], [`policy_watch`], [`shipped`] | the way of a policy into service |
//! | [`swaps`], [`dry_run`], [`shadow`] | its stages as they go, and what it would have decided, then and now |
//! | [`off_policy`] | what a version would have been worth, from picks that were left to chance |
//! | [`verification`] | decisions made again from their records |
//! | [`versions`], [`signing`] | versions as the journal keeps them, and who signed them |
//! | [`settings`] | live settings with their words, bounds and differences |
//! | [`import`] | sources from a file, line by line |
//! | [`memory`] | the learning memory: outcomes read into it, and given to later runs |
//! | [`sinks`] | entries of the journal for those outside: webhooks and files |
//! | [`standard`] | standard requests, and what they tell about a candidate |
//! | [`host`] | all of it started and ended in order |
//! | [`cli`] | the command line; [`story`] and [`demo`] are what `up` tells and shows |
//! | [`wire`] | the shapes that the page and the command line see |
//!
//! Absent on purpose: deciding (the coordinator and the policies do), processes and files of runs (the runner's), and
//! any other address than loopback, until there are tokens.

pub mod cli;
mod clock;
pub mod demo;
pub mod driver;
pub mod dry_run;
pub mod health;
pub mod host;
pub mod http;
pub mod hub;
pub mod idempotency;
pub mod import;
pub mod inbox;
pub mod memory;
pub mod off_policy;
pub mod patch;
pub mod policy_install;
pub mod policy_watch;
pub mod problem;
pub mod readers;
pub mod recovery;
pub mod settings;
pub mod shadow;
pub mod shipped;
pub mod signing;
pub mod sinks;
pub mod standard;
pub mod story;
pub mod swaps;
pub mod verification;
pub mod versions;
pub mod view;
pub mod wire;
