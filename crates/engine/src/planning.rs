//! Makes plans: feeds the pure planner with what drivers say, and keeps the result.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use consort_driver::{Context, PlanRequest as DriverPlanRequest};
use consort_model::blueprint::{Blueprint, TargetKind};
use consort_model::bundle::Bundle;
use consort_model::plan::Plan;
use consort_model::revision::Deployment;
use consort_model::{Code, Digest, Problem};
use consort_planner::{
    Answer, Need, NeedId, Observed, Options, PlanInput, PlannedChange, Planner, TypeSchema,
};
use tokio::task::JoinSet;

use crate::clock;
use crate::control::{PlanAnswer, PlanRequest, Problems};
use crate::engine::Engine;
use crate::evaluate::BundleFiles;

/// So many questions to drivers are under way at once.
const WIDTH: usize = 16;

impl Engine {
    /// Makes a plan and keeps it.
    pub(crate) async fn make_plan(
        self: &Arc<Self>,
        request: PlanRequest,
    ) -> Result<PlanAnswer, Problems> {
        let deployment = self
            .store
            .deployment_get(&request.deployment)
            .await
            .map_err(one)?;
        let (bundle, digest) = self
            .bundle_for(&request, deployment.as_ref())
            .await
            .map_err(|problem| vec![problem])?;
        let target = self
            .choose_target(deployment.as_ref(), &bundle.blueprint)
            .map_err(|problem| vec![problem])?;
        let context = self.context(
            &request.deployment,
            PathBuf::from(&bundle.project_directory),
        );
        let input = self
            .plan_input(request, deployment.as_ref(), &bundle, digest, target)
            .await?;
        let mut planner = Planner::new(input)?;
        self.answer_all(&mut planner, &context)
            .await
            .map_err(|problem| vec![problem])?;
        let mut plan = planner
            .finish()
            .map_err(|unplannable| unplannable.problems)?;
        self.estimate_workloads(&bundle, &mut plan);
        self.keep_plan(plan).await.map_err(|problem| vec![problem])
    }

    /// Keeps a plan under its digest.
    pub(crate) async fn keep_plan(&self, plan: Plan) -> Result<PlanAnswer, Problem> {
        let bytes = serde_json::to_vec(&plan).map_err(|error| {
            Problem::new(Code::INTERNAL, "a plan cannot be written").caused_by(&error)
        })?;
        let digest = self.store.blob_put(bytes).await?;
        Ok(PlanAnswer { digest, plan })
    }

    async fn bundle_for(
        &self,
        request: &PlanRequest,
        deployment: Option<&Deployment>,
    ) -> Result<(Bundle, Option<Digest>), Problem> {
        if let Some(digest) = request.bundle {
            return Ok((self.bundle(digest).await?, Some(digest)));
        }
        let unknown = || {
            Problem::new(
                Code::DEPLOYMENT_UNKNOWN,
                format!(
                    "there is no deployment `{}` in this home",
                    request.deployment
                ),
            )
        };
        let deployment = deployment.ok_or_else(unknown)?;
        let number = deployment.revision;
        let revision = match number {
            Some(number) => self.store.revision_get(&deployment.name, number).await?,
            None => None,
        };
        match revision {
            Some(revision) => Ok((self.bundle(revision.bundle).await?, Some(revision.bundle))),
            // Nothing was ever completed: what is recorded can still be destroyed.
            None => Ok((empty_bundle(&deployment.name), None)),
        }
    }

    fn choose_target(
        &self,
        deployment: Option<&Deployment>,
        blueprint: &Blueprint,
    ) -> Result<TargetKind, Problem> {
        let asked = blueprint.target;
        if let (Some(deployment), Some(asked)) = (deployment, asked)
            && deployment.target != asked
        {
            let message = format!(
                "deployment `{}` runs on target {:?}",
                deployment.name, deployment.target
            );
            return Err(Problem::new(Code::PLAN_IMPOSSIBLE, message)
                .remedy("Take it down first, or use another name with `-p`."));
        }
        let kind = deployment
            .map(|deployment| deployment.target)
            .or(asked)
            .unwrap_or(TargetKind::Process);
        self.target(kind).map(|_| kind)
    }

    async fn plan_input(
        &self,
        request: PlanRequest,
        deployment: Option<&Deployment>,
        bundle: &Bundle,
        digest: Option<Digest>,
        target: TargetKind,
    ) -> Result<PlanInput, Problems> {
        let state = self
            .store
            .state_list(&request.deployment)
            .await
            .map_err(one)?;
        let previous = match deployment.and_then(|deployment| deployment.revision) {
            Some(number) => self
                .store
                .revision_get(&request.deployment, number)
                .await
                .map_err(one)?,
            None => None,
        };
        let mut given = request.inputs.clone();
        if request.bundle.is_none()
            && let Some(revision) = &previous
        {
            revision.inputs.iter().for_each(|(name, value)| {
                given.entry(name.clone()).or_insert_with(|| value.clone());
            });
        }
        let inputs = consort_planner::inputs::check(&bundle.blueprint, &given)?;
        let inputs = self
            .seal_inputs(&request.deployment, &bundle.blueprint, inputs)
            .await
            .map_err(|problem| vec![problem])?;
        Ok(PlanInput {
            blueprint: Arc::new(bundle.blueprint.clone()),
            bundle: digest,
            programs: bundle
                .programs
                .iter()
                .map(|(name, program)| (name.clone(), program.digest()))
                .collect(),
            deployment_attributes: self.deployment_attributes(deployment).await,
            deployment: request.deployment,
            target,
            parent: deployment.and_then(|deployment| deployment.revision),
            mode: request.mode,
            inputs,
            state: state
                .into_iter()
                .map(|entry| (entry.address.clone(), entry))
                .collect(),
            options: Options {
                only: request.only,
                replace: request.replace,
                refresh: request.refresh,
            },
            schemas: self.planner_schemas(),
            created: clock::now(),
            files: Some(Arc::new(
                BundleFiles::load(self, bundle)
                    .await
                    .map_err(|problem| vec![problem])?,
            )),
        })
    }

    /// What expressions may know of the deployment beside its name and target.
    async fn deployment_attributes(
        &self,
        deployment: Option<&Deployment>,
    ) -> indexmap::IndexMap<String, consort_model::Partial> {
        let mut attributes = indexmap::IndexMap::new();
        let Some(deployment) = deployment else {
            return attributes;
        };
        if let (Ok(target), Ok(context)) = (
            self.target(deployment.target),
            self.context_of(deployment).await,
        ) && let Ok(url) = target.endpoints().deployment_url(&context).await
        {
            attributes.insert(
                "url".to_owned(),
                consort_model::Partial::from(consort_model::Value::from(url)),
            );
        }
        attributes
    }

    fn planner_schemas(&self) -> BTreeMap<(String, String), TypeSchema> {
        self.schemas()
            .into_iter()
            .map(|schema| {
                let key = (schema.driver.clone(), schema.type_name.clone());
                (key, convert_schema(schema))
            })
            .collect()
    }

    /// Asks drivers, as many at once as is good, until the planner needs nothing more.
    async fn answer_all(
        self: &Arc<Self>,
        planner: &mut Planner,
        context: &Context,
    ) -> Result<(), Problem> {
        let mut asked: BTreeMap<NeedId, ()> = BTreeMap::new();
        let mut answers: JoinSet<(NeedId, Answer)> = JoinSet::new();
        loop {
            for (id, need) in planner.needs() {
                if answers.len() >= WIDTH {
                    break;
                }
                if asked.insert(id, ()).is_none() {
                    let (engine, context) = (Arc::clone(self), context.clone());
                    answers.spawn(async move { (id, engine.answer(&context, need).await) });
                }
            }
            let Some(joined) = answers.join_next().await else {
                return Ok(());
            };
            let (id, answer) = joined.map_err(|error| {
                Problem::new(Code::INTERNAL, "a driver panicked while planning").caused_by(&error)
            })?;
            planner.feed(id, answer).map_err(|error| {
                Problem::new(Code::INTERNAL, "the planner refused an answer").caused_by(&error)
            })?;
        }
    }

    async fn answer(&self, context: &Context, need: Need) -> Answer {
        match need {
            Need::Read {
                driver,
                type_name,
                object,
                address,
            } => {
                let driver = match self.driver(&driver) {
                    Ok(driver) => driver,
                    Err(problem) => return Answer::Failed(problem.at(address)),
                };
                match driver.read(context, &type_name, &object).await {
                    Ok(observed) => Answer::Observed(convert_observed(observed)),
                    Err(error) => Answer::Failed(error.problem().at(address)),
                }
            }
            Need::PlanChange {
                driver,
                type_name,
                address,
                prior,
                desired,
            } => {
                let driver = match self.driver(&driver) {
                    Ok(driver) => driver,
                    Err(problem) => return Answer::Failed(problem.at(address)),
                };
                let request = DriverPlanRequest {
                    address: address.clone(),
                    type_name,
                    prior,
                    desired,
                };
                match driver.plan(context, request).await {
                    Ok(change) => Answer::Planned(PlannedChange {
                        planned: change.planned,
                        requires_replacement: change.requires_replacement,
                        changes: change.changes,
                        warnings: change.warnings,
                    }),
                    Err(error) => Answer::Failed(error.problem().at(address)),
                }
            }
            Need::Evaluate { job } => match self.helper.run(&job).await {
                Ok(value) => Answer::Evaluated(value),
                Err(problem) => Answer::Failed(problem),
            },
        }
    }
}

fn one(error: consort_journal::StoreError) -> Problems {
    vec![error.into()]
}

fn empty_bundle(name: &str) -> Bundle {
    Bundle {
        format: consort_model::bundle::FORMAT,
        blueprint: Blueprint {
            name: name.to_owned(),
            target: None,
            target_settings: Default::default(),
            inputs: Default::default(),
            nodes: Default::default(),
            outputs: Default::default(),
            objectives: None,
            warnings: Vec::new(),
        },
        files: BTreeMap::new(),
        programs: BTreeMap::new(),
        project_directory: ".".into(),
    }
}

pub(crate) fn convert_observed(observed: consort_driver::Observed) -> Observed {
    match observed {
        consort_driver::Observed::Present(value) => Observed::Present(value),
        consort_driver::Observed::Gone => Observed::Gone,
        consort_driver::Observed::Unreachable(why) => Observed::Unreachable(why),
    }
}

fn convert_schema(schema: consort_driver::TypeSchema) -> TypeSchema {
    let attributes =
        schema
            .attributes
            .into_iter()
            .map(|attribute| consort_planner::AttributeSchema {
                name: attribute.name,
                settable: attribute.settable,
                required: attribute.required,
                computed: attribute.computed,
                sensitive: attribute.sensitive,
                forces_replacement: attribute.forces_replacement,
                doc: attribute.doc,
            });
    TypeSchema {
        attributes: attributes.collect(),
        driver: schema.driver,
        type_name: schema.type_name,
        open: schema.open,
        holds_data: schema.holds_data,
        has_read: true,
        create_before_destroy: schema.create_before_destroy,
    }
}
