//! Typed ids. An id prints as `run_1…`: the kind, the version of the encoding, then base62 of its
//! 16 bytes (a UUID of version 7, so that ids sort by the time of their making).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Timestamp;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const WIDTH: usize = 22; // ceil(128 / log2(62))

/// Why a text is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of the form `{expected}_1…`")]
pub struct IdError {
    /// What was given.
    pub text: String,
    /// The prefix of the kind that was expected.
    pub expected: &'static str,
}

/// Lays out the 16 bytes of a UUID version 7 (RFC 9562) from a time and 10 random bytes.
pub fn uuid_v7(at: Timestamp, random: [u8; 10]) -> [u8; 16] {
    let millis = at.millis().max(0).to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&millis[2..]);
    bytes[6..].copy_from_slice(&random);
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    bytes
}

/// Derives the 16 bytes of an id from a parent and a name: the same parts give the same id, so a
/// child that is created twice is created once.
pub fn derived(parent: &[u8; 16], name: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(b"consort id\0")
        .update(parent)
        .update(name.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    bytes[6] = 0x80 | (bytes[6] & 0x0f); // version 8: custom
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    bytes
}

fn encode(bytes: &[u8; 16]) -> String {
    let mut number = u128::from_be_bytes(*bytes);
    let mut out = [b'0'; WIDTH];
    for place in out.iter_mut().rev() {
        *place = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
    out.iter().map(|byte| char::from(*byte)).collect()
}

fn decode(text: &str) -> Option<[u8; 16]> {
    if text.len() != WIDTH {
        return None;
    }
    let mut number: u128 = 0;
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|letter| *letter == byte)?;
        number = number.checked_mul(62)?.checked_add(digit as u128)?;
    }
    Some(number.to_be_bytes())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The prefix of ids of this kind.
            pub const PREFIX: &'static str = $prefix;
            /// An id of these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self { Self(bytes) }
            /// The bytes, as stored.
            pub const fn as_bytes(&self) -> &[u8; 16] { &self.0 }
            /// A new id of the given time and random bytes.
            pub fn new(at: Timestamp, random: [u8; 10]) -> Self { Self(uuid_v7(at, random)) }
            /// The id that belongs to this name under this parent; always the same.
            pub fn derive(parent: &[u8; 16], name: &str) -> Self { Self(derived(parent, name)) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_1{}", $prefix, encode(&self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix(concat!($prefix, "_1"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or_else(|| IdError { text: text.into(), expected: $prefix })
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A named, recorded instance of a blueprint.
    DeploymentId = "dep",
    /// A state folder of a server and everything that it owns.
    HomeId = "home",
    /// One durable execution.
    RunId = "run",
    /// An open listener of a run for events.
    SubscriptionId = "sub",
    /// A timer of a run.
    TimerId = "tim",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text() {
        for seed in [0_u8, 1, 127, 255] {
            let id = RunId::new(Timestamp::from_millis(1_700_000_000_000), [seed; 10]);
            assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
            assert!(id.to_string().starts_with("run_1"));
        }
    }

    #[test]
    fn an_id_parses_only_as_its_own_kind() {
        let id = RunId::from_bytes([255; 16]).to_string();
        assert!(id.parse::<TimerId>().is_err());
        assert!("run_1".parse::<RunId>().is_err());
        assert!(
            "run_1zzzzzzzzzzzzzzzzzzzzzz".parse::<RunId>().is_err(),
            "over 128 bits"
        );
    }

    #[test]
    fn ids_sort_by_time() {
        let early = RunId::new(Timestamp::from_millis(1), [255; 10]);
        let late = RunId::new(Timestamp::from_millis(2), [0; 10]);
        assert!(early < late && early.to_string() < late.to_string());
    }
}
