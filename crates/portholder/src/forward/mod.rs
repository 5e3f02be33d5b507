//! Mode `l4`: bytes to and from a ready target.

mod connect;
mod relay;

pub(crate) use connect::{WaitedInVain, connect, connect_one};
pub(crate) use relay::relay;

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::listener::Shared;
use crate::socket::reset_on_close;
use crate::tasks::becomes_true;

/// Serves one accepted connection to its end.
pub(crate) async fn serve(shared: &Shared, mut client: TcpStream, patience: Duration) {
    let deadline = Instant::now() + patience;
    let mut closed = shared.closed();
    let connected = tokio::select! {
        // Both are cancel-safe: a connection that was just made is closed, its lease is dropped.
        connected = connect(&shared.targets, deadline) => connected,
        () = becomes_true(&mut closed) => Err(WaitedInVain),
    };
    match connected {
        Ok((lease, mut target)) => {
            let idle = Some(Duration::from_millis(shared.spec.idle_timeout_ms))
                .filter(|idle| !idle.is_zero());
            if relay(&mut client, &mut target, idle).await.is_err() {
                reset_on_close(&client);
                reset_on_close(&target);
            }
            // The target must see its connection closed before it counts as drained.
            drop(target);
            drop(lease);
        }
        Err(WaitedInVain) => {
            shared.counters.unserved();
            reset_on_close(&client);
        }
    }
}
