//! The API as an OpenAPI document. `docs/openapi.json` is made from it, and a test says when that is
//! not current.

use utoipa::OpenApi;

use crate::routes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Consort",
        description = "One blueprint, one plan, one durable run.",
        license(name = "Apache-2.0")
    ),
    paths(
        routes::health,
        routes::version,
        routes::capabilities,
        routes::verify,
        routes::backup,
        routes::shutdown,
        routes::metrics,
        routes::blob,
        routes::missing,
        routes::bundle,
        routes::plan,
        routes::plan_show,
        routes::apply,
        routes::rollback,
        routes::runs,
        routes::run,
        routes::run_events,
        routes::cancel,
        routes::resume,
        routes::resolve,
        routes::workload,
        routes::start,
        routes::deployments,
        routes::deployment,
        routes::state,
        routes::revisions,
        routes::outputs,
        routes::drift,
        routes::describe,
        routes::services,
        routes::act,
        routes::scale,
        routes::logs,
        routes::exec,
        routes::feed,
        routes::event,
        routes::exposed,
    )
)]
struct Api;

/// The document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Api::openapi()
}
