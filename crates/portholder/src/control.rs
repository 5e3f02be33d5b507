//! The control socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::io::BufReader;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, broadcast};
use tokio::time::{sleep, timeout};

use crate::holder::Holder;
use crate::lines::{LineError, decode, read_line, write_line};
use crate::notice::notice;
use crate::protocol::{Event, Failure, FailureCode, LINE_LIMIT, PROTOCOL, Reply, Request};
use crate::tasks::{TaskKind, becomes_true, start};

/// The most requests of one batch.
const BATCH_LIMIT: usize = 4096;

/// Serves control clients until the holder stops.
pub(crate) async fn serve(listener: UnixListener, holder: Arc<Holder>) {
    let slots = Arc::new(Semaphore::new(holder.limits().control_connections));
    let mut stopping = holder.stopping();
    loop {
        let accepted = tokio::select! {
            // Both are cancel-safe.
            () = becomes_true(&mut stopping) => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(_) => {
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Above the limit the connection is closed at once: a client retries, a leak shows.
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            continue;
        };
        let holder = Arc::clone(&holder);
        start(TaskKind::Control, async move {
            if is_owner(&stream) {
                // A client that is gone needs no answer.
                let _ = Control::new(stream, holder).run().await;
            } else {
                notice("refused a control connection of another user");
            }
            drop(slot);
        });
    }
}

/// The folder's mode keeps others out; this holds even if it was opened by mistake.
fn is_owner(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

/// One control connection.
struct Control {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    holder: Arc<Holder>,
    patience: Duration,
}

impl Control {
    fn new(stream: UnixStream, holder: Arc<Holder>) -> Self {
        let (read, writer) = stream.into_split();
        let patience = holder.limits().control_timeout;
        Self {
            reader: BufReader::new(read),
            writer,
            holder,
            patience,
        }
    }

    async fn run(mut self) -> io::Result<()> {
        if !self.greet().await? {
            return Ok(());
        }
        while let Some(line) = self.line().await? {
            let request = match decode::<Request>(&line) {
                Ok(request) => request,
                Err(reason) => {
                    self.send(&refused(
                        FailureCode::BadRequest,
                        format!("the request cannot be understood: {reason}"),
                    ))
                    .await?;
                    continue;
                }
            };
            match request {
                Request::Watch => return self.watch().await,
                Request::Shutdown => {
                    self.send(&Reply::Done).await?;
                    self.holder.stop();
                    return Ok(());
                }
                request => {
                    // Detached from this connection: a change that was begun is also recorded.
                    let holder = Arc::clone(&self.holder);
                    let answered =
                        start_with_result(async move { answer(&holder, request).await }).await;
                    self.send(&answered).await?;
                }
            }
        }
        Ok(())
    }

    /// The first line; true if it fits.
    async fn greet(&mut self) -> io::Result<bool> {
        let patience = self.patience;
        let Ok(line) = timeout(patience, self.line()).await else {
            return Ok(false);
        };
        let Some(line) = line? else { return Ok(false) };
        let reply = match decode::<Request>(&line) {
            Ok(Request::Hello { protocol: PROTOCOL }) => {
                let version = env!("CARGO_PKG_VERSION").to_owned();
                self.send(&Reply::Hello {
                    protocol: PROTOCOL,
                    version,
                    pid: std::process::id(),
                })
                .await?;
                return Ok(true);
            }
            Ok(Request::Hello { protocol }) => refused(
                FailureCode::UnsupportedProtocol,
                format!(
                    "this port holder speaks version {PROTOCOL} of the control protocol, not {protocol}; use the matching version of the client, or restart the port holder"
                ),
            ),
            Ok(_) | Err(_) => {
                let text = format!(
                    "the first line must be {{\"request\":\"hello\",\"protocol\":{PROTOCOL}}}"
                );
                refused(FailureCode::HelloMissing, text)
            }
        };
        self.send(&reply).await?;
        Ok(false)
    }

    /// The next line, or the end of the connection.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        match read_line(&mut self.reader, LINE_LIMIT).await {
            Ok(line) => Ok(line),
            Err(LineError::Io(error)) => Err(error),
            Err(error @ LineError::TooLong(_)) => {
                self.send(&refused(FailureCode::BadRequest, error.to_string()))
                    .await?;
                Ok(None)
            }
        }
    }

    async fn watch(mut self) -> io::Result<()> {
        let (current, mut future) = self.holder.watch();
        self.send(&Reply::Watching).await?;
        for event in current {
            self.send(&event).await?;
        }
        let mut stopping = self.holder.stopping();
        loop {
            let event = tokio::select! {
                // The first two are cancel-safe; the third ends the connection.
                () = becomes_true(&mut stopping) => return Ok(()),
                event = future.recv() => event,
                // A watcher has nothing more to say; this notices that it is gone.
                _ = read_line(&mut self.reader, LINE_LIMIT) => return Ok(()),
            };
            let event = match event {
                Ok(event) => event,
                Err(broadcast::error::RecvError::Lagged(events)) => Event::Missed { events },
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            };
            self.send(&event).await?;
        }
    }

    /// A client that does not read is given up.
    async fn send<T: Serialize + Sync>(&mut self, document: &T) -> io::Result<()> {
        timeout(self.patience, write_line(&mut self.writer, document))
            .await
            .map_err(|_elapsed| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

/// Runs a change to its end although its client may go.
async fn start_with_result(change: impl Future<Output = Reply> + Send + 'static) -> Reply {
    let (done, result) = tokio::sync::oneshot::channel();
    start(TaskKind::Control, async move {
        let _ = done.send(change.await);
    });
    result.await.unwrap_or_else(|_| {
        refused(
            FailureCode::Internal,
            "the request was not carried out to its end; see the port holder's log".to_owned(),
        )
    })
}

fn refused(code: FailureCode, message: String) -> Reply {
    Reply::Error(Failure { code, message })
}

/// Answers any request but those that concern the connection.
async fn answer(holder: &Holder, request: Request) -> Reply {
    let (requests, batch) = match request {
        Request::Batch { requests } => (requests, true),
        request => (vec![request], false),
    };
    if requests.len() > BATCH_LIMIT {
        return refused(
            FailureCode::LimitReached,
            format!(
                "a batch has at most {BATCH_LIMIT} requests, this one has {}",
                requests.len()
            ),
        );
    }
    let (mut replies, mut changed) = (Vec::with_capacity(requests.len()), false);
    for request in requests {
        let changes = request.changes();
        let reply = answer_one(holder, request)
            .await
            .unwrap_or_else(Reply::Error);
        changed |= changes
            && !matches!(&reply, Reply::Error(failure) if failure.code != FailureCode::NotRecorded);
        replies.push((reply, changes));
    }
    let recorded = if changed {
        holder.record().await
    } else {
        Ok(())
    };
    let said = replies
        .into_iter()
        .map(|(reply, changes)| match (&recorded, &reply) {
            (Err(failure), reply) if changes && !matches!(reply, Reply::Error(_)) => {
                Reply::Error(failure.clone())
            }
            _ => reply,
        });
    let mut said: Vec<_> = said.collect();
    if batch {
        Reply::Batch { replies: said }
    } else {
        said.pop().unwrap_or(Reply::Done)
    }
}

async fn answer_one(holder: &Holder, request: Request) -> Result<Reply, Failure> {
    Ok(match request {
        Request::Bind(spec) => Reply::Bound {
            address: holder.bind(spec).await?,
        },
        Request::Unbind { key } => {
            holder.unbind(&key).await;
            Reply::Done
        }
        Request::Targets(request) => {
            holder.targets(request).await?;
            Reply::Done
        }
        Request::Drain { key, target } => Reply::Draining {
            open: holder.drain(&key, &target).await?,
        },
        Request::Counts { key } => Reply::Counts {
            listeners: holder.counts(key.as_ref())?,
        },
        Request::List => holder.list(),
        Request::EventAddress { key } => Reply::EventAddress {
            url: holder.event_address(&key)?,
        },
        Request::Blocks { count } => Reply::Blocks {
            blocks: holder.blocks(count).await?,
        },
        Request::Hello { .. } | Request::Watch | Request::Shutdown | Request::Batch { .. } => {
            return Err(Failure::new(
                FailureCode::BadRequest,
                "this request is not possible here",
            ));
        }
    })
}
