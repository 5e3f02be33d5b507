//! `password`: random text.

use std::collections::BTreeMap;

use consort_driver::{
    Applied, ApplyRequest, Attribute, AttributeKind, Context, DriverError, SecretValue, TypeSchema,
};
use consort_model::Value;

use super::{Kind, attributes_of, keepers, schema};
use crate::settings::{flag, invalid, random, whole};

pub(super) struct Password;

const SETS: [(&str, &str); 4] = [
    ("upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("lower", "abcdefghijklmnopqrstuvwxyz"),
    ("digits", "0123456789"),
    ("special", "!#%+,-./:=@_~"),
];

/// Sets that are used unless they are switched off; `special` must be switched on.
fn sets(settings: &Value) -> Vec<&'static str> {
    SETS.iter()
        .filter(|(name, _)| flag(settings, name, *name != "special"))
        .map(|(_, letters)| *letters)
        .collect()
}

impl Kind for Password {
    fn schema(&self) -> TypeSchema {
        let set = |name: &str, doc: &str| {
            Attribute::settable(name, AttributeKind::Boolean, doc).forces_replacement()
        };
        schema(
            "password",
            "Random text; made once and kept sealed.",
            vec![
                Attribute::settable(
                    "length",
                    AttributeKind::Number,
                    "Characters, 8 to 256; 24 if nothing is said.",
                )
                .forces_replacement(),
                set("upper", "Use upper case letters; true if nothing is said."),
                set("lower", "Use lower case letters; true if nothing is said."),
                set("digits", "Use digits; true if nothing is said."),
                set("special", "Use `!#%+,-./:=@_~`; false if nothing is said."),
                keepers(),
                Attribute::computed("value", AttributeKind::String, "The password.").sensitive(),
            ],
        )
    }

    fn validate(&self, settings: &Value) -> Result<(), DriverError> {
        whole(settings, "length", 24, 8..=256)?;
        if sets(settings).is_empty() {
            return Err(invalid("a password needs at least one set of characters"));
        }
        Ok(())
    }

    fn make(
        &self,
        _: &Context,
        _: &ApplyRequest,
        settings: &Value,
    ) -> Result<Applied, DriverError> {
        self.validate(settings)?;
        let length = whole(settings, "length", 24, 8..=256)? as usize;
        let sets = sets(settings);
        // Each set once at least; drawn again until that holds, so that every password that fits is
        // equally likely.
        let letters: Vec<char> = sets.concat().chars().collect();
        let value = loop {
            let drawn: String = (0..length)
                .map(|_| draw(&letters))
                .collect::<Result<_, _>>()?;
            if sets
                .iter()
                .all(|set| drawn.chars().any(|letter| set.contains(letter)))
            {
                break drawn;
            }
        };
        let secrets = BTreeMap::from([("value".to_owned(), SecretValue::new(value))]);
        Ok(Applied {
            attributes: attributes_of(settings),
            secrets,
            ..Applied::default()
        })
    }
}

/// One letter, each equally likely: bytes that would prefer some are thrown away.
fn draw(letters: &[char]) -> Result<char, DriverError> {
    let fair = 256 - 256 % letters.len();
    loop {
        let mut byte = [0];
        random(&mut byte)?;
        if usize::from(byte[0]) < fair {
            return Ok(letters[usize::from(byte[0]) % letters.len()]);
        }
    }
}
