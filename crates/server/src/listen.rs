//! The listener: a Unix socket in a folder of its owner's alone. Who connects is known from the
//! kernel, and only the owner and root are served.

use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use consort_model::revision::Principal;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// So many connections at once.
const CONNECTIONS: usize = 1_024;
/// A client has so long to send the head of a request.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// Answers that are under way get so long when the server ends.
const DRAIN: Duration = Duration::from_secs(5);

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another server answers at the socket.
    #[error("another server answers at {0}")]
    Taken(PathBuf),
    /// The folder or the socket cannot be made.
    #[error("cannot listen at {path}")]
    Failed {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A socket that is listened at.
#[derive(Debug)]
pub struct Listener {
    listener: UnixListener,
    path: PathBuf,
    owner: u32,
}

impl Listener {
    /// Listens at a socket; its folder is made, for the owner alone. A socket that nobody answers at
    /// is left over and is replaced: the caller holds the lock of the home.
    ///
    /// # Errors
    /// When somebody answers at it, or it cannot be made.
    pub fn bind(path: &Path) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Failed {
            path: path.to_owned(),
            source,
        };
        if let Some(folder) = path.parent() {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(failed)?;
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
                .map_err(failed)?;
        }
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(ListenError::Taken(path.to_owned()));
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let owner = rustix::process::geteuid().as_raw();
        Ok(Self {
            listener,
            path: path.to_owned(),
            owner,
        })
    }

    fn peer(&self, stream: &UnixStream) -> Option<Principal> {
        let credentials = rustix::net::sockopt::socket_peercred(stream.as_fd()).ok()?;
        let uid = credentials.uid.as_raw();
        (uid == self.owner || uid == 0).then(|| Principal::local_user(uid))
    }
}

/// Serves until `stop` is told; then lets answers that are under way finish, for a while.
pub async fn serve(listener: Listener, router: Router, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            break;
        };
        // Cancel-safe: a connection that is not accepted waits in the kernel.
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(principal) = listener.peer(&stream) else {
            tracing::warn!("a connection of another user is refused");
            continue;
        };
        let (router, stop) = (router.clone(), stop.clone());
        connections.spawn(async move {
            connection(stream, router, principal, stop).await;
            drop(place);
        });
    }
    connections.close();
    let _ = tokio::time::timeout(DRAIN, connections.wait()).await;
    let _ = std::fs::remove_file(&listener.path);
}

async fn connection(
    stream: UnixStream,
    router: Router,
    principal: Principal,
    stop: CancellationToken,
) {
    let service = TowerToHyperService::new(router.layer(axum::Extension(principal)));
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(64 << 10);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .keep_alive_interval(Duration::from_secs(30));
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut ending = false;
    loop {
        // Cancel-safe: the connection is polled on by reference.
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            () = stop.cancelled(), if !ending => {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
