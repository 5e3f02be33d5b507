//! The command.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use clap::Parser;
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::mailbox::message::Stored;
use crate::program::Failure;

use super::subscription::Subscription;
use super::tally::{Arrival, Summary, Tally};

/// Subscribes to the hub as an end user, and checks that each message arrives once and
/// in order. Prints a summary as JSON; fails if a promise was broken.
#[derive(Debug, Clone, Parser)]
#[command(name = "watcher")]
pub struct Options {
    /// The hub's event stream, like http://127.0.0.1:8080/events
    #[arg(long)]
    pub url: String,
    /// Only messages of this customer
    #[arg(long)]
    pub customer: Option<u32>,
    /// Begin after this offset of the mailbox; by default with what comes from now on
    #[arg(long)]
    pub after: Option<u64>,
    /// Stop when so many different messages have arrived
    #[arg(long, required_unless_present = "until_idle")]
    pub expect: Option<u64>,
    /// Stop when nothing has arrived for so many seconds
    #[arg(long, value_parser = seconds)]
    pub until_idle: Option<Duration>,
    /// Stop after so many seconds in any case
    #[arg(long, default_value = "60", value_parser = seconds)]
    pub timeout: Duration,
    /// Make this file once subscribed, so that others know when to begin
    #[arg(long)]
    pub ready_file: Option<PathBuf>,
    /// Write each arrival to this file, as a line of JSON
    #[arg(long)]
    pub record: Option<PathBuf>,
}

/// Reads a number of seconds between 0 and a day.
///
/// # Errors
/// If it is none.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "not a number of seconds".to_owned())?;
    if !(0.0..=86_400.0).contains(&seconds) {
        return Err("not between 0 and 86400 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Watches until a condition of the options is met, or `stop` is cancelled.
///
/// # Errors
/// If a file cannot be written.
pub async fn watch(options: &Options, stop: &CancellationToken) -> Result<Summary, Failure> {
    let mut record = options
        .record
        .as_ref()
        .map(File::create)
        .transpose()?
        .map(BufWriter::new);
    let mut subscription = Subscription::new(url(options));
    let mut tally = Tally::default();
    let mut end = pin!(sleep_until(Instant::now() + options.timeout));
    // Cancel-safe: connecting begins again.
    let connected = tokio::select! {
        () = subscription.connect() => true,
        () = end.as_mut() => false,
        () = stop.cancelled() => false,
    };
    if let (true, Some(path)) = (connected, &options.ready_file) {
        std::fs::write(path, "subscribed\n")?;
    }
    let mut quiet_since = Instant::now();
    let complete = loop {
        if options
            .expect
            .is_some_and(|expected| tally.count() >= expected)
        {
            break true;
        }
        let idle = options.until_idle.map_or(options.timeout, |idle| idle);
        // All arms are cancel-safe: `next` keeps what has arrived.
        let event = tokio::select! {
            biased;
            event = subscription.next() => event,
            () = end.as_mut() => break false,
            () = sleep_until(quiet_since + idle), if options.until_idle.is_some() => break options.expect.is_none(),
            () = stop.cancelled() => break false,
        };
        quiet_since = Instant::now();
        match serde_json::from_str::<Stored>(&event.data) {
            Ok(stored) => write(&mut record, &tally.observe(&stored, Timestamp::now()))?,
            Err(error) => warn!(%error, id = event.id, "not a message"),
        }
    };
    if let Some(record) = &mut record {
        record.flush()?;
    }
    Ok(tally.summary(subscription.connects.saturating_sub(1), complete))
}

fn url(options: &Options) -> String {
    let customer = options
        .customer
        .map(|customer| format!("customer={customer}"));
    let after = options.after.map(|after| format!("after={after}"));
    let query: Vec<String> = customer.into_iter().chain(after).collect();
    let separator = if options.url.contains('?') { '&' } else { '?' };
    match query.is_empty() {
        true => options.url.clone(),
        false => format!("{}{separator}{}", options.url, query.join("&")),
    }
}

fn write(record: &mut Option<BufWriter<File>>, arrival: &Arrival) -> io::Result<()> {
    if let Some(record) = record {
        serde_json::to_writer(&mut *record, arrival)?;
        record.write_all(b"\n")?;
    }
    Ok(())
}
