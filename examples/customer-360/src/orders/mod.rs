//! `orders`: the legacy system. It answers XML, and replays the purchases after the
//! calibration period as a feed of CloudEvents.

pub mod api;
pub mod book;
pub mod feed;
pub mod progress;

use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::program::Failure;
use crate::settings::{SettingError, Settings};
use crate::{cdnow, serve};

use self::api::Orders;
use self::book::Book;
use self::feed::{Feed, Sink};
use self::progress::Progress;

/// Reads the orders and the progress of the replay.
///
/// # Errors
/// If a setting is missing or makes no sense, or a file cannot be used.
pub fn open(settings: &Settings) -> Result<Orders, Failure> {
    let folder = settings.required(
        "DATA_DIR",
        "the folder that keeps the progress of the replay",
    )?;
    let seed = settings.required("SEED_FILE", "the file of the purchases to replay")?;
    let book = Arc::new(Book::new(cdnow::read(Path::new(seed))?));
    let rate: Option<f64> = settings.parsed("REPLAY_RATE", "a number of events per second")?;
    let path = Path::new(folder).join("replay.json");
    let mut progress = Progress::load(&path)?;
    if let Some(rate) = rate {
        progress.target = book.len();
        progress.rate = Some(feed::valid_rate(rate).ok_or_else(|| SettingError::Invalid {
            name: "REPLAY_RATE".to_owned(),
            value: rate.to_string(),
            expected: "a number of events per second between 0.01 and 10000",
        })?);
    }
    let sink = settings
        .get("K_SINK")
        .map(|url| -> Result<Sink, SettingError> {
            Ok(Sink::new(url, settings.secret("K_SINK_TOKEN")?))
        })
        .transpose()?;
    info!(
        orders = book.len(),
        acknowledged = progress.acknowledged,
        "opened"
    );
    Ok(Orders {
        feed: Arc::new(Feed::new(Arc::clone(&book), sink, path, progress)),
        book,
    })
}

/// Runs the service until `stop` is cancelled.
///
/// # Errors
/// If it cannot start.
pub async fn run(settings: Settings, stop: CancellationToken) -> Result<(), Failure> {
    let orders = open(&settings)?;
    let listener = serve::bind(&settings).await?;
    run_on(listener, orders, stop).await;
    Ok(())
}

/// Runs the service on this listener until `stop` is cancelled.
pub async fn run_on(listener: TcpListener, orders: Orders, stop: CancellationToken) {
    let feed = Arc::clone(&orders.feed);
    let tasks = TaskTracker::new();
    let token = stop.clone();
    tasks.spawn(async move { feed.run(&token).await });
    serve::serve(listener, api::router(orders), stop).await;
    tasks.close();
    tasks.wait().await;
}
