//! Where something stands in a file.

/// A file of one load, by its number in the [`crate::sources::Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileId(pub(crate) u32);

impl FileId {
    /// What did not come from a file: the command line, the environment, defaults.
    pub const NONE: Self = Self(0);
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Counted from 1; 0 when the place is not known.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// In characters from the start of the text.
    pub offset: u32,
}

/// A stretch of a file. The end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// Which file.
    pub file: FileId,
    /// Its first character.
    pub start: Position,
    /// One past its last character.
    pub end: Position,
}

impl Span {
    /// No place: for values that no file holds.
    pub const NONE: Self = Self {
        file: FileId::NONE,
        start: Position {
            line: 0,
            column: 0,
            offset: 0,
        },
        end: Position {
            line: 0,
            column: 0,
            offset: 0,
        },
    };

    /// A whole line of a file, for formats without finer places (`.env`).
    pub const fn line(file: FileId, line: u32) -> Self {
        let start = Position {
            line,
            column: 1,
            offset: 0,
        };
        Self {
            file,
            start,
            end: start,
        }
    }

    /// Whether it points anywhere.
    pub const fn is_known(&self) -> bool {
        self.start.line > 0
    }
}
