//! Services and jobs.

use super::build::BUILD;
use super::common::{
    BOOL, BOOL_CAST, BOOL_ONLY, DURATION, HOOKS, INT_CAST, NULL, NUMBER_INT_CAST, TEXT,
    TEXT_NUMBER_BOOL, TEXT_OR_LIST, TEXT_OR_NUMBER, TEXT_OR_TEXTS, TEXTS,
};
use super::container::CONTAINER;
use super::deploy::DEPLOY;
use super::network::PORTS;
use super::work::{AUTOSCALE, PROCESS, SERVICE_OBJECTIVE};
use super::{Key, Names, Object, Shape, key, sub};

/// A service.
pub static SERVICE: Object = Object {
    name: "a service",
    groups: &[CONTAINER, SHARED, OWN, OURS],
    required: &[],
    extensions: true,
    refused: &[],
};

/// A job of Compose: one container that runs to its end.
pub static JOB: Object = Object {
    name: "a job",
    groups: &[CONTAINER, SHARED, JOB_KEYS],
    required: &["triggers"],
    extensions: true,
    refused: &[
        ("attach", "a job has no foreground"),
        (
            "container_name",
            "each run of a job is a container of its own",
        ),
        ("restart", "a job runs to its end once"),
        ("scale", "a job is one container"),
        ("deploy", "a job is one container"),
        ("develop", "a job is not watched"),
        ("pre_start", "a job has no hooks"),
        ("post_start", "a job has no hooks"),
        ("pre_stop", "a job has no hooks"),
    ],
};

static SHARED: &[Key] = &[
    key(
        "build",
        Shape::Either(&[TEXT, Shape::Object(&BUILD)]),
        b"SSS",
        "How the image is built.",
    ),
    key(
        "depends_on",
        Shape::Either(&[
            TEXTS,
            Shape::Map(&Shape::Object(&DEPENDENCY), Names::Resource),
        ]),
        b"SSS",
        "What must be there before the service starts.",
    ),
    key(
        "expose",
        Shape::Set(&TEXT_OR_NUMBER),
        b"PSS",
        "Ports that other services can reach, without publishing them.",
    ),
    key(
        "healthcheck",
        Shape::Object(&HEALTHCHECK),
        b"SSS",
        "How it is found out whether an instance is healthy.",
    ),
    key("ports", PORTS, b"PSS", "Ports that are published."),
    key("stdin_open", BOOL_CAST, b"SSS", "Keep the input open."),
    key("tty", BOOL_CAST, b"SSS", "Give it a terminal."),
];

pub(super) static DEPENDENCY: Object = Object {
    name: "a dependency",
    groups: &[&[
        sub(
            "condition",
            Shape::Words(&[
                "service_started",
                "service_healthy",
                "service_completed_successfully",
            ]),
            "What is waited for.",
        ),
        sub(
            "restart",
            BOOL_CAST,
            "Restart this one too when the other is restarted.",
        ),
        sub(
            "required",
            BOOL_ONLY,
            "Whether it is a mistake when the other is missing.",
        ),
    ]],
    required: &["condition"],
    extensions: true,
    refused: &[],
};

static HEALTHCHECK: Object = Object {
    name: "a health check",
    groups: &[&[
        sub("disable", BOOL_CAST, "Do not use the check of the image."),
        sub(
            "interval",
            DURATION,
            "The time between two checks; 30s if not given.",
        ),
        sub(
            "retries",
            NUMBER_INT_CAST,
            "How many failures in a row make it unhealthy; 3 if not given.",
        ),
        sub(
            "test",
            TEXT_OR_LIST,
            "The check: text for a shell, or a list that starts with CMD, CMD-SHELL or NONE.",
        ),
        sub(
            "timeout",
            DURATION,
            "How long one check may take; 30s if not given.",
        ),
        sub(
            "start_period",
            DURATION,
            "The time after the start in which failures do not count.",
        ),
        sub(
            "start_interval",
            DURATION,
            "The time between two checks while the instance starts.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

static OWN: &[Key] = &[
    key(
        "attach",
        BOOL,
        b"SSS",
        "Whether its output is shown in the foreground.",
    ),
    key(
        "container_name",
        Shape::TextLike(
            is_container_name,
            "a letter or digit, then letters, digits, `_`, `.`, `-`",
        ),
        b"PSP",
        "A fixed name of the container, which allows one instance only.",
    ),
    key(
        "deploy",
        Shape::Either(&[Shape::Object(&DEPLOY), NULL]),
        b"SSS",
        "How many instances run, where, and how they change.",
    ),
    key(
        "develop",
        Shape::Either(&[Shape::Object(&DEVELOP), NULL]),
        b"SSS",
        "What happens when source files change.",
    ),
    key(
        "extends",
        Shape::Either(&[TEXT, Shape::Object(&EXTENDS)]),
        b"SSS",
        "A service that this one builds upon.",
    ),
    key(
        "external_links",
        TEXTS,
        b"WSW",
        "Containers outside of the project that it can reach by name.",
    ),
    key(
        "links",
        TEXTS,
        b"PSP",
        "Services that it can reach under further names.",
    ),
    key(
        "post_start",
        HOOKS,
        b"SSP",
        "Commands that run inside after the start.",
    ),
    key(
        "pre_start",
        Shape::List(&Shape::Object(&START_HOOK)),
        b"PSP",
        "Containers that run to their end before the start.",
    )
    .newer(),
    key(
        "pre_stop",
        HOOKS,
        b"SSP",
        "Commands that run inside before the stop.",
    ),
    key(
        "profiles",
        TEXTS,
        b"SSS",
        "The profiles in which the service is switched on; without any it always is.",
    ),
    key(
        "provider",
        Shape::Object(&PROVIDER),
        b"WSW",
        "A program that manages this service instead of a container.",
    ),
    key(
        "restart",
        TEXT,
        b"SSP",
        "`no`, `always`, `on-failure[:n]` or `unless-stopped`.",
    ),
    key("scale", INT_CAST, b"SSS", "How many instances run."),
];

static OURS: &[Key] = &[
    PROCESS_KEY,
    key(
        "autoscale",
        Shape::Object(&AUTOSCALE),
        b"WWW",
        "Between how many and how many instances run, and what decides it.",
    )
    .ours(),
    key(
        "objective",
        Shape::Object(&SERVICE_OBJECTIVE),
        b"WWW",
        "What the service must achieve: latency, availability, cost.",
    )
    .ours(),
    key(
        "for_each",
        super::ours::FOR_EACH,
        b"SSS",
        "One service per element of a list of texts, or per key of a mapping.",
    )
    .ours(),
];

const PROCESS_KEY: Key = key(
    "process",
    Shape::Object(&PROCESS),
    b"SWW",
    "What the process target builds and runs.",
)
.ours();

fn is_container_name(text: &str) -> bool {
    // The pattern of the specification has no anchors: it is enough that such a name is inside.
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    text.chars()
        .zip(text.chars().skip(1))
        .any(|(first, second)| first.is_ascii_alphanumeric() && good(second))
}

static START_HOOK: Object = Object {
    name: "a start hook",
    groups: &[
        CONTAINER,
        &[sub(
            "per_replica",
            BOOL,
            "Run it for each instance instead of once.",
        )
        .newer()],
    ],
    required: &[],
    extensions: true,
    refused: &[],
};

static EXTENDS: Object = Object {
    name: "extends",
    groups: &[&[
        sub("service", TEXT, "The service that is built upon."),
        sub(
            "file",
            TEXT,
            "The file that it is in; this one if not given.",
        ),
    ]],
    required: &["service"],
    extensions: false,
    refused: &[],
};

static PROVIDER: Object = Object {
    name: "a provider",
    groups: &[&[
        sub("type", TEXT, "The program."),
        sub(
            "options",
            Shape::Map(
                &Shape::Either(&[TEXT_NUMBER_BOOL, Shape::List(&TEXT_NUMBER_BOOL)]),
                Names::Any,
            ),
            "Its options.",
        ),
    ]],
    required: &["type"],
    extensions: true,
    refused: &[],
};

static DEVELOP: Object = Object {
    name: "develop",
    groups: &[&[sub(
        "watch",
        Shape::List(&Shape::Object(&WATCH)),
        "Paths that are watched, and what is done.",
    )]],
    required: &[],
    extensions: true,
    refused: &[],
};

static WATCH: Object = Object {
    name: "a watch rule",
    groups: &[&[
        sub(
            "ignore",
            TEXT_OR_TEXTS,
            "Patterns of paths that are left out.",
        ),
        sub("include", TEXT_OR_TEXTS, "Patterns of paths that count."),
        sub("path", TEXT, "The path that is watched."),
        sub(
            "action",
            Shape::Words(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"]),
            "What is done on a change.",
        ),
        sub("target", TEXT, "Where files are copied to."),
        sub(
            "exec",
            Shape::Object(&super::common::HOOK),
            "What is run after files were copied.",
        ),
        sub(
            "initial_sync",
            super::common::STRICT_BOOL,
            "Copy all files before the watch begins.",
        ),
    ]],
    required: &["path", "action"],
    extensions: true,
    refused: &[],
};

static JOB_KEYS: &[Key] = &[
    PROCESS_KEY,
    key(
        "profiles",
        TEXTS,
        b"SSS",
        "The profiles in which the job is switched on.",
    )
    .newer(),
    key(
        "extends",
        Shape::Either(&[TEXT, Shape::Object(&EXTENDS)]),
        b"SSS",
        "A job that this one builds upon.",
    )
    .newer(),
    key(
        "triggers",
        Shape::Object(&TRIGGERS),
        b"SSS",
        "When the job runs.",
    )
    .newer(),
];

static TRIGGERS: Object = Object {
    name: "triggers",
    groups: &[&[
        sub(
            "manual",
            BOOL,
            "Whether a person may start it; unset is not the same as false.",
        )
        .newer(),
        sub(
            "schedule",
            Shape::Either(&[
                TEXT,
                Shape::List(&Shape::Either(&[TEXT, Shape::Object(&SCHEDULE)])),
            ]),
            "Times in cron's five fields.",
        )
        .newer(),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};

static SCHEDULE: Object = Object {
    name: "a schedule",
    groups: &[&[
        sub("cron", TEXT, "Minute, hour, day, month, weekday.").newer(),
        sub(
            "timezone",
            TEXT,
            "The time zone of the fields, such as Europe/Berlin.",
        )
        .newer(),
        sub(
            "concurrency",
            Shape::Words(&["forbid", "queue"]),
            "What happens while an earlier run goes on.",
        )
        .newer(),
        sub(
            "missed_fires",
            Shape::Words(&["one", "skip"]),
            "What happens with times that were missed.",
        )
        .newer(),
    ]],
    required: &["cron"],
    extensions: true,
    refused: &[],
};
