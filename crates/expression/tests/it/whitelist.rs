//! What runs in this process, and what needs the helper.

use consort_expression::Class;

use crate::support::program;

/// Expressions as real documents have them.
const FAST: &[&str] = &[
    ".",
    ".inputs.region",
    r#".resources.orders["eu"].id"#,
    ".resources[.each.key].arn",
    r#""\(.inputs.env)-shop""#,
    r#".inputs.env + "-shop""#,
    ".services.api.url // \"http://localhost\"",
    "if .inputs.env == \"prod\" then 3 else 1 end",
    "{customer: .customer, total: (.price * .quantity), tags: [\"a\", \"b\", .c]}",
    "[.a, .b, {c: .c}] | join(\",\")",
    ".items | map(.price) | add",
    ".items | map(select(.stock > 0)) | length",
    "[.items[] | {id, name: .title}]",
    ".items | map({id: .id, both: [.a, .b]})",
    ".resources.orders | to_entries | map(.value.id) | sort",
    "(.a | tostring) + \":\" + (.b | tostring)",
    ".a.b?",
    "try .a.b catch \"none\"",
    ".user.name | ascii_downcase | ltrimstr(\"x\") | split(\" \") | first",
    "$context.order.status == \"paid\" and ($x | not)",
    "has(\"a\") or has(\"b\")",
    ".list | any(. > 3)",
    ".tags | contains([\"urgent\"])",
    ".email | test(\"^[^@]+@[^@]+$\")",
    "now | floor",
    ".a / 2 | floor",
    ".name[2:4]",
    ".price * 1000",
    "@base64 \"\\(.user):\\(.password)\"",
    "{\"Authorization\": (\"Basic \" + (\"\\(.u):\\(.p)\" | @base64))}",
    "cidrsubnet(.cidr; 8; 1)",
    "file(\"motd.txt\") | sha256",
    "template(\"shop.conf\"; {port: .port})",
    ".items | sort_by(.price) | last | .name",
    "map(.[0])",
];

/// Part of the reason, expression.
const SLOW: &[(&str, &str)] = &[
    ("`def`", "def f: .; f"),
    ("`reduce`", "reduce .[] as $i (0; . + $i)"),
    ("`foreach`", "foreach .[] as $i (0; . + $i)"),
    ("`label`", "label $out | 1"),
    ("`as`", ". as $y | $y"),
    ("`..`", "[..]"),
    ("assigns", ".a = 1"),
    ("assigns", ".a |= 1"),
    ("assigns", ".a += 1"),
    ("`fromjson`", "fromjson"),
    ("`range`", "[range(3)]"),
    ("`repeat`", "[repeat(1)] | first"),
    ("`first`", "first(.[])"),
    ("`recurse`", "recurse"),
    ("`while`", "[while(. < 3; . + 1)]"),
    ("`until`", "until(. > 3; . + 1)"),
    ("`limit`", "[limit(1; .[])]"),
    ("`paths`", "[paths]"),
    ("`combinations`", "combinations"),
    ("`setpath`", "setpath([\"a\"]; 1)"),
    ("`implode`", "implode"),
    ("`split`", "split(.a)"),
    ("`join`", "join(.a)"),
    ("`test`", "test(.a)"),
    ("`test`", "map(test(\"a\"))"),
    ("`contains`", "contains(.)"),
    ("generator", "[.[] | .[]]"),
    ("generator", "[.[] + .[]]"),
    ("generator", "map(map(.a))"),
    ("generator", "map($x[])"),
    ("generator", "(1, 2) | (3, 4)"),
    (
        "times",
        "[., .] | [., .] | [., .] | [., .] | [., .] | [., .] | [., .]",
    ),
    (
        "times",
        "1 | [., .] | [., .] | [., .] | [., .] | [., .] | [., .] | [., .]",
    ),
    (
        "times",
        "\"\\([.])\" | \"\\([.])\" | \"\\([.])\" | \"\\([.])\" | \"\\([.])\" | \"\\([.])\" | \"\\([.])\"",
    ),
    (
        "times",
        "tojson | tojson | tojson | tojson | tojson | tojson | tojson",
    ),
    (
        "times",
        "join(\"0123456789012345678901234567890123456789012345678901234567890123456789\")",
    ),
];

#[test]
fn expressions_of_real_documents_are_fast() {
    for text in FAST {
        assert_eq!(program(text).class(), Class::Fast, "{text}");
    }
}

#[test]
fn what_may_run_long_needs_the_helper_and_says_why() {
    for (reason, text) in SLOW {
        match program(text).class() {
            Class::Fast => panic!("{text} is fast"),
            Class::NeedsHelper(given) => assert!(given.contains(reason), "{text}: {given}"),
        }
    }
}

#[test]
fn long_and_deep_expressions_need_the_helper() {
    let long = format!("\"{}\"", "x".repeat(9_000));
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let row = vec![".a"; 200].join(" + ");
    for text in [long, deep, row] {
        assert_ne!(program(&text).class(), Class::Fast, "{}", &text[..40]);
    }
}
