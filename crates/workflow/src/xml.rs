//! XML answers as JSON, for tasks with `metadata: {decode: xml}`.
//!
//! | XML | JSON |
//! | --- | --- |
//! | the root element | an object with its name as the only key |
//! | an element with neither attributes nor elements in it | its text, as a string |
//! | an attribute `a` | key `@a` |
//! | an element in it | a key of its name; several of one name are a list, in order |
//! | text beside attributes or elements | key `#text` |
//! | a prefix `p:name` | stays part of the name |
//!
//! Comments and processing instructions are dropped; a document type is refused, and so is everything
//! that entities could blow up.

use consort_model::{Object, Value};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Elements may be nested so deeply.
const DEPTH: usize = 64;
/// A document may have so many bytes.
const SIZE: usize = 4 << 20;

/// Reads a document.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn decode(text: &str) -> Result<Value, String> {
    if text.len() > SIZE {
        return Err(format!(
            "the document has {} bytes, the limit is {SIZE}",
            text.len()
        ));
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut open: Vec<(String, Object, String)> = Vec::new();
    let mut root: Option<Value> = None;
    loop {
        match reader
            .read_event()
            .map_err(|error| format!("the document is not well-formed: {error}"))?
        {
            Event::Start(start) => {
                if open.len() >= DEPTH {
                    return Err(format!("elements are nested more than {DEPTH} deep"));
                }
                open.push(begin(&start)?);
            }
            Event::Empty(start) => {
                let (name, object, _) = begin(&start)?;
                place(&mut open, &mut root, name, finish(object, String::new()))?;
            }
            Event::End(_) => {
                let (name, object, text) =
                    open.pop().ok_or("an element ends that was not begun")?;
                place(&mut open, &mut root, name, finish(object, text))?;
            }
            Event::Text(text) => {
                let text = text.xml10_content();
                match open.last_mut() {
                    Some((_, _, content)) => content.push_str(&text),
                    None if text.trim().is_empty() => {}
                    None => return Err("there is text outside the root element".into()),
                }
            }
            Event::CData(data) => {
                let bytes = data.into_inner();
                let text = String::from_utf8_lossy(bytes.as_ref().as_ref()).into_owned();
                if let Some((_, _, content)) = open.last_mut() {
                    content.push_str(&text);
                }
            }
            Event::GeneralRef(reference) => {
                let name = reference.xml10_content();
                let text = entity(&name).ok_or_else(|| format!("there is no entity `&{name};`"))?;
                if let Some((_, _, content)) = open.last_mut() {
                    content.push(text);
                }
            }
            Event::DocType(_) => return Err("a document type is not allowed".into()),
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            Event::Eof => break,
        }
    }
    if !open.is_empty() {
        return Err("the document ends inside an element".into());
    }
    root.ok_or_else(|| "there is no element".into())
}

fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

fn begin(start: &BytesStart<'_>) -> Result<(String, Object, String), String> {
    let text = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec()).map_err(|_| "a name is not UTF-8".to_owned())
    };
    let name = text(start.name().as_ref().as_ref())?;
    let mut object = Object::new();
    for attribute in start.attributes() {
        let attribute = attribute
            .map_err(|error| format!("an attribute of `{name}` cannot be read: {error}"))?;
        let key = format!("@{}", text(attribute.key.as_ref().as_ref())?);
        let raw = text(attribute.value.as_ref().as_ref())?;
        let value = quick_xml::escape::unescape(&raw)
            .map_err(|error| format!("attribute `{key}` of `{name}` cannot be read: {error}"))?
            .into_owned();
        object.insert(key, value.into());
    }
    Ok((name, object, String::new()))
}

fn finish(mut object: Object, text: String) -> Value {
    if object.is_empty() {
        return Value::String(text.trim().to_owned());
    }
    if !text.trim().is_empty() {
        object.insert("#text".into(), text.trim().into());
    }
    Value::Object(object)
}

fn place(
    open: &mut [(String, Object, String)],
    root: &mut Option<Value>,
    name: String,
    value: Value,
) -> Result<(), String> {
    let Some((_, parent, _)) = open.last_mut() else {
        if root.is_some() {
            return Err("there is more than one root element".into());
        }
        *root = Some(Value::Object(Object::from_iter([(name, value)])));
        return Ok(());
    };
    match parent.get_mut(&name) {
        None => {
            parent.insert(name, value);
        }
        Some(Value::Array(items)) => items.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_mapping_is_the_one_in_the_table() {
        for (xml, json) in [
            ("<a>x</a>", json!({"a": "x"})),
            ("<a/>", json!({"a": ""})),
            (
                r#"<o id="7"><c>1</c><d/><c>2</c></o>"#,
                json!({"o": {"@id": "7", "c": ["1", "2"], "d": ""}}),
            ),
            (
                r#"<p:a x="1">t</p:a>"#,
                json!({"p:a": {"@x": "1", "#text": "t"}}),
            ),
            (
                "<?xml version=\"1.0\"?><!-- c --><a>1 &lt; 2 &#65;</a>",
                json!({"a": "1 < 2 A"}),
            ),
            ("<a><![CDATA[<raw>]]></a>", json!({"a": "<raw>"})),
        ] {
            assert_eq!(decode(xml), Ok(json), "{xml}");
        }
    }

    #[test]
    fn what_is_hostile_or_broken_is_refused() {
        let deep = "<a>".repeat(100);
        for xml in [
            "",
            "x",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
            "<a>&x;</a>",
            &deep,
        ] {
            assert!(decode(xml).is_err(), "{xml}");
        }
    }
}
