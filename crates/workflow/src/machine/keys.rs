//! Names that follow from the run and the activation, so that a repetition has the same.

use consort_model::Digest;
use consort_model::id::{RunId, derived};

/// `base32(blake3(run, path))`, 26 characters: the idempotency key of a step.
pub(super) fn step_key(run: RunId, path: &str) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = run.as_bytes().to_vec();
    bytes.extend_from_slice(path.as_bytes());
    let digest = Digest::of(&bytes);
    let mut number = u128::from_be_bytes(digest.as_bytes()[..16].try_into().unwrap_or([0; 16]));
    let mut key = String::with_capacity(26);
    for _ in 0..26 {
        key.push(char::from(ALPHABET[(number & 31) as usize]));
        number >>= 5;
    }
    key
}

/// The id of an event in the form of a UUID (version 8).
pub(super) fn event_id(run: RunId, act: &str) -> String {
    let hex: String = derived(run.as_bytes(), &format!("event {act}"))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// A number from 0 to 1 out of the entropy of the event, another one for each activation.
pub(super) fn fraction(entropy: u64, act: &str) -> f64 {
    let mut bytes = entropy.to_be_bytes().to_vec();
    bytes.extend_from_slice(act.as_bytes());
    let digest = Digest::of(&bytes);
    let number = u32::from_be_bytes(digest.as_bytes()[..4].try_into().unwrap_or([0; 4]));
    f64::from(number) / f64::from(u32::MAX)
}
