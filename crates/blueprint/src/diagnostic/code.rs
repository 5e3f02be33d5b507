//! The registry of all mistakes and warnings of the loader. A number is never used again.

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The blueprint is not accepted.
    Error,
    /// The blueprint is accepted; a person should know.
    Warning,
}

macro_rules! registry {
    ($($name:ident = $code:literal, $title:literal, $explanation:literal;)*) => {
        /// A kind of diagnostic.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code, in the order of the docs.
            pub const ALL: &[Self] = &[$(Self::$name),*];
            /// `E…` for errors, `W…` for warnings.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }
            /// A few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
            /// Cause and remedy, for `explain` and the docs.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$name => $explanation,)* }
            }
        }
    };
}

registry! {
    NotUtf8 = "E0001", "The file is not UTF-8 text.",
        "A blueprint is UTF-8 (or UTF-16 with a byte order mark). Often the file was saved as Latin-1: save it as UTF-8, for example with `iconv -f latin1 -t utf-8`.";
    FileTooLarge = "E0002", "The file is too large.",
        "A file of a blueprint has at most 16 MiB. Large data belongs into a file of its own that a config, a secret or a volume names.";
    Syntax = "E0003", "The file is not YAML.",
        "The place is where the reader could not go on; the cause is often a line above: wrong indentation, a tab, an open quote or bracket, or a `: ` or ` #` in text without quotes.";
    TooDeep = "E0004", "Values are nested too deeply.",
        "At most 128 levels, counted through aliases. Deeper nesting is never needed and is how files that exhaust memory are made.";
    TooManyNodes = "E0005", "The document is too large.",
        "At most 100,000 values per document, where each use of an alias counts as all that it stands for, and 1,000,000 values in all. Split the blueprint with `include`, or remove aliases of aliases.";
    AnchorCycle = "E0006", "An anchor contains itself.",
        "An alias stands inside the value that its anchor names, so it would never end.";
    DuplicateKey = "E0007", "A key is written twice.",
        "A mapping has each key once. Remove one of the two, or merge their values.";
    KeyNotText = "E0008", "A key is not text.",
        "Keys are text. A number, `true`, `null` or a date as a key must be quoted.";
    EmptyFile = "E0009", "The file is empty.",
        "A blueprint has at least one element, for example `services:`.";
    NotAMapping = "E0010", "The top of a blueprint is a mapping.",
        "Write `services:` and the like at the left margin.";
    BadMergeKey = "E0011", "`<<` takes a mapping, an alias of one, or a list of them.",
        "The merge key `<<` brings the keys of other mappings into this one; anything else cannot be merged.";
    Unreadable = "E0012", "A file cannot be read.",
        "Check the path (relative paths start at the folder of the file that names them) and the permissions.";
    NoBlueprint = "E0013", "No blueprint was found.",
        "Looked for are consort.yaml, compose.yaml, compose.yml, docker-compose.yml and docker-compose.yaml, here and in each folder above. Name a file with `-f`.";
    BadTag = "E0014", "A YAML tag does not fit its value.",
        "Known are the tags of YAML's core (`!!str`, `!!int`, `!!float`, `!!bool`, `!!null`, `!!seq`, `!!map`) and Compose's `!reset` and `!override`.";
    RemoteFile = "E0015", "Remote files cannot be loaded yet.",
        "`include`, `extends` and `-f` take local files; git and OCI references are not there yet. Fetch the file and name its path.";
    TooManyFiles = "E0016", "Too many files are loaded.",
        "At most 1,000 files per blueprint, counting each time that one is included.";
    BadInterpolation = "E0020", "A `${…}` is not of Compose's form.",
        "Allowed are ${NAME}, $NAME, ${NAME:-default}, ${NAME-default}, ${NAME:?message}, ${NAME?message}, ${NAME:+other}, ${NAME+other}. A literal `$` is written `$$`. An expression has a space after the brace: `${ .inputs.name }`.";
    RequiredVariable = "E0021", "A required variable has no value.",
        "`${NAME:?message}` needs NAME to be set. Set it in the environment, in `.env`, or in a file given with `--env-file`.";
    BadExpression = "E0022", "A `${ … }` expression has no end.",
        "An expression ends at the brace that matches. In plain YAML text `: ` and ` #` end the text too: put the whole in single quotes.";
    BadCast = "E0023", "Text is not of the type that is needed here.",
        "After variables were filled in, the text must be a number or a boolean for this key.";
    InterpolationTooDeep = "E0024", "Defaults of variables are nested too deeply or grow too large.",
        "At most 32 levels of `${A:-${B:-…}}`, and 1 MiB of text in one value.";
    DotenvSyntax = "E0030", "An environment file is not of the right form.",
        "Each line is KEY=value, KEY: value, or KEY alone; values may be quoted; `#` starts a comment.";
    EnvFileMissing = "E0031", "An environment file is missing.",
        "Create it, mend its path, or write `required: false` beside `path:`.";
    EnvFileFormat = "E0032", "An environment file has an unknown format.",
        "Leave `format` away, or write `format: raw` for values that are taken as they are.";
    BadProjectName = "E0040", "The name is not a project name.",
        "A name has small letters, digits, `-` and `_`, and starts with a letter or digit.";
    NoProjectName = "E0041", "There is no project name.",
        "The folder's name has no usable character. Write `name:` in the blueprint or use `-p`.";
    CannotOverride = "E0050", "Two files give values of different kinds for one key.",
        "A mapping can be laid over a mapping and a list over a list. To replace the value as a whole, tag it `!override`.";
    NoIdentity = "E0051", "An entry of a list lacks the key that tells it from others.",
        "Mounts need `target`, ports need `target`, env files need `path`.";
    ExtendsMissing = "E0060", "The service to extend does not exist.",
        "`extends` names a service of the same file, or of the file that `file:` names.";
    ExtendsCycle = "E0061", "Services extend each other in a circle.",
        "Circular reference: one of them must be the base that extends nothing.";
    ExtendsForm = "E0062", "`extends` is not of the right form.",
        "Write `extends: NAME` or `extends: {service: NAME, file: PATH}`.";
    IncludeCycle = "E0063", "Files include each other in a circle.",
        "Move what both need into a third file.";
    IncludeForm = "E0064", "`include` is not of the right form.",
        "Write a list of paths, or of `{path: …, project_directory: …, env_file: …}`.";
    UnknownKey = "E0070", "A key is unknown here.",
        "Keys of your own start with `x-`. `consort explain KEY` tells what is known.";
    WrongType = "E0071", "A value is of the wrong kind.",
        "`consort explain KEY` tells what the key takes. Text that looks like a number, a date or a boolean must be quoted.";
    MissingKey = "E0072", "A key that is needed is missing.",
        "Add it.";
    NotAllowed = "E0073", "A value is not one of those that are allowed.",
        "The message names what is allowed.";
    DuplicateItem = "E0074", "A list has an entry twice.",
        "Each entry counts once; remove one.";
    ExpressionNotHere = "E0075", "An expression cannot stand here.",
        "Keys, names, `include`, `extends`, `profiles` and `depends_on` shape the graph itself and are never expressions. Compose's variables (`${NAME}`) are fine.";
    BadName = "E0076", "A name has a character that is not allowed.",
        "Names have letters, digits, `.`, `_` and `-`.";
    ReservedKey = "E0077", "A key is reserved.",
        "`$deferred` and `$unknown` mark values inside Consort and cannot be keys of a blueprint.";
    BadShortForm = "E0080", "A short form cannot be read.",
        "The message says what was expected; the long form with a key per part is always possible.";
    Exclusive = "E0090", "Keys exclude each other.",
        "Keep one of them.";
    NeedsOneOf = "E0091", "One of several keys is needed.",
        "Add one of them.";
    Undefined = "E0100", "Something that is referred to is not defined.",
        "Define it at the top level, or mend the name.";
    NothingToRun = "E0101", "A service has nothing to run.",
        "Give it `image`, `build`, `provider` or `process`.";
    Conflict = "E0102", "Two values contradict each other.",
        "The same thing is said in two places with different values; keep one.";
    DependencyCycle = "E0103", "Services depend on each other in a circle.",
        "Nothing can start first; remove one of the dependencies.";
    MountedTwice = "E0104", "Two mounts have the same target.",
        "Each path inside can be mounted once.";
    DisabledDependency = "E0105", "A service depends on one that is switched off by profiles.",
        "Switch its profile on with `--profile`, or write `required: false`.";
    UnknownService = "E0106", "There is no such service.",
        "`consort config` shows the services of the blueprint.";
    BadHealthcheck = "E0107", "The test of a health check does not start right.",
        "A list starts with CMD, CMD-SHELL or NONE.";
    NotThereYet = "E0110", "A part of the language is not there yet.",
        "The language keeps room for it, and this version cannot carry it out. Nothing is ignored in silence: take it out of the blueprint.";
    InvalidExpression = "E0111", "An expression is not valid.",
        "Between `${ ` and `}` stands a jq expression. The place shows where it cannot be read, or what it uses that expressions must not use.";
    UnknownReference = "E0112", "Something that is referred to is not declared.",
        "Expressions, `depends_on`, `pool` and the like name elements of the blueprint: `.resources.NAME`, `.inputs.NAME`, `services.NAME`.";
    ElementCycle = "E0113", "Elements need each other in a circle.",
        "Nothing of it can be made first. Follow the path in the message and remove one of the references.";
    LateForEach = "E0114", "`for_each` depends on something that is known too late.",
        "Which instances there are must be known before anything is done: `for_each` takes inputs, and locals that come from inputs.";
    PrivateCharacter = "E0115", "Text holds a character that marks secrets.",
        "U+E0C5 and U+E0C6, of Unicode's private use, stand around the name of a secret inside Consort. No text of a blueprint may hold them.";
    InvalidDefinition = "E0116", "A definition of a workflow is not valid.",
        "The message says what the Open Workflow DSL expects at this place.";
    VariableNotSet = "W0001", "A variable is not set.",
        "It was replaced by nothing. Set it, or give a default with `${NAME:-default}`.";
    ObsoleteVersion = "W0002", "`version` has no meaning any more.",
        "Remove it.";
    ExternalName = "W0003", "`external.name` is the old form.",
        "Write `external: true` and `name:` beside it.";
    BooleanWord = "W0004", "A word is taken as a boolean.",
        "YAML 1.2 knows only `true` and `false`.";
    SeveralFiles = "W0005", "Several blueprints are in this folder.",
        "Only one is used; remove the others or name one with `-f`.";
    NotCarriedOut = "W0006", "A key is not carried out by the target.",
        "The service runs without it. `consort explain KEY` says which target does what.";
    PartlyCarriedOut = "W0007", "A key is carried out in part by the target.",
        "`consort explain KEY` says what is different.";
    TagIgnored = "W0008", "A YAML tag has no meaning here.",
        "It was ignored.";
    ShellOperator = "W0009", "Text of a command is cut at a shell operator.",
        "No shell runs such text: what follows `;`, `&`, `|`, `<` or `>` is dropped, as docker compose does. Write `[sh, -c, \"…\"]` for a shell, or quote the character.";
    NotActedUpon = "W0010", "A goal is not acted upon yet.",
        "It was read and checked; plans are made as if it were not there.";
    OddDefinition = "W0011", "A definition of a workflow is odd.",
        "It can be run, and probably does not do what was meant.";
    LabelFileMissing = "E0033", "A label file is missing.",
        "Create it, or mend its path.";
}

impl Code {
    /// An error or a warning.
    pub fn severity(self) -> Severity {
        if self.as_str().starts_with('W') {
            Severity::Warning
        } else {
            Severity::Error
        }
    }
    /// Whether the mistake leaves the rest of the document as it is.
    pub fn is_local(self) -> bool {
        matches!(
            self,
            Self::BadInterpolation
                | Self::RequiredVariable
                | Self::BadExpression
                | Self::BadCast
                | Self::BadProjectName
                | Self::NoProjectName
                | Self::UnknownKey
                | Self::WrongType
                | Self::NotAllowed
                | Self::DuplicateItem
                | Self::BadShortForm
                | Self::Exclusive
                | Self::NeedsOneOf
                | Self::ExpressionNotHere
                | Self::MissingKey
                | Self::NotThereYet
                | Self::InvalidExpression
                | Self::UnknownReference
                | Self::PrivateCharacter
        )
    }
    /// The code of this text, as `explain` takes it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str().eq_ignore_ascii_case(text))
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
