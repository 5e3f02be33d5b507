//! `hub`: pushes messages to browsers. It keeps nothing: any replica can serve any
//! browser, from the offset that the browser has reached.

pub mod api;
pub mod edition;
pub mod follow;
pub mod stream;
pub mod window;

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::program::Failure;
use crate::serve;
use crate::settings::Settings;

use self::api::Hub;
use self::edition::Edition;
use self::follow::Source;
use self::window::Window;

/// Runs the service until `stop` is cancelled.
///
/// # Errors
/// If it cannot start.
pub async fn run(
    edition: &'static Edition,
    settings: Settings,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let source = Source::new(settings.base_url("MAILBOX_URL", "http://mailbox"));
    let instance = settings.get("HOST").unwrap_or("127.0.0.1").to_owned();
    let listener = serve::bind(&settings).await?;
    let hub = Hub {
        edition,
        instance,
        window: Arc::new(Window::new()),
        source,
        stop,
        places: api::places(),
    };
    run_on(listener, hub).await;
    Ok(())
}

/// Runs the service on this listener until its `stop` is cancelled.
pub async fn run_on(listener: TcpListener, hub: Hub) {
    let stop = hub.stop.clone();
    let (source, window, token) = (hub.source.clone(), Arc::clone(&hub.window), stop.clone());
    let tasks = TaskTracker::new();
    tasks.spawn(async move { follow::follow(&source, &window, &token).await });
    serve::serve(listener, api::router(hub), stop).await;
    tasks.close();
    tasks.wait().await;
}
