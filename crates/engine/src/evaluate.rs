//! Evaluates settings and outputs with what is recorded now: the same code as the planner's, with
//! nothing unknown any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use consort_driver::Context;
use consort_expression::Files;
use consort_model::blueprint::Blueprint;
use consort_model::bundle::Bundle;
use consort_model::plan::{Action, Plan};
use consort_model::{
    Address, Code, Kind, Partial, Problem, SecretHandle, StateEntry, Template, Value, Why,
};
use consort_planner::evaluate::{
    Answers, Environment, Evaluated, Programs, Values, evaluate, job_digest,
};

use crate::engine::Engine;
use crate::perform::Failure;

/// Helpers are asked at most so often for one template: each round answers all that is open.
const ROUNDS: usize = 64;

/// The files of a bundle, for `file()` and `template()`.
pub(crate) struct BundleFiles {
    files: BTreeMap<String, Vec<u8>>,
}

impl BundleFiles {
    pub(crate) async fn load(engine: &Engine, bundle: &Bundle) -> Result<Self, Problem> {
        let mut files = BTreeMap::new();
        for (path, file) in &bundle.files {
            let missing = || {
                Problem::new(
                    Code::STORE_CORRUPT,
                    format!("the content of `{path}` is not kept"),
                )
            };
            files.insert(
                path.clone(),
                engine
                    .store
                    .blob_get(file.digest)
                    .await?
                    .ok_or_else(missing)?,
            );
        }
        Ok(Self { files })
    }
}

impl Files for BundleFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let path = path.trim_start_matches("./");
        self.files
            .get(path)
            .cloned()
            .ok_or_else(|| format!("`{path}` is not among the files of the blueprint"))
    }
}

/// What the expressions of a deployment may refer to, as it is recorded now.
struct Recorded {
    values: Values,
    files: BundleFiles,
    programs: Programs,
}

impl Recorded {
    async fn load(
        engine: &Engine,
        plan: &Plan,
        state: &BTreeMap<Address, StateEntry>,
    ) -> Result<Self, Problem> {
        let bundle = match plan.bundle {
            Some(digest) => Some(engine.bundle(digest).await?),
            None => None,
        };
        let files = match &bundle {
            Some(bundle) => BundleFiles::load(engine, bundle).await?,
            None => BundleFiles {
                files: BTreeMap::new(),
            },
        };
        let values = match &bundle {
            Some(bundle) => Values::of_run(plan, &bundle.blueprint, state),
            None => Values::default(),
        };
        let mut recorded = Self {
            values,
            files,
            programs: Programs::default(),
        };
        recorded.set_deployment(engine, plan).await;
        if let Some(bundle) = &bundle {
            recorded.set_locals(engine, &bundle.blueprint).await?;
        }
        Ok(recorded)
    }

    async fn set_deployment(&mut self, engine: &Engine, plan: &Plan) {
        let mut attributes = indexmap::IndexMap::from([(
            "name".to_owned(),
            Partial::from(Value::from(plan.deployment.clone())),
        )]);
        let url = match (
            engine.target(plan.target),
            engine.store.deployment_get(&plan.deployment).await,
        ) {
            (Ok(target), Ok(Some(deployment))) => match engine.context_of(&deployment).await {
                Ok(context) => target.endpoints().deployment_url(&context).await.ok(),
                Err(_) => None,
            },
            _ => None,
        };
        attributes.insert(
            "url".into(),
            url.map_or(Partial::Unknown(Why::Apply), |url| {
                Partial::from(Value::from(url))
            }),
        );
        let target = crate::engine::target_word(plan.target);
        attributes.insert("target".into(), Partial::from(Value::from(target)));
        self.values.set_deployment(attributes);
    }

    /// Locals may refer to each other: each round gives a value to those whose references have one.
    async fn set_locals(&mut self, engine: &Engine, blueprint: &Blueprint) -> Result<(), Problem> {
        let mut open: Vec<(&Address, &Template)> = blueprint
            .nodes
            .iter()
            .filter(|(address, _)| address.kind() == Kind::Local)
            .map(|(address, declaration)| (address, &declaration.body))
            .collect();
        for (address, _) in &open {
            self.values
                .set((*address).clone(), Partial::Unknown(Why::Apply));
        }
        while !open.is_empty() {
            let mut left = Vec::new();
            let count = open.len();
            for (address, body) in open {
                // A local that refers to something that is not there is unknown; whoever uses it says so.
                match self.evaluate(engine, body, None).await {
                    Ok(value) if value.unknown().is_none() => {
                        self.values.set(address.clone(), value)
                    }
                    _ => left.push((address, body)),
                }
            }
            if left.len() == count {
                break;
            }
            open = left;
        }
        Ok(())
    }

    fn evaluate_with(
        &self,
        template: &Template,
        each: Option<&(String, Value)>,
        answers: &Answers,
    ) -> Result<Evaluated, Vec<Problem>> {
        let files = Some(&self.files as &dyn Files);
        evaluate(
            template,
            &Environment {
                values: &self.values,
                each,
                files,
                programs: &self.programs,
                answers,
            },
        )
    }

    async fn evaluate(
        &self,
        engine: &Engine,
        template: &Template,
        each: Option<&(String, Value)>,
    ) -> Result<Partial, Problem> {
        let mut answers = Answers::new();
        for _ in 0..ROUNDS {
            let jobs = match self.evaluate_with(template, each, &answers) {
                Ok(Evaluated::Value(value)) => return Ok(value),
                Ok(Evaluated::Needs(jobs)) => jobs,
                Err(problems) => return Err(together(problems)),
            };
            for job in jobs {
                let value = engine.helper.run(&job).await?;
                answers.insert(job_digest(&job), value);
            }
        }
        Err(Problem::new(
            Code::EXPRESSION_FAILED,
            "the expressions ask for ever more help",
        ))
    }
}

fn together(mut problems: Vec<Problem>) -> Problem {
    let rest: Vec<String> = problems.iter().skip(1).map(Problem::to_string).collect();
    let mut first = if problems.is_empty() {
        Problem::new(Code::EXPRESSION_FAILED, "an expression failed")
    } else {
        problems.swap_remove(0)
    };
    first.causes.extend(rest);
    first
}

/// The settings of an action with everything known.
pub(crate) async fn settings(
    engine: &Engine,
    plan: &Plan,
    action: &Action,
    template: &Template,
    state: &BTreeMap<Address, StateEntry>,
) -> Result<Value, Failure> {
    let recorded = Recorded::load(engine, plan, state).await?;
    let value = recorded
        .evaluate(engine, template, action.each.as_ref())
        .await?;
    let mut value = value.known().ok_or_else(|| {
        let message = "its settings are still not known, although everything before it was done";
        Problem::new(Code::EXPRESSION_FAILED, message)
    })?;
    // What the planner adds to the settings beside the template (programs) was approved with them.
    if let (Some(object), Partial::Map(approved)) = (value.as_object_mut(), &action.desired) {
        for (key, part) in approved {
            if !object.contains_key(key)
                && let Some(known) = part.known()
            {
                object.insert(key.clone(), known);
            }
        }
    }
    Ok(value)
}

/// The values of the outputs. One that cannot be evaluated is null.
pub(crate) async fn outputs(
    engine: &Engine,
    plan: &Plan,
    state: &BTreeMap<Address, StateEntry>,
) -> Result<BTreeMap<String, Value>, Problem> {
    let recorded = Recorded::load(engine, plan, state).await?;
    let mut outputs = BTreeMap::new();
    for (name, template) in &plan.outputs {
        let value = recorded.evaluate(engine, template, None).await;
        if let Err(problem) = &value {
            tracing::warn!(output = %name, %problem, "an output has no value");
        }
        outputs.insert(
            name.clone(),
            value
                .ok()
                .and_then(|value| value.known())
                .unwrap_or_default(),
        );
    }
    Ok(outputs)
}

/// The secret with which a deployment's services post events.
pub(crate) fn event_token() -> SecretHandle {
    SecretHandle {
        name: "deployment.event_token".into(),
        version: 1,
    }
}

/// What the engine adds to the environment of every instance: where events go.
pub(crate) async fn instance_environment(
    engine: &Arc<Engine>,
    context: &Context,
    deployment: &str,
) -> Result<Vec<(String, String)>, Problem> {
    let found = engine.deployment(deployment).await?;
    let target = engine.target(found.target)?;
    let url = target
        .endpoints()
        .deployment_url(context)
        .await
        .map_err(|error| error.problem())?;
    let token = event_token().token();
    Ok(vec![
        ("K_SINK".into(), format!("{url}/events")),
        ("K_SINK_TOKEN".into(), token),
        ("CONSORT_DEPLOYMENT".into(), deployment.to_owned()),
        ("CONSORT_URL".into(), url),
    ])
}
