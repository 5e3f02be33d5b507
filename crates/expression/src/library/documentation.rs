//! The functions that expressions have beyond jq, as a table for docs and for `explain`.

/// One function beyond jq's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionDoc {
    /// How it is called.
    pub signature: &'static str,
    /// What it yields, in a sentence.
    pub summary: &'static str,
    /// An expression without input. Those of files need a file and have no result here.
    pub example: &'static str,
    /// Its result as JSON; empty where it depends on a file or the time.
    pub result: &'static str,
}

/// The functions beyond jq's own:
///
/// | call | yields |
/// | --- | --- |
/// | `file(path)` | the text of a bundled file |
/// | `template(path; vars)` | a bundled file with each `${ … }` evaluated on `vars` |
/// | `sha256` | the SHA-256 digest of a string, in hexadecimal |
/// | `base64`, `base64d` | a string encoded, or decoded to text |
/// | `cidrhost(prefix; n)` | address `n` of a prefix, from the end if negative |
/// | `cidrsubnet(prefix; newbits; n)` | subnet `n` of those `newbits` longer |
/// | `cidrnetmask(prefix)` | the netmask of an IPv4 prefix |
/// | `cidrcontains(prefix; other)` | whether an address or prefix lies in a prefix |
/// | `now` | the recorded time of the step in seconds; workflows only |
pub fn functions() -> &'static [FunctionDoc] {
    FUNCTIONS
}

const FUNCTIONS: &[FunctionDoc] = &[
    FunctionDoc {
        signature: "file(path)",
        summary: "The text of a file of the bundle. The path is relative to the blueprint.",
        example: r#"file("motd.txt")"#,
        result: "",
    },
    FunctionDoc {
        signature: "template(path; vars)",
        summary: "The text of a file of the bundle in which each `${ … }` is an expression whose input is vars; `$${ ` stands for `${ `.",
        example: r#"template("shop.conf"; {port: 80})"#,
        result: "",
    },
    FunctionDoc {
        signature: "sha256",
        summary: "The SHA-256 digest of a string, in hexadecimal.",
        example: r#""abc" | sha256"#,
        result: r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#,
    },
    FunctionDoc {
        signature: "base64",
        summary: "A string in base64 (as jq's `@base64`).",
        example: r#""user:pass" | base64"#,
        result: r#""dXNlcjpwYXNz""#,
    },
    FunctionDoc {
        signature: "base64d",
        summary: "What a base64 string stands for; an error if that is not text.",
        example: r#""dXNlcjpwYXNz" | base64d"#,
        result: r#""user:pass""#,
    },
    FunctionDoc {
        signature: "cidrhost(prefix; n)",
        summary: "Address number n of a prefix; negative numbers count from its end.",
        example: r#"[cidrhost("10.12.112.0/20"; 16), cidrhost("10.12.112.0/20"; -1)]"#,
        result: r#"["10.12.112.16","10.12.127.255"]"#,
    },
    FunctionDoc {
        signature: "cidrsubnet(prefix; newbits; n)",
        summary: "Subnet number n of those that are newbits longer than the prefix.",
        example: r#"cidrsubnet("172.16.0.0/12"; 4; 2)"#,
        result: r#""172.18.0.0/16""#,
    },
    FunctionDoc {
        signature: "cidrnetmask(prefix)",
        summary: "The netmask of an IPv4 prefix.",
        example: r#"cidrnetmask("172.16.0.0/12")"#,
        result: r#""255.240.0.0""#,
    },
    FunctionDoc {
        signature: "cidrcontains(prefix; other)",
        summary: "Whether an address or a whole prefix lies in a prefix.",
        example: r#"cidrcontains("10.0.0.0/8"; "10.1.0.0/16")"#,
        result: "true",
    },
    FunctionDoc {
        signature: "now",
        summary: "The recorded time of the step, in seconds since 1970. In workflows only.",
        example: "now",
        result: "",
    },
];
