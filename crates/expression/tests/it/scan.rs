//! Expressions inside text.

use consort_expression::strict_expression;
use consort_expression::template::{Part, ScanProblem, find_expression_end, scan};
use proptest::prelude::*;

/// Text between bars, expressions between angles.
fn shown(text: &str) -> String {
    match scan(text) {
        Err(error) => format!("{:?}@{}", error.problem, error.at),
        Ok(parts) => parts
            .iter()
            .map(|part| match part {
                Part::Text(range) => format!("|{}|", &text[range.clone()]),
                Part::Expression { inner, .. } => format!("<{}>", &text[inner.clone()]),
            })
            .collect(),
    }
}

#[test]
fn text_and_expressions_are_told_apart() {
    for (text, expected) in [
        ("", ""),
        ("plain", "|plain|"),
        ("${ .a }", "< .a >"),
        ("${\t.a}", "<\t.a>"),
        ("${\n.a\n}", "<\n.a\n>"),
        ("${\r\n.a }", "<\r\n.a >"),
        ("a ${ .a } b", "|a |< .a >| b|"),
        ("${ .a }${ .b }", "< .a >< .b >"),
        // Compose's own.
        ("${A}", "|${A}|"),
        ("$A ${A:-b} ${}", "|$A ${A:-b} ${}|"),
        ("${A:-${ .a }}", "|${A:-|< .a >|}|"),
        ("${A:-x${ .a }y}", "|${A:-x|< .a >|y}|"),
        ("{{ .Node.Hostname }}", "|{{ .Node.Hostname }}|"),
        // An escape is seen first.
        ("$${ .a }", "|$${ .a }|"),
        ("$$${ .a }", "|$$|< .a >"),
        ("$$$${ .a }", "|$$$${ .a }|"),
        // Variables of jq are jq's.
        ("${ $x + \"$A\" }", "< $x + \"$A\" >"),
        // Brackets as jq counts them.
        ("${ {a: {b: 1}} }", "< {a: {b: 1}} >"),
        (r#"${ "}" }"#, r#"< "}" >"#),
        (r#"${ "\"}" }"#, r#"< "\"}" >"#),
        (
            r#"${ "a\(.b | {c: "}"})d" }"#,
            r#"< "a\(.b | {c: "}"})d" >"#,
        ),
        (r#"${ "\\" }"#, r#"< "\\" >"#),
        ("${ .a # } not the end\n}", "< .a # } not the end\n>"),
        (
            "${ .a # goes on \\\n } still\n}",
            "< .a # goes on \\\n } still\n>",
        ),
        ("${ \"# no comment\" }", "< \"# no comment\" >"),
        ("ä${ .ö[\"ü\"] }ß", "|ä|< .ö[\"ü\"] >|ß|"),
        // A stray bracket is for the parser of jq to tell.
        ("${ .a) }", "< .a) >"),
        ("${ (.a }", "< (.a >"),
        // No end.
        ("a ${ .a", "Unclosed@2"),
        ("${ ", "Unclosed@0"),
        ("${ {a: 1 }", "Unclosed@0"),
        ("${ \"abc }", "UnclosedString@3"),
        ("${ .a # }", "Comment@6"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn depth_and_number_of_expressions_are_bounded() {
    let deep = format!("${{ {}", "[".repeat(100_000));
    assert_eq!(
        scan(&deep).map_err(|error| error.problem),
        Err(ScanProblem::TooDeep)
    );
    let many = "${ 1 }".repeat(1_001);
    assert_eq!(
        scan(&many).map_err(|error| error.problem),
        Err(ScanProblem::TooMany)
    );
}

#[test]
fn scan_errors_say_how_to_mend_them() {
    let message = scan("${ .a").expect_err("unclosed").to_string();
    assert!(message.contains("quote the whole value"), "{message}");
    let message = scan("${ .a # }").expect_err("comment").to_string();
    assert!(message.contains("comment"), "{message}");
}

#[test]
fn only_a_string_that_is_wholly_an_expression_is_one_in_workflows() {
    for (text, expected) in [
        ("${ .a }", Some(" .a ")),
        ("${.a}", Some(".a")),
        ("  ${ .a }\n", Some(" .a ")),
        ("${ .a |\n .b }", Some(" .a |\n .b ")),
        ("${ .a } - ${ .b }", Some(" .a } - ${ .b ")),
        ("${}", None),
        ("Hello ${ .a }", None),
        ("${ .a }!", None),
        (".a", None),
        ("", None),
        ("${", None),
    ] {
        assert_eq!(strict_expression(text), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn parts_cover_the_text_in_order(text in "[a${}\"\\\\(# \n\\)\\[]{0,40}") {
        if let Ok(parts) = scan(&text) {
            let mut at = 0;
            for part in parts {
                let range = match part {
                    Part::Text(range) => range,
                    Part::Expression { outer, inner } => {
                        prop_assert_eq!(&text[outer.start..inner.start], "${");
                        prop_assert_eq!(&text[inner.end..outer.end], "}");
                        prop_assert_eq!(find_expression_end(&text, inner.start), Ok(inner.end));
                        outer
                    }
                };
                prop_assert_eq!(range.start, at);
                prop_assert!(range.end > range.start);
                at = range.end;
            }
            prop_assert_eq!(at, text.len());
        }
    }
}
