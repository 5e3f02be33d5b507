//! Connections that change from HTTP to another protocol, such as WebSocket.

use std::sync::Arc;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use super::body::Upstream;
use super::{Busy, Client};
use crate::tasks::{TaskKind, start};

/// Copies between both halves, once both have changed. The work counts for its target until the end.
pub(crate) fn open(
    client: Arc<Client>,
    client_half: OnUpgrade,
    target_half: OnUpgrade,
    upstream: Upstream,
    busy: Busy,
) {
    start(TaskKind::Connection, async move {
        if let (Ok(client_half), Ok(target_half)) = tokio::join!(client_half, target_half) {
            // A reset of either side ends both.
            let _ = copy_bidirectional(
                &mut TokioIo::new(client_half),
                &mut TokioIo::new(target_half),
            )
            .await;
        }
        drop((upstream, busy, client));
    });
}
