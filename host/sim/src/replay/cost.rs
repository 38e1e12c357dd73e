//! Fuel and time of many decisions, by rank.

use pointsman_model::policy::Cost;

/// Costs as they came in. A replay is of hundreds or thousands of decisions: keeping them all is cheap and exact.
#[derive(Clone, Debug, Default)]
pub struct CostSpread {
    fuel: Vec<u64>,
    micros: Vec<u64>,
}

impl CostSpread {
    pub fn add(&mut self, cost: Cost) {
        let Cost { fuel, micros } = cost;
        self.fuel.extend(fuel);
        self.micros.push(u64::from(micros));
    }

    pub fn absorb(&mut self, other: CostSpread) {
        self.fuel.extend(other.fuel);
        self.micros.extend(other.micros);
    }

    /// Fuel that this share of decisions stays within; none where no engine counted any.
    pub fn fuel(&self, share: f64) -> Option<u64> {
        rank(&self.fuel, share)
    }

    /// Microseconds, likewise.
    pub fn micros(&self, share: f64) -> Option<u64> {
        rank(&self.micros, share)
    }
}

fn rank(values: &[u64], share: f64) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let index = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).copied()
}
