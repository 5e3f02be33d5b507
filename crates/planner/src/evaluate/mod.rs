//! Templates and values to results: what is unknown stays unknown, a scalar that is one whole
//! expression keeps its type, and secrets stay tokens. The engine evaluates with the same code when
//! a step begins.

mod program;
mod reference;
mod run;
pub(crate) mod size;
mod values;

use std::collections::BTreeMap;

use consort_expression::{Files, HelperJob};
use consort_model::secret::OPEN;
use consort_model::template::{Deferred, TextPart};
use consort_model::{Code, Digest, Partial, Problem, Template, Value, Why};

use program::Yield;
pub use program::{Program, Programs};
pub use reference::{KINDS, PathPart, Root, plain_path, shown};
use size::Size;
use values::Stop;
pub use values::{Each, Values};

/// The results of helper jobs, by the digest of the job.
pub type Answers = BTreeMap<Digest, Value>;

/// What a template is evaluated with.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// What expressions may refer to.
    pub values: &'a Values,
    /// `.each`, for `for_each` instances.
    pub each: Option<&'a Each>,
    /// Bundled files, for `file()` and `template()`.
    pub files: Option<&'a dyn Files>,
    /// Compiled expressions.
    pub programs: &'a Programs,
    /// What helpers have answered.
    pub answers: &'a Answers,
}

/// The result of an evaluation.
#[derive(Debug)]
pub enum Evaluated {
    /// The value; parts of it may be unknown.
    Value(Partial),
    /// Helpers must answer these first; evaluate again then.
    Needs(Vec<HelperJob>),
}

/// The digest that names a job among the [`Answers`].
pub fn job_digest(job: &HelperJob) -> Digest {
    Digest::of_serialized(job).unwrap_or(Digest::from_bytes([0; 32]))
}

/// Evaluates a template.
///
/// # Errors
/// Every expression that failed, with its place.
pub fn evaluate(
    template: &Template,
    environment: &Environment<'_>,
) -> Result<Evaluated, Vec<Problem>> {
    let mut evaluation = Evaluation {
        environment,
        jobs: Vec::new(),
        problems: Vec::new(),
        size: Size::default(),
    };
    let value = evaluation.template(template);
    let Evaluation { jobs, problems, .. } = evaluation;
    if !problems.is_empty() {
        Err(problems)
    } else if !jobs.is_empty() {
        Ok(Evaluated::Needs(jobs))
    } else {
        Ok(Evaluated::Value(value))
    }
}

struct Evaluation<'a> {
    environment: &'a Environment<'a>,
    jobs: Vec<HelperJob>,
    problems: Vec<Problem>,
    /// Of all results of expressions so far.
    size: Size,
}

impl Evaluation<'_> {
    fn template(&mut self, template: &Template) -> Partial {
        match template {
            Template::Scalar(value) => Partial::Scalar(value.clone()),
            Template::Deferred(deferred) => self.deferred(deferred),
            Template::List(items) => {
                Partial::List(items.iter().map(|item| self.template(item)).collect())
            }
            Template::Map(map) => Partial::Map(
                map.iter()
                    .map(|(key, item)| (key.clone(), self.template(item)))
                    .collect(),
            ),
        }
    }

    fn deferred(&mut self, deferred: &Deferred) -> Partial {
        if let [TextPart::Expression(text)] = deferred.parts.as_slice() {
            return self.expression(text, deferred);
        }
        let mut out = String::new();
        let mut unknown: Option<Why> = None;
        for part in &deferred.parts {
            match part {
                TextPart::Text(text) => out.push_str(text),
                TextPart::Expression(text) => match self.expression(text, deferred) {
                    Partial::Unknown(why) => unknown = unknown.max(Some(why)),
                    Partial::Scalar(Value::String(text)) => out.push_str(&text),
                    Partial::Scalar(value) => out.push_str(&value.to_string()),
                    part @ (Partial::List(_) | Partial::Map(_)) => {
                        self.not_text(text, &part, deferred)
                    }
                },
            }
        }
        unknown.map_or(Partial::Scalar(Value::String(out)), Partial::Unknown)
    }

    fn not_text(&mut self, text: &str, part: &Partial, deferred: &Deferred) {
        let what = if matches!(part, Partial::List(_)) {
            "a list"
        } else {
            "a mapping"
        };
        let problem = Problem::new(
            Code::EXPRESSION_FAILED,
            format!("`${{ {} }}` yields {what} inside text", text.trim()),
        )
        .remedy("Turn it into text, for example with `| tojson` or `| join(\",\")`, or let the expression be the whole value.");
        self.fail(problem, deferred);
    }

    fn fail(&mut self, problem: Problem, deferred: &Deferred) {
        self.problems.push(Problem {
            place: Some(deferred.place.clone()),
            ..problem
        });
    }

    /// The value of one expression; after a failure or a job the value does not matter.
    fn expression(&mut self, text: &str, deferred: &Deferred) -> Partial {
        let environment = self.environment;
        let result = environment
            .programs
            .get(text, &deferred.place)
            .and_then(|program| run(&program, text, environment, &mut self.size));
        match result {
            Ok(Step::Value(value)) => value,
            Ok(Step::Job(job)) => {
                self.jobs.push(*job);
                Partial::NULL
            }
            Err(problem) => {
                self.fail(problem, deferred);
                Partial::NULL
            }
        }
    }
}

enum Step {
    Value(Partial),
    Job(Box<HelperJob>),
}

fn run(
    program: &Program,
    text: &str,
    environment: &Environment<'_>,
    size: &mut Size,
) -> Result<Step, Problem> {
    let found = match program {
        Program::Path(path) => match environment.values.walk(path, environment.each) {
            Ok(value) => {
                grown(size, &value, text)?;
                return Ok(Step::Value(value.into_owned()));
            }
            Err(stop) => stop,
        },
        Program::Jq {
            program,
            references,
        } => match environment.values.environment(references, environment.each) {
            Ok(input) => return compute(program, &input, environment, size),
            Err(stop) => stop,
        },
    };
    match found {
        Stop::Unknown(why) => Ok(Step::Value(Partial::Unknown(why))),
        Stop::Missing(sentence) => Err(Problem::new(
            Code::EXPRESSION_FAILED,
            format!("`${{ {} }}`: {sentence}", text.trim()),
        )),
    }
}

/// Counts a result before it is copied.
fn grown(size: &mut Size, value: &Partial, text: &str) -> Result<(), Problem> {
    *size = size.plus(Size::of(value));
    match size.excess() {
        None => Ok(()),
        Some(excess) => Err(Problem::new(
            Code::EXPRESSION_FAILED,
            format!("with `${{ {} }}` the value {excess}", text.trim()),
        )
        .remedy("Refer to the attributes that are needed instead of whole nodes.")),
    }
}

fn compute(
    program: &consort_expression::Program,
    input: &Value,
    environment: &Environment<'_>,
    size: &mut Size,
) -> Result<Step, Problem> {
    if !program.is_transparent() && holds_secret(input) {
        return Err(Problem::new(
            Code::EXPRESSION_FAILED,
            format!(
                "`${{ {} }}` computes with a secret, whose value is not there while expressions are evaluated",
                program.text().trim()
            ),
        )
        .remedy("Secrets can be selected, put into lists and mappings, and joined into text; compute with them in the program that uses them."));
    }
    let value = match Program::run(program, input, environment.files)? {
        Yield::Value(value) => value,
        Yield::Job(job) => match environment.answers.get(&job_digest(&job)) {
            Some(value) => value.clone(),
            None => return Ok(Step::Job(job)),
        },
    };
    let value = Partial::from(bounded(program, value)?);
    grown(size, &value, program.text())?;
    Ok(Step::Value(value))
}

/// An expression can build what the JSON form of plans keeps for unknown and deferred values.
fn bounded(program: &consort_expression::Program, value: Value) -> Result<Value, Problem> {
    if reserved(&value) {
        return Err(Problem::new(
            Code::EXPRESSION_FAILED,
            format!(
                "`${{ {} }}` yields the reserved key `$unknown` or `$deferred`",
                program.text().trim()
            ),
        )
        .remedy("Use another key."));
    }
    Ok(value)
}

fn reserved(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(reserved),
        Value::Object(object) => object
            .iter()
            .any(|(key, item)| key == "$unknown" || key == "$deferred" || reserved(item)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(OPEN),
        Value::Array(items) => items.iter().any(holds_secret),
        Value::Object(object) => object.values().any(holds_secret),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
