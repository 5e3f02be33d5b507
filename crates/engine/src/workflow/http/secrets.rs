//! Secrets in requests: tokens become values where a request is sent, and values are taken out of
//! the answer before anything is recorded.

use std::collections::BTreeMap;

use consort_journal::Sensitive;
use consort_model::SecretHandle;
use consort_model::secret::{Piece, pieces};
use consort_workflow::{Authentication, HttpRequest};

use super::failure::{Failure, chain};
use crate::engine::Engine;

/// Shorter values are not looked for in answers: they would be found everywhere.
const SHORTEST: usize = 4;

/// Where a value is put: each place has its own way to write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Plain,
    /// Inside a string of JSON.
    Json,
    /// Inside a URL.
    Url,
}

/// The values of the secrets of one request.
#[derive(Debug, Default)]
pub(super) struct Values(BTreeMap<SecretHandle, Sensitive>);

impl Values {
    /// Fetches what the request needs.
    pub(super) async fn fetch(
        engine: &Engine,
        deployment: &str,
        request: &HttpRequest,
    ) -> Result<Self, Failure> {
        let mut values = BTreeMap::new();
        for text in texts(request) {
            for piece in pieces(text) {
                let Piece::Secret(handle) = piece else {
                    continue;
                };
                if values.contains_key(&handle) {
                    continue;
                }
                let found = engine.store.secret_get(deployment, &handle).await;
                let found = found.map_err(|error| {
                    Failure::wrong(format!("secret {handle} cannot be read: {}", chain(&error)))
                })?;
                let value = found.ok_or_else(|| {
                    Failure::wrong(format!("the value of secret {handle} is not kept"))
                })?;
                values.insert(handle, value);
            }
        }
        Ok(Self(values))
    }

    /// The text with values in the place of tokens.
    pub(super) fn reveal(&self, text: &str, form: Form) -> String {
        let mut out = String::new();
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Secret(handle) => {
                    let value = self.0.get(&handle).map_or("", Sensitive::reveal);
                    out.push_str(&written(value, form));
                }
            }
        }
        out
    }

    /// Takes the values out of what came back, in whichever form they stand there.
    pub(super) fn scrub(&self, bytes: Vec<u8>) -> Vec<u8> {
        let mut bytes = bytes;
        for (handle, value) in &self.0 {
            if value.reveal().len() < SHORTEST {
                continue;
            }
            let mask = format!("(secret {handle})");
            let mut forms: Vec<String> = [Form::Plain, Form::Json, Form::Url]
                .into_iter()
                .map(|form| written(value.reveal(), form))
                .collect();
            forms.dedup();
            for form in forms {
                bytes = replace(bytes, form.as_bytes(), mask.as_bytes());
            }
        }
        bytes
    }
}

fn texts(request: &HttpRequest) -> Vec<&str> {
    let mut texts = vec![request.url.as_str()];
    texts.extend(request.headers.values().map(String::as_str));
    texts.extend(request.body.as_deref());
    match &request.authentication {
        Some(Authentication::Basic { username, password }) => {
            texts.extend([username.as_str(), password.as_str()]);
        }
        Some(Authentication::Bearer { token }) => texts.push(token),
        None => {}
    }
    texts
}

fn written(value: &str, form: Form) -> String {
    match form {
        Form::Plain => value.to_owned(),
        Form::Json => {
            let quoted = serde_json::Value::from(value).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }
        Form::Url => value
            .bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(byte).to_string()
                }
                _ => format!("%{byte:02X}"),
            })
            .collect(),
    }
}

fn replace(bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    if from.is_empty() || bytes.len() < from.len() {
        return bytes;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(from) {
            out.extend_from_slice(to);
            at += from.len();
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_their_place_needs_and_taken_out_in_every_form() {
        let handle = SecretHandle {
            name: "resources.t.value".into(),
            version: 1,
        };
        let secret = Sensitive::new("a\"b c/d".to_owned());
        let values = Values(BTreeMap::from([(handle.clone(), secret)]));
        let text = format!("x={}", handle.token());
        assert_eq!(values.reveal(&text, Form::Plain), "x=a\"b c/d");
        assert_eq!(values.reveal(&text, Form::Json), "x=a\\\"b c/d");
        assert_eq!(values.reveal(&text, Form::Url), "x=a%22b%20c%2Fd");
        let echoed = b"1 a\"b c/d 2 a\\\"b c/d 3 a%22b%20c%2Fd".to_vec();
        let clean = String::from_utf8(values.scrub(echoed)).unwrap();
        let mask = "(secret resources.t.value@1)";
        assert_eq!(clean, format!("1 {mask} 2 {mask} 3 {mask}"));
    }
}
