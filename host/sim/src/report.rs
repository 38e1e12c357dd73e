//! What a simulation found, for people: a text table, and one page with charts. The same figures make the same bytes.

mod charts;
mod html;
mod table;

use crate::simulate::Figures;
use serde::Serialize;

/// One or two courses of one question.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where the model comes from.
    pub model: String,
    /// What a reader should know of it.
    pub notes: Vec<String>,
    pub real: &'static str,
    pub modelled: &'static str,
    pub not_modelled: &'static str,
    pub courses: Vec<Figures>,
}

/// Said on every report, so that nobody takes a model for a fact.
pub const REAL: &str = "the coordinator, the policies and their engines, fallbacks and limits: the very code that decides live";
pub const MODELLED: &str = "arrivals of sources, how runs end and how long they take, what practice teaches, evaluations and standard requests; \
                            and the true quality of each model, which errors of promotion are judged by";
pub const NOT_MODELLED: &str =
    "crashes of the host, slow disks, operators, cancelled runs, differences between sources of one host, and time that a decision takes";

#[derive(Debug, thiserror::Error)]
#[error("a chart cannot be drawn: {0}")]
pub struct ChartError(String);

impl Report {
    pub fn new(model: &str, notes: Vec<String>, courses: Vec<Figures>) -> Report {
        Report {
            model: model.to_string(),
            notes,
            real: REAL,
            modelled: MODELLED,
            not_modelled: NOT_MODELLED,
            courses,
        }
    }

    /// A table for a terminal.
    pub fn text(&self) -> String {
        table::text(self)
    }

    /// One self-contained page.
    pub fn html(&self) -> Result<String, ChartError> {
        html::page(self)
    }
}
