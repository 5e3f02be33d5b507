//! A connection to some ready target, or to the next one if that fails.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::targets::{Lease, Target, TargetSet};

/// Longer means that the target's machine is gone or its queue full.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Pauses between rounds over all targets, while all of them fail.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// No target took the connection before the deadline.
#[derive(Debug)]
pub(crate) struct WaitedInVain;

/// Connects to a ready target; a target that cannot be reached is passed over, and the client does not
/// notice. While none is ready, or all fail, it waits. Cancel-safe.
pub(crate) async fn connect(
    targets: &Arc<TargetSet>,
    deadline: Instant,
) -> Result<(Lease, TcpStream), WaitedInVain> {
    timeout_at(deadline, connect_some(targets))
        .await
        .map_err(|_elapsed| WaitedInVain)
}

async fn connect_some(targets: &Arc<TargetSet>) -> (Lease, TcpStream) {
    let mut tried: Vec<Arc<Target>> = Vec::new();
    let mut pause = FIRST_PAUSE;
    loop {
        match targets.pick(&tried) {
            Some(lease) => match connect_one(lease.target()).await {
                Ok(stream) => return (lease, stream),
                Err(_) => tried.push(Arc::clone(lease.target())),
            },
            None if tried.is_empty() => targets.wait_ready().await,
            None => {
                tried.clear();
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Connects to one target and notes how that went.
pub(crate) async fn connect_one(target: &Target) -> io::Result<TcpStream> {
    let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(target.address)).await;
    let stream = connected.unwrap_or_else(|_elapsed| Err(io::Error::from(io::ErrorKind::TimedOut)));
    match stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
        Ok(stream) => {
            target.reachable();
            Ok(stream)
        }
        Err(error) => {
            target.unreachable();
            Err(error)
        }
    }
}
