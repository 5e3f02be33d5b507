//! Which expressions may be given tokens that stand for secrets.

use crate::support::program;

#[test]
fn paths_structures_and_joined_text_are_transparent() {
    for text in [
        ".",
        ".a.b[0]",
        ".a[.each.key]",
        r#""postgres://app:\(.password)@db""#,
        r#"{a: .b, "c": [.d, "x"]}"#,
        r#""a" + .b"#,
        ".a // \"none\"",
        ".a | .b",
        "[.a[] | .b] | join(\",\")",
        "$x",
        ".a?",
    ] {
        assert!(program(text).is_transparent(), "{text}");
    }
}

#[test]
fn what_looks_into_text_or_changes_it_is_not() {
    for text in [
        ".a | length",
        ".a[0:2]",
        ".a | @base64",
        "@base64 \"\\(.a)\"",
        ".a | sha256",
        ".a == \"x\"",
        "if .a then 1 else 2 end",
        "{(.a): 1}",
        ".a | split(\",\")",
        ".a | tojson",
        ".a * 2",
        ".a - .b",
        "try .a catch .",
        "def f: .; f",
        ".a | ascii_downcase",
    ] {
        assert!(!program(text).is_transparent(), "{text}");
    }
}
