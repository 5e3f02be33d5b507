//! Addresses of nodes: `services.api`, `resources.bucket["eu"]`, `services.api#2`,
//! `workloads.nightly/extract`, `module.shop.services.api`.
//!
//! Grammar (DESIGN 1): `(module.NAME["key"].)*KIND.NAME["key"](#n or /task)`. A name outside
//! `[A-Za-z0-9_]` is quoted: `services["my-api"]`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal),* $(,)?) => {
        /// What a node is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $name),* }

        impl Kind {
            /// Every kind, in the order of this list.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            /// The word of addresses, blueprint and expressions.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
            /// The kind with this word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    /// A typed parameter.
    Input = "inputs",
    /// A named expression.
    Local = "locals",
    /// A hosted plugin and its settings.
    Provider = "providers",
    /// A managed resource.
    Resource = "resources",
    /// Something that is read and never changed.
    Data = "data",
    /// A server that is configured over SSH.
    Host = "hosts",
    /// A network of services.
    Network = "networks",
    /// A volume.
    Volume = "volumes",
    /// A configuration file of services.
    Config = "configs",
    /// A secret of services.
    Secret = "secrets",
    /// A program or image that is built before the bundle.
    Build = "builds",
    /// A service.
    Service = "services",
    /// One container or process that runs to completion.
    Job = "jobs",
    /// Node types on which workloads may run.
    Pool = "pools",
    /// A graph of batch tasks.
    Workload = "workloads",
    /// An API workflow.
    Workflow = "workflows",
    /// A blueprint inside a blueprint.
    Module = "modules",
    /// A published value.
    Output = "outputs",
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A name with the key of one of its `for_each` instances.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The name as written in the blueprint.
    pub name: String,
    /// The key of the instance, for nodes with `for_each`.
    pub key: Option<String>,
}

/// One part of a node: an instance of a service or a task of a workload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// `#2`: an instance, counted from 1.
    Instance(u32),
    /// `/extract`: a task.
    Task(String),
}

/// Where a node is in the graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    modules: Vec<Name>,
    kind: Kind,
    name: Name,
    part: Option<Part>,
}

impl Address {
    /// The node of this kind and name in the root module.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self {
            modules: Vec::new(),
            kind,
            name: Name {
                name: name.into(),
                key: None,
            },
            part: None,
        }
    }
    /// The same node, as the `for_each` instance of this key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.name.key = Some(key.into());
        self
    }
    /// One instance of this service, counted from 1.
    #[must_use]
    pub fn instance(mut self, number: u32) -> Self {
        self.part = Some(Part::Instance(number));
        self
    }
    /// One task of this workload.
    #[must_use]
    pub fn task(mut self, name: impl Into<String>) -> Self {
        self.part = Some(Part::Task(name.into()));
        self
    }
    /// The node without its part and key: what the blueprint declares.
    #[must_use]
    pub fn declaration(&self) -> Self {
        let name = Name {
            name: self.name.name.clone(),
            key: None,
        };
        Self {
            modules: self.modules.clone(),
            kind: self.kind,
            name,
            part: None,
        }
    }
    /// The node without its part: what the plan acts upon.
    #[must_use]
    pub fn node(&self) -> Self {
        Self {
            part: None,
            ..self.clone()
        }
    }
    /// The kind of the node.
    pub const fn kind(&self) -> Kind {
        self.kind
    }
    /// The name of the node, without a key.
    pub fn name(&self) -> &str {
        &self.name.name
    }
    /// The key of a `for_each` instance.
    pub fn key(&self) -> Option<&str> {
        self.name.key.as_deref()
    }
    /// The part of the node, if the address names one.
    pub const fn part(&self) -> Option<&Part> {
        self.part.as_ref()
    }
    /// The modules around the node, outermost first.
    pub fn modules(&self) -> &[Name] {
        &self.modules
    }
    /// Does this address choose that one? `services.api` chooses its instances and keys too.
    pub fn covers(&self, other: &Self) -> bool {
        self.modules == other.modules
            && self.kind == other.kind
            && self.name.name == other.name.name
            && (self.name.key.is_none() || self.name.key == other.name.key)
            && (self.part.is_none() || self.part == other.part)
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn write_name(f: &mut fmt::Formatter<'_>, Name { name, key }: &Name) -> fmt::Result {
    if is_plain(name) {
        write!(f, ".{name}")?;
    } else {
        write!(f, "[{}]", quoted(name))?;
    }
    key.as_ref()
        .map_or(Ok(()), |key| write!(f, "[{}]", quoted(key)))
}

fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for module in &self.modules {
            f.write_str("module")?;
            write_name(f, module)?;
            f.write_str(".")?;
        }
        f.write_str(self.kind.word())?;
        write_name(f, &self.name)?;
        match &self.part {
            None => Ok(()),
            Some(Part::Instance(number)) => write!(f, "#{number}"),
            Some(Part::Task(task)) if is_plain(task) => write!(f, "/{task}"),
            Some(Part::Task(task)) => write!(f, "/{}", quoted(task)),
        }
    }
}

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an address: {problem}; write for example `services.api` or `resources.bucket[\"eu\"]`"
)]
pub struct AddressError {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub problem: String,
}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Parser { rest: text }
            .address()
            .map_err(|problem| AddressError {
                text: text.into(),
                problem,
            })
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn address(mut self) -> Result<Address, String> {
        if self.rest.len() > 1024 {
            return Err("it is over 1,024 bytes long".into());
        }
        let mut modules = Vec::new();
        loop {
            let word = self.word()?;
            if word == "module" {
                modules.push(self.name()?);
                if !self.eat('.') {
                    return Err("a kind must follow the module".into());
                }
                continue;
            }
            let kind = Kind::from_word(&word).ok_or_else(|| unknown_kind(&word))?;
            let name = self.name()?;
            let part = self.part()?;
            if !self.rest.is_empty() {
                return Err(format!("`{}` is left over", self.rest));
            }
            return Ok(Address {
                modules,
                kind,
                name,
                part,
            });
        }
    }

    fn eat(&mut self, c: char) -> bool {
        let eaten = self.rest.strip_prefix(c);
        self.rest = eaten.unwrap_or(self.rest);
        eaten.is_some()
    }

    fn word(&mut self) -> Result<String, String> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        if end == 0 {
            return Err("a name is missing".into());
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(word.to_owned())
    }

    fn name(&mut self) -> Result<Name, String> {
        let name = if self.eat('.') {
            self.word()?
        } else {
            self.bracketed()?.ok_or("a name is missing")?
        };
        let key = self.bracketed()?;
        Ok(Name { name, key })
    }

    fn bracketed(&mut self) -> Result<Option<String>, String> {
        if !self.eat('[') {
            return Ok(None);
        }
        let text = self.string()?;
        if self.eat(']') {
            Ok(Some(text))
        } else {
            Err("a `]` is missing".into())
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let mut stream = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
        match stream.next() {
            Some(Ok(text)) if !text.is_empty() => {
                self.rest = &self.rest[stream.byte_offset()..];
                Ok(text)
            }
            _ => Err("a quoted name such as [\"eu\"] was expected".into()),
        }
    }

    fn part(&mut self) -> Result<Option<Part>, String> {
        if self.eat('#') {
            let number = self
                .word()?
                .parse()
                .map_err(|_| "the instance after `#` is not a number")?;
            if number == 0 {
                return Err("instances count from 1".into());
            }
            return Ok(Some(Part::Instance(number)));
        }
        if self.eat('/') {
            let task = if self.rest.starts_with('"') {
                self.string()?
            } else {
                self.word()?
            };
            return Ok(Some(Part::Task(task)));
        }
        Ok(None)
    }
}

fn unknown_kind(word: &str) -> String {
    let words: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
    match crate::text::nearest(word, words.iter().copied()) {
        Some(near) => format!("there is no kind `{word}`; did you mean `{near}`?"),
        None => format!("there is no kind `{word}`; kinds are {}", words.join(", ")),
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_its_text() {
        for text in [
            "services.api",
            "services[\"my-api\"]",
            "resources.bucket[\"eu\"]",
            "resources[\"a b\"][\"x\\\"y\"]",
            "services.api#2",
            "workloads.nightly/extract",
            "workloads.nightly/\"step-1\"",
            "module.shop.services.api",
            "module.shop[\"eu\"].resources.db",
        ] {
            assert_eq!(
                text.parse::<Address>().map(|a| a.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn a_wrong_address_says_what_is_wrong() {
        for (text, problem) in [
            ("service.api", "did you mean `services`?"),
            ("services", "a name is missing"),
            ("services.api#0", "count from 1"),
            ("services.api#x", "not a number"),
            ("services.api extra", "left over"),
            ("services[api]", "quoted name"),
            ("", "a name is missing"),
        ] {
            let error = text.parse::<Address>().map_err(|e| e.to_string());
            assert!(
                error.clone().is_err_and(|e| e.contains(problem)),
                "{text}: {error:?}"
            );
        }
    }

    #[test]
    fn a_node_covers_its_parts() {
        let service = Address::new(Kind::Service, "api");
        assert!(service.covers(&service.clone().instance(2)));
        assert!(!service.clone().instance(1).covers(&service));
        assert!(!service.covers(&Address::new(Kind::Service, "other")));
    }
}
