//! Functions beyond jq's own.

use consort_expression::{Evaluation, Facts, compile, functions, helper};
use serde_json::{Value, json};

use crate::support::{Memory, json, scope, value};

fn with_files(text: &str, files: &Memory, input: &Value) -> Result<Value, String> {
    let program = compile(text, &scope(&[])).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    let facts = Facts {
        now_ms: None,
        files: Some(files),
    };
    match program
        .evaluate(input, &[], &facts)
        .map_err(|error| error.message)?
    {
        Evaluation::Value(value) => Ok(value),
        Evaluation::NeedsHelper(job) => helper::run_job(&job)
            .into_result()
            .map_err(|error| error.message),
    }
}

#[test]
fn every_documented_example_gives_its_result() {
    for function in functions() {
        assert!(
            compile(function.example, &scope(&[])).is_ok(),
            "{}",
            function.signature
        );
        if !function.result.is_empty() {
            assert_eq!(
                value(function.example, &Value::Null),
                Ok(json(function.result)),
                "{}",
                function.example
            );
        }
    }
}

#[test]
fn prefixes_are_computed_as_elsewhere() {
    for (text, expected) in [
        (r#"cidrhost("10.0.0.0/8"; 0)"#, r#""10.0.0.0""#),
        (r#"cidrhost("10.0.0.7/8"; 268)"#, r#""10.0.1.12""#),
        (r#"cidrhost("10.0.0.0/30"; -1)"#, r#""10.0.0.3""#),
        (r#"cidrhost("fd00::/64"; 34)"#, r#""fd00::22""#),
        (r#"cidrhost("10.0.0.1/32"; 0)"#, r#""10.0.0.1""#),
        (r#"cidrsubnet("10.0.0.0/8"; 8; 3)"#, r#""10.3.0.0/16""#),
        (
            r#"cidrsubnet("fd00:fd12:3456:7890::/56"; 16; 162)"#,
            r#""fd00:fd12:3456:7800:a200::/72""#,
        ),
        (r#"cidrsubnet("::/0"; 128; 5)"#, r#""::5/128""#),
        (r#"cidrsubnet("::/0"; 0; 0)"#, r#""::/0""#),
        (r#"cidrnetmask("0.0.0.0/0")"#, r#""0.0.0.0""#),
        (r#"cidrnetmask("10.0.0.0/32")"#, r#""255.255.255.255""#),
        (r#"cidrcontains("10.0.0.0/8"; "11.0.0.1")"#, "false"),
        (r#"cidrcontains("10.0.0.0/8"; "10.0.0.1")"#, "true"),
        (r#"cidrcontains("10.0.0.0/8"; "::1")"#, "false"),
        (r#"cidrcontains("10.0.0.0/16"; "10.0.0.0/8")"#, "false"),
    ] {
        assert_eq!(value(text, &Value::Null), Ok(json(expected)), "{text}");
    }
    for (text, expected) in [
        (
            r#"cidrhost("10.0.0.0/30"; 4)"#,
            "prefix 10.0.0.0/30 has no address number 4",
        ),
        (
            r#"cidrhost("10.0.0.0/30"; -5)"#,
            "prefix 10.0.0.0/30 has no address number -5",
        ),
        (
            r#"cidrhost("10.0.0.0"; 4)"#,
            "`10.0.0.0` is not a prefix such as 10.0.0.0/8",
        ),
        (
            r#"cidrhost("10.0.0.0/33"; 4)"#,
            "`10.0.0.0/33` is not a prefix such as 10.0.0.0/8",
        ),
        (
            r#"cidrhost("10.0.0.0/+8"; 4)"#,
            "`10.0.0.0/+8` is not a prefix such as 10.0.0.0/8",
        ),
        (
            r#"cidrsubnet("10.0.0.0/30"; 3; 0)"#,
            "prefix 10.0.0.0/30 cannot be 3 bits longer",
        ),
        (
            r#"cidrsubnet("10.0.0.0/8"; 2; 4)"#,
            "2 more bits give no subnet number 4",
        ),
        (
            r#"cidrsubnet("10.0.0.0/8"; -1; 0)"#,
            "prefix 10.0.0.0/8 cannot be -1 bits longer",
        ),
        (
            r#"cidrnetmask("::/0")"#,
            "::/0 is an IPv6 prefix, which has no netmask",
        ),
        (
            r#"cidrhost("10.0.0.0/8"; "a")"#,
            "cannot use \"a\" as integer",
        ),
    ] {
        let error = value(text, &Value::Null).expect_err(text);
        assert_eq!(error.message, expected, "{text}");
    }
}

#[test]
fn files_are_read_as_text() {
    let files = Memory([("a.txt", b"text".to_vec()), ("b.bin", vec![0xff])].into());
    let null = Value::Null;
    assert_eq!(
        with_files("file(\"a.txt\")", &files, &null),
        Ok(json!("text"))
    );
    assert_eq!(
        with_files("file(.p)", &files, &json!({"p": "a.txt"})),
        Ok(json!("text"))
    );
    let error = with_files("file(\"c.txt\")", &files, &null);
    assert_eq!(
        error,
        Err("file `c.txt`: it is not part of the bundle".to_owned())
    );
    let error = with_files("file(\"b.bin\")", &files, &null);
    assert_eq!(error, Err("file `b.bin` is not UTF-8 text".to_owned()));
    assert_eq!(
        with_files("try file(\"c.txt\") catch \"none\"", &files, &null),
        Ok(json!("none"))
    );
}

#[test]
fn the_helper_sees_the_files_whose_paths_are_written_out() {
    let files = Memory([("a.json", b"[1,2]".to_vec())].into());
    assert_eq!(
        with_files("file(\"a.json\") | fromjson", &files, &Value::Null),
        Ok(json!([1, 2]))
    );
    let error = with_files("file(.p) | fromjson", &files, &json!({"p": "a.json"}));
    let expected = "file `a.json`: an expression that is not simple can read only files whose path is written out";
    assert_eq!(error, Err(expected.to_owned()));
}

#[test]
fn templates_evaluate_expressions_and_leave_all_else() {
    let text = "port ${ .port };\n# $host ${NAME} $$ $${ .x }\n${ if .tls then \"ssl\" else \"\" end}${ 6 / 2 }\n";
    let files = Memory([("t", text.as_bytes().to_vec())].into());
    let expected = "port 80;\n# $host ${NAME} $$ ${ .x }\nssl3\n";
    let call = "template(\"t\"; {port: .p, tls: true})";
    assert_eq!(
        with_files(call, &files, &json!({"p": 80})),
        Ok(json!(expected))
    );
}

#[test]
fn a_template_with_an_expression_that_is_not_simple_is_rendered_by_the_helper() {
    let text = b"${ [range(.n)] | join(\" \") }";
    let files = Memory([("t", text.to_vec())].into());
    assert_eq!(
        with_files("template(\"t\"; {n: 3})", &files, &Value::Null),
        Ok(json!("0 1 2"))
    );
    // Also where its path is known only when it runs.
    assert_eq!(
        with_files("template(.t; {n: 3})", &files, &json!({"t": "t"})),
        Ok(json!("0 1 2"))
    );
}

#[test]
fn mistakes_in_templates_are_told_with_their_line() {
    for (text, expected) in [
        (
            "a\n${ .x.y }",
            "template `t`, line 2: cannot index 1 with \"y\"",
        ),
        (
            "a\n\n${ lenght }",
            "template `t`, line 3: there is no function `lenght`",
        ),
        (
            "${ .x",
            "template `t`, line 1: an expression that begins with `${` is not closed by `}`; in a YAML flow mapping or list, quote the whole value",
        ),
        (
            "${ [1] }",
            "template `t`, line 1: an expression yields an array inside text; use `join` or `tojson`",
        ),
        (
            "${ 1, 2 }",
            "template `t`, line 1: an expression yields several values inside text",
        ),
        (
            "${ now }",
            "template `t`, line 1: `now` is not allowed: expressions here have no clock, so that the same text gives the same plan",
        ),
    ] {
        let files = Memory([("t", text.as_bytes().to_vec())].into());
        let error = with_files("template(\"t\"; {x: 1})", &files, &Value::Null);
        assert_eq!(error, Err(expected.to_owned()), "{text}");
    }
}
