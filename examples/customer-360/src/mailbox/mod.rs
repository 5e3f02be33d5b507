//! `mailbox`: messages for end users, in a durable log.

pub mod api;
pub mod file;
pub mod frame;
pub mod message;
pub mod writer;

use std::path::Path;
use std::pin::pin;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::program::Failure;
use crate::serve;
use crate::settings::Settings;

use self::api::Mailbox;
use self::file::LogFile;
use self::writer::Log;

/// Opens the log and recovers it.
///
/// # Errors
/// If DATA_DIR is not set or the log cannot be used.
pub fn open(settings: &Settings, stop: CancellationToken) -> Result<Mailbox, Failure> {
    let folder = settings.required("DATA_DIR", "the folder that holds messages.log")?;
    let (file, recovered) = LogFile::open(&Path::new(folder).join("messages.log"))?;
    info!(
        messages = recovered.messages.len(),
        torn_bytes = recovered.torn_bytes,
        "recovered"
    );
    Ok(Mailbox {
        log: Log::start(file, recovered)?,
        stop,
    })
}

/// Runs the service until `stop` is cancelled, or the log can no longer be trusted.
///
/// # Errors
/// If it cannot start, or a sync failed: then what is in the file is known only
/// after a restart has read it.
pub async fn run(settings: Settings, stop: CancellationToken) -> Result<(), Failure> {
    let mailbox = open(&settings, stop.clone())?;
    let listener = serve::bind(&settings).await?;
    run_on(listener, mailbox, stop).await
}

/// Runs the service on this listener until `stop` is cancelled, and closes the log.
///
/// # Errors
/// If a sync failed.
pub async fn run_on(
    listener: TcpListener,
    mailbox: Mailbox,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let broken = mailbox.log.broken().clone();
    let closed = mailbox.log.closed().clone();
    let either = stop.child_token();
    let mut served = pin!(serve::serve(listener, api::router(mailbox), either.clone()));
    // While requests are served there are handles, so a writer that has ended failed.
    // `served` is polled in place; the other arms only look.
    let failed = tokio::select! {
        () = served.as_mut() => false,
        () = broken.cancelled() => true,
        () = closed.cancelled() => true,
    };
    if failed {
        either.cancel();
        served.await;
    }
    // The last handle went with the router, so the writer finishes and ends.
    closed.cancelled().await;
    match failed || broken.is_cancelled() {
        true => Err("the log could not be synced; start again to recover what is in it".into()),
        false => Ok(()),
    }
}
