//! What a type of node looks like.

use serde::{Deserialize, Serialize};

/// One attribute of a type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// `string`, `number`, `boolean`, `list`, `map`: for docs and checks.
    pub kind: AttributeKind,
    /// It can be written in the blueprint.
    pub settable: bool,
    /// It must be written.
    pub required: bool,
    /// The driver finds it out.
    pub computed: bool,
    /// Its value is a secret.
    pub sensitive: bool,
    /// A difference of it cannot be made in place.
    pub forces_replacement: bool,
    /// One sentence.
    pub doc: String,
}

/// The type of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeKind {
    /// Text.
    String,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    List,
    /// A mapping.
    Map,
    /// Anything.
    Any,
}

impl Attribute {
    /// An attribute that can be written.
    pub fn settable(name: &str, kind: AttributeKind, doc: &str) -> Self {
        Self {
            name: name.into(),
            kind,
            settable: true,
            required: false,
            computed: false,
            sensitive: false,
            forces_replacement: false,
            doc: doc.into(),
        }
    }
    /// An attribute that the driver finds out.
    pub fn computed(name: &str, kind: AttributeKind, doc: &str) -> Self {
        Self {
            settable: false,
            computed: true,
            ..Self::settable(name, kind, doc)
        }
    }
    /// The same; it must be written.
    #[must_use]
    pub fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }
    /// The same; its value is a secret.
    #[must_use]
    pub fn sensitive(self) -> Self {
        Self {
            sensitive: true,
            ..self
        }
    }
    /// The same; a difference forces a replacement.
    #[must_use]
    pub fn forces_replacement(self) -> Self {
        Self {
            forces_replacement: true,
            ..self
        }
    }
}

/// A type of node that a driver knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeSchema {
    /// The driver.
    pub driver: String,
    /// The type.
    pub type_name: String,
    /// One sentence.
    pub doc: String,
    /// Its attributes, in the order of the docs.
    pub attributes: Vec<Attribute>,
    /// Destroying one loses data: such plans are asked about.
    pub holds_data: bool,
    /// Attributes beyond the listed ones are allowed (services, whose keys the loader checks).
    pub open: bool,
    /// A replacement is made before the old one is deleted, unless the blueprint says otherwise.
    pub create_before_destroy: bool,
}

impl TypeSchema {
    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
    }
}
