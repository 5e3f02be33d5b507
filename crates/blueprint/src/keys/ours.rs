//! Keys of the top level that Compose does not have, and the small elements among them. What the target,
//! pools, workloads and workflows take is in [`super::work`].

use super::common::{BOOL, NULL, STRICT_BOOL, TEXT, TEXTS};
use super::forms::{DURATION, MONEY_PER_TIME};
use super::service::DEPENDENCY;
use super::work::{POOL, TARGET, TARGET_WORDS, WORKFLOW, WORKLOAD};
use super::{Key, Names, Object, Shape, key, sub};

pub(super) static OURS: &[Key] = &[
    key(
        "target",
        Shape::Either(&[Shape::Words(TARGET_WORDS), Shape::Object(&TARGET)]),
        b"SSS",
        "Where services, jobs and tasks run: process, docker or kubernetes.",
    )
    .ours(),
    key(
        "inputs",
        Shape::Map(&Shape::Object(&INPUT), Names::Resource),
        b"SSS",
        "Typed parameters of the blueprint.",
    )
    .ours(),
    key(
        "locals",
        Shape::Map(&Shape::Any, Names::Resource),
        b"SSS",
        "Named values that are used in several places.",
    )
    .ours(),
    key(
        "providers",
        Shape::Any,
        b"WWW",
        "Terraform and OpenTofu providers, with versions and settings.",
    )
    .ours(),
    key(
        "data",
        Shape::Map(&Shape::Object(&DATA), Names::Resource),
        b"SSS",
        "Things outside that are read and never changed.",
    )
    .ours(),
    key(
        "resources",
        Shape::Map(&Shape::Object(&RESOURCE), Names::Resource),
        b"SSS",
        "Things that are made, changed and removed.",
    )
    .ours(),
    key(
        "hosts",
        Shape::Any,
        b"WWW",
        "Servers that are configured over SSH.",
    )
    .ours(),
    key(
        "pools",
        Shape::Map(&Shape::Object(&POOL), Names::Resource),
        b"SSS",
        "Types of nodes, with prices, on which workloads may run.",
    )
    .ours(),
    key(
        "workloads",
        Shape::Map(&Shape::Object(&WORKLOAD), Names::Resource),
        b"SSS",
        "Graphs of batch tasks with an objective.",
    )
    .ours(),
    key(
        "workflows",
        Shape::Map(&Shape::Object(&WORKFLOW), Names::Resource),
        b"SSS",
        "Workflows of the Open Workflow DSL.",
    )
    .ours(),
    key(
        "modules",
        Shape::Any,
        b"WWW",
        "Other blueprints, with inputs and outputs.",
    )
    .ours(),
    key(
        "objectives",
        Shape::Object(&OBJECTIVES),
        b"WWW",
        "Goals for the whole deployment.",
    )
    .ours(),
    key(
        "outputs",
        Shape::Map(&OUTPUT_VALUE, Names::Resource),
        b"SSS",
        "Values that the deployment publishes.",
    )
    .ours(),
];

pub(super) static INPUT: Object = Object {
    name: "an input",
    groups: &[&[
        sub(
            "type",
            Shape::Words(&["string", "number", "integer", "boolean", "array", "object"]),
            "What values it takes.",
        )
        .ours(),
        sub(
            "default",
            Shape::Any,
            "The value when none is given; without a default the input must be given.",
        )
        .ours(),
        sub(
            "enum",
            Shape::List(&Shape::Any),
            "The only values that are allowed.",
        )
        .ours(),
        sub("description", TEXT, "What it is for, for people.").ours(),
        sub("sensitive", STRICT_BOOL, "Whether its value is a secret.").ours(),
    ]],
    required: &["type"],
    extensions: true,
    refused: &[],
};

const DEPENDS_ON: Shape =
    Shape::Either(&[TEXTS, Shape::Map(&Shape::Object(&DEPENDENCY), Names::Any)]);
pub(super) const FOR_EACH: Shape = Shape::Either(&[TEXTS, Shape::Map(&Shape::Any, Names::Any)]);
const PROPERTIES: Shape = Shape::Either(&[Shape::Map(&Shape::Any, Names::Any), NULL]);

const TYPE: Key = sub(
    "type",
    TEXT,
    "Its type: a built-in one, or <provider>_<type>.",
)
.ours();
const PROPERTIES_KEY: Key = sub(
    "properties",
    PROPERTIES,
    "Its settings; its type says which there are.",
)
.ours();
const FOR_EACH_KEY: Key =
    sub("for_each", FOR_EACH, "One instance per element of a list of texts, or per key of a mapping; `.each.key` and `.each.value`.")
        .ours();
const DEPENDS_ON_KEY: Key = sub(
    "depends_on",
    DEPENDS_ON,
    "Addresses of what must be there first, beside what its expressions refer to.",
)
.ours();
const TIMEOUT_KEY: Key = sub(
    "timeout",
    DURATION,
    "The longest that one step of it may take.",
)
.ours();

pub(super) static DATA: Object = Object {
    name: "a data source",
    groups: &[&[
        TYPE,
        PROPERTIES_KEY,
        FOR_EACH_KEY,
        DEPENDS_ON_KEY,
        TIMEOUT_KEY,
    ]],
    required: &["type"],
    extensions: true,
    refused: &[(
        "lifecycle",
        "what is only read is neither replaced nor deleted",
    )],
};

pub(super) static RESOURCE: Object = Object {
    name: "a resource",
    groups: &[&[
        TYPE,
        PROPERTIES_KEY,
        FOR_EACH_KEY,
        sub(
            "lifecycle",
            Shape::Object(&LIFECYCLE),
            "How it may be replaced and deleted.",
        )
        .ours(),
        DEPENDS_ON_KEY,
        TIMEOUT_KEY,
    ]],
    required: &["type"],
    extensions: true,
    refused: &[],
};

static LIFECYCLE: Object = Object {
    name: "a lifecycle",
    groups: &[&[
        sub(
            "prevent_destroy",
            STRICT_BOOL,
            "Refuse every plan that would delete it.",
        )
        .ours(),
        sub(
            "create_before_destroy",
            STRICT_BOOL,
            "Make the replacement before the old one is deleted.",
        )
        .ours(),
        sub(
            "ignore_changes",
            Shape::Either(&[Shape::Words(&["all"]), TEXTS]),
            "Attributes whose differences do not count, by path; `all` for every one.",
        )
        .ours(),
        sub(
            "replace_triggered_by",
            TEXTS,
            "Nodes, or attributes of them, whose change replaces this one.",
        )
        .ours(),
    ]],
    required: &[],
    extensions: false,
    refused: &[],
};

static OBJECTIVES: Object = Object {
    name: "objectives",
    groups: &[&[
        sub(
            "budget",
            MONEY_PER_TIME,
            "The most that the deployment may cost, as 500 USD/month.",
        )
        .ours(),
        sub(
            "on_breach",
            Shape::Words(&["ask", "refuse", "report"]),
            "What happens when a plan would break one.",
        )
        .ours(),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

/// A scalar or a list is the value itself; a mapping is the long form.
static OUTPUT_VALUE: Shape = Shape::Either(&[Shape::Object(&OUTPUT), Shape::Any]);

static OUTPUT: Object = Object {
    name: "an output",
    groups: &[&[
        sub("value", Shape::Any, "What it is.").ours(),
        sub("description", TEXT, "What it is for, for people.").ours(),
        sub(
            "sensitive",
            BOOL,
            "Whether it is shown only when asked for by name.",
        )
        .ours(),
    ]],
    required: &["value"],
    extensions: true,
    refused: &[],
};
