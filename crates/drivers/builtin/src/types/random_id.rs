//! `random_id`: random bytes that need not be secret.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consort_driver::{
    Applied, ApplyRequest, Attribute, AttributeKind, Context, DriverError, TypeSchema,
};
use consort_model::Value;

use super::{Kind, attributes_of, keepers, schema};
use crate::settings::{random, whole};

pub(super) struct RandomId;

impl Kind for RandomId {
    fn schema(&self) -> TypeSchema {
        schema(
            "random_id",
            "Random bytes, for names that must be unique.",
            vec![
                Attribute::settable(
                    "bytes",
                    AttributeKind::Number,
                    "How many, 1 to 64; 8 if nothing is said.",
                )
                .forces_replacement(),
                keepers(),
                Attribute::computed(
                    "hex",
                    AttributeKind::String,
                    "The bytes in hexadecimal digits.",
                ),
                Attribute::computed(
                    "base64url",
                    AttributeKind::String,
                    "The bytes in base64url without padding.",
                ),
            ],
        )
    }

    fn validate(&self, settings: &Value) -> Result<(), DriverError> {
        whole(settings, "bytes", 8, 1..=64).map(|_| ())
    }

    fn make(
        &self,
        _: &Context,
        _: &ApplyRequest,
        settings: &Value,
    ) -> Result<Applied, DriverError> {
        let mut bytes = vec![0; whole(settings, "bytes", 8, 1..=64)? as usize];
        random(&mut bytes)?;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut attributes = attributes_of(settings);
        attributes["base64url"] = URL_SAFE_NO_PAD.encode(&bytes).into();
        attributes["hex"] = hex.clone().into();
        Ok(Applied {
            id: hex,
            attributes,
            ..Applied::default()
        })
    }
}
