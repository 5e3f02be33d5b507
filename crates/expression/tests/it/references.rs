//! What expressions are found to refer to.

use consort_expression::{PathPart, Scope, compile};

use crate::support::scope;

fn shown(path: &[PathPart]) -> String {
    let parts = path.iter().map(|part| match part {
        PathPart::Key(key) => format!(".{key}"),
        PathPart::Index(index) => format!("[{index}]"),
        PathPart::Dynamic => "[]".to_owned(),
    });
    let text: String = parts.collect();
    if text.is_empty() {
        ".".to_owned()
    } else {
        text
    }
}

fn found(text: &str) -> Vec<String> {
    let program = compile(text, &scope(&["x", "context"]))
        .unwrap_or_else(|error| panic!("{text}: {error:?}"));
    let input = program
        .references()
        .iter()
        .map(|reference| shown(&reference.path));
    let variables = program.variable_references().iter().map(|reference| {
        format!("${}{}", reference.name, shown(&reference.path))
            .trim_end_matches('.')
            .to_owned()
    });
    input.chain(variables).collect()
}

const REFERENCES: &[(&str, &[&str])] = &[
    ("1", &[]),
    ("\"a\"", &[]),
    (".", &["."]),
    (".a.b", &[".a.b"]),
    (r#".resources["my-api"].url"#, &[".resources.my-api.url"]),
    (
        r#".resources.orders["eu"].id"#,
        &[".resources.orders.eu.id"],
    ),
    (".resources[.each.key]", &[".each.key", ".resources[]"]),
    (
        ".resources[.each.key].id",
        &[".each.key", ".resources[].id"],
    ),
    (r#".resources["a\(.b)"]"#, &[".b", ".resources[]"]),
    (".a[0].b", &[".a[0].b"]),
    (".a[-1]", &[".a[-1]"]),
    (".a[1:3]", &[".a"]),
    (".a[1:.n][0].b", &[".a", ".n"]),
    (".a?.b", &[".a.b"]),
    (".a.b?", &[".a.b"]),
    // Through pipes.
    (".resources.a | .id", &[".resources.a.id"]),
    (".resources | .a.id", &[".resources.a.id"]),
    (
        ".resources | (.a | .id), .b",
        &[".resources.a.id", ".resources.b"],
    ),
    (".a | 1", &[".a"]),
    (".a[] | 1", &[".a[]"]),
    (".a | [.b, .c]", &[".a.b", ".a.c"]),
    (".a | {b, c: .d}", &[".a.b", ".a.d"]),
    ("{a}", &[".a"]),
    ("{(.k): .v}", &[".k", ".v"]),
    ("{$x}", &["$x"]),
    // Through variables.
    (".a as $y | $y.b", &[".a.b"]),
    (".a as $y | .c", &[".a", ".c"]),
    (".a[] as $y | 1", &[".a[]"]),
    (".a as [$p, {q: $r}] | $r.s", &[".a[1].q.s"]),
    (".a as {$b} | $b.c", &[".a.b.c"]),
    (". as $all | .a | $all.b", &[".a", ".b"]),
    ("$context.a.b", &["$context.a.b"]),
    ("$context | .a[$x]", &["$context.a[]", "$x"]),
    // Through alternatives.
    (".a // .b", &[".a", ".b"]),
    ("(.a // {}) | .b", &[".a.b"]),
    ("if .c then .a else .b end | .id", &[".a.id", ".b.id", ".c"]),
    ("if .c then .a end", &[".", ".a", ".c"]),
    ("try .a.b catch .message", &[".a.b"]),
    // Through functions.
    (".items | map(.id)", &[".items[].id"]),
    ("map(.id)", &["[].id"]),
    (".items | map(1)", &[".items[]"]),
    (
        ".items | map(select(.on)) | length",
        &[".items[]", ".items[].on"],
    ),
    (".a | select(.on) | .b", &[".a.b", ".a.on"]),
    (".a | first | .b", &[".a[0].b"]),
    (".a | first(.b[]) | .c", &[".a.b[].c"]),
    ("[limit(.n; .a[])]", &[".a[]", ".n"]),
    (".a | nth(.n)", &[".a"]),
    (".a | keys", &[".a"]),
    (".a | to_entries | map(.value.id)", &[".a"]),
    (".a | has(\"b\")", &[".a.b"]),
    (".a | length", &[".a"]),
    (".a | sort_by(.b)", &[".a"]),
    ("file(.path)", &[".path"]),
    ("template(\"t\"; {a: .b})", &[".b"]),
    ("now", &[]),
    ("\"\\(.a)-\\(.b.c)\"", &[".a", ".b.c"]),
    (".a + .b * -.c", &[".a", ".b", ".c"]),
    ("[.. | .a?]", &["."]),
    (".a | ..", &[".a"]),
    (".a = .b", &[".", ".a", ".b"]),
    (".x | .a |= 1", &[".x", ".x.a"]),
    (
        "reduce .items[] as $i (.start; . + $i.n)",
        &[".items[]", ".items[].n", ".start"],
    ),
    ("foreach .a[] as $i (0; 1; $i.b)", &[".a[]", ".a[].b"]),
    // Through definitions.
    ("def f: .b; .a | f", &[".a.b"]),
    ("def f(g): g | .c; f(.a.b)", &[".a.b.c"]),
    ("def f($v): $v.c; f(.a)", &[".a", ".a.c"]),
    ("def f: .a | f; f", &[".a.a.a.a.a.a.a.a.a.a.a.a"]),
    ("def map(f): 1; .a | map(.b)", &[".a"]),
    // An argument that grows with each call is not followed to the end.
    ("def f(g): f(g | .b); f($x)", &[".", "$context", "$x"]),
    (
        "def a: $context.q; def b: a; def c: b; def d: c; def e: d; def f: e; def g: f; def h: g; def i: h; \
         def j: i; def k: j; def l: k; def m: l; def n: m; n",
        &[".", "$context", "$x"],
    ),
    ("getpath([\"a\"])", &["."]),
    ("label $f | .a | ., break $f", &[".a"]),
];

#[test]
fn references_are_found_through_whatever_can_be_followed() {
    for (text, expected) in REFERENCES {
        assert_eq!(found(text), *expected, "{text}");
    }
}

#[test]
fn a_reference_says_where_it_stands() {
    for (text, expected) in [
        (" .a.b + 1", ".a.b"),
        (
            r#"1 + .resources["my-api"].url"#,
            r#".resources["my-api"].url"#,
        ),
        ("\"x\\(.a.b)\"", ".a.b"),
    ] {
        let program = compile(text, &Scope::default()).unwrap();
        assert_eq!(&text[program.references()[0].span.clone()], expected);
    }
    let program = compile("1 + $context.a", &scope(&["context"])).unwrap();
    assert_eq!(program.variable_references()[0].span, 4..14);
}

#[test]
fn definitions_that_grow_without_bound_refer_to_everything() {
    let calls = "def a: (.x | .y), (.y | .z); def b: a, a, a, a; def c: b, b, b, b; def d: c, c, c, c; \
                 def e: d, d, d, d; def f: e, e, e, e; def g: f, f, f, f; .q | g";
    assert!(found(calls).contains(&".".to_owned()));
}
