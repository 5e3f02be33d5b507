//! Natives: jaq's less the withheld, and ours.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jaq_core::native::{Fun, bome, run, v};
use jaq_core::{Cv, RunPtr};
use jaq_json::{Num, Val, ValR};
use jaq_std::ValT;
use sha2::{Digest, Sha256};

use super::{cidr, paths, withheld};
use crate::interpreter::Interpreter;
use crate::{template, value};

type Native = (&'static str, usize, RunPtr<Interpreter>);
type Outputs<'a> = jaq_core::ValXs<'a, Val>;

/// Every native; the first of a signature is the one that is called.
pub(super) fn all() -> impl Iterator<Item = Fun<Interpreter>> {
    let jaq = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs());
    let ours = OURS
        .iter()
        .map(|(name, arity, native)| run::<Interpreter>((*name, v(*arity), *native)));
    ours.chain(
        jaq.filter(|(name, ..)| !withheld::NATIVES.contains(name))
            .map(renamed),
    )
}

/// The prelude defines these names anew and calls the native by its other name.
fn renamed((name, arguments, native): Fun<Interpreter>) -> Fun<Interpreter> {
    let name = match name {
        "ltrimstr" => "ltrimstr_",
        "rtrimstr" => "rtrimstr_",
        name => name,
    };
    (name, arguments, native)
}

const OURS: &[Native] = &[
    ("!number", 0, only_number),
    ("!key", 0, only_key),
    ("!canonical", 0, |cv| bome(Ok(value::canonical_val(cv.1)))),
    ("add_", 0, |cv| bome(add(cv.1))),
    ("join_", 1, |mut cv| {
        let separator = cv.0.pop_var();
        bome(join(cv.1, &separator))
    }),
    ("ensure_", 1, |mut cv| {
        let path = cv.0.pop_var();
        bome(steps(&path).and_then(|path| paths::ensure(cv.1, path)))
    }),
    ("delpath_", 1, |mut cv| {
        let path = cv.0.pop_var();
        bome(steps(&path).and_then(|path| paths::delete(cv.1, path)))
    }),
    ("tonumber_", 0, |cv| bome(tonumber(cv.1))),
    ("now", 0, now),
    ("file", 1, file),
    ("template", 2, template_),
    ("sha256", 0, |cv| {
        bome(bytes(&cv.1).map(|bytes| text(hex(&Sha256::digest(bytes)))))
    }),
    ("base64", 0, |cv| {
        bome(bytes(&cv.1).map(|bytes| text(STANDARD.encode(bytes))))
    }),
    ("base64d", 0, |cv| bome(base64d(&cv.1))),
    ("cidrhost", 2, |mut cv| {
        let (number, prefix) = (cv.0.pop_var(), cv.0.pop_var());
        bome(
            integer(&number)
                .and_then(|number| on_text(&prefix, |prefix| cidr::host(prefix, number))),
        )
    }),
    ("cidrsubnet", 3, |mut cv| {
        let (number, bits, prefix) = (cv.0.pop_var(), cv.0.pop_var(), cv.0.pop_var());
        bome(integer(&bits).and_then(|bits| {
            let number = integer(&number)?;
            on_text(&prefix, |prefix| cidr::subnet(prefix, bits, number))
        }))
    }),
    ("cidrnetmask", 1, |mut cv| {
        let prefix = cv.0.pop_var();
        bome(on_text(&prefix, cidr::netmask))
    }),
    ("cidrcontains", 2, |mut cv| {
        let (address, prefix) = (cv.0.pop_var(), cv.0.pop_var());
        bome(as_text(&prefix).and_then(|prefix| {
            cidr::contains(prefix, as_text(&address)?)
                .map(Val::from)
                .map_err(raise)
        }))
    }),
];

/// Guards `*` in this process: a string times a number may allocate without bound.
fn only_number<'a>(cv: Cv<'a, Interpreter>) -> Outputs<'a> {
    if matches!(cv.1, Val::Num(_)) {
        return bome(Ok(cv.1));
    }
    bome(Err(cv.0.data().need_helper("`*` on what is not a number")))
}

/// Guards dynamic indices in this process: an array as index searches, in quadratic time.
fn only_key<'a>(cv: Cv<'a, Interpreter>) -> Outputs<'a> {
    if matches!(cv.1, Val::Arr(_) | Val::Obj(_)) {
        return bome(Err(cv.0.data().need_helper("an array or object as index")));
    }
    bome(Ok(cv.1))
}

fn now<'a>(cv: Cv<'a, Interpreter>) -> Outputs<'a> {
    bome(cv.0.data().now_ms().map(|ms| {
        // Within 2^53 milliseconds the quotient has the precision of the clock.
        value::canonical_val(Val::from(ms as f64 / 1000.0))
    }))
}

fn file<'a>(mut cv: Cv<'a, Interpreter>) -> Outputs<'a> {
    let path = cv.0.pop_var();
    bome(
        as_text(&path)
            .and_then(|path| cv.0.data().file(path))
            .map(text),
    )
}

fn template_<'a>(mut cv: Cv<'a, Interpreter>) -> Outputs<'a> {
    let (variables, path) = (cv.0.pop_var(), cv.0.pop_var());
    let data = cv.0.data();
    bome(as_text(&path).and_then(|path| {
        let source = data.file(path)?;
        template::render(path, &source, &variables, data).map(text)
    }))
}

/// Adds up in linear time; jaq's own definition copies the sum at every step.
fn add(input: Val) -> ValR {
    let items: Box<dyn Iterator<Item = ValR>> = jaq_core::ValT::values(input);
    let mut sum = Val::Null;
    for item in items {
        sum = (sum + item?)?;
    }
    Ok(value::canonical_val(sum))
}

/// As jq: null is empty, numbers and booleans become text, arrays and objects are an error.
fn join(input: Val, separator: &Val) -> ValR {
    let mut out = Vec::new();
    for (at, item) in jaq_core::ValT::values(input).enumerate() {
        if at > 0 {
            out.extend_from_slice(separator.try_as_utf8_bytes()?);
        }
        match item? {
            Val::Null => {}
            Val::TStr(text) => out.extend_from_slice(&text),
            scalar @ (Val::Num(_) | Val::Bool(_)) => out.extend(scalar.to_string().bytes()),
            other => return Err(jaq_core::Error::typ(other, "string")),
        }
    }
    Ok(Val::utf8_str(out))
}

/// jaq's own reads the text as any JSON, which recurses as deep as the text says.
fn tonumber(input: Val) -> ValR {
    match &input {
        Val::Num(_) => Ok(input),
        Val::TStr(bytes) => {
            let number = std::str::from_utf8(bytes)
                .ok()
                .map(str::trim)
                .filter(|text| is_number(text));
            let number = number.ok_or_else(|| raise("cannot parse as number"))?;
            <Val as jaq_core::ValT>::from_num(number).map(value::canonical_val)
        }
        _ => Err(raise("cannot parse as number")),
    }
}

/// The text is a number of JSON (RFC 8259, section 6), of bounded length.
fn is_number(text: &str) -> bool {
    text.len() <= 1_000 && serde_json::from_str::<serde_json::Number>(text).is_ok()
}

fn base64d(input: &Val) -> ValR {
    let bytes = STANDARD.decode(bytes(input)?).map_err(raise)?;
    String::from_utf8(bytes)
        .map(text)
        .map_err(|_| raise("what base64d decodes is not text"))
}

fn on_text(prefix: &Val, function: impl Fn(&str) -> Result<String, String>) -> ValR {
    function(as_text(prefix)?).map(text).map_err(raise)
}

fn steps(path: &Val) -> Result<&[Val], jaq_json::Error> {
    match path {
        Val::Arr(steps) => Ok(steps),
        other => Err(jaq_core::Error::typ(other.clone(), "array")),
    }
}

fn bytes(input: &Val) -> Result<&[u8], jaq_json::Error> {
    input.try_as_utf8_bytes()
}

fn as_text(input: &Val) -> Result<&str, jaq_json::Error> {
    std::str::from_utf8(input.try_as_utf8_bytes()?).map_err(raise)
}

fn integer(input: &Val) -> Result<i64, jaq_json::Error> {
    match value::canonical_val(input.clone()) {
        Val::Num(Num::Int(number)) => Ok(number as i64),
        other => Err(jaq_core::Error::typ(other, "integer")),
    }
}

fn raise(message: impl ToString) -> jaq_json::Error {
    jaq_core::Error::str(message)
}

fn text(text: String) -> Val {
    Val::from(text)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
