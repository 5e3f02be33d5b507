//! Lines of instances and tasks, merged by time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use consort_driver::{Context, DriverError, LogLine, LogQuery, LogStream};
use consort_model::{Address, Timestamp};
use consort_shim::logs::{Reader, Record, Stream};
use tokio::sync::mpsc;

use crate::layout::Layout;
use crate::{error, instance, task};

/// Between two looks for new lines.
const LOOK: Duration = Duration::from_millis(50);
/// New instances are looked for every so many looks.
const LOOKS_PER_SCAN: u32 = 5;
/// Lines that are read ahead of a slow reader.
const AHEAD: usize = 256;

type Item = Result<LogLine, DriverError>;

/// The lines of a query. A thread reads them; it ends when nobody listens any more.
pub(crate) fn stream(context: &Context, query: LogQuery) -> Result<LogStream, DriverError> {
    let layout = Layout::of(context)?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut merge = Merge {
            layout,
            query,
            sources: BTreeMap::new(),
        };
        if let Err(failed) = merge.run(&sender) {
            let _ = sender.blocking_send(Err(failed));
        }
    });
    Ok(Box::pin(Lines(receiver)))
}

struct Lines(mpsc::Receiver<Item>);

impl futures_core::Stream for Lines {
    type Item = Item;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Option<Item>> {
        self.0.poll_recv(context)
    }
}

struct Merge {
    layout: Layout,
    query: LogQuery,
    sources: BTreeMap<PathBuf, Source>,
}

/// The records of one instance, and the next one.
struct Source {
    of: Address,
    reader: Reader,
    next: Option<Record>,
}

impl Merge {
    fn run(&mut self, to: &mpsc::Sender<Item>) -> Result<(), DriverError> {
        self.scan(self.query.tail)?;
        let mut looks = 0_u32;
        loop {
            while let Some((of, record)) = self.take_first()? {
                let Some(line) = self.line(of, record) else {
                    continue;
                };
                if to.blocking_send(Ok(line)).is_err() {
                    return Ok(());
                }
            }
            if !self.query.follow {
                return Ok(());
            }
            if to.is_closed() {
                return Ok(());
            }
            std::thread::sleep(LOOK);
            looks += 1;
            if looks.is_multiple_of(LOOKS_PER_SCAN) {
                // What begins while it is followed is shown from its beginning.
                self.scan(None)?;
            }
        }
    }

    /// Opens the logs that are new, and lets go of those that were removed and are read to the end.
    fn scan(&mut self, tail: Option<usize>) -> Result<(), DriverError> {
        let instances = instance::list(&self.layout, None)?;
        let instances = instances
            .into_iter()
            .map(|(folder, record)| (folder, record.address));
        let tasks = task::list(&self.layout)?;
        let tasks = tasks
            .into_iter()
            .map(|(folder, record)| (folder, record.address));
        for (folder, of) in instances.chain(tasks) {
            let wanted =
                self.query.of.is_empty() || self.query.of.iter().any(|chosen| chosen.covers(&of));
            if wanted && !self.sources.contains_key(&folder) {
                let reader = open(&folder, tail)?;
                self.sources.insert(
                    folder,
                    Source {
                        of,
                        reader,
                        next: None,
                    },
                );
            }
        }
        self.sources
            .retain(|folder, source| source.next.is_some() || folder.exists());
        Ok(())
    }

    /// The oldest record that is there.
    fn take_first(&mut self) -> Result<Option<(Address, Record)>, DriverError> {
        let mut first: Option<(&PathBuf, &str)> = None;
        for (folder, source) in &mut self.sources {
            if source.next.is_none() {
                let failed =
                    || error::file(format!("the log in {} cannot be read", folder.display()));
                source.next = source.reader.next_record().map_err(failed())?;
            }
        }
        for (folder, source) in &self.sources {
            if let Some(next) = &source.next
                && first.is_none_or(|(_, time)| next.time.as_str() < time)
            {
                first = Some((folder, &next.time));
            }
        }
        let Some(folder) = first.map(|(folder, _)| folder.clone()) else {
            return Ok(None);
        };
        let source = self.sources.get_mut(&folder);
        Ok(source.and_then(|source| Some((source.of.clone(), source.next.take()?))))
    }

    fn line(&self, of: Address, record: Record) -> Option<LogLine> {
        let at = Timestamp::parse(&record.time)?;
        let in_time = self.query.since.is_none_or(|since| at >= since)
            && self.query.until.is_none_or(|until| at <= until);
        let stream = match record.stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
            Stream::Shim => "shim",
        };
        in_time.then(|| LogLine {
            at,
            of,
            stream: stream.into(),
            text: String::from_utf8_lossy(&record.text).into_owned(),
        })
    }
}

fn open(folder: &Path, tail: Option<usize>) -> Result<Reader, DriverError> {
    match tail {
        None => Ok(Reader::open(folder)),
        Some(count) => Reader::tail(folder, count).map_err(error::file(format!(
            "the log in {} cannot be read",
            folder.display()
        ))),
    }
}
