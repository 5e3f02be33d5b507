//! Every bound, met and exceeded.

use consort_expression::{Class, ErrorKind, Evaluation, Facts, compile, helper, limits};
use serde_json::{Value, json};

use crate::support::{job, program, scope, value};

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

fn limit(result: Result<Value, consort_expression::EvaluationError>) -> String {
    match result.expect_err("a limit").kind {
        ErrorKind::Limit { name } => name,
        other => panic!("{other:?}"),
    }
}

#[test]
fn depth_of_inputs_and_results_is_bounded_on_both_ways() {
    let (most, more) = (nested(limits::MAX_DEPTH), nested(limits::MAX_DEPTH + 1));
    for text in [".", "[.] | .[0]", "def f: .; f"] {
        assert_eq!(value(text, &most), Ok(most.clone()), "{text}");
        assert_eq!(limit(value(text, &more)), "depth", "{text}");
    }
    for text in ["[.]", "., 1", "def f: [.]; f", "(., 1) | (., 2)"] {
        assert_eq!(limit(value(text, &most)), "depth", "{text}");
    }
    // What is not looked at does not count.
    assert_eq!(value(".a", &json!({"a": 1, "b": more})), Ok(json!(1)));
}

#[test]
fn a_result_of_the_greatest_depth_can_be_written_and_read_again_inside_a_record() {
    let record = json!({"records": [{"outcome": {"value": nested(limits::MAX_DEPTH)}}]});
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), record);
}

#[test]
fn size_of_results_and_number_of_outputs_are_bounded_on_both_ways() {
    let large = json!({"a": "x".repeat(3_000_000)});
    assert_eq!(limit(value("{b: .a, c: .a}", &large)), "result");
    assert_eq!(
        limit(value(".", &json!("x".repeat(limits::MAX_RESULT)))),
        "result"
    );
    let many = Value::Array(vec![json!(0); limits::MAX_OUTPUTS + 1]);
    assert_eq!(limit(value(".[]", &many)), "outputs");
    assert_eq!(limit(value("def f: .[]; f", &many)), "outputs");
    assert_eq!(limit(value("range(20000)", &Value::Null)), "outputs");
}

#[test]
fn a_large_input_goes_to_the_helper_and_a_huge_one_nowhere() {
    let text = "[.a] | length";
    assert_eq!(program(text).class(), Class::Fast);
    let evaluate = |bytes: usize| {
        let input = json!({"a": "x".repeat(bytes), "unread": "y".repeat(20_000_000)});
        program(text).evaluate(&input, &[Value::Null, Value::Null], &Facts::default())
    };
    assert_eq!(evaluate(500_000), Ok(Evaluation::Value(json!(1))));
    let Ok(Evaluation::NeedsHelper(job)) = evaluate(1_100_000) else {
        panic!("not for the helper")
    };
    assert_eq!(job.input.get("unread"), None, "only what is read is sent");
    assert_eq!(helper::run_job(&job).into_result(), Ok(json!(1)));
    let error = evaluate(17_000_000).expect_err("too large");
    assert_eq!(
        error.kind,
        ErrorKind::Limit {
            name: "input".to_owned()
        }
    );
}

#[test]
fn a_literal_for_each_of_many_items_goes_to_the_helper() {
    let text = format!("map(\"{}\")", "x".repeat(4_000));
    let program = compile(&text, &scope(&[])).unwrap();
    assert_eq!(program.class(), Class::Fast);
    let run = |items: usize| {
        program.evaluate(&Value::Array(vec![json!(0); items]), &[], &Facts::default())
    };
    assert!(matches!(run(100), Ok(Evaluation::Value(_))));
    assert!(matches!(run(100_000), Ok(Evaluation::NeedsHelper(_))));
}

#[test]
fn what_is_no_number_is_not_multiplied_here() {
    let program = program(".a * .b");
    let run = |a: Value, b: Value| {
        let input = json!({"a": a, "b": b});
        program.evaluate(&input, &[Value::Null, Value::Null], &Facts::default())
    };
    assert_eq!(run(json!(2), json!(3)), Ok(Evaluation::Value(json!(6))));
    assert!(matches!(
        run(json!("x"), json!(1_000_000_000)),
        Ok(Evaluation::NeedsHelper(_))
    ));
    assert!(matches!(
        run(json!({"a": 1}), json!({"b": 2})),
        Ok(Evaluation::NeedsHelper(_))
    ));
    // A program cannot catch its way round the guard.
    let caught = crate::support::program("try (.a * 1000000000) catch 1");
    let answer = caught.evaluate(
        &json!({"a": "x"}),
        &[Value::Null, Value::Null],
        &Facts::default(),
    );
    assert!(matches!(answer, Ok(Evaluation::NeedsHelper(_))));
}

#[test]
fn an_array_as_index_is_not_searched_here() {
    for text in [".a[.b]", ".a | has($x)"] {
        let input = json!({"a": [1, 2, 1], "b": [1]});
        let answer = program(text).evaluate(&input, &[json!([1]), Value::Null], &Facts::default());
        assert!(
            matches!(answer, Ok(Evaluation::NeedsHelper(_))),
            "{text}: {answer:?}"
        );
    }
}

#[test]
fn texts_are_bounded() {
    let long = format!("\"{}\"", "x".repeat(limits::MAX_TEXT));
    assert!(compile(&long, &scope(&[])).is_err());
    let row = vec!["1"; 1_000].join(" + ");
    let error = compile(&row, &scope(&[])).expect_err("too long a row");
    assert!(
        error.message.contains("too many parts in a row"),
        "{}",
        error.message
    );
}

#[test]
fn files_are_bounded() {
    struct Large;
    impl consort_expression::Files for Large {
        fn read(&self, _: &str) -> Result<Vec<u8>, String> {
            Ok(vec![b'x'; 700_000])
        }
    }
    let run = |text: &str| {
        let facts = Facts {
            now_ms: None,
            files: Some(&Large),
        };
        compile(text, &scope(&[]))
            .unwrap()
            .evaluate(&Value::Null, &[], &facts)
    };
    assert!(matches!(
        run("file(\"a\") | length"),
        Ok(Evaluation::Value(_))
    ));
    let error = run("[file(\"a\"), file(\"b\")] | length").expect_err("too much");
    assert_eq!(
        error.kind,
        ErrorKind::Limit {
            name: "files".to_owned()
        }
    );
}

#[test]
fn a_job_survives_its_journey_as_json() {
    let job = job(
        "def f: .a; f",
        &json!({"a": nested(limits::MAX_DEPTH - 1)}),
        &[json!("X"), Value::Null],
    );
    let mut line = serde_json::to_vec(&job).unwrap();
    line.push(b'\n');
    let mut answers = Vec::new();
    helper::serve(line.as_slice(), &mut answers).unwrap();
    let answer: consort_expression::HelperAnswer = serde_json::from_slice(&answers).unwrap();
    assert_eq!(answer.into_result(), Ok(nested(limits::MAX_DEPTH - 1)));
}

#[test]
fn a_line_that_is_no_job_ends_the_helper() {
    assert!(helper::serve(&b"{}\n"[..], Vec::new()).is_err());
    assert!(helper::serve(&b""[..], Vec::new()).is_ok());
}
