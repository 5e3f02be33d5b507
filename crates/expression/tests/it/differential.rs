//! Both ways give the same results, and those of jq where it is installed.

use std::io::Write;
use std::process::{Command, Stdio};

use consort_expression::{Class, Evaluation, Facts, compile, helper};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{job, json, scope};

fn here(text: &str, input: &Value, variables: &[Value]) -> Option<Result<Value, String>> {
    let program = compile(text, &scope(&["x", "context"])).ok()?;
    if program.class() != Class::Fast {
        return None;
    }
    let facts = Facts {
        now_ms: Some(1_700_000_000_123),
        files: None,
    };
    match program.evaluate(input, variables, &facts) {
        Ok(Evaluation::Value(value)) => Some(Ok(value)),
        Ok(Evaluation::NeedsHelper(_)) => None,
        Err(error) => Some(Err(error.message)),
    }
}

fn by_the_helper(text: &str, input: &Value, variables: &[Value]) -> Result<Value, String> {
    helper::run_job(&job(text, input, variables))
        .into_result()
        .map_err(|error| error.message)
}

fn terms() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        3 => Just(".".to_owned()),
        4 => prop_oneof![Just(".a"), Just(".b"), Just(".a.b"), Just(".a?"), Just(".[0]"), Just(".a[-1]")].prop_map(str::to_owned),
        2 => prop_oneof![Just("$x"), Just("$context.a"), Just("$context")].prop_map(str::to_owned),
        2 => prop_oneof![Just("1"), Just("2.5"), Just("0"), Just("\"k\""), Just("null"), Just("true"), Just("[]"), Just("{}")].prop_map(str::to_owned),
        1 => Just(".[]".to_owned()),
    ];
    leaf.prop_recursive(5, 24, 3, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            (
                pair.clone(),
                prop_oneof![
                    Just("|"),
                    Just("+"),
                    Just("-"),
                    Just("*"),
                    Just("/"),
                    Just("%"),
                    Just("//"),
                    Just("=="),
                    Just("<"),
                    Just(">="),
                    Just("!="),
                    Just("and"),
                    Just("or"),
                    Just(",")
                ]
            )
                .prop_map(|((a, b), op)| format!("({a} {op} {b})")),
            inner.clone().prop_map(|a| format!("[{a}]")),
            pair.clone()
                .prop_map(|(a, b)| format!("{{k: {a}, b: {b}}}")),
            pair.clone()
                .prop_map(|(a, b)| format!("\"\\({a})-\\({b})\"")),
            (pair.clone(), inner.clone())
                .prop_map(|((a, b), c)| format!("(if {a} then {b} else {c} end)")),
            pair.clone()
                .prop_map(|(a, b)| format!("(try {a} catch {b})")),
            (
                inner.clone(),
                prop_oneof![
                    Just("length"),
                    Just("keys"),
                    Just("type"),
                    Just("tostring"),
                    Just("tonumber"),
                    Just("add"),
                    Just("sort"),
                    Just("unique"),
                    Just("to_entries"),
                    Just("not"),
                    Just("first"),
                    Just("last"),
                    Just("min"),
                    Just("max"),
                    Just("join(\",\")"),
                    Just("split(\"a\")"),
                    Just("reverse"),
                    Just("@json"),
                    Just("@base64"),
                    Just("floor"),
                    Just("any"),
                    Just("all"),
                    Just("has(\"a\")"),
                    Just("from_entries"),
                    Just("contains(\"a\")"),
                    Just("trim")
                ]
            )
                .prop_map(|(a, f)| format!("({a} | {f})")),
            (
                inner.clone(),
                inner,
                prop_oneof![
                    Just("map"),
                    Just("select"),
                    Just("any"),
                    Just("all"),
                    Just("sort_by"),
                    Just("group_by")
                ]
            )
                .prop_map(|(a, b, f)| format!("({a} | {f}({b}))")),
            pair.prop_map(|(a, b)| format!("{a}[{b}]")),
        ]
    })
}

/// Programs with everything that values can be followed through.
fn programs() -> impl Strategy<Value = String> {
    (terms(), terms(), 0..12usize).prop_map(|(t, u, shape)| {
        let bound = t.replace("$x", "$y");
        match shape {
            0 => format!("def f: {t}; f"),
            1 => format!("def f(g): g | {t}; f({u})"),
            2 => format!("def f($y): {bound}; [f({u})]"),
            3 => format!("{u} as $y | {bound}"),
            4 => format!("{u} as [$y] | {bound}"),
            5 => format!("{u} as {{a: $y}} | {bound}"),
            6 => format!("reduce ({u}) as $y (.b; {bound})"),
            7 => format!("[foreach ({u}) as $y (.b; {bound}; [., $y])]"),
            8 => format!("[{u} | limit(2; {t})]"),
            9 => format!("[first({u}), ({u} | last({t}))]"),
            10 => format!("(.a | {u}) as $y | .b |= ({bound})"),
            _ => format!("label $o | {u} | ({t}, break $o)"),
        }
    })
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..4).prop_map(Value::from),
        prop_oneof![Just(0.5f64), Just(2.0), Just(1e300)].prop_map(Value::from),
        "[ab\"\\\\,]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(prop_oneof![Just("a"), Just("b"), Just("k")], inner, 0..3)
                .prop_map(|map| {
                    Value::Object(
                        map.into_iter()
                            .map(|(key, value)| (key.to_owned(), value))
                            .collect(),
                    )
                }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, ..ProptestConfig::default() })]

    #[test]
    fn both_ways_agree_on_generated_expressions(text in terms(), input in values(), x in values(), context in values()) {
        let variables = [x, context];
        if let Some(result) = here(&text, &input, &variables) {
            prop_assert_eq!(result, by_the_helper(&text, &input, &variables), "{} on {}", text, input);
        }
    }

    #[test]
    fn only_what_is_referred_to_matters(text in programs(), input in values(), x in values(), context in values()) {
        // The helper's job holds only the parts that are referred to; it must not notice.
        let variables = [x, context];
        let Ok(program) = compile(&text, &scope(&["x", "context"])) else { return Ok(()) };
        if let Ok(Evaluation::NeedsHelper(part)) = program.evaluate(&input, &variables, &Facts::default()) {
            let of_part = helper::run_job(&part).into_result().map_err(|error| error.message);
            prop_assert_eq!(of_part, by_the_helper(&text, &input, &variables), "{} on {}", text, input);
        }
    }

    #[test]
    fn no_text_makes_the_compiler_panic(text in "[.a\\[\\]{}()|,:;\"\\\\$@?0-9+*/<>=# -]{0,30}|(try|if|then|else|end|reduce|as|def|\\$x|\\.|\\||[(){};:,\\[\\]\"]| ){0,20}") {
        if let Ok(program) = compile(&text, &scope(&["x"])) {
            let _ = program.evaluate(&json!({"a": [1]}), &[Value::Null], &Facts::default());
        }
    }
}

/// Expressions for which jq 1.6 and later agree.
const SAME_AS_JQ: &[&str] = &[
    ".",
    ".a.b",
    ".a[1:]",
    ".list[-1]",
    ".list | map(. * 2) | add",
    "[.list[] | select(. > 1)]",
    ".obj | keys",
    ".obj | to_entries",
    ".obj | with_entries(.value |= tostring)",
    ".list | sort | reverse",
    ".s | split(\",\") | join(\"-\")",
    ".s | length",
    ".s | ascii_upcase",
    ".s | test(\"a.c\")",
    ".s | ltrimstr(\"a\")",
    ".n / 2",
    ".n % 3",
    "\"\\(.n / 2) \\(.s) \\(.obj)\"",
    "[.list[] as $i | $i + 1]",
    "reduce .list[] as $i (0; . + $i)",
    "[foreach .list[] as $i (0; . + $i)]",
    "[.list | .[] | tojson]",
    ".list | contains([2])",
    ".obj | has(\"a\")",
    "[.. | numbers]",
    "[paths]",
    ".missing // \"default\"",
    "try error(\"x\") catch .",
    "[limit(2; .list[])]",
    "first(.list[])",
    ".list | group_by(. % 2)",
    ".list | unique_by(. % 2)",
    ".list | min, max",
    "[.list, [9]] | transpose",
    ".list | index(2)",
    ".list | any(. > 2), all(. > 2)",
    "[.s | scan(\"[a-c]\")]",
    ".s | gsub(\"b\"; \"X\")",
    ".s | @base64, @uri, @json",
    "[.list[] | tostring] | @csv",
    "del(.obj.a) | .obj",
    ".obj.a = 5 | .obj",
    ".obj | .a += 1",
    ".x.y.z = 1 | .x",
    "[range(0; 10; 3)]",
    "{a: (1, 2)}",
    "[.list[] | if . == 1 then \"one\" elif . == 2 then \"two\" else \"many\" end]",
    "[splits(\",\")?]",
    ".list | flatten",
    "getpath([\"obj\", \"a\"])",
    "[.list[] | [.] | add]",
    "1000000 | todate",
    "\"1970-01-12T13:46:40Z\" | fromdate",
    "[.list | .[0], .[-1]] | length",
    "[1, [2]] | tostream",
    "IN(.list[]; 2)",
    "INDEX(.objs[]; .id)",
    "input_line_number? // 0",
    "[.objs[] | {id}]",
    "[.objs[] | {(.id): 1}] | add",
    "\"x\" * 3",
    "{a: {b: 1}} * {a: {c: 2}}",
    "[1, 2, 3] - [2]",
    "[[1, 2], [3, 4]] | combinations",
    "\"aXbX\" | rtrimstr(\"X\")",
    "[1, null, 2] | map(values)",
    "@text \"a\\(1)\"",
    "@html \"<\\(\"<&>\")\"",
    "[.[]?] | length",
    "ltrimstr(1) | type",
    "@sh \"echo \\(.s)\"",
    "tojson | fromjson | .n",
    "[.list[] | -(.)]",
    "splits(\"x\")? // 1",
    "infinite | floor | . > 1",
    "[.list[] | floor, sqrt]",
    "walk(if type == \"number\" then . + 1 else . end) | .list",
    "env | type == \"object\"",
];

fn jq(text: &str, input: &str) -> Option<String> {
    let mut child = Command::new("jq")
        .args(["-c", text])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(input.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn results_are_those_of_the_jq_command() {
    if jq(".", "1").is_none() {
        eprintln!("skipped: jq is not installed");
        return;
    }
    let input = r#"{"a":{"b":"x"},"list":[1,2,3],"obj":{"b":2,"a":1},"objs":[{"id":"p"},{"id":"q"}],"s":"abc,d","n":10}"#;
    let mut compared = 0;
    for text in SAME_AS_JQ {
        let Some(theirs) = jq(text, input) else {
            continue;
        };
        let Ok(program) = compile(text, &scope(&[])) else {
            continue;
        };
        let ours = match program.evaluate(&json(input), &[], &Facts::default()) {
            Ok(Evaluation::Value(value)) => Ok(value),
            Ok(Evaluation::NeedsHelper(job)) => helper::run_job(&job).into_result(),
            Err(error) => Err(error),
        };
        let mut lines: Vec<Value> = theirs
            .lines()
            .map(|line| consort_expression::canonical(json(line)))
            .collect();
        let theirs = match lines.len() {
            0 => Value::Null,
            1 => lines.remove(0),
            _ => Value::Array(lines),
        };
        assert_eq!(ours, Ok(theirs), "{text}");
        compared += 1;
    }
    assert!(compared >= 60, "only {compared} were compared");
}
