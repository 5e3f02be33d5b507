//! `build` of a service.

use super::common::{
    BOOL, GRANTS, HOSTS, INT, PAIRS, TEXT, TEXT_LIST, TEXT_NUMBER_BOOL, TEXT_OR_TEXTS, ULIMITS,
};
use super::{Object, sub};

/// The keys of `build`.
pub static BUILD: Object = Object {
    name: "build",
    groups: &[&[
        sub(
            "context",
            TEXT,
            "The folder or URL that is sent to the builder.",
        ),
        sub(
            "dockerfile",
            TEXT,
            "The Dockerfile, relative to the context.",
        ),
        sub(
            "dockerfile_inline",
            TEXT,
            "The content of the Dockerfile itself.",
        ),
        sub(
            "entitlements",
            TEXT_LIST,
            "Further rights that the build is given.",
        ),
        sub(
            "args",
            PAIRS,
            "Variables of the build; one without value takes it from the environment.",
        ),
        sub("ssh", PAIRS, "SSH agents or keys that the build may use."),
        sub("labels", PAIRS, "Labels of the image."),
        sub(
            "cache_from",
            TEXT_LIST,
            "Where the builder looks for cached layers.",
        ),
        sub("cache_to", TEXT_LIST, "Where the builder leaves its cache."),
        sub("no_cache", BOOL, "Build without a cache."),
        sub(
            "no_cache_filter",
            TEXT_OR_TEXTS,
            "Stages that are built without a cache.",
        )
        .newer(),
        sub(
            "additional_contexts",
            PAIRS,
            "Further named contexts: folders, URLs, images, or service:NAME.",
        ),
        sub("network", TEXT, "The network that the build uses."),
        sub(
            "provenance",
            TEXT_NUMBER_BOOL,
            "Attach a statement of where the image comes from.",
        ),
        sub(
            "sbom",
            TEXT_NUMBER_BOOL,
            "Attach a list of what the image contains.",
        ),
        sub("pull", BOOL, "Fetch newer versions of the base images."),
        sub("target", TEXT, "The stage of the Dockerfile that is built."),
        sub("shm_size", INT, "The size of /dev/shm during the build."),
        sub("extra_hosts", HOSTS, "Further host names during the build."),
        sub("isolation", TEXT, "How build containers are isolated."),
        sub("privileged", BOOL, "Build with all rights."),
        sub("secrets", GRANTS, "Secrets that the build may read."),
        sub("tags", TEXT_LIST, "Further names of the image."),
        sub("ulimits", ULIMITS, "Limits of the build's processes."),
        sub(
            "platforms",
            TEXT_LIST,
            "The platforms that the image is built for.",
        ),
    ]],
    required: &[],
    extensions: true,
    refused: &[],
};
