//! Chance that depends on a seed and on names alone.
//!
//! A draw is keyed by what it is about (this source, its second attempt), not by how many draws came before. Two
//! worlds of one seed therefore deal the same luck to the same thing, however differently they got there, and a
//! difference between them is what was decided differently.

/// A stream of numbers, named by a seed and a key.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn of(seed: u64, key: &[u64]) -> Dice {
        Dice(key.iter().fold(spread(seed), |state, part| spread(state ^ spread(*part))))
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        spread(self.0)
    }

    /// A number below `sides`, which is at least 1.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.word() % sides.max(1)
    }

    /// Between 0 and 1, neither of them.
    pub fn unit(&mut self) -> f64 {
        ((self.word() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len() as u64) as usize]
    }

    /// From the normal distribution of mean 0 and deviation 1: one draw, so that it moves with the draw's luck.
    pub fn normal(&mut self) -> f64 {
        normal_quantile(self.unit())
    }
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of SplitMix64.
fn spread(n: u64) -> u64 {
    let n = n.wrapping_add(STEP);
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

/// A text as part of a key.
pub(crate) fn key_of(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// The value below which a share `p` of the standard normal distribution lies: a rational approximation in three
/// pieces (after P. J. Acklam), good to nine digits.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 5] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 4] = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416];
    const TAIL: f64 = 0.02425;
    let row = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient);
    let tail = |p: f64| {
        let q = libm::sqrt(-2.0 * libm::log(p));
        row(&C, q) / (row(&D, q) * q + 1.0)
    };
    let p = p.clamp(1e-300, 1.0 - 1e-16);
    if p < TAIL {
        tail(p)
    } else if p > 1.0 - TAIL {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        row(&A, r) * q / (row(&B, r) * r + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_its_key_alone() {
        assert_eq!(Dice::of(1, &[2, 3]).word(), Dice::of(1, &[2, 3]).word());
        let others = [
            Dice::of(2, &[2, 3]),
            Dice::of(1, &[3, 2]),
            Dice::of(1, &[2]),
            Dice::of(1, &[2, 3, 0]),
        ];
        for mut other in others {
            assert_ne!(other.word(), Dice::of(1, &[2, 3]).word());
        }
    }

    #[test]
    fn the_quantiles_are_those_of_the_tables() {
        for (p, z) in [
            (0.5, 0.0),
            (0.975, 1.959963985),
            (0.95, 1.644853627),
            (0.001, -3.090232306),
            (0.999, 3.090232306),
        ] {
            assert!((normal_quantile(p) - z).abs() < 1e-7, "{p}: {}", normal_quantile(p));
        }
    }

    #[test]
    fn draws_spread_as_they_should() {
        let draws: Vec<f64> = (0..20_000).map(|index| Dice::of(7, &[index]).normal()).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|z| (z - mean) * (z - mean)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
        let sixes = (0..6_000).filter(|index| Dice::of(9, &[*index]).roll(6) == 5).count();
        assert!((900..1_100).contains(&sixes), "{sixes}");
    }
}
