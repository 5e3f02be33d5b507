//! The deepest programs and values that are allowed fit into a small stack.

use consort_expression::{Evaluation, Facts, Scope, compile, limits};
use serde_json::{Value, json};

/// Half of what threads get by default. Builds with optimization need a small part of it.
const STACK: usize = 1024 * 1024;

/// Shapes on which parser, analysis or interpreter recurse, of any length.
fn shapes(n: usize) -> Vec<String> {
    vec![
        format!("{}1{}", "[".repeat(n), "]".repeat(n)),
        format!("{}.{}", "(".repeat(n), ")".repeat(n)),
        format!("{}1{}", "{a: ".repeat(n), "}".repeat(n)),
        format!("{}.{}", ".[".repeat(n), "]".repeat(n)),
        format!("{}1{}", "\"\\(".repeat(n), ")\"".repeat(n)),
        format!("{}1", "- ".repeat(n)),
        format!("{}1", "try ".repeat(n)),
        format!(
            "{}{}1{}",
            "[".repeat(n.min(40)),
            "- ".repeat(n),
            "]".repeat(n.min(40))
        ),
        format!(
            "{}{}{}",
            "[".repeat(n.min(20)),
            vec!["."; n].join(" | "),
            "]".repeat(n.min(20))
        ),
        format!("{}1{}", "if 1 then ".repeat(n), " else 2 end".repeat(n)),
        format!("if 1 then 2 {} else 3 end", "elif 1 then 2 ".repeat(n)),
        vec!["."; n].join(" | "),
        vec!["1"; n].join(" + "),
        vec!["1"; n].join(", "),
        vec!["1"; n].join(" // "),
        vec!["1"; n].join(" and "),
        format!("{}1", ". as $a | ".repeat(n)),
        format!("{}1", "label $a | ".repeat(n)),
        format!("{}1", "def f: 1; ".repeat(n)),
        format!("{}1{}", "def f: ".repeat(n), "; 1".repeat(n)),
        format!("{}1{}", "reduce 1 as $a (0; ".repeat(n), ")".repeat(n)),
        format!("{}.{}", "map(".repeat(n), ")".repeat(n)),
        format!(".{}", "[]".repeat(n)),
        format!(".{}", ".a".repeat(n).trim_start_matches('.')),
        format!(
            "{{{}}}",
            (0..n)
                .map(|i| format!("a{i}: {i}"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        format!("\"{}\"", "\\(.)x".repeat(n)),
        format!("1{}", "?".repeat(n)),
        format!(". as {}$a{} | 1", "[".repeat(n), "]".repeat(n)),
        format!("{}1{}", "def a: def b: 1; ".repeat(n), "; 1".repeat(n)),
        format!("{}1", "def a: - 1; ".repeat(n)),
        {
            let row = vec!["."; n].join(" | ");
            format!("def a: {row}; def b: {row} | a; def c: {row} | b; {row} | c")
        },
        format!("def f: {}; f", vec!["f"; n].join(" | ")),
    ]
}

fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(test)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn programs_of_every_length_are_compiled_or_refused_on_a_small_stack() {
    on_a_small_stack(|| {
        let mut compiled = 0;
        let deep = (0..limits::MAX_DEPTH).fold(json!(1), |inner, _| json!([inner]));
        for n in [
            1, 8, 20, 30, 31, 60, 44, 48, 64, 66, 99, 100, 127, 199, 250, 2_000, 30_000,
        ] {
            for text in shapes(n) {
                if let Ok(program) = compile(&text, &Scope::default()) {
                    compiled += 1;
                    let answer = program.evaluate(&deep, &[], &Facts::default());
                    assert!(
                        !matches!(answer, Err(error) if error.kind == consort_expression::ErrorKind::Internal),
                        "{text}"
                    );
                }
            }
        }
        assert!(compiled > 100, "{compiled}");
    });
}

#[test]
fn the_deepest_values_are_evaluated_on_a_small_stack() {
    on_a_small_stack(|| {
        let deep = (0..limits::MAX_DEPTH).fold(json!({"a": 1}), |inner, level| {
            if level % 2 == 0 {
                json!([inner])
            } else {
                json!({"a": inner})
            }
        });
        for text in [
            ".",
            "[.]",
            "tojson",
            "\"\\(.)\"",
            "[.] == [.]",
            "[., .] | unique",
            "[[[.]]] | tostring | length",
            "@html",
        ] {
            let program = compile(text, &Scope::default()).unwrap();
            let answer = program.evaluate(&deep, &[], &Facts::default());
            assert_ne!(answer, Ok(Evaluation::Value(Value::Null)), "{text}");
        }
    });
}
