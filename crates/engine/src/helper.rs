//! The killable helper process that evaluates expressions which the fast path refuses: bounded in
//! time and memory, with an empty environment. One is kept idle after its first use.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use consort_expression::HelperJob;
use consort_expression::helper::HelperAnswer;
use consort_model::{Code, Problem, Value};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

/// An expression may take so long.
const TIME_LIMIT: Duration = Duration::from_secs(1);
/// An answer may be so long; the helper itself bounds results to 4 MiB.
const ANSWER_LIMIT: usize = 16 << 20;

struct Idle {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// Evaluates what needs a process of its own.
pub(crate) struct Helper {
    program: Option<(PathBuf, Vec<String>)>,
    idle: Mutex<Option<Idle>>,
}

impl Helper {
    pub(crate) fn new(program: Option<(PathBuf, Vec<String>)>) -> Self {
        Self {
            program,
            idle: Mutex::new(None),
        }
    }

    /// Evaluates one job. One at a time: a second one waits.
    pub(crate) async fn run(&self, job: &HelperJob) -> Result<Value, Problem> {
        let mut slot = self.idle.lock().await;
        let mut helper = match slot.take() {
            Some(helper) => helper,
            None => self.start()?,
        };
        let line = serde_json::to_string(job).map_err(|error| {
            Problem::new(Code::INTERNAL, "an expression cannot be sent").caused_by(&error)
        })?;
        let answer = tokio::time::timeout(TIME_LIMIT, ask(&mut helper, &line)).await;
        let failed = |message: &str| Problem::new(Code::EXPRESSION_FAILED, message);
        match answer {
            // The helper is dropped, and killed with that.
            Err(_) => Err(failed("the expression took longer than its limit of 1 s")),
            Ok(Err(error)) => Err(failed(
                "the expression ended its helper: it needs too much memory or depth",
            )
            .caused_by(&error)),
            Ok(Ok(text)) => {
                let answer: HelperAnswer = serde_json::from_str(&text).map_err(|error| {
                    Problem::new(Code::INTERNAL, "the helper's answer cannot be read")
                        .caused_by(&error)
                })?;
                *slot = Some(helper);
                answer
                    .into_result()
                    .map_err(|error| failed("an expression failed").caused_by(&error))
            }
        }
    }

    fn start(&self) -> Result<Idle, Problem> {
        let none = || {
            Problem::new(
                Code::EXPRESSION_FAILED,
                "this expression needs a helper process, and there is none here",
            )
        };
        let (program, arguments) = self.program.as_ref().ok_or_else(none)?;
        let failed = |error: &std::io::Error| {
            Problem::new(
                Code::INTERNAL,
                "the helper of expressions cannot be started",
            )
            .caused_by(error)
        };
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(&error))?;
        let lost = || Problem::new(Code::INTERNAL, "the helper of expressions has no streams");
        let input = child.stdin.take().ok_or_else(lost)?;
        let output = BufReader::new(child.stdout.take().ok_or_else(lost)?);
        Ok(Idle {
            child,
            input,
            output,
        })
    }
}

async fn ask(helper: &mut Idle, line: &str) -> std::io::Result<String> {
    helper.input.write_all(line.as_bytes()).await?;
    helper.input.write_all(b"\n").await?;
    helper.input.flush().await?;
    let mut answer = Vec::new();
    loop {
        let chunk = helper.output.fill_buf().await?;
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let take = end.map_or(chunk.len(), |end| end + 1);
        if chunk.is_empty() || answer.len() + take > ANSWER_LIMIT {
            let status = helper.child.try_wait()?;
            return Err(std::io::Error::other(format!("no answer ({status:?})")));
        }
        answer.extend_from_slice(&chunk[..take]);
        helper.output.consume(take);
        if end.is_some() {
            return String::from_utf8(answer).map_err(std::io::Error::other);
        }
    }
}
