//! Tokens in what an instance is given, and the values that its shim gets by pipe.

use std::collections::{BTreeMap, BTreeSet};

use consort_driver::{Context, DriverError};
use consort_model::SecretHandle;
use consort_model::secret::{Piece, pieces};
use consort_shim::SecretValues;
use consort_shim::spec::{Check, Spec};

/// The tokens in all texts of a specification that its shim expands.
pub(crate) fn tokens(spec: &Spec) -> Vec<String> {
    let process = &spec.process;
    let probes = spec.probes.iter().filter_map(|probe| match &probe.check {
        Check::Exec { argv } => Some(argv),
        Check::Http { .. } | Check::Tcp { .. } => None,
    });
    let texts = [&process.program]
        .into_iter()
        .chain(&process.args)
        .chain(process.env.values())
        .chain(spec.secret_files.iter().map(|file| &file.content))
        .chain(probes.flatten());
    let found: BTreeSet<String> = texts
        .flat_map(|text| handles(text))
        .map(|handle| handle.token())
        .collect();
    found.into_iter().collect()
}

fn handles(text: &str) -> Vec<SecretHandle> {
    let found = pieces(text).into_iter();
    found
        .filter_map(|piece| match piece {
            Piece::Secret(handle) => Some(handle),
            Piece::Text(_) => None,
        })
        .collect()
}

/// The values of a specification's tokens.
pub(crate) async fn values(
    context: &Context,
    tokens: &[String],
) -> Result<SecretValues, DriverError> {
    let mut values = BTreeMap::new();
    for token in tokens {
        for handle in handles(token) {
            let value = context.secrets.secret_value(&handle).await?;
            values.insert(handle.token(), value.reveal().to_owned());
        }
    }
    Ok(SecretValues(values))
}
