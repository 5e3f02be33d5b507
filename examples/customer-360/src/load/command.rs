//! The command.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::program::Failure;
use crate::watcher::command::seconds;

use super::count::{Answered, Count, Failed, Summary};
use super::request::Target;

/// Requests under way on new connections, at most; more are sent later.
const UNDER_WAY: usize = 512;
/// How often the stop file is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// Sends steady requests, each on a new connection, and says how many failed in which
/// way. Prints a summary as JSON; fails if a request failed.
#[derive(Debug, Clone, Parser)]
#[command(name = "load")]
pub struct Options {
    /// What to ask for, like http://127.0.0.1:8080/version
    #[arg(long)]
    pub url: String,
    /// Requests per second on new connections; 0 for none
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub rate: u32,
    /// Connections that are kept, in addition, each with one request after the other
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub keep_alive: u32,
    /// Pause between the requests of a kept connection, in milliseconds
    #[arg(long, default_value_t = 10)]
    pub pause_ms: u64,
    /// Stop after so many seconds
    #[arg(long, default_value = "10", value_parser = seconds)]
    pub duration: Duration,
    /// Stop when this file is there
    #[arg(long)]
    pub stop_file: Option<PathBuf>,
    /// How many seconds a request may take
    #[arg(long, default_value = "10", value_parser = seconds)]
    pub timeout: Duration,
}

type Shared = Arc<Mutex<Count>>;

fn add(count: &Shared, result: Result<Answered, Failed>) {
    count
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .add(result);
}

/// Sends requests until a condition of the options is met, or `stop` is cancelled;
/// those under way are finished.
///
/// # Errors
/// If the URL is none.
pub async fn load(options: &Options, stop: &CancellationToken) -> Result<Summary, Failure> {
    let target = Arc::new(Target::new(&options.url, options.timeout)?);
    let count = Shared::default();
    let tasks = TaskTracker::new();
    let end = CancellationToken::new();
    let begin = Instant::now();
    if options.rate > 0 {
        let every = Duration::from_secs(1) / options.rate;
        tasks.spawn(new_connections(
            Arc::clone(&target),
            every,
            Arc::clone(&count),
            tasks.clone(),
            end.clone(),
        ));
    }
    for _ in 0..options.keep_alive {
        let pause = Duration::from_millis(options.pause_ms);
        tasks.spawn(kept_connection(
            Arc::clone(&target),
            pause,
            Arc::clone(&count),
            end.clone(),
        ));
    }
    wait_for_end(options, stop).await;
    end.cancel();
    tasks.close();
    tasks.wait().await;
    let count = std::mem::take(&mut *count.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(count.summary(begin.elapsed()))
}

async fn wait_for_end(options: &Options, stop: &CancellationToken) {
    let mut time = pin!(sleep(options.duration));
    loop {
        if options.stop_file.as_ref().is_some_and(|path| path.exists()) {
            return;
        }
        // All arms only look.
        tokio::select! {
            () = time.as_mut() => return,
            () = stop.cancelled() => return,
            () = sleep(LOOK) => {}
        }
    }
}

async fn new_connections(
    target: Arc<Target>,
    every: Duration,
    count: Shared,
    tasks: TaskTracker,
    end: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(UNDER_WAY));
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let next = async {
            ticks.tick().await;
            Arc::clone(&places).acquire_owned().await
        };
        // A tick that is dropped at the end is not missed.
        let place = tokio::select! {
            place = next => place,
            () = end.cancelled() => return,
        };
        let (target, count) = (Arc::clone(&target), Arc::clone(&count));
        tasks.spawn(async move {
            let _place = place;
            add(&count, target.ask_once().await);
        });
    }
}

async fn kept_connection(
    target: Arc<Target>,
    pause: Duration,
    count: Shared,
    end: CancellationToken,
) {
    let mut connection = None;
    while !end.is_cancelled() {
        add(&count, target.ask_on(&mut connection).await);
        // Both arms only wait.
        tokio::select! {
            () = sleep(pause) => {}
            () = end.cancelled() => {}
        }
    }
}
