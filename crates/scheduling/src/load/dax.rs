//! Pegasus DAX 2.1 and 3: jobs, the files that they use, and declared parents.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Collected, Dag, LoadError, LoadOptions, check_size, micros};

/// Reads a graph. Edges are the declared ones and those that follow from files.
///
/// # Errors
/// What is wrong with the file, and where.
pub fn dax(text: &str, options: LoadOptions) -> Result<Dag, LoadError> {
    check_size(text)?;
    let mut parse = Parse {
        options,
        found: Collected::default(),
        job: None,
        child: None,
        families: Vec::new(),
    };
    let mut reader = Reader::from_str(text);
    loop {
        let at = reader.buffer_position();
        let event = reader.read_event();
        match event.map_err(|source| LoadError::Xml { at, source })? {
            Event::Start(element) | Event::Empty(element) => parse.open(&element, at)?,
            Event::Eof => break,
            _ => {}
        }
    }
    let Parse {
        mut found,
        families,
        ..
    } = parse;
    for (parent, child) in families {
        let edge = (found.find(&parent)?, found.find(&child)?);
        found.declared.push(edge);
    }
    Ok(found.graph(options))
}

struct Parse {
    options: LoadOptions,
    found: Collected,
    job: Option<u32>,
    child: Option<String>,
    /// Declared edges as ids (parent, child): jobs may come later.
    families: Vec<(String, String)>,
}

impl Parse {
    fn open(&mut self, element: &BytesStart<'_>, at: u64) -> Result<(), LoadError> {
        match element.local_name().as_ref() {
            "job" => {
                let id = required(element, "job", "id", at)?;
                let time = required(element, "job", "runtime", at)?;
                let work = micros(number(&time, "runtime")?, self.options)?;
                self.job = Some(self.found.task(&id, work)?);
            }
            "uses" => self.file(element, at)?,
            "child" => self.child = Some(required(element, "child", "ref", at)?),
            "parent" => {
                let parent = required(element, "parent", "ref", at)?;
                if let Some(child) = &self.child {
                    self.families.push((parent, child.clone()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn file(&mut self, element: &BytesStart<'_>, at: u64) -> Result<(), LoadError> {
        let Some(job) = self.job else { return Ok(()) };
        let name = match attribute(element, "file", at)? {
            Some(name) => name,
            None => required(element, "uses", "name", at)?,
        };
        let size = attribute(element, "size", at)?;
        let size = size.map(|text| number(&text, "size")).transpose()?;
        let size = size.map(|bytes| bytes.abs() as u64);
        match attribute(element, "link", at)?.as_deref() {
            Some("input") => self.found.uses(job, &name, size, true),
            Some("output") => self.found.uses(job, &name, size, false),
            _ => Ok(()),
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str, at: u64) -> Result<Option<String>, LoadError> {
    let broken = |source| LoadError::Xml { at, source };
    let found = element
        .try_get_attribute(name)
        .map_err(|error| broken(error.into()))?;
    let Some(found) = found else { return Ok(None) };
    let value = quick_xml::escape::unescape(&found.value).map_err(|error| broken(error.into()))?;
    Ok(Some(value.into_owned()))
}

fn required(
    element: &BytesStart<'_>,
    of: &'static str,
    name: &'static str,
    at: u64,
) -> Result<String, LoadError> {
    let missing = LoadError::Missing {
        at,
        element: of,
        attribute: name,
    };
    attribute(element, name, at)?.ok_or(missing)
}

fn number(text: &str, what: &'static str) -> Result<f64, LoadError> {
    let value = text
        .trim()
        .parse::<f64>()
        .ok()
        .filter(|value| value.is_finite());
    value.ok_or_else(|| LoadError::Number {
        value: text.to_owned(),
        what,
    })
}
