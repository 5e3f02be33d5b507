//! What differs between the two versions of the program.

/// A version of the hub.
#[derive(Debug, PartialEq, Eq)]
pub struct Edition {
    /// Its number, as `/version` tells it.
    pub version: &'static str,
    /// The page's heading.
    pub heading: &'static str,
    /// The page's colour.
    pub colour: &'static str,
    /// How a message is laid out.
    pub layout: &'static str,
}

/// The first version: a plain list.
pub const FIRST: Edition = Edition {
    version: "1",
    heading: "Messages",
    colour: "#1d4e89",
    layout: "list",
};

/// The second version: cards, coloured by segment.
pub const SECOND: Edition = Edition {
    version: "2",
    heading: "Customer messages, live",
    colour: "#8a1c4a",
    layout: "cards",
};

impl Edition {
    /// The page of this version.
    #[must_use]
    pub fn page(&self) -> String {
        let Self {
            version,
            heading,
            colour,
            layout,
        } = self;
        include_str!("page.html")
            .replace("{{version}}", version)
            .replace("{{heading}}", heading)
            .replace("{{colour}}", colour)
            .replace("{{layout}}", layout)
    }
}
