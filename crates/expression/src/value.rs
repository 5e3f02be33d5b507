//! Values across the border: JSON in, JSON out, bounded and with canonical numbers.

use jaq_json::{Map, Num, Val};
use serde_json::{Number, Value};

use crate::analysis::projection::Projection;
use crate::error::EvaluationError;
use crate::limits::Limits;

/// The largest integer up to which every integer is a float: 2⁵³.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The number as an integer, if it is an integral float below 2⁵³.
fn integral(number: f64) -> Option<i64> {
    // In this range the conversion is exact.
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
}

/// The value with canonical numbers: integral floats below 2⁵³ become integers, so that the same value
/// has one form and one hash.
pub fn canonical(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(canonical_number(&number)),
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        Value::Object(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(key, item)| (key, canonical(item)))
                .collect(),
        ),
        other => other,
    }
}

fn canonical_number(number: &Number) -> Number {
    if number.is_i64() || number.is_u64() {
        return number.clone();
    }
    number
        .as_f64()
        .and_then(integral)
        .map_or_else(|| number.clone(), Number::from)
}

/// The least integer, in a form that jaq can negate without overflow.
fn least_integer() -> Val {
    let positive = Val::Num(Num::from_integral(1u64 << 63));
    (-positive).unwrap_or_default()
}

/// A number of jaq in canonical form; all else as it is.
pub(crate) fn canonical_val(value: Val) -> Val {
    match value {
        Val::Num(Num::Int(isize::MIN)) => least_integer(),
        Val::Num(Num::Float(number)) => match integral(number) {
            Some(integer) => Val::from(integer as isize),
            None => Val::Num(Num::Float(number)),
        },
        Val::Num(Num::Dec(ref digits)) => match digits.parse().ok().and_then(integral) {
            Some(integer) => Val::from(integer as isize),
            None => value,
        },
        other => other,
    }
}

/// Counts what comes in.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Measure {
    /// Bytes as JSON.
    pub(crate) bytes: usize,
    /// Number of values.
    pub(crate) nodes: usize,
}

/// Converts JSON to jaq's values; only the parts that the projection names.
pub(crate) struct Entry {
    pub(crate) measure: Measure,
    pub(crate) max_bytes: usize,
    pub(crate) max_depth: usize,
}

impl Entry {
    pub(crate) fn new(max_bytes: usize, limits: &Limits) -> Self {
        Self {
            measure: Measure::default(),
            max_bytes,
            max_depth: limits.depth,
        }
    }

    fn count(&mut self, bytes: usize) -> Result<(), EvaluationError> {
        self.measure.bytes = self.measure.bytes.saturating_add(bytes);
        self.measure.nodes += 1;
        if self.measure.bytes > self.max_bytes {
            return Err(EvaluationError::limit(
                "input",
                format!(
                    "input and variables have more than {} bytes",
                    self.max_bytes
                ),
            ));
        }
        Ok(())
    }

    fn enter(&self, depth: usize) -> Result<(), EvaluationError> {
        if depth >= self.max_depth {
            return Err(EvaluationError::limit(
                "depth",
                format!("the input is nested more than {} deep", self.max_depth),
            ));
        }
        Ok(())
    }

    /// The value for jaq. `depth` is how many arrays and objects are round it.
    pub(crate) fn val(
        &mut self,
        value: &Value,
        keep: &Projection,
        depth: usize,
    ) -> Result<Val, EvaluationError> {
        match value {
            Value::Null => self.count(4).map(|()| Val::Null),
            Value::Bool(flag) => self.count(5).map(|()| Val::Bool(*flag)),
            Value::Number(number) => self.count(20).map(|()| number_val(number)),
            Value::String(text) => {
                self.count(json_length(text))?;
                Ok(Val::utf8_str(text.clone().into_bytes()))
            }
            Value::Array(items) => {
                self.enter(depth)?;
                self.count(2 + items.len())?;
                items
                    .iter()
                    .map(|item| self.val(item, Projection::all(), depth + 1))
                    .collect()
            }
            Value::Object(entries) => {
                self.enter(depth)?;
                self.count(2)?;
                let mut map = Map::default();
                for (key, item) in entries {
                    if let Some(keep) = keep.of_key(key) {
                        self.measure.bytes += json_length(key) + 2;
                        map.insert(
                            Val::utf8_str(key.clone().into_bytes()),
                            self.val(item, keep, depth + 1)?,
                        );
                    }
                }
                Ok(Val::obj(map))
            }
        }
    }

    /// The part of the value that the projection names, as JSON.
    pub(crate) fn part(
        &mut self,
        value: &Value,
        keep: &Projection,
        depth: usize,
    ) -> Result<Value, EvaluationError> {
        match value {
            Value::Null | Value::Bool(_) => self.count(5).map(|()| value.clone()),
            Value::Number(number) => self
                .count(20)
                .map(|()| Value::Number(canonical_number(number))),
            Value::String(text) => self.count(json_length(text)).map(|()| value.clone()),
            Value::Array(items) => {
                self.enter(depth)?;
                self.count(2 + items.len())?;
                let items = items
                    .iter()
                    .map(|item| self.part(item, Projection::all(), depth + 1));
                items.collect::<Result<_, _>>().map(Value::Array)
            }
            Value::Object(entries) => {
                self.enter(depth)?;
                self.count(2)?;
                let mut map = serde_json::Map::new();
                for (key, item) in entries {
                    if let Some(keep) = keep.of_key(key) {
                        self.measure.bytes += json_length(key) + 2;
                        map.insert(key.clone(), self.part(item, keep, depth + 1)?);
                    }
                }
                Ok(Value::Object(map))
            }
        }
    }
}

fn number_val(number: &Number) -> Val {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(i64::MIN), ..) => least_integer(),
        (Some(integer), ..) => Val::Num(Num::from_integral(integer)),
        (_, Some(integer), _) => Val::Num(Num::from_integral(integer)),
        (.., Some(float)) => canonical_val(Val::Num(Num::Float(float))),
        // Only with numbers of arbitrary precision.
        (None, None, None) => Val::Num(Num::from_dec_str(&number.to_string())),
    }
}

/// Bytes of a string as JSON.
pub(crate) fn json_length(text: &str) -> usize {
    let escaped = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 1,
        0..0x20 | 0x7f => 5,
        _ => 0,
    });
    text.len() + 2 + escaped.sum::<usize>()
}

/// Converts results to JSON, within bounds. A value must not be printed or dropped before it came
/// through here.
pub(crate) struct Exit {
    limits: Limits,
    bytes: usize,
    deepest: usize,
}

impl Exit {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            bytes: 0,
            deepest: 0,
        }
    }

    /// The nesting of the deepest value so far.
    pub(crate) fn deepest(&self) -> usize {
        self.deepest
    }

    /// The value as JSON. `depth` is how many arrays and objects are round it.
    pub(crate) fn json(&mut self, value: &Val, depth: usize) -> Result<Value, EvaluationError> {
        match value {
            Val::Null => self.count(4).map(|()| Value::Null),
            Val::Bool(flag) => self.count(5).map(|()| Value::Bool(*flag)),
            Val::Num(number) => self.count(20).map(|()| number_json(number)),
            Val::TStr(bytes) | Val::BStr(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                self.count(json_length(&text))?;
                Ok(Value::String(text.into_owned()))
            }
            Val::Arr(items) => {
                self.enter(depth)?;
                self.count(2 + items.len())?;
                let items = items.iter().map(|item| self.json(item, depth + 1));
                items.collect::<Result<_, _>>().map(Value::Array)
            }
            Val::Obj(entries) => {
                self.enter(depth)?;
                self.count(2)?;
                let mut map = serde_json::Map::new();
                for (key, item) in entries.iter() {
                    let key = self.key(key)?;
                    map.insert(key, self.json(item, depth + 1)?);
                }
                Ok(Value::Object(map))
            }
        }
    }

    fn key(&mut self, key: &Val) -> Result<String, EvaluationError> {
        let (Val::TStr(bytes) | Val::BStr(bytes)) = key else {
            return Err(EvaluationError::raised("keys of objects must be strings"));
        };
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.count(json_length(&text) + 2)?;
        Ok(text)
    }

    fn count(&mut self, bytes: usize) -> Result<(), EvaluationError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limits.result_bytes {
            return Err(EvaluationError::limit(
                "result",
                format!(
                    "the result has more than {} bytes",
                    self.limits.result_bytes
                ),
            ));
        }
        Ok(())
    }

    fn enter(&mut self, depth: usize) -> Result<(), EvaluationError> {
        self.deepest = self.deepest.max(depth + 1);
        if self.deepest > self.limits.depth {
            return Err(EvaluationError::limit(
                "depth",
                format!("the result is nested more than {} deep", self.limits.depth),
            ));
        }
        Ok(())
    }
}

/// As jq prints them: not-a-number is null, infinities are the largest floats.
fn number_json(number: &Num) -> Value {
    let float = match number {
        Num::Int(integer) => return Value::from(*integer as i64),
        Num::BigInt(integer) => {
            let digits = integer.to_string();
            if let Ok(integer) = digits.parse::<i64>() {
                return Value::from(integer);
            }
            if let Ok(integer) = digits.parse::<u64>() {
                return Value::from(integer);
            }
            digits.parse().unwrap_or(f64::MAX)
        }
        Num::Float(float) => *float,
        Num::Dec(digits) => digits.parse().unwrap_or(f64::NAN),
    };
    if float.is_nan() {
        return Value::Null;
    }
    let float = float.clamp(f64::MIN, f64::MAX);
    integral(float).map_or_else(|| Value::from(float), Value::from)
}
