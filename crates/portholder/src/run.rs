//! The process: set up, serve, end.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::control;
use crate::environment::arguments;
use crate::error::HolderError;
use crate::fdstore::{FdStore, NoFdStore, ShimFdStore};
use crate::holder::Holder;
use crate::notice::{chain, notice};
use crate::restore::restore;
use crate::state::lock;
use crate::tasks::Workers;

/// The whole program, for `main`: reads options and environment, serves, and says why if it cannot.
pub fn run_blocking(options: impl IntoIterator<Item = OsString>) -> ExitCode {
    let ended = arguments(options).and_then(|config| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build();
        let runtime = runtime.map_err(|source| HolderError::Runtime {
            what: "main thread",
            source,
        })?;
        let ended = runtime.block_on(run(config));
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            notice(&format!("port holder: {}", chain(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Serves a home's ports until `shutdown`, SIGTERM or SIGINT.
///
/// Run it on a single-threaded tokio runtime with I/O and time; it starts the other threads itself.
///
/// # Errors
/// [`HolderError`] if another holder serves the home, or folder, socket or threads cannot be had. An
/// address that cannot be opened again is no error: it is tried again, and `list` tells.
pub async fn run(config: Config) -> Result<(), HolderError> {
    let Config {
        home,
        state_dir,
        control: socket,
        fd_store,
        inherited,
        workers,
        limits,
    } = config;
    raise_descriptor_limit();
    private_folder(&state_dir)?;
    let _lock = lock(&state_dir)
        .map_err(HolderError::path(
            &state_dir,
            "taking the lock failed; check its permissions",
        ))?
        .map_err(|path| HolderError::AlreadyRunning { path })?;
    let workers = Workers::start(workers).map_err(|source| HolderError::Runtime {
        what: "threads",
        source,
    })?;
    let fd_store: Arc<dyn FdStore> = match fd_store {
        Some(shim) => Arc::new(ShimFdStore::new(shim)),
        None => Arc::new(NoFdStore),
    };
    let holder = Holder::new(home, state_dir.clone(), limits, Arc::new(workers), fd_store);
    restore(&holder, &state_dir, inherited).await?;
    let listener = control_socket(&socket)?;
    notice(&format!("port holder: serving at {}", socket.display()));
    let signals = |source| HolderError::Runtime {
        what: "signal handlers",
        source,
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(signals)?;
    tokio::select! {
        // All end the process; none is resumed.
        () = control::serve(listener, Arc::clone(&holder)) => {}
        _ = terminate.recv() => holder.stop(),
        _ = interrupt.recv() => holder.stop(),
    }
    // Only after a proper end: a killed process leaves the file, and the next one replaces it.
    let _ = fs::remove_file(&socket);
    Ok(())
}

/// Two descriptors per connection are soon more than the usual 1,024.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Without it the holder serves fewer connections at once, which `accept` waits out.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

/// Makes the folder, or checks that only its owner may enter.
fn private_folder(path: &Path) -> Result<(), HolderError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(HolderError::path(
            path,
            "making the folder failed; check the permissions above it",
        ))?;
    let metadata =
        fs::metadata(path).map_err(HolderError::path(path, "reading its permissions failed"))?;
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o777);
    if owner != rustix::process::geteuid().as_raw() || mode & 0o077 != 0 {
        return Err(HolderError::NotPrivate {
            path: path.to_owned(),
            owner,
            mode,
        });
    }
    Ok(())
}

fn control_socket(path: &Path) -> Result<UnixListener, HolderError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    private_folder(folder.ok_or_else(|| {
        HolderError::Usage(format!(
            "the control socket {} needs a folder",
            path.display()
        ))
    })?)?;
    // The home's lock is held, so a socket that is there belongs to nobody.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(HolderError::path(path, "removing the old socket failed")(
                error,
            ));
        }
        _ => {}
    }
    UnixListener::bind(path).map_err(HolderError::path(
        path,
        "binding the control socket failed (its path may have 107 bytes)",
    ))
}
