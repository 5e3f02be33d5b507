//! The values that expressions may refer to.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use consort_model::{Address, Kind, Object, Partial, Value, Why};
use indexmap::IndexMap;

use super::reference::{PathPart, Root, shown};

/// The values of nodes, by the address of their instances, and the attributes of the deployment.
#[derive(Debug, Clone, Default)]
pub struct Values {
    nodes: BTreeMap<Address, Partial>,
    groups: BTreeSet<Address>,
    deployment: Attributes,
}

/// Attributes; none by default.
#[derive(Debug, Clone)]
struct Attributes(Partial);

impl Default for Attributes {
    fn default() -> Self {
        Self(Partial::Map(IndexMap::new()))
    }
}

/// Why a part of the environment has no value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stop {
    /// It is not known yet.
    Unknown(Why),
    /// It does not exist; a sentence.
    Missing(String),
}

/// `.each` of a `for_each` instance.
pub type Each = (String, Value);

impl Values {
    /// Sets the value of a node: the value of an input or local, the attributes of anything else.
    pub fn set(&mut self, address: Address, value: Partial) {
        self.nodes.insert(address, value);
    }
    /// The value of a node.
    pub fn get(&self, address: &Address) -> Option<&Partial> {
        self.nodes.get(address)
    }
    /// Says that this declaration has instances by key, even if there is none.
    pub fn set_group(&mut self, declaration: Address) {
        self.groups.insert(declaration);
    }
    /// Sets the attributes of the deployment: `.deployment.name` and so on.
    pub fn set_deployment(&mut self, attributes: IndexMap<String, Partial>) {
        self.deployment = Attributes(Partial::Map(attributes));
    }

    fn node(&self, kind: Kind, name: &str) -> Option<Cow<'_, Partial>> {
        let declaration = Address::new(kind, name);
        if !self.groups.contains(&declaration) {
            return self.nodes.get(&declaration).map(Cow::Borrowed);
        }
        let instances = self.instances(&declaration);
        let map = instances.map(|(key, value)| (key.to_owned(), value.clone()));
        Some(Cow::Owned(Partial::Map(map.collect())))
    }

    fn instances<'a>(
        &'a self,
        declaration: &Address,
    ) -> impl Iterator<Item = (&'a str, &'a Partial)> + use<'a> {
        let of = declaration.clone();
        self.nodes
            .range(declaration.clone()..)
            .take_while(move |(address, _)| of.covers(address))
            .filter_map(|(address, value)| Some((address.key()?, value)))
    }

    fn all(&self, kind: Kind) -> Partial {
        let mut map = IndexMap::new();
        let nodes = self
            .nodes
            .keys()
            .map(|address| (address.kind(), address.name()));
        let groups = self
            .groups
            .iter()
            .map(|address| (address.kind(), address.name()));
        for (_, name) in nodes.chain(groups).filter(|(of, _)| *of == kind) {
            if !map.contains_key(name)
                && let Some(value) = self.node(kind, name)
            {
                map.insert(name.to_owned(), value.into_owned());
            }
        }
        Partial::Map(map)
    }

    /// Finds what a path begins with, and how much of the path is left.
    fn begin<'a, 'p>(
        &'a self,
        path: &'p [PathPart],
        each: Option<&Each>,
    ) -> Result<(Cow<'a, Partial>, &'p [PathPart]), Stop> {
        let missing = || Stop::Missing(format!("`{}` names no node", shown(path)));
        let Some(PathPart::Key(word)) = path.first() else {
            return Err(missing());
        };
        let kind = match Root::from_word(word).ok_or_else(missing)? {
            Root::Deployment => return Ok((Cow::Borrowed(&self.deployment.0), &path[1..])),
            Root::Each => return each_value(each).map(|each| (Cow::Owned(each), &path[1..])),
            Root::Kind(kind) => kind,
        };
        let Some(PathPart::Key(name)) = path.get(1) else {
            return Ok((Cow::Owned(self.all(kind)), &path[1..]));
        };
        // One instance of many: the others need not be looked at, nor be known.
        if let Some(PathPart::Key(key)) = path.get(2) {
            let declaration = Address::new(kind, name.as_str());
            if self.groups.contains(&declaration) {
                let address = declaration.clone().with_key(key.as_str());
                let value = self.nodes.get(&address);
                return value
                    .map(|value| (Cow::Borrowed(value), &path[3..]))
                    .ok_or_else(|| Stop::Missing(self.no_instance(&declaration, key)));
            }
        }
        let value = self
            .node(kind, name)
            .ok_or_else(|| Stop::Missing(format!("`{}` has no value", shown(&path[..2]))))?;
        Ok((value, &path[2..]))
    }

    fn no_instance(&self, declaration: &Address, key: &str) -> String {
        let keys: Vec<String> = self
            .instances(declaration)
            .take(20)
            .map(|(key, _)| format!("`{key}`"))
            .collect();
        if keys.is_empty() {
            format!("`{declaration}` has no instance `{key}`: its for_each is empty")
        } else {
            format!(
                "`{declaration}` has no instance `{key}`; it has {}",
                keys.join(", ")
            )
        }
    }

    /// The value at a path that is a whole expression. Unknown parts inside it stay.
    pub(crate) fn walk(
        &self,
        path: &[PathPart],
        each: Option<&Each>,
    ) -> Result<Cow<'_, Partial>, Stop> {
        let (value, rest) = self.begin(path, each)?;
        let done = &path[..path.len() - rest.len()];
        Ok(match value {
            Cow::Borrowed(value) => Cow::Borrowed(follow(value, done, rest)?),
            Cow::Owned(value) => Cow::Owned(follow(&value, done, rest)?.clone()),
        })
    }

    /// What an expression with these references is evaluated on: an object that holds what they
    /// name, and nothing else.
    pub(crate) fn environment(
        &self,
        references: &[Vec<PathPart>],
        each: Option<&Each>,
    ) -> Result<Value, Stop> {
        let mut environment = Value::Object(Object::new());
        for path in references {
            let (value, rest) = self.begin(path, each)?;
            let part = project(&value, rest)?;
            let taken = path.len() - rest.len();
            let wrapped = path[..taken]
                .iter()
                .rev()
                .fold(part, |inner, step| match step {
                    PathPart::Key(key) => {
                        let mut object = Object::new();
                        object.insert(key.clone(), inner);
                        Value::Object(object)
                    }
                    PathPart::Index(_) | PathPart::Dynamic => inner,
                });
            merge(&mut environment, wrapped);
        }
        Ok(environment)
    }
}

/// The part of a value at a path; `done` is how the value was reached, for messages.
fn follow<'a>(
    mut here: &'a Partial,
    done: &[PathPart],
    rest: &[PathPart],
) -> Result<&'a Partial, Stop> {
    for (at, part) in rest.iter().enumerate() {
        here = match (here, part) {
            (Partial::Unknown(_), _) => return Ok(here),
            (Partial::Map(map), PathPart::Key(key)) => map.get(key).unwrap_or(&Partial::NULL),
            (Partial::List(items), PathPart::Index(index)) => {
                self::at(items, *index).unwrap_or(&Partial::NULL)
            }
            // The interpreter's objects may have keys of any type; JSON's have none but texts.
            (Partial::Map(_), PathPart::Index(_)) => &Partial::NULL,
            (Partial::Scalar(Value::Null), _) => &Partial::NULL,
            (Partial::Scalar(_) | Partial::List(_) | Partial::Map(_), part) => {
                let reached: Vec<PathPart> = done.iter().chain(&rest[..at]).cloned().collect();
                return Err(Stop::Missing(format!(
                    "`{}` is {}, which has no `{part}`",
                    shown(&reached),
                    described(here)
                )));
            }
        };
    }
    Ok(here)
}

fn each_value(each: Option<&Each>) -> Result<Partial, Stop> {
    let Some((key, value)) = each else {
        return Err(Stop::Missing(
            "`.each` exists only in a node with for_each".into(),
        ));
    };
    let mut map = IndexMap::new();
    map.insert("key".into(), Partial::Scalar(Value::String(key.clone())));
    map.insert("value".into(), value.clone().into());
    Ok(Partial::Map(map))
}

fn at(items: &[Partial], index: i64) -> Option<&Partial> {
    let index = if index < 0 {
        index + items.len() as i64
    } else {
        index
    };
    items.get(usize::try_from(index).ok()?)
}

const fn described(value: &Partial) -> &'static str {
    match value {
        Partial::Unknown(_) => "not known yet",
        Partial::Scalar(Value::Bool(_)) => "true or false",
        Partial::Scalar(Value::Number(_)) => "a number",
        Partial::Scalar(Value::String(_)) => "text",
        Partial::Scalar(_) => "null",
        Partial::List(_) => "a list",
        Partial::Map(_) => "a mapping",
    }
}

/// The part of a value that a path reaches, inside the objects on its way.
fn project(value: &Partial, rest: &[PathPart]) -> Result<Value, Stop> {
    if let Partial::Unknown(why) = value {
        return Err(Stop::Unknown(*why));
    }
    let whole = || {
        value
            .known()
            .ok_or_else(|| Stop::Unknown(value.unknown().unwrap_or(Why::Apply)))
    };
    let Some((part, rest)) = rest.split_first() else {
        return whole();
    };
    match (value, part) {
        (Partial::Map(map), PathPart::Key(key)) => {
            let inner = project(map.get(key).unwrap_or(&Partial::NULL), rest)?;
            let mut object = Object::new();
            object.insert(key.clone(), inner);
            Ok(Value::Object(object))
        }
        (Partial::Map(map), PathPart::Dynamic) => {
            let parts = map
                .iter()
                .map(|(key, part)| Ok((key.clone(), project(part, rest)?)));
            Ok(Value::Object(parts.collect::<Result<_, Stop>>()?))
        }
        (Partial::List(items), PathPart::Dynamic) => {
            let parts = items.iter().map(|part| project(part, rest));
            Ok(Value::Array(parts.collect::<Result<_, Stop>>()?))
        }
        _ => whole(),
    }
}

/// Lays one view of the same environment over another: both hold parts of the same values.
fn merge(into: &mut Value, other: Value) {
    match (into, other) {
        (Value::Object(into), Value::Object(other)) => {
            for (key, value) in other {
                match into.get_mut(&key) {
                    Some(part) => merge(part, value),
                    None => {
                        into.insert(key, value);
                    }
                }
            }
        }
        (Value::Array(into), Value::Array(other)) if into.len() == other.len() => {
            into.iter_mut()
                .zip(other)
                .for_each(|(into, other)| merge(into, other));
        }
        (into, other) => {
            if into.is_null() {
                *into = other;
            }
        }
    }
}
