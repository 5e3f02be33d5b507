//! Access tokens: JSON Web Tokens signed with EdDSA (RFC 7519, RFC 8037).

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::Deserialize;

/// Longest token that is looked at, in bytes.
const TOKEN_LIMIT: usize = 8 * 1024;
/// What comes before the 32 bytes of an Ed25519 key in its DER form (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The public key is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "TOKEN_PUBLIC_KEY is not an Ed25519 public key; give PEM (BEGIN PUBLIC KEY) or 32 bytes in base64"
)]
pub struct InvalidKey;

/// A token that is not accepted. The reason says nothing that helps to forge one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// It is not three parts of base64url with JSON inside.
    #[error("the token is malformed")]
    Malformed,
    /// It is signed in another way than with EdDSA.
    #[error("the token is not signed with EdDSA")]
    Algorithm,
    /// The signature is wrong.
    #[error("the signature of the token does not match")]
    Signature,
    /// It has ended.
    #[error("the token has expired")]
    Expired,
    /// It is for later.
    #[error("the token is not valid yet")]
    NotYet,
    /// It is for another service.
    #[error("the token is for another audience")]
    Audience,
}

/// What a token says about its holder.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Claims {
    /// Who holds it.
    #[serde(default)]
    pub sub: String,
    /// What the holder may do.
    #[serde(default)]
    pub rights: BTreeSet<String>,
    /// For whom it is; for everybody where absent.
    aud: Option<Audience>,
    /// The end, in seconds since 1970.
    exp: Option<f64>,
    /// The beginning, in seconds since 1970.
    nbf: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    crit: Option<serde_json::Value>,
}

/// Checks tokens for one service.
#[derive(Debug, Clone)]
pub struct Verifier {
    key: VerifyingKey,
    audience: String,
}

impl Verifier {
    /// A verifier with a public key in PEM (SPKI) or as 32 bytes in base64 or base64url.
    ///
    /// # Errors
    /// [`InvalidKey`].
    pub fn new(key: &str, audience: impl Into<String>) -> Result<Self, InvalidKey> {
        let bytes = decode_key(key).ok_or(InvalidKey)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| InvalidKey)?;
        // Under a key of small order, anybody could sign.
        if key.is_weak() {
            return Err(InvalidKey);
        }
        Ok(Self {
            key,
            audience: audience.into(),
        })
    }

    /// The claims of a token that is valid now.
    ///
    /// # Errors
    /// [`Rejected`], with the first reason found.
    pub fn verify(&self, token: &str, now: jiff::Timestamp) -> Result<Claims, Rejected> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Rejected::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Rejected::Malformed)?;
        if token.len() > TOKEN_LIMIT || payload.contains('.') {
            return Err(Rejected::Malformed);
        }
        let header: Header = decode_json(header)?;
        if header.alg != "EdDSA" || header.crit.is_some() {
            return Err(Rejected::Algorithm);
        }
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| Rejected::Malformed)?;
        let signature = Signature::from_slice(&signature).map_err(|_| Rejected::Malformed)?;
        self.key
            .verify_strict(signed.as_bytes(), &signature)
            .map_err(|_| Rejected::Signature)?;
        let claims: Claims = decode_json(payload)?;
        self.check(&claims, now)?;
        Ok(claims)
    }

    fn check(&self, claims: &Claims, now: jiff::Timestamp) -> Result<(), Rejected> {
        let now = now.as_millisecond() as f64 / 1000.0;
        let Claims {
            sub: _,
            rights: _,
            aud,
            exp,
            nbf,
        } = claims;
        if exp.is_some_and(|end| now >= end) {
            return Err(Rejected::Expired);
        }
        if nbf.is_some_and(|begin| now < begin) {
            return Err(Rejected::NotYet);
        }
        match aud {
            None => Ok(()),
            Some(Audience::One(name)) if *name == self.audience => Ok(()),
            Some(Audience::Many(names)) if names.contains(&self.audience) => Ok(()),
            Some(Audience::One(_) | Audience::Many(_)) => Err(Rejected::Audience),
        }
    }
}

fn decode_json<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, Rejected> {
    let bytes = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| Rejected::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| Rejected::Malformed)
}

fn decode_key(text: &str) -> Option<[u8; 32]> {
    let body: String = text
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .flat_map(|line| line.chars().filter(|c| !c.is_whitespace()))
        .collect();
    let unpadded = body.trim_end_matches('=');
    let der = URL_SAFE_NO_PAD
        .decode(unpadded)
        .or_else(|_| STANDARD.decode(&body))
        .or_else(|_| base64::engine::general_purpose::STANDARD_NO_PAD.decode(unpadded))
        .ok()?;
    let raw = der.strip_prefix(&SPKI_PREFIX).unwrap_or(&der);
    raw.try_into().ok()
}
