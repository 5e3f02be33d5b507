//! Who may do what: rights from tokens, and the administrator's password.

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::problem::Problem;
use crate::token::Verifier;

/// A right that a token may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Read profiles and purchase histories.
    ReadCustomers,
    /// Record purchases.
    WritePurchases,
    /// Publish segments.
    WriteSegments,
}

impl Right {
    /// The right as tokens name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadCustomers => "customers:read",
            Self::WritePurchases => "purchases:write",
            Self::WriteSegments => "segments:write",
        }
    }
}

/// Checks the `Authorization` header.
#[derive(Debug, Clone)]
pub struct Access {
    /// Checks bearer tokens.
    pub tokens: Verifier,
    /// The password of `admin`; nobody is the administrator where it is absent.
    pub admin_password: Option<String>,
}

impl Access {
    /// The holder of a token with this right.
    ///
    /// # Errors
    /// 401 without a valid token, 403 where the token lacks the right.
    pub fn require(&self, headers: &HeaderMap, right: Right) -> Result<String, Problem> {
        let token = credentials(headers, "Bearer").ok_or_else(|| {
            challenge_token("send a token: Authorization: Bearer TOKEN".to_owned())
        })?;
        let claims = self
            .tokens
            .verify(token, jiff::Timestamp::now())
            .map_err(|rejected| challenge_token(rejected.to_string()))?;
        if claims.rights.contains(right.name()) {
            return Ok(claims.sub);
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!(
                "the token of {:?} lacks the right {}",
                claims.sub,
                right.name()
            ),
        ))
    }

    /// Lets only the administrator pass, by basic authentication.
    ///
    /// # Errors
    /// 401 with the challenge.
    pub fn require_admin(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let given = credentials(headers, "Basic")
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .unwrap_or_default();
        let expected = self
            .admin_password
            .as_ref()
            .map(|password| format!("admin:{password}"));
        // Digests are compared, in constant time, so that neither length nor content leaks.
        match expected {
            Some(expected) if blake3::hash(expected.as_bytes()) == blake3::hash(&given) => Ok(()),
            Some(_) | None => Err(Problem::unauthorized(
                "Basic realm=\"crm\"",
                "send the name admin and its password",
            )),
        }
    }
}

fn challenge_token(detail: String) -> Problem {
    Problem::unauthorized("Bearer realm=\"crm\"", detail)
}

fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (found, rest) = value.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}
