//! What expressions yield.

use serde_json::{Value, json};

use crate::support::{json, value};

/// Expression, input, result; the whole of jq, fast or not.
const RESULTS: &[(&str, &str, &str)] = &[
    (".", "1", "1"),
    (".a.b", r#"{"a":{"b":[1]}}"#, "[1]"),
    (".a.b", "null", "null"),
    (".a[-1]", r#"{"a":[1,2]}"#, "2"),
    (".a[5]", r#"{"a":[1,2]}"#, "null"),
    ("$x", "null", r#""X""#),
    ("$context.a.b", "null", "1"),
    // No output is null, several are an array.
    ("empty", "1", "null"),
    (".[]", "[1,2]", "[1,2]"),
    (".[]", "[[1]]", "[1]"),
    ("1, 2", "null", "[1,2]"),
    // Canonical numbers.
    ("1.0", "null", "1"),
    (".", "3.0", "3"),
    (".", "1e3", "1000"),
    ("6 / 2", "null", "3"),
    (r#""\(6 / 2)""#, "null", r#""3""#),
    ("(0.5 + 0.5) | tostring", "null", r#""1""#),
    ("[0.5, 0.5] | add | tostring", "null", r#""1""#),
    ("-0.0", "null", "0"),
    ("1 / 4", "null", "0.25"),
    (".", "18446744073709551615", "18446744073709551615"),
    (".", "-9223372036854775808", "-9223372036854775808"),
    ("9007199254740993", "null", "9007199254740993"),
    ("nan", "null", "null"),
    (".a * 2", r#"{"a":21}"#, "42"),
    // What jaq lacks or does otherwise than jq.
    ("1 | ltrimstr(\"a\")", "null", "1"),
    ("\"a\" | ltrimstr(1)", "null", r#""a""#),
    (
        "\"abc\" | ltrimstr(\"a\") | rtrimstr(\"c\")",
        "null",
        r#""b""#,
    ),
    ("\"aba\" | trimstr(\"a\")", "null", r#""b""#),
    ("1 | toarray", "null", "[1]"),
    ("2 | IN(1, 2)", "null", "true"),
    ("IN(.[]; 5)", "[1,2]", "false"),
    (
        "INDEX(.id)",
        r#"[{"id":1},{"id":"b"}]"#,
        r#"{"1":{"id":1},"b":{"id":"b"}}"#,
    ),
    ("65 | ascii", "null", r#""A""#),
    (
        "[tostream]",
        r#"{"a":[1]}"#,
        r#"[[["a",0],1],[["a",0]],[["a"]]]"#,
    ),
    (
        "from_entries",
        r#"[{"name":"a","value":1},{"k":"b","v":2}]"#,
        r#"{"a":1,"b":2}"#,
    ),
    ("with_entries(.value += 1)", r#"{"a":1}"#, r#"{"a":2}"#),
    ("join(\"-\")", r#"["a",null,1,true]"#, r#""a--1-true""#),
    ("@csv", r#"[1,"a\"b",null,true]"#, r#""1,\"a\"\"b\",,true""#),
    ("@tsv", r#"["a\tb",1]"#, r#""a\\tb\t1""#),
    ("\" 42 \" | tonumber", "null", "42"),
    ("\"1.50\" | tonumber", "null", "1.5"),
    ("have_literal_numbers", "null", "true"),
    ("leaf_paths", r#"{"a":1}"#, r#"["a"]"#),
    ("now", "null", "1700000000.123"),
    ("now | floor | todate", "null", r#""2023-11-14T22:13:20Z""#),
    // Only by the helper.
    ("reduce .[] as $i (0; . + $i)", "[1,2,3]", "6"),
    ("[range(3)]", "null", "[0,1,2]"),
    ("def f(g): g + 1; f(.)", "1", "2"),
    (".a as $y | $y + 1", r#"{"a":1}"#, "2"),
    (".a |= . + 1", r#"{"a":1}"#, r#"{"a":2}"#),
    (".a.b.c = 1", "{}", r#"{"a":{"b":{"c":1}}}"#),
    (".a[1].b |= 2", "null", r#"{"a":[null,{"b":2}]}"#),
    (
        ".a.n += 1 | .b //= .c",
        r#"{"c":3}"#,
        r#"{"c":3,"a":{"n":1},"b":3}"#,
    ),
    (".a.b = (.a | type)", "{}", r#"{"a":{"b":"null"}}"#),
    (
        "del(.a.b, .c[0], .c[1])",
        r#"{"c":[1,2,3]}"#,
        r#"{"c":[3]}"#,
    ),
    ("del(.[1:])", "[1,2,3]", "[1]"),
    (
        "[setpath([\"a\", 0]; 1), delpaths([[\"a\"], [\"b\"]])]",
        "null",
        r#"[{"a":[1]},null]"#,
    ),
    ("(.[] | select(. > 1)) |= empty", "[1,2,3]", "[1]"),
    ("[.. | numbers]", r#"{"a":[1,{"b":2}]}"#, "[1,2]"),
    (
        "label $out | foreach .[] as $i (0; . + $i; if . > 3 then ., break $out else empty end)",
        "[1,2,3]",
        "6",
    ),
    ("[limit(2; .[])]", "[1,2,3]", "[1,2]"),
    ("[splits(\", *\")]", r#""a, b,c""#, r#"["a","b","c"]"#),
    ("test(\"^a.c$\")", r#""abc""#, "true"),
];

#[test]
fn expressions_yield_what_jq_yields() {
    for (text, input, expected) in RESULTS {
        assert_eq!(
            value(text, &json(input)).as_ref(),
            Ok(&json(expected)),
            "{text} on {input}"
        );
    }
}

#[test]
fn an_error_says_what_happened_in_words() {
    for (text, input, expected) in [
        (".a.b", r#"{"a":1}"#, "cannot index 1 with \"b\""),
        ("error(\"no such customer\")", "null", "no such customer"),
        ("error({code: 1})", "null", r#"{"code":1}"#),
        ("error(null)", "null", "null"),
        (".a + 1", r#"{"a":"x"}"#, "cannot calculate \"x\" + 1"),
        ("tonumber", r#""[[""#, "cannot parse as number"),
    ] {
        let error = value(text, &json(input)).expect_err(text);
        assert_eq!(error.message, expected, "{text}");
    }
}

#[test]
fn an_error_message_is_cut_to_a_bounded_length() {
    let input = json!({"a": "x".repeat(100_000)});
    let error = value(".a.b", &input).expect_err("an error");
    assert!(
        error.message.chars().count() < 700,
        "{}",
        error.message.len()
    );
}

#[test]
fn a_program_without_its_facts_says_which_is_missing() {
    let program = crate::support::program("now");
    let facts = consort_expression::Facts::default();
    let error = program
        .evaluate(&Value::Null, &[Value::Null, Value::Null], &facts)
        .expect_err("no clock");
    assert_eq!(error.kind, consort_expression::ErrorKind::Facts);
    let error = program
        .evaluate(&Value::Null, &[], &facts)
        .expect_err("no variables");
    assert_eq!(error.message, "expected 2 variables, got 0");
}
