//! Programs that would end an interpreter: none of them runs here, and the helper dies alone.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use consort_expression::{ErrorKind, Evaluation, Facts, HelperAnswer, HelperJob, Scope, compile};
use serde_json::{Value, json};

/// Refused when compiled.
const REFUSED: &[&str] = &[
    "env",
    "$ENV",
    "halt",
    "halt_error",
    "1 | halt_error(3)",
    "import \"x\" as x; 1",
    "input",
    "def halt_error: halt; halt_error",
];

/// Overflows the stack, never ends, or allocates without bound.
const HOSTILE: &[&str] = &[
    "def f: [f]; f",
    "def f: f + f; f",
    "reduce range(3000000) as $i (null; [.])",
    "reduce range(3000000) as $i (null; {a: .})",
    "\"[\" * 1000000 | fromjson",
    "last(range(infinite))",
    "def f: f; f",
    "\"x\" * 1000000000",
    "[range(100000000)]",
    "[limit(1000000000; repeat(\"x\"))]",
    "reduce range(40) as $i (\"x\"; . + .)",
    "reduce range(60) as $i ([1]; [., .])",
    "[recurse([.])]",
    "until(false; .)",
    "[range(100) | range(100) | range(100) | range(100) | range(100)] | length",
    "error(reduce range(3000000) as $i (null; [.]))",
];

#[test]
fn what_reaches_outside_does_not_compile() {
    for text in REFUSED {
        assert!(compile(text, &Scope::default()).is_err(), "{text}");
    }
}

#[test]
fn hostile_programs_never_run_in_this_process() {
    for text in HOSTILE {
        let program =
            compile(text, &Scope::default()).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let answer = program.evaluate(&Value::Null, &[], &Facts::default());
        assert!(matches!(answer, Ok(Evaluation::NeedsHelper(_))), "{text}");
    }
}

/// Input by which an allowed function could be led astray.
#[test]
fn hostile_inputs_are_harmless_here() {
    let brackets = "[".repeat(900_000);
    let long = "a".repeat(200_000);
    let items = Value::Array(vec![json!("a"); 100_000]);
    for (text, input) in [
        ("try tonumber catch \"no\"", json!(brackets)),
        ("tojson | length", json!("\"".repeat(100_000))),
        ("split(\"a\") | length", json!(long)),
        ("join(\",\") | length", items.clone()),
        ("add | length", items.clone()),
        ("map([.]) | add | length", items.clone()),
        ("unique", items),
        ("length", json!(i64::MIN)),
        ("-(.)", json!(i64::MIN)),
        ("abs", json!(i64::MIN)),
        (". % -1", json!(i64::MIN)),
        (". * .", json!(u64::MAX)),
        ("floor, round, ceil", json!(1e300)),
        ("test(\"(a*)*b\")", json!(long)),
        (".[-9223372036854775808]", json!([1])),
        (".[9223372036854775807:]", json!([1])),
    ] {
        let program =
            compile(text, &Scope::default()).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let answer = program.evaluate(&input, &[], &Facts::default());
        assert!(
            matches!(
                answer,
                Ok(_)
                    | Err(consort_expression::EvaluationError {
                        kind: ErrorKind::Raised,
                        ..
                    })
            ),
            "{text}: {answer:?}"
        );
    }
}

/// The helper as a process with little memory and without an environment.
struct Helper {
    child: Child,
}

impl Helper {
    fn start() -> Option<Self> {
        let program = helper_program()?;
        let child = Command::new("/bin/sh")
            .arg("-c")
            .arg("ulimit -v 400000; ulimit -c 0; ulimit -t 20; exec \"$0\"")
            .arg(program)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        Some(Self { child })
    }

    /// The answer, or what the one who started the process makes of its silence.
    fn ask(mut self, job: &HelperJob) -> HelperAnswer {
        let mut line = serde_json::to_vec(job).unwrap();
        line.push(b'\n');
        let written = self.child.stdin.as_mut().unwrap().write_all(&line);
        let stdout = self.child.stdout.take().unwrap();
        let (sender, answers) = mpsc::channel();
        std::thread::spawn(move || {
            let mut answer = String::new();
            let read = BufReader::new(stdout).read_line(&mut answer);
            sender.send(read.map(|_| answer))
        });
        let answer = answers.recv_timeout(Duration::from_millis(job.limits.deadline_ms));
        self.child.kill().ok();
        self.child.wait().unwrap();
        match (written, answer) {
            (Ok(()), Ok(Ok(answer))) if !answer.is_empty() => {
                serde_json::from_str(&answer).unwrap()
            }
            (_, Err(mpsc::RecvTimeoutError::Timeout)) => HelperAnswer::timed_out(&job.limits),
            _ => HelperAnswer::died(),
        }
    }
}

/// Beside the test binary, where cargo puts examples.
fn helper_program() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    let program = test.parent()?.parent()?.join("examples/jq-helper");
    program.exists().then_some(program)
}

#[test]
fn the_helper_dies_alone_and_its_end_is_a_limit() {
    if helper_program().is_none() {
        eprintln!("skipped: the example jq-helper is not built");
        return;
    }
    std::thread::scope(|threads| {
        for text in HOSTILE {
            threads.spawn(move || {
                let program = compile(text, &Scope::default()).unwrap();
                let answer = program.evaluate(&Value::Null, &[], &Facts::default());
                let Ok(Evaluation::NeedsHelper(job)) = answer else {
                    panic!("{text}")
                };
                let answer = Helper::start().expect("a helper").ask(&job);
                let HelperAnswer::Error(error) = answer else {
                    panic!("{text}: {answer:?}")
                };
                assert!(
                    matches!(error.kind, ErrorKind::Limit { .. }),
                    "{text}: {error:?}"
                );
            });
        }
    });
}

#[test]
fn a_helper_answers_what_can_be_answered() {
    let Some(helper) = Helper::start() else {
        eprintln!("skipped: the example jq-helper is not built");
        return;
    };
    let program = compile("reduce .[] as $i (0; . + $i)", &Scope::default()).unwrap();
    let Ok(Evaluation::NeedsHelper(job)) =
        program.evaluate(&json!([1, 2, 3]), &[], &Facts::default())
    else {
        panic!("not for the helper")
    };
    assert_eq!(helper.ask(&job).into_result(), Ok(json!(6)));
}
