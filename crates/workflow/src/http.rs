//! HTTP calls: the request as it is planned, the answer as it is decoded.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use consort_model::{Value, secret};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::{Fault, types};

/// How a request proves who sends it. Texts may hold secret tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// User and password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: String,
    },
    /// A token.
    Bearer {
        /// The token.
        token: String,
    },
}

/// What of an answer becomes the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpOutput {
    /// The content, decoded.
    #[default]
    Content,
    /// The content in base64.
    Raw,
    /// Request, status, headers and content.
    Response,
}

/// A request as it is planned: secrets are tokens, put in when it is sent. Who puts them in encodes
/// them for their place: percent-encoded in the URL and in forms, as JSON text in a JSON body; in a
/// header they must not have control characters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// Upper case.
    pub method: String,
    /// With the query.
    pub url: String,
    /// Lower-case names.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<String>,
    /// Who sends it.
    pub authentication: Option<Authentication>,
    /// Follow redirections (at most 10), and count what is left of them as success.
    pub redirect: bool,
    /// Sent as `Idempotency-Key` with POST and PATCH: the same after a crash.
    pub key: Option<String>,
    /// What of the answer becomes the output.
    pub output: HttpOutput,
    /// The answer is XML and shall be data.
    pub decode_xml: bool,
}

/// An answer as it is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpAnswer {
    /// There is one.
    Answered {
        /// Of HTTP.
        status: u16,
        /// Lower-case names.
        headers: BTreeMap<String, String>,
        /// Base64.
        body: String,
    },
    /// There is none.
    Failed {
        /// Why.
        message: String,
        /// The effect may have happened all the same.
        ambiguous: bool,
        /// 500, 503 when no connection was had, 504 when it took too long.
        status: u16,
    },
}

/// Headers that are not shown.
const HIDDEN: &[&str] = &[
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-api-key",
];

impl HttpRequest {
    /// The output of the call, or the fault.
    pub(crate) fn output(&self, answer: &HttpAnswer) -> Result<Value, Fault> {
        let (status, headers, body) = match answer {
            HttpAnswer::Failed {
                message, status, ..
            } => {
                return Err(Fault::standard(types::COMMUNICATION, message.clone()).status(*status));
            }
            HttpAnswer::Answered {
                status,
                headers,
                body,
            } => (*status, headers, body),
        };
        let good = (200..300).contains(&status) || (self.redirect && (300..400).contains(&status));
        if !good {
            let message = format!(
                "{} {} was answered with status {status}",
                self.method,
                secret::masked(&self.url)
            );
            return Err(Fault::standard(types::COMMUNICATION, message).status(status));
        }
        let bytes = STANDARD.decode(body).unwrap_or_default();
        match self.output {
            HttpOutput::Raw => Ok(Value::String(body.clone())),
            HttpOutput::Content => self.content(headers, &bytes),
            HttpOutput::Response => Ok(json!({
                "request": {"method": self.method, "uri": secret::masked(&self.url), "headers": self.shown_headers()},
                "statusCode": status,
                "headers": headers,
                "content": self.content(headers, &bytes)?,
            })),
        }
    }

    fn shown_headers(&self) -> BTreeMap<String, String> {
        let mask = |(name, value): (&String, &String)| {
            let hidden = HIDDEN.contains(&name.as_str());
            (
                name.clone(),
                if hidden {
                    "(hidden)".into()
                } else {
                    secret::masked(value)
                },
            )
        };
        self.headers.iter().map(mask).collect()
    }

    fn content(&self, headers: &BTreeMap<String, String>, bytes: &[u8]) -> Result<Value, Fault> {
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        let media = headers.get("content-type").map_or("", String::as_str);
        let media = media
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let wrong = |message: String| Fault::standard(types::COMMUNICATION, message);
        if self.decode_xml {
            let text =
                std::str::from_utf8(bytes).map_err(|_| wrong("the answer is not UTF-8".into()))?;
            return crate::xml::decode(text)
                .map_err(|message| wrong(format!("the answer is no XML: {message}")));
        }
        if media == "application/json" || media.ends_with("+json") {
            return serde_json::from_slice(bytes)
                .map_err(|error| wrong(format!("the answer is no JSON: {error}")));
        }
        let text_like =
            media.starts_with("text/") || media == "application/xml" || media.ends_with("+xml");
        match std::str::from_utf8(bytes) {
            Ok(text) if text_like || media.is_empty() => Ok(Value::String(text.to_owned())),
            _ => Ok(Value::String(STANDARD.encode(bytes))),
        }
    }
}

/// A value as part of a URL: text as it is, everything else as JSON.
pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Percent-encodes everything but unreserved characters (RFC 3986). Secret tokens stay whole.
pub(crate) fn encode(value: &str) -> String {
    let mut out = String::new();
    for piece in secret::pieces(value) {
        match piece {
            secret::Piece::Secret(handle) => out.push_str(&handle.token()),
            secret::Piece::Text(text) => {
                for byte in text.bytes() {
                    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                        out.push(char::from(byte));
                    } else {
                        out.push_str(&format!("%{byte:02X}"));
                    }
                }
            }
        }
    }
    out
}

/// A URI template (RFC 6570, level 1): `{name}` is a top-level property of the data.
pub(crate) fn expand(template: &str, data: &Value) -> Result<String, Fault> {
    let mut out = String::new();
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        let Some(length) = rest[start..].find('}') else {
            break;
        };
        let name = &rest[start + 1..start + length];
        match data.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::Array(_) | Value::Object(_)) => {
                return Err(Fault::standard(
                    types::EXPRESSION,
                    format!("`{{{name}}}` in `{template}` is no text or number"),
                ));
            }
            Some(value) => out.push_str(&encode(&text(value))),
        }
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    Ok(out)
}
