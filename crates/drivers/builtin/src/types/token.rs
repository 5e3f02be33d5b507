//! `token`: a signed access token (RFC 7519, RFC 8037) that says who may do what.

use std::collections::BTreeMap;

use consort_driver::{
    Applied, ApplyRequest, Attribute, AttributeKind, Context, DriverError, SecretValue, TypeSchema,
};
use consort_model::{Timestamp, Value};
use ed25519_dalek::Signer;
use serde_json::json;

use super::signing_key::{encode, key_id, read_private};
use super::{Kind, keepers, schema};
use crate::settings::{invalid, span, text_of, texts};

pub(super) struct Token;

impl Kind for Token {
    fn schema(&self) -> TypeSchema {
        let text = |name: &str, doc: &str| {
            Attribute::settable(name, AttributeKind::String, doc).forces_replacement()
        };
        schema(
            "token",
            "A signed token that grants rights; whoever holds the public key can check it.",
            vec![
                text(
                    "key",
                    "The private key: `private_key_pem` of a `signing_key`.",
                )
                .required()
                .sensitive(),
                text("subject", "Who holds it.").required(),
                Attribute::settable(
                    "rights",
                    AttributeKind::List,
                    "What the holder may do, as `segments:write`.",
                )
                .forces_replacement(),
                text(
                    "audience",
                    "For which service it is; for every one if nothing is said.",
                ),
                text(
                    "expires_in",
                    "How long it is valid, as `90d`; for ever if nothing is said. Renewed when a fifth is left.",
                ),
                keepers(),
                Attribute::computed("value", AttributeKind::String, "The token.").sensitive(),
                Attribute::computed(
                    "expires_at",
                    AttributeKind::Number,
                    "Milliseconds since 1970; null if it does not end.",
                ),
                Attribute::computed(
                    "issued_at",
                    AttributeKind::Number,
                    "Milliseconds since 1970.",
                ),
            ],
        )
    }

    fn validate(&self, settings: &Value) -> Result<(), DriverError> {
        texts(settings, "rights")?;
        span(settings, "expires_in")?;
        match text_of(settings, "subject") {
            Some(subject) if !subject.is_empty() => Ok(()),
            _ => Err(invalid(
                "property `subject` must be a text that is not empty",
            )),
        }
    }

    fn renewal(&self, context: &Context, attributes: &Value) -> Option<String> {
        ends_soon(context, attributes, 5).then(|| "expires_at".to_owned())
    }

    fn make(
        &self,
        context: &Context,
        request: &ApplyRequest,
        settings: &Value,
    ) -> Result<Applied, DriverError> {
        self.validate(settings)?;
        let key = read_private(text_of(settings, "key").unwrap_or_default())?;
        let issued = context.now;
        let expires = span(settings, "expires_in")?.map(|span| issued.plus(span));
        let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": key_id(&key)});
        let mut payload = json!({
            "sub": text_of(settings, "subject"),
            "rights": texts(settings, "rights")?,
            "iat": issued.millis() / 1000,
        });
        if let Some(audience) = text_of(settings, "audience") {
            payload["aud"] = audience.into();
        }
        if let Some(expires) = expires {
            payload["exp"] = (expires.millis() / 1000).into();
        }
        let signed = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(payload.to_string().as_bytes())
        );
        let signature = encode(&key.sign(signed.as_bytes()).to_bytes());
        // The settings as they were asked for: with the handle of the key, not the key.
        let mut attributes = super::attributes_of(&request.desired);
        attributes["issued_at"] = issued.millis().into();
        attributes["expires_at"] = expires
            .map(Timestamp::millis)
            .map_or(Value::Null, Value::from);
        let secrets = BTreeMap::from([(
            "value".to_owned(),
            SecretValue::new(format!("{signed}.{signature}")),
        )]);
        Ok(Applied {
            attributes,
            secrets,
            ..Applied::default()
        })
    }
}

/// Is less than one part in `share` of its life left?
pub(super) fn ends_soon(context: &Context, attributes: &Value, share: i64) -> bool {
    let time = |name: &str| attributes.get(name).and_then(Value::as_i64);
    let (Some(from), Some(to)) = (time("issued_at"), time("expires_at")) else {
        return false;
    };
    to.saturating_sub(context.now.millis()) < to.saturating_sub(from) / share
}
