//! `signing_key`: an Ed25519 key pair (RFC 8032).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use consort_driver::{
    Applied, ApplyRequest, Attribute, AttributeKind, Context, DriverError, SecretValue, TypeSchema,
};
use consort_model::{Digest, Value};
use ed25519_dalek::SigningKey as Ed25519;

use super::{Kind, attributes_of, keepers, schema};
use crate::settings::{invalid, random, text_of};

pub(super) struct SigningKey;

/// What stands before the 32 bytes of a private key in PKCS #8 (RFC 8410).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// What stands before the 32 bytes of a public key in SubjectPublicKeyInfo (RFC 8410).
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

impl Kind for SigningKey {
    fn schema(&self) -> TypeSchema {
        schema(
            "signing_key",
            "A key pair that signs tokens.",
            vec![
                Attribute::settable(
                    "algorithm",
                    AttributeKind::String,
                    "`ed25519`, the only one.",
                )
                .forces_replacement(),
                keepers(),
                Attribute::computed("private_key_pem", AttributeKind::String, "PKCS #8.")
                    .sensitive(),
                Attribute::computed(
                    "public_key_pem",
                    AttributeKind::String,
                    "SubjectPublicKeyInfo.",
                ),
                Attribute::computed(
                    "public_key",
                    AttributeKind::String,
                    "The 32 bytes in base64.",
                ),
                Attribute::computed("key_id", AttributeKind::String, "Names the key in tokens."),
            ],
        )
    }

    fn validate(&self, settings: &Value) -> Result<(), DriverError> {
        match text_of(settings, "algorithm") {
            None | Some("ed25519") => Ok(()),
            Some(other) => Err(invalid(format!(
                "there is no algorithm `{other}`; use `ed25519`"
            ))),
        }
    }

    fn make(
        &self,
        _: &Context,
        _: &ApplyRequest,
        settings: &Value,
    ) -> Result<Applied, DriverError> {
        self.validate(settings)?;
        let mut seed = [0; 32];
        random(&mut seed)?;
        let public = Ed25519::from_bytes(&seed).verifying_key().to_bytes();
        let key_id = Digest::of(&public).short();
        let mut attributes = attributes_of(settings);
        attributes["public_key_pem"] = pem("PUBLIC KEY", &SPKI, &public).into();
        attributes["public_key"] = STANDARD.encode(public).into();
        attributes["key_id"] = key_id.clone().into();
        let private = SecretValue::new(pem("PRIVATE KEY", &PKCS8, &seed));
        seed.fill(0);
        let secrets = BTreeMap::from([("private_key_pem".to_owned(), private)]);
        Ok(Applied {
            id: key_id,
            attributes,
            secrets,
            tainted: false,
        })
    }
}

fn pem(label: &str, prefix: &[u8], key: &[u8]) -> String {
    let body = STANDARD.encode([prefix, key].concat());
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

/// Reads what [`SigningKey`] makes.
pub(super) fn read_private(text: &str) -> Result<Ed25519, DriverError> {
    let wrong = || {
        invalid(
            "property `key` is no Ed25519 private key in PKCS #8; use `private_key_pem` of a `signing_key`",
        )
    };
    let body: String = text
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let der = STANDARD.decode(body.trim()).map_err(|_| wrong())?;
    let seed = der
        .strip_prefix(&PKCS8)
        .and_then(|seed| <[u8; 32]>::try_from(seed).ok())
        .ok_or_else(wrong)?;
    Ok(Ed25519::from_bytes(&seed))
}

/// The id of a key, as [`SigningKey`] gives it.
pub(super) fn key_id(key: &Ed25519) -> String {
    Digest::of(&key.verifying_key().to_bytes()).short()
}

/// Base64url without padding, as tokens have it.
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
