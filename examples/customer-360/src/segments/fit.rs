//! Fitting the model by maximum likelihood, from several starting points.

use serde::{Deserialize, Serialize};

use super::minimise::{Until, minimise};
use super::model::{Group, Parameters, log_likelihood};

/// The published parameters of the fit to the CDNOW sample.
pub const PUBLISHED: Parameters = Parameters {
    r: 0.243,
    alpha: 4.414,
    a: 0.793,
    b: 2.426,
};
/// The published log-likelihood.
pub const PUBLISHED_LOG_LIKELIHOOD: f64 = -9582.4;
/// How far the log-likelihood may be off.
const LIKELIHOOD_TOLERANCE: f64 = 0.1;
/// How far each parameter may be off: half a unit of the last digit, and as much
/// again because the likelihood is flat.
const PARAMETER_TOLERANCE: f64 = 0.001;

/// How exact a final fit is.
const EXACT: Until = Until {
    value_spread: 1e-9,
    point_spread: 1e-7,
    evaluations: 4000,
};
/// How exact a fit to a resampled set is: its spread is far larger.
const COARSE: Until = Until {
    value_spread: 1e-5,
    point_spread: 1e-4,
    evaluations: 1500,
};

/// A fit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The parameters.
    #[serde(flatten)]
    pub parameters: Parameters,
    /// Their log-likelihood.
    pub log_likelihood: f64,
    /// Evaluations of the likelihood.
    pub evaluations: u32,
}

/// A fit that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// There is nothing to fit.
    #[error("there are no purchase histories to fit")]
    Empty,
    /// No starting point led to a maximum.
    #[error(
        "none of {starts} starting points led to a maximum of the likelihood; try more with --starts"
    )]
    NotConverged {
        /// How many were tried.
        starts: usize,
    },
    /// The fit is not the published one.
    #[error(
        "{what} is {found:.4}, published is {published} (within {tolerance}); is this the CDNOW sample until 1997-09-30?"
    )]
    NotAsPublished {
        /// Which figure differs.
        what: &'static str,
        /// What was found.
        found: f64,
        /// What was published.
        published: f64,
        /// What difference is allowed.
        tolerance: f64,
    },
}

/// Starting points, spread over what such data usually give; the first are the likeliest.
pub const STARTS: [Parameters; 8] = [
    Parameters {
        r: 1.0,
        alpha: 1.0,
        a: 1.0,
        b: 1.0,
    },
    Parameters {
        r: 0.1,
        alpha: 10.0,
        a: 0.5,
        b: 5.0,
    },
    Parameters {
        r: 0.5,
        alpha: 5.0,
        a: 2.0,
        b: 2.0,
    },
    Parameters {
        r: 2.0,
        alpha: 20.0,
        a: 0.2,
        b: 1.0,
    },
    Parameters {
        r: 0.2,
        alpha: 1.0,
        a: 1.5,
        b: 8.0,
    },
    Parameters {
        r: 5.0,
        alpha: 50.0,
        a: 1.0,
        b: 3.0,
    },
    Parameters {
        r: 0.05,
        alpha: 0.5,
        a: 0.1,
        b: 0.5,
    },
    Parameters {
        r: 1.0,
        alpha: 8.0,
        a: 3.0,
        b: 10.0,
    },
];

/// The best fit from the first `starts` starting points.
///
/// # Errors
/// [`FitError::Empty`], [`FitError::NotConverged`].
pub fn fit(groups: &[Group], starts: usize) -> Result<Fit, FitError> {
    if groups.is_empty() {
        return Err(FitError::Empty);
    }
    let starts = starts.clamp(1, STARTS.len());
    let found: Vec<Fit> = STARTS
        .iter()
        .take(starts)
        .filter_map(|start| fit_from(groups, *start))
        .collect();
    let best = found
        .iter()
        .max_by(|a, b| a.log_likelihood.total_cmp(&b.log_likelihood));
    match best {
        Some(best) => Ok(Fit {
            evaluations: found.iter().map(|fit| fit.evaluations).sum(),
            ..*best
        }),
        None => Err(FitError::NotConverged { starts }),
    }
}

/// The maximum near one starting point, searched twice: a simplex may collapse on a
/// slope, and a new one then goes on.
#[must_use]
pub fn fit_from(groups: &[Group], start: Parameters) -> Option<Fit> {
    let mut objective = |logs: &[f64; 4]| {
        let weighted = groups
            .iter()
            .map(|group| (group.history, f64::from(group.count)));
        -log_likelihood(&Parameters::from_logs(*logs), weighted)
    };
    let first = minimise(&mut objective, start.to_logs(), 0.5, COARSE);
    let second = minimise(&mut objective, first.point, 0.1, EXACT);
    (second.converged && second.value.is_finite()).then(|| Fit {
        parameters: Parameters::from_logs(second.point),
        log_likelihood: -second.value,
        evaluations: first.evaluations + second.evaluations,
    })
}

/// A fit to groups with other weights, near a known fit; nothing if it finds none.
#[must_use]
pub fn refit(groups: &[Group], weights: &[u32], near: &Parameters) -> Option<Fit> {
    let objective = |logs: &[f64; 4]| {
        let weighted = groups
            .iter()
            .zip(weights)
            .map(|(group, weight)| (group.history, f64::from(*weight)));
        -log_likelihood(&Parameters::from_logs(*logs), weighted)
    };
    let minimum = minimise(objective, near.to_logs(), 0.1, COARSE);
    (minimum.converged && minimum.value.is_finite()).then(|| Fit {
        parameters: Parameters::from_logs(minimum.point),
        log_likelihood: -minimum.value,
        evaluations: minimum.evaluations,
    })
}

/// Checks a fit against the published figures.
///
/// # Errors
/// [`FitError::NotAsPublished`], for the first figure that differs.
pub fn check(fit: &Fit) -> Result<(), FitError> {
    let Parameters { r, alpha, a, b } = fit.parameters;
    let figures = [
        (
            "the log-likelihood",
            fit.log_likelihood,
            PUBLISHED_LOG_LIKELIHOOD,
            LIKELIHOOD_TOLERANCE,
        ),
        ("r", r, PUBLISHED.r, PARAMETER_TOLERANCE),
        ("alpha", alpha, PUBLISHED.alpha, PARAMETER_TOLERANCE),
        ("a", a, PUBLISHED.a, PARAMETER_TOLERANCE),
        ("b", b, PUBLISHED.b, PARAMETER_TOLERANCE),
    ];
    let wrong = figures
        .into_iter()
        .find(|(_, found, published, tolerance)| (found - published).abs() > *tolerance);
    match wrong {
        None => Ok(()),
        Some((what, found, published, tolerance)) => Err(FitError::NotAsPublished {
            what,
            found,
            published,
            tolerance,
        }),
    }
}
