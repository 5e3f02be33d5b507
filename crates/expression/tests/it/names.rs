//! Names that are not there, and names that are withheld.

use consort_expression::{Scope, compile};

use crate::support::scope;

fn message(text: &str, scope: &Scope) -> String {
    let error = compile(text, scope)
        .err()
        .unwrap_or_else(|| panic!("{text} compiles"));
    let at = text
        .get(error.span.clone())
        .unwrap_or_else(|| panic!("{text}: {:?}", error.span));
    match error.hint {
        Some(hint) => format!("{at} | {} | {hint}", error.message),
        None => format!("{at} | {}", error.message),
    }
}

#[test]
fn what_reaches_outside_is_refused_by_its_name() {
    let everything = scope(&["x"]);
    for (text, name) in [
        ("env", "env"),
        ("env.PATH", "env"),
        ("$ENV", "$ENV"),
        ("$ENV.PATH", "$ENV"),
        ("$__loc__", "$__loc__"),
        ("input", "input"),
        ("[inputs]", "inputs"),
        ("input_filename", "input_filename"),
        ("input_line_number", "input_line_number"),
        ("halt", "halt"),
        ("halt_error", "halt_error"),
        ("halt_error(1)", "halt_error"),
        ("debug", "debug"),
        ("debug(1)", "debug"),
        ("stderr", "stderr"),
        ("localtime", "localtime"),
        ("strflocaltime(\"%Y\")", "strflocaltime"),
        ("import \"a\" as a; 1", "import"),
        ("include \"a\"; 1", "include"),
        ("try env catch 1", "env"),
        ("def f: halt; 1", "halt"),
        ("[.[] | halt_error]", "halt_error"),
    ] {
        let message = message(text, &everything);
        assert!(
            message.starts_with(&format!("{name} | `{name}` is not allowed: ")),
            "{text}: {message}"
        );
    }
}

#[test]
fn clock_and_files_are_there_only_where_the_scope_says_so() {
    let nothing = Scope::default();
    for text in ["now", "file(\"a\")", "template(\"a\"; .)"] {
        assert!(message(text, &nothing).contains("is not allowed"), "{text}");
        assert!(compile(text, &scope(&[])).is_ok(), "{text}");
    }
}

#[test]
fn mistakes_are_told_with_place_and_remedy() {
    let scope = scope(&["context", "input"]);
    for (text, expected) in [
        (
            "",
            " | the expression is empty | Write `.` for the whole input, or `null` for nothing.",
        ),
        (
            "lenght",
            "lenght | there is no function `lenght` | Did you mean `length`?",
        ),
        (
            "api",
            "api | there is no function `api` | For a key write `.api`, for text `\"api\"`.",
        ),
        (
            ".resources.my-api.url",
            "api | there is no function `api` | A key with a dash is written in brackets and quotes: `.resources[\"my-api\"]`.",
        ),
        (
            "join",
            "join | `join` does not take 0 arguments but 1 | Arguments are separated by `;`.",
        ),
        (
            "join(1, 2; 3)",
            "join | `join` does not take 2 arguments but 1 | Arguments are separated by `;`.",
        ),
        (
            "$contxt",
            "$contxt | there is no variable `$contxt` here | Did you mean `$context`?",
        ),
        (
            "$q",
            "$q | there is no variable `$q` here | There are: $context, $input.",
        ),
        (
            "'a'",
            "' | `'` has no meaning here | Strings of jq stand in double quotes.",
        ),
        (
            ".a && .b",
            "& | `&` has no meaning here | jq writes `and` and `or`.",
        ),
        ("(.a", "(.a | `(` is not closed by `)`"),
        ("\"abc", "\"abc | the string is not closed by `\"`"),
        ("\"\\(1\"", "\" | the string is not closed by `\"`"),
        (".a |", " | expected a value at the end"),
        (".a .b |", " | expected a value at the end"),
        ("if 1 then 2", " | expected `else` or `end` at the end"),
        ("1 2", "2 | expected an operator, found `2`"),
        (
            "reduce .[] as $i (0)",
            "reduce | `reduce` takes (init; update)",
        ),
        ("break $f", "$f | there is no label `$f` round this `break`"),
        (
            "a::b",
            "a::b | there is no function `a::b` | Expressions have no modules.",
        ),
        (
            "@nope",
            "@nope | there is no function `@nope` | For a key write `.nope`, for text `\"@nope\"`.",
        ),
    ] {
        assert_eq!(message(text, &scope), expected, "{text}");
    }
}

#[test]
fn local_names_are_seen_where_they_are_bound_and_not_outside() {
    let scope = Scope::default();
    for text in [
        "def f: 1; f",
        "def f(g): g; f(2)",
        "def f($a): $a; f(2)",
        ". as [$a, {b: $c}] | $a + $c",
        ". as {$a} | $a",
        "label $out | break $out",
        "reduce .[] as [$a] (0; . + $a)",
        "def f: def g: 1; g; f",
    ] {
        assert!(compile(text, &scope).is_ok(), "{text}");
    }
    for text in [
        "def f: def g: 1; g; g",
        "(. as $a | 1) + $a",
        "(def f: 1; f) + f",
        "reduce .[] as $a ($a; .)",
    ] {
        assert!(compile(text, &scope).is_err(), "{text}");
    }
}
