//! The part of an input that an expression looks at. Only that part is converted, measured and sent,
//! so that a small expression over a large document costs little.

use std::collections::BTreeMap;

use super::references::PathPart;

/// Which keys of objects to keep, as a tree. Arrays and scalars on the way are kept whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct Projection {
    whole: bool,
    keys: BTreeMap<String, Projection>,
}

impl Projection {
    /// Everything.
    pub(crate) fn all() -> &'static Self {
        static ALL: Projection = Projection {
            whole: true,
            keys: BTreeMap::new(),
        };
        &ALL
    }

    /// Everything under these paths.
    pub(crate) fn of<'a>(paths: impl IntoIterator<Item = &'a [PathPart]>) -> Self {
        let mut root = Self::default();
        for path in paths {
            root.add(path);
        }
        root
    }

    fn add(&mut self, path: &[PathPart]) {
        match path {
            [PathPart::Key(key), rest @ ..] if !self.whole => {
                self.keys.entry(key.clone()).or_default().add(rest)
            }
            [PathPart::Key(_), ..] => {}
            // A path ends here, or goes on in a way that is known only when it runs.
            _ => *self = Self::all().clone(),
        }
    }

    /// What to keep under this key; `None` for nothing.
    pub(crate) fn of_key(&self, key: &str) -> Option<&Self> {
        if self.whole {
            Some(Self::all())
        } else {
            self.keys.get(key)
        }
    }
}
