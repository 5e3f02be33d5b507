//! The downhill simplex method of Nelder and Mead (1965).

/// Where a search ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Minimum<const D: usize> {
    /// The best point found.
    pub point: [f64; D],
    /// The function there.
    pub value: f64,
    /// How often the function was evaluated.
    pub evaluations: u32,
    /// Whether the simplex became as small as asked for.
    pub converged: bool,
}

/// When a search ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Until {
    /// The values at the corners differ by no more than this.
    pub value_spread: f64,
    /// The corners differ by no more than this in each coordinate.
    pub point_spread: f64,
    /// Evaluations at most.
    pub evaluations: u32,
}

struct Simplex<F, const D: usize> {
    function: F,
    /// Corners with their values, the best one first.
    corners: Vec<([f64; D], f64)>,
    evaluations: u32,
}

/// Searches the minimum of `function` near `start`, with first steps of size `step`.
///
/// Where the function is not a number, it counts as infinite.
pub fn minimise<const D: usize>(
    function: impl FnMut(&[f64; D]) -> f64,
    start: [f64; D],
    step: f64,
    until: Until,
) -> Minimum<D> {
    let mut simplex = Simplex {
        function,
        corners: Vec::with_capacity(D + 1),
        evaluations: 0,
    };
    for corner in 0..=D {
        let mut point = start;
        if let Some(coordinate) = corner.checked_sub(1) {
            point[coordinate] += step;
        }
        let value = simplex.evaluate(&point);
        simplex.corners.push((point, value));
    }
    loop {
        simplex.corners.sort_by(|a, b| a.1.total_cmp(&b.1));
        let converged = simplex.is_small(&until);
        if converged || simplex.evaluations >= until.evaluations {
            let (point, value) = simplex.corners[0];
            return Minimum {
                point,
                value,
                evaluations: simplex.evaluations,
                converged,
            };
        }
        simplex.improve();
    }
}

impl<F: FnMut(&[f64; D]) -> f64, const D: usize> Simplex<F, D> {
    fn evaluate(&mut self, point: &[f64; D]) -> f64 {
        self.evaluations += 1;
        let value = (self.function)(point);
        if value.is_nan() { f64::INFINITY } else { value }
    }

    fn is_small(&self, until: &Until) -> bool {
        let (best, low) = self.corners[0];
        self.corners.iter().all(|(point, value)| {
            (value - low).abs() <= until.value_spread
                && point
                    .iter()
                    .zip(best)
                    .all(|(a, b)| (a - b).abs() <= until.point_spread)
        })
    }

    /// Replaces the worst corner, or draws all towards the best one.
    fn improve(&mut self) {
        let (worst, high) = self.corners[D];
        let centre = self.centre();
        let reflected = self.along(&centre, &worst, -1.0);
        if reflected.1 < self.corners[0].1 {
            let expanded = self.along(&centre, &worst, -2.0);
            self.corners[D] = if expanded.1 < reflected.1 {
                expanded
            } else {
                reflected
            };
        } else if reflected.1 < self.corners[D - 1].1 {
            self.corners[D] = reflected;
        } else {
            // Outside if the reflection was at least better than the worst corner.
            let towards = if reflected.1 < high { -0.5 } else { 0.5 };
            let contracted = self.along(&centre, &worst, towards);
            if contracted.1 < reflected.1.min(high) {
                self.corners[D] = contracted;
            } else {
                self.shrink();
            }
        }
    }

    /// The centre of all corners but the worst.
    fn centre(&self) -> [f64; D] {
        std::array::from_fn(|i| {
            self.corners[..D]
                .iter()
                .map(|(point, _)| point[i])
                .sum::<f64>()
                / D as f64
        })
    }

    fn along(&mut self, centre: &[f64; D], worst: &[f64; D], factor: f64) -> ([f64; D], f64) {
        let point = std::array::from_fn(|i| centre[i] + factor * (worst[i] - centre[i]));
        let value = self.evaluate(&point);
        (point, value)
    }

    fn shrink(&mut self) {
        let best = self.corners[0].0;
        for corner in 1..=D {
            let point = self.corners[corner].0;
            let point = std::array::from_fn(|i| best[i] + 0.5 * (point[i] - best[i]));
            let value = self.evaluate(&point);
            self.corners[corner] = (point, value);
        }
    }
}
