//! Things with a life cycle: networks, volumes, configs, secrets, and the planning side of services
//! and jobs. A type is one file here and one arm in [`Type`].

mod attributes;
mod file;
mod job;
mod network;
mod schema;
mod service;
mod unsupported;
mod volume;

use std::path::Path;

use async_trait::async_trait;
use consort_driver::{
    Applied, ApplyRequest, Context, Driver, DriverError, Intent, Observed, PlanRequest,
    PlannedChange, Resolution, TypeSchema,
};
use consort_model::plan::Operation;
use consort_model::state::Object;
use consort_model::{Code, Kind, Partial, Value, text};

use crate::runtime::Runtime;

/// The driver's name, as plans and state record it.
pub(crate) const NAME: &str = "process";

/// The types of this driver; each is called by its kind's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Network,
    Volume,
    Config,
    Secret,
    Service,
    Job,
}

impl Type {
    const ALL: [Self; 6] = [
        Self::Network,
        Self::Volume,
        Self::Config,
        Self::Secret,
        Self::Service,
        Self::Job,
    ];

    const fn kind(self) -> Kind {
        match self {
            Self::Network => Kind::Network,
            Self::Volume => Kind::Volume,
            Self::Config => Kind::Config,
            Self::Secret => Kind::Secret,
            Self::Service => Kind::Service,
            Self::Job => Kind::Job,
        }
    }

    fn of(name: &str) -> Result<Self, DriverError> {
        let found = Self::ALL
            .into_iter()
            .find(|kind| kind.kind().word() == name);
        found.ok_or_else(|| {
            let message = format!("the target process has no type `{name}`");
            let words: Vec<&str> = Self::ALL.iter().map(|kind| kind.kind().word()).collect();
            let error = DriverError::new(Code::BLUEPRINT_INVALID, message);
            match text::nearest(name, words.iter().copied()) {
                Some(near) => error.remedy(format!("Did you mean `{near}`?")),
                None => error.remedy(format!("It has {}.", words.join(", "))),
            }
        })
    }
}

#[async_trait]
impl Driver for Runtime {
    fn name(&self) -> &str {
        NAME
    }

    fn types(&self) -> Vec<TypeSchema> {
        schema::all()
    }

    async fn plan(
        &self,
        context: &Context,
        request: PlanRequest,
    ) -> Result<PlannedChange, DriverError> {
        match Type::of(&request.type_name)? {
            Type::Network => network::plan(&request),
            Type::Volume => volume::plan(context, &request),
            Type::Config | Type::Secret => file::plan(context, &request).await,
            Type::Service => service::plan(self, context, &request).await,
            Type::Job => job::plan(self, &request),
        }
    }

    async fn apply(
        &self,
        context: &Context,
        request: ApplyRequest,
    ) -> Result<Applied, DriverError> {
        let delete = matches!(request.operation, Operation::Delete { .. });
        match (Type::of(&request.type_name)?, delete) {
            (Type::Network | Type::Job, true) => Ok(Applied::default()),
            (Type::Network, false) => Ok(network::apply(context, &request)),
            (Type::Volume, true) => volume::delete(context, &request).await,
            (Type::Volume, false) => volume::apply(context, &request).await,
            (Type::Config | Type::Secret, true) => file::delete(context, &request).await,
            (Type::Config | Type::Secret, false) => file::apply(context, &request).await,
            (Type::Service, true) => service::delete(self, context, &request).await,
            (Type::Service, false) => service::apply(self, context, &request).await,
            (Type::Job, false) => job::apply(&request),
        }
    }

    async fn read(
        &self,
        context: &Context,
        type_name: &str,
        object: &Object,
    ) -> Result<Observed, DriverError> {
        match Type::of(type_name)? {
            // They exist by being recorded.
            Type::Network | Type::Job => Ok(Observed::Present(object.attributes.clone())),
            Type::Volume => volume::read(object),
            Type::Config | Type::Secret => file::read(context, object).await,
            Type::Service => service::read(context, object).await,
        }
    }

    async fn import(&self, _: &Context, type_name: &str, id: &str) -> Result<Applied, DriverError> {
        let kind = Type::of(type_name)?.kind();
        let message = format!("{kind} `{id}` cannot be imported into the target process");
        Err(DriverError::new(Code::USAGE, message)
            .remedy("Only what Consort itself has made exists there; `consort up` makes it."))
    }

    async fn resolve(&self, _: &Context, intent: Intent) -> Result<Resolution, DriverError> {
        Type::of(&intent.request.type_name)?;
        // Every effect here has a name of its own (a folder, a lease, a listener's key) and finds what
        // a first try has made.
        Ok(Resolution::Repeat)
    }
}

/// Is this a change, for types whose settings decide alone?
fn differs(request: &PlanRequest) -> bool {
    match (&request.prior, request.desired.known()) {
        (Some(prior), Some(desired)) => prior.desired != desired,
        _ => true,
    }
}

/// A text among settings.
fn text_of<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value
        .get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// The known parts of settings at the top, with what is not known left out.
fn known_parts(desired: &Partial) -> Value {
    match desired {
        Partial::Map(map) => Value::Object(
            map.iter()
                .filter_map(|(key, part)| Some((key.clone(), part.known()?)))
                .collect(),
        ),
        other => other.known().unwrap_or_default(),
    }
}

fn is_external(value: &Value) -> bool {
    value.get("external").and_then(Value::as_bool) == Some(true)
}

/// Refuses what lives outside: there is no such thing on this target.
fn refuse_external(address: &consort_model::Address, value: &Value) -> Result<(), DriverError> {
    if !is_external(value) {
        return Ok(());
    }
    let message = format!("{address} is external, and the target process has nothing of that kind");
    Err(DriverError::new(Code::BLUEPRINT_INVALID, message)
        .remedy("Leave `external` out, or bind a path of this machine."))
}

/// Settings that are known now, as text for people.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
