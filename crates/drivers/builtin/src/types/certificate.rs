//! `certificate`: an X.509 certificate for TLS, self-signed or signed by an authority that is given.

use std::collections::BTreeMap;
use std::net::IpAddr;

use consort_driver::{
    Applied, ApplyRequest, Attribute, AttributeKind, Context, DriverError, SecretValue, TypeSchema,
};
use consort_model::time::Span;
use consort_model::{Code, Digest, Value};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType,
};

use super::token::ends_soon;
use super::{Kind, keepers, schema};
use crate::settings::{flag, invalid, span, text_of, texts};

pub(super) struct Certificate;

const DAY: u64 = 86_400;

impl Kind for Certificate {
    fn schema(&self) -> TypeSchema {
        let text = |name: &str, doc: &str| {
            Attribute::settable(name, AttributeKind::String, doc).forces_replacement()
        };
        let list = |name: &str, doc: &str| {
            Attribute::settable(name, AttributeKind::List, doc).forces_replacement()
        };
        schema(
            "certificate",
            "A TLS certificate with its key; renewed when a third of its life is left.",
            vec![
                text("common_name", "The subject.").required(),
                list("dns_names", "Names that it is for."),
                list("ip_addresses", "Addresses that it is for."),
                text(
                    "valid_for",
                    "How long, as `90d`, which is also the default.",
                ),
                Attribute::settable("is_ca", AttributeKind::Boolean, "It signs others.")
                    .forces_replacement(),
                text(
                    "ca_certificate_pem",
                    "The certificate of the authority that signs it; self-signed if none is given.",
                ),
                text("ca_private_key_pem", "The key of that authority.").sensitive(),
                keepers(),
                Attribute::computed("certificate_pem", AttributeKind::String, "The certificate."),
                Attribute::computed(
                    "private_key_pem",
                    AttributeKind::String,
                    "Its key, PKCS #8.",
                )
                .sensitive(),
                Attribute::computed(
                    "fingerprint",
                    AttributeKind::String,
                    "BLAKE3 of the certificate.",
                ),
                Attribute::computed(
                    "issued_at",
                    AttributeKind::Number,
                    "Milliseconds since 1970.",
                ),
                Attribute::computed(
                    "expires_at",
                    AttributeKind::Number,
                    "Milliseconds since 1970.",
                ),
            ],
        )
    }

    fn validate(&self, settings: &Value) -> Result<(), DriverError> {
        addresses(settings)?;
        texts(settings, "dns_names")?;
        let valid = span(settings, "valid_for")?.unwrap_or(Span::from_secs(90 * DAY));
        if !(Span::from_secs(60)..=Span::from_secs(3_650 * DAY)).contains(&valid) {
            return Err(invalid("property `valid_for` must be from 1m to 3650d"));
        }
        let both = [
            text_of(settings, "ca_certificate_pem"),
            text_of(settings, "ca_private_key_pem"),
        ];
        if both.iter().flatten().count() == 1 {
            return Err(invalid(
                "an authority is given by both `ca_certificate_pem` and `ca_private_key_pem`",
            ));
        }
        Ok(())
    }

    fn renewal(&self, context: &Context, attributes: &Value) -> Option<String> {
        ends_soon(context, attributes, 3).then(|| "expires_at".to_owned())
    }

    fn make(
        &self,
        context: &Context,
        request: &ApplyRequest,
        settings: &Value,
    ) -> Result<Applied, DriverError> {
        self.validate(settings)?;
        let valid = span(settings, "valid_for")?.unwrap_or(Span::from_secs(90 * DAY));
        let (from, to) = (context.now, context.now.plus(valid));
        let failed = |error: rcgen::Error| {
            DriverError::new(Code::NODE_FAILED, "the certificate cannot be made").because(error)
        };
        let mut parameters =
            CertificateParams::new(texts(settings, "dns_names")?).map_err(failed)?;
        let addresses = addresses(settings)?.into_iter().map(SanType::IpAddress);
        parameters.subject_alt_names.extend(addresses);
        let mut name = DistinguishedName::new();
        name.push(
            DnType::CommonName,
            text_of(settings, "common_name").unwrap_or_default(),
        );
        parameters.distinguished_name = name;
        parameters.not_before = date(from.millis())?;
        parameters.not_after = date(to.millis())?;
        if flag(settings, "is_ca", false) {
            parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        } else {
            parameters.extended_key_usages = vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ];
        }
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = match (
            text_of(settings, "ca_certificate_pem"),
            text_of(settings, "ca_private_key_pem"),
        ) {
            (Some(authority), Some(authority_key)) => {
                let authority_key = KeyPair::from_pem(authority_key).map_err(failed)?;
                let issuer = Issuer::from_ca_cert_pem(authority, authority_key).map_err(failed)?;
                parameters.signed_by(&key, &issuer).map_err(failed)?
            }
            _ => parameters.self_signed(&key).map_err(failed)?,
        };
        let mut attributes = super::attributes_of(&request.desired);
        let fingerprint = Digest::of(certificate.der()).to_string();
        attributes["certificate_pem"] = certificate.pem().into();
        attributes["fingerprint"] = fingerprint.clone().into();
        attributes["issued_at"] = from.millis().into();
        attributes["expires_at"] = to.millis().into();
        let secrets = BTreeMap::from([(
            "private_key_pem".to_owned(),
            SecretValue::new(key.serialize_pem()),
        )]);
        Ok(Applied {
            id: fingerprint,
            attributes,
            secrets,
            tainted: false,
        })
    }
}

fn addresses(settings: &Value) -> Result<Vec<IpAddr>, DriverError> {
    let read = |text: String| {
        text.parse()
            .map_err(|_| invalid(format!("`{text}` in `ip_addresses` is not an IP address")))
    };
    texts(settings, "ip_addresses")?
        .into_iter()
        .map(read)
        .collect()
}

fn date(millis: i64) -> Result<time::OffsetDateTime, DriverError> {
    time::OffsetDateTime::from_unix_timestamp(millis / 1000).map_err(|error| {
        DriverError::new(Code::INTERNAL, "the clock is out of range").because(error)
    })
}
