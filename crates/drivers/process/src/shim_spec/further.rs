//! Settings that only this target reads, in their Compose form.

use std::collections::BTreeMap;

use consort_driver::DriverError;
use consort_model::{Code, Value};
use consort_shim::spec::Rlimit;

/// Keys of the Compose form that this target carries out and [`ServiceSpec`] does not hold.
pub(crate) const FURTHER: &[&str] = &[
    "cap_add",
    "cpu_shares",
    "group_add",
    "mem_reservation",
    "oom_score_adj",
    "security_opt",
    "ulimits",
];

/// Settings in their Compose form.
pub(super) struct Further<'a>(pub(super) Option<&'a Value>);

impl Further<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.0?.get(key).filter(|value| !value.is_null())
    }
    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        let items = self.get(key).and_then(Value::as_array);
        items.into_iter().flatten().map(text).collect()
    }
    pub(super) fn number(&self, key: &str) -> Option<i64> {
        text(self.get(key)?).parse().ok()
    }
    pub(super) fn bytes(&self, key: &str) -> Option<u64> {
        let bytes: consort_model::units::Bytes = text(self.get(key)?).parse().ok()?;
        Some(bytes.0).filter(|bytes| *bytes > 0)
    }
    pub(super) fn no_new_privileges(&self) -> bool {
        let options = self.texts("security_opt");
        options.iter().any(|option| {
            matches!(
                option.as_str(),
                "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges=true"
            )
        })
    }
    pub(super) fn rlimits(&self) -> Result<BTreeMap<String, Rlimit>, DriverError> {
        let Some(Value::Object(all)) = self.get("ulimits") else {
            return Ok(BTreeMap::new());
        };
        let mut limits = BTreeMap::new();
        for (name, value) in all {
            let limit = match value {
                Value::Object(both) => Rlimit {
                    soft: both
                        .get("soft")
                        .map(|value| bound(name, value))
                        .transpose()?
                        .flatten(),
                    hard: both
                        .get("hard")
                        .map(|value| bound(name, value))
                        .transpose()?
                        .flatten(),
                },
                one => {
                    let limit = bound(name, one)?;
                    Rlimit {
                        soft: limit,
                        hard: limit,
                    }
                }
            };
            limits.insert(name.clone(), limit);
        }
        Ok(limits)
    }
}

/// -1 is unlimited.
fn bound(name: &str, value: &Value) -> Result<Option<u64>, DriverError> {
    let text = text(value);
    match text.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(number) if number >= 0 => Ok(u64::try_from(number).ok()),
        _ => Err(DriverError::new(
            Code::BLUEPRINT_INVALID,
            format!("`ulimits.{name}`: `{text}` is not a limit"),
        )),
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
