//! The target, and what runs on it beside services: pools, workloads, workflows.

use super::common::{COMMAND, INT_CAST, PAIRS, TEXT, TEXTS};
use super::forms::{
    CPUS, CRON, DURATION, HTTP_PATH, LATENCY, MONEY, PERCENT, PRICE, RATE, SIZE, TIME_ZONE,
};
use super::{Cast, Kind, Names, Object, Shape, sub};

pub(super) static TARGET_WORDS: &[&str] = &["process", "docker", "kubernetes"];

pub(super) static TARGET: Object = Object {
    name: "a target",
    groups: &[&[sub(
        "kind",
        Shape::Words(TARGET_WORDS),
        "process, docker or kubernetes.",
    )
    .ours()]],
    required: &["kind"],
    extensions: true,
    refused: &[],
};

/// `process` of a service, a job or a task.
pub(super) static PROCESS: Object = Object {
    name: "a process",
    groups: &[&[
        sub(
            "build",
            COMMAND,
            "The command that builds the program, run in the context by the person who loads.",
        )
        .ours(),
        sub("command", COMMAND, "The program and its arguments.").ours(),
        sub(
            "artifacts",
            TEXTS,
            "Files and folders that belong to the program, relative to the context.",
        )
        .ours(),
        sub(
            "context",
            TEXT,
            "The folder of the program; the folder of the blueprint if not given.",
        )
        .ours(),
        sub(
            "sources",
            TEXTS,
            "Patterns of files that the build reads; when none changed, nothing is built.",
        )
        .ours(),
    ]],
    required: &[],
    extensions: false,
    refused: &[],
};

pub(super) static AUTOSCALE: Object = Object {
    name: "autoscale",
    groups: &[&[
        sub("min", COUNT_FROM_0, "The fewest instances.").ours(),
        sub("max", COUNT, "The most instances.").ours(),
        sub(
            "target",
            Shape::Object(&UTILISATION),
            "What each instance shall be used to; without it the objective decides.",
        )
        .ours(),
    ]],
    required: &["min", "max"],
    extensions: false,
    refused: &[],
};

static UTILISATION: Object = Object {
    name: "a target of autoscale",
    groups: &[&[
        sub("cpu", PERCENT, "The share of its processors.").ours(),
        sub("memory", PERCENT, "The share of its memory.").ours(),
    ]],
    required: &[],
    extensions: false,
    refused: &[],
};

pub(super) static SERVICE_OBJECTIVE: Object = Object {
    name: "an objective of a service",
    groups: &[&[
        sub(
            "latency",
            LATENCY,
            "A percentile and how long it may take, as p95 200ms.",
        )
        .ours(),
        sub(
            "availability",
            PERCENT,
            "The share of requests that succeed.",
        )
        .ours(),
        sub(
            "minimize",
            Shape::Words(&["cost", "latency"]),
            "What is best when all else holds.",
        )
        .ours(),
    ]],
    required: &[],
    extensions: false,
    refused: &[],
};

const COUNT: Shape = Shape::Range {
    min: 1,
    max: 1_000_000,
    cast: Some(Cast::Int),
    kinds: &[],
};
const COUNT_FROM_0: Shape = Shape::Range {
    min: 0,
    max: 1_000_000,
    cast: Some(Cast::Int),
    kinds: &[],
};

pub(super) static POOL: Object = Object {
    name: "a pool",
    groups: &[&[
        sub(
            "types",
            Shape::List(&Shape::Object(&NODE_TYPE)),
            "The node types that can be leased.",
        )
        .ours(),
        sub(
            "billing",
            Shape::Object(&BILLING),
            "How leases are paid for.",
        )
        .ours(),
        sub(
            "bandwidth",
            RATE,
            "What is moved between two nodes per second; without it moving is free.",
        )
        .ours(),
        sub(
            "max_cpus",
            CPUS,
            "The most processors that are leased at the same time, over all types.",
        )
        .ours(),
    ]],
    required: &["types"],
    extensions: true,
    refused: &[],
};

static NODE_TYPE: Object = Object {
    name: "a node type",
    groups: &[&[
        sub("name", TEXT, "Its name.").ours(),
        sub("cpus", CPUS, "Its processors, also in fractions.").ours(),
        sub("memory", SIZE, "Its memory.").ours(),
        sub("price", PRICE, "What it costs per hour.").ours(),
        sub(
            "startup",
            DURATION,
            "The time from the request to the first task; 0s if not given. It is billed.",
        )
        .ours(),
        sub(
            "speed",
            CPUS,
            "How fast it is; 1 if not given, 1.5 does a task in two thirds of its estimate.",
        )
        .ours(),
        sub(
            "capacity",
            COUNT,
            "How many can be leased at the same time; as many as wanted if not given.",
        )
        .ours(),
    ]],
    required: &["name", "cpus", "memory", "price"],
    extensions: true,
    refused: &[],
};

static BILLING: Object = Object {
    name: "billing",
    groups: &[&[
        sub(
            "interval",
            DURATION,
            "A lease is paid in whole intervals of this length; 1s if not given.",
        )
        .ours(),
        sub(
            "minimum",
            DURATION,
            "The least time that is charged; 0s if not given.",
        )
        .ours(),
    ]],
    required: &[],
    extensions: false,
    refused: &[],
};

pub(super) static WORKLOAD: Object = Object {
    name: "a workload",
    groups: &[&[
        sub("pool", TEXT, "The pool on which it runs.").ours(),
        sub(
            "objective",
            Shape::Object(&OBJECTIVE),
            "A deadline at the least cost, or a budget at the least time.",
        )
        .ours(),
        sub(
            "triggers",
            Shape::Object(&TRIGGERS),
            "When it runs; without any, when a person starts it.",
        )
        .ours(),
        sub(
            "process",
            Shape::Object(&PROCESS),
            "The program that all tasks share, and how it is built.",
        )
        .ours(),
        sub(
            "tasks",
            Shape::Map(&Shape::Object(&TASK), Names::Resource),
            "The tasks, by name.",
        )
        .ours(),
    ]],
    required: &["pool", "objective", "tasks"],
    extensions: true,
    refused: &[],
};

static OBJECTIVE: Object = Object {
    name: "an objective of a workload",
    groups: &[&[
        sub("deadline", DURATION, "The longest that a run may take.").ours(),
        sub("budget", MONEY, "The most that a run may cost.").ours(),
        sub(
            "minimize",
            Shape::Words(&["cost", "makespan"]),
            "`cost` with a deadline, `makespan` with a budget.",
        )
        .ours(),
    ]],
    required: &[],
    extensions: false,
    refused: &[],
};

static TRIGGERS: Object = Object {
    name: "triggers of a workload",
    groups: &[&[
        sub("schedule", CRON, "Minute, hour, day, month, weekday.").ours(),
        sub(
            "time_zone",
            TIME_ZONE,
            "The time zone of the schedule; UTC if not given.",
        )
        .ours(),
    ]],
    required: &[],
    extensions: false,
    refused: &[],
};

const MOUNTS: &str = "tasks pass files in the folder of the run; mounts of tasks are not there yet";

static TASK: Object = Object {
    name: "a task",
    groups: &[&[
        sub(
            "needs",
            TEXTS,
            "The tasks that must have ended well before.",
        )
        .ours(),
        sub("image", TEXT, "The image that is run.").ours(),
        sub(
            "process",
            Shape::Object(&PROCESS),
            "What the process target runs.",
        )
        .ours(),
        sub(
            "entrypoint",
            COMMAND,
            "The program that runs, instead of the image's own.",
        )
        .ours(),
        sub(
            "command",
            COMMAND,
            "What runs, or the arguments of the entry point.",
        )
        .ours(),
        sub(
            "environment",
            PAIRS,
            "Variables; one without value takes it from the environment of the person who loads.",
        )
        .ours(),
        sub("working_dir", TEXT, "The folder in which it runs.").ours(),
        sub("user", TEXT, "As whom it runs.").ours(),
        sub(
            "estimate",
            DURATION,
            "How long it takes on a node of speed 1 with all the processors that it can use.",
        )
        .ours(),
        sub(
            "cpus",
            CPUS,
            "The processors that it can use; 1 if not given.",
        )
        .ours(),
        sub("memory", SIZE, "The memory that it must have.").ours(),
        sub(
            "retries",
            Shape::Range {
                min: 0,
                max: 100,
                cast: Some(Cast::Int),
                kinds: &[],
            },
            "How often it is started again when it fails; 0 if not given.",
        )
        .ours(),
        sub(
            "timeout",
            DURATION,
            "The longest that one attempt may take.",
        )
        .ours(),
    ]],
    required: &["estimate"],
    extensions: true,
    refused: &[
        ("volumes", MOUNTS),
        ("configs", MOUNTS),
        (
            "secrets",
            "give the value by an expression in `environment`; mounts of tasks are not there yet",
        ),
        (
            "depends_on",
            "write `needs` for other tasks; expressions name all else",
        ),
    ],
};

pub(super) static WORKFLOW: Object = Object {
    name: "a workflow",
    groups: &[&[
        sub(
            "definition",
            Shape::Any,
            "The workflow in the Open Workflow DSL; its own rules hold inside.",
        )
        .ours(),
        sub("file", TEXT, "The file that holds the definition, instead.").ours(),
        sub(
            "expose",
            Shape::Object(&EXPOSE),
            "The HTTP requests that it answers.",
        )
        .ours(),
        sub(
            "secrets",
            Shape::Map(&Shape::Scalar(&[Kind::Text], None), Names::Any),
            "Values that `use.secrets` of the definition may name.",
        )
        .ours(),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

pub(super) static EXPOSE: Object = Object {
    name: "expose",
    groups: &[&[
        sub("get", HTTP_PATH, "The path that GET has.").ours(),
        sub("post", HTTP_PATH, "The path that POST has.").ours(),
        sub("put", HTTP_PATH, "The path that PUT has.").ours(),
        sub("patch", HTTP_PATH, "The path that PATCH has.").ours(),
        sub("delete", HTTP_PATH, "The path that DELETE has.").ours(),
        sub("auth", Shape::Words(&["token", "none"]), "Who may call: `token` (if not given) for holders of the deployment's token, `none` for all.").ours(),
        sub("port", Shape::Either(&[Shape::Range { min: 1, max: 65_535, cast: Some(Cast::Int), kinds: &[] }, INT_CAST]), "The port of this machine on which it is published.").ours(),
    ]],
    required: &[],
    extensions: false,
    refused: &[],
};
