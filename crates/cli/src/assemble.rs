//! The composition root: the one place that knows all parts.

use std::path::Path;
use std::sync::Arc;

use consort_driver::Driver;
use consort_engine::control::{Control, EngineControl};
use consort_engine::{Engine, Home as EngineHome, Options};
use consort_model::Problem;
use consort_store::SqliteStore;

use crate::home::Home;
use crate::small;

/// Opens the store, takes the lock of the home, and takes open runs up.
pub(crate) async fn assemble(home: &Home) -> Result<Arc<dyn Control>, Problem> {
    let store = SqliteStore::open(&store_directory(home), consort_store::Options::default())?;
    let engine_home = EngineHome {
        id: home.id()?,
        directory: home.directory.clone(),
        sockets: home.sockets.clone(),
    };
    let shim = small::shim(&home.directory)?;
    let holder = small::holder(&home.directory)?;
    let helper = small::helper()?;
    let process = consort_driver_process::ProcessTarget::new(consort_driver_process::Options {
        shim: (shim.path, shim.arguments),
        port_holder: (holder.path, holder.arguments),
        server_socket: home.socket(),
    });
    let builtin: Arc<dyn Driver> = Arc::new(consort_driver_builtin::driver());
    let engine = Engine::new(Options {
        home: engine_home,
        store,
        drivers: vec![builtin],
        targets: vec![Arc::new(process)],
        helper: Some((helper.path, helper.arguments)),
    });
    engine.recover().await?;
    Ok(Arc::new(EngineControl(engine)))
}

/// Where the store of a home is.
pub(crate) fn store_directory(home: &Home) -> std::path::PathBuf {
    Path::new(&home.directory).join("store")
}
