//! The store: how it is opened, asked, and closed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use consort_journal::store::Watcher;
use consort_journal::{
    Accepted, Appended, Batch, Envelope, Epoch, Event, InboxEvent, OutboxRow, RunFilter, RunRow,
    Sensitive, Seq, Snapshot, Store, StoreError, Subscription, Timer,
};
use consort_model::id::RunId;
use consort_model::revision::{Deployment, Revision, RevisionNumber};
use consort_model::{Digest, SecretHandle, StateEntry, Timestamp, Value};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::encode::{self, MAX_RECORD, count, name};
use crate::error::{closed, failed, writing};
use crate::home::{self, Lock, Reserve};
use crate::migration::{MIGRATIONS, migrate};
use crate::prepared::PreparedBatch;
use crate::read::{deployments, messages, runs};
use crate::readers::Readers;
use crate::upkeep::{backup, retain, verify};
use crate::vault::{Vault, key_path};
use crate::writer::{Condition, Queue, Session, Setup, SharedCondition, Watchers, start};
use crate::{Options, apply, blobs, connection};

/// How often the file of a large blob is written again that was collected under our hands.
const BLOB_ATTEMPTS: usize = 5;

/// State and journal of one home, in one SQLite file. Only one process can have it open.
pub struct SqliteStore {
    upkeep: Arc<Upkeep>,
    readers: Readers,
    writer: Option<JoinHandle<()>>,
    watchers: Watchers,
    condition: Arc<SharedCondition>,
    epoch: Epoch,
    /// The last to go: the store is closed then.
    _lock: Lock,
}

/// What upkeep needs of a store. It runs on a thread of its own and may block.
pub(crate) struct Upkeep {
    dir: PathBuf,
    key_file: PathBuf,
    vault: Vault,
    queue: Queue,
    blob_grace: Duration,
    /// One at a time: a backup copies files that a garbage collection would remove.
    one: Mutex<()>,
}

impl Upkeep {
    pub(crate) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.queue.submit_blocking(work)
    }
    /// A connection of its own, for long reads.
    pub(crate) fn reader(&self) -> Result<Connection, StoreError> {
        connection::reader(&home::database(&self.dir))
    }
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
    pub(crate) fn key_file(&self) -> &Path {
        &self.key_file
    }
    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }
    pub(crate) fn blob_grace(&self) -> Duration {
        self.blob_grace
    }
    /// Blobs that were put before this moment (milliseconds since 1970) have no grace any more.
    pub(crate) fn blob_cutoff(&self) -> i64 {
        let grace = i64::try_from(self.blob_grace.as_millis()).unwrap_or(i64::MAX);
        // Without a grace, a blob of this very moment may go too.
        now().saturating_sub(grace).saturating_add(1)
    }
}

/// The wall clock, in milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |span| {
        i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
    })
}

impl SqliteStore {
    /// Opens the store of a folder, and makes both if they are not there: the folder with 0700, the
    /// files with 0600. Raises the epoch. Blocks while it does.
    ///
    /// # Errors
    /// When another process has it open, a newer version wrote it, the key is missing or wrong, or
    /// the folder cannot be used.
    pub fn open(dir: &Path, options: Options) -> Result<Arc<Self>, StoreError> {
        home::make_dir(dir)?;
        home::refuse_network(dir)?;
        let lock = Lock::take(dir)?;
        let path = home::database(dir);
        home::make_private(&path)?;
        let conn = connection::writer(&path)?;
        migrate(&conn, &path, MIGRATIONS, now())?;
        let key_file = key_path(dir, options.key_file.as_ref());
        let vault = Vault::open(&conn, &key_file)?;
        let epoch = raise_epoch(&conn)?;
        blobs::remove_temporary(dir)?;
        home::sync_dir(dir)?;
        let watchers = Watchers::new(RwLock::default());
        let condition = Arc::new(SharedCondition::default());
        let readers = Readers::start(&path, options.readers)?;
        let (queue, writer) = start(Setup {
            conn,
            reserve: Reserve::of(dir, options.reserve),
            watchers: Arc::clone(&watchers),
            condition: Arc::clone(&condition),
            on_fatal: options.on_fatal,
        })?;
        Ok(Arc::new(Self {
            upkeep: Arc::new(Upkeep {
                dir: dir.to_owned(),
                key_file,
                vault,
                queue,
                blob_grace: options.blob_grace,
                one: Mutex::default(),
            }),
            readers,
            writer: Some(writer),
            watchers,
            condition,
            epoch,
            _lock: lock,
        }))
    }

    /// How the store is: what readiness depends on.
    pub fn condition(&self) -> Condition {
        self.condition.get()
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.ask(read).await
    }

    /// Has something long done on a thread of its own, one such thing at a time.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Upkeep) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        let upkeep = Arc::clone(&self.upkeep);
        let job = move || {
            let _one = upkeep.one.lock().unwrap_or_else(PoisonError::into_inner);
            // Who asked may have gone; what was done stays.
            let _ = done.send(work(&upkeep));
        };
        thread::Builder::new()
            .name("store-upkeep".into())
            .spawn(job)
            .map_err(|error| failed("start upkeep", error))?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    async fn blob_keep(&self, digest: Digest, bytes: Vec<u8>) -> Result<(), StoreError> {
        let queue = &self.upkeep.queue;
        let size = bytes.len();
        if !blobs::is_large(&bytes) {
            let work =
                move |session: &mut Session<'_>| blobs::insert(session, &digest, &bytes, now());
            return queue.submit(size, false, work).await;
        }
        let bytes = Arc::new(bytes);
        for _ in 0..BLOB_ATTEMPTS {
            let there = move |session: &mut Session<'_>| blobs::touch(session, &digest, now());
            if queue.submit(0, false, there).await? {
                return Ok(());
            }
            let (dir, shared) = (self.upkeep.dir.clone(), Arc::clone(&bytes));
            self.read(move |_| blobs::write_file(&dir, &digest, &shared))
                .await?;
            let dir = self.upkeep.dir.clone();
            let name = move |session: &mut Session<'_>| {
                blobs::insert_file(session, &dir, &digest, size, now())
            };
            if queue.submit(0, false, name).await? {
                return Ok(());
            }
        }
        Err(failed(
            "keep a blob",
            "its file is gone each time that it was written",
        ))
    }
}

fn raise_epoch(conn: &Connection) -> Result<Epoch, StoreError> {
    let sql = "INSERT INTO meta (name, value) VALUES ('epoch', 1)
        ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value";
    let epoch: i64 = conn
        .query_row(sql, [], |row| row.get(0))
        .map_err(writing("raise the epoch"))?;
    Ok(Epoch(count(epoch)))
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // First the readers: a checkpoint cannot reset a WAL that somebody reads.
        self.readers.stop();
        self.upkeep.queue.stop();
        if let Some(writer) = self.writer.take()
            && writer.thread().id() != thread::current().id()
            && writer.join().is_err()
        {
            tracing::error!("the writer of the store ended badly");
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn watch(&self, watcher: Watcher) {
        let mut watchers = self
            .watchers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        watchers.push(watcher);
    }

    async fn append(&self, mut batch: Batch) -> Result<Appended, StoreError> {
        for blob in &batch.blobs {
            blobs::check_size(&blob.bytes)?;
        }
        let is_large = |blob: &mut consort_journal::Blob| blobs::is_large(&blob.bytes);
        let large: Vec<_> = batch.blobs.extract_if(.., is_large).collect();
        let batch = PreparedBatch::new(batch, &self.upkeep.vault)?;
        // Their files are there before the records that name them.
        for blob in large {
            if Digest::of(&blob.bytes) != blob.digest {
                return Err(StoreError::Encoding {
                    problem: format!("blob {} has other bytes than its digest says", blob.digest),
                });
            }
            self.blob_keep(blob.digest, blob.bytes).await?;
        }
        let (size, begins) = (batch.size(), batch.begins());
        let work = move |session: &mut Session<'_>| apply::batch(session, &batch, now());
        self.upkeep.queue.submit(size, begins, work).await
    }

    async fn inbox_put(&self, event: Event, at: Timestamp) -> Result<Accepted, StoreError> {
        let event = apply::PreparedEvent {
            body: encode::text("an event", &event.body, MAX_RECORD)?,
            deployment: name("the name of a deployment", &event.deployment)?.to_owned(),
            source: name("the source of an event", &event.source)?.to_owned(),
            id: name("the id of an event", &event.id)?.to_owned(),
            event_type: name("the type of an event", &event.event_type)?.to_owned(),
            at: at.millis(),
        };
        let work = move |session: &mut Session<'_>| apply::inbox_put(session, &event);
        // An event begins something: on a full disk its sender keeps it and comes again.
        self.upkeep.queue.submit(MAX_RECORD / 64, true, work).await
    }

    async fn blob_put(&self, bytes: Vec<u8>) -> Result<Digest, StoreError> {
        blobs::check_size(&bytes)?;
        let digest = Digest::of(&bytes);
        self.blob_keep(digest, bytes).await?;
        Ok(digest)
    }

    async fn run_get(&self, run: RunId) -> Result<Option<RunRow>, StoreError> {
        self.read(move |conn| runs::get(conn, &run)).await
    }
    async fn run_by_key(&self, key: &str) -> Result<Option<RunRow>, StoreError> {
        let key = key.to_owned();
        self.read(move |conn| runs::by_key(conn, &key)).await
    }
    async fn run_list(&self, filter: RunFilter) -> Result<Vec<RunRow>, StoreError> {
        self.read(move |conn| runs::list(conn, &filter)).await
    }
    async fn run_open(&self) -> Result<Vec<RunRow>, StoreError> {
        self.read(runs::open).await
    }
    async fn run_records(
        &self,
        run: RunId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<(Seq, Envelope)>, StoreError> {
        self.read(move |conn| runs::records(conn, &run, after, limit))
            .await
    }
    async fn run_snapshot(&self, run: RunId) -> Result<Option<Snapshot>, StoreError> {
        self.read(move |conn| runs::snapshot(conn, &run)).await
    }

    async fn timer_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Timer>, StoreError> {
        self.read(move |conn| messages::timer_due(conn, now, limit))
            .await
    }
    async fn timer_next(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(messages::timer_next).await
    }

    async fn deployment_list(&self) -> Result<Vec<Deployment>, StoreError> {
        self.read(deployments::list).await
    }
    async fn deployment_get(&self, name: &str) -> Result<Option<Deployment>, StoreError> {
        let name = name.to_owned();
        self.read(move |conn| deployments::get(conn, &name)).await
    }
    async fn state_list(&self, deployment: &str) -> Result<Vec<StateEntry>, StoreError> {
        let name = deployment.to_owned();
        self.read(move |conn| deployments::state(conn, &name)).await
    }
    async fn revision_list(&self, deployment: &str) -> Result<Vec<Revision>, StoreError> {
        let name = deployment.to_owned();
        self.read(move |conn| deployments::revisions(conn, &name))
            .await
    }
    async fn revision_get(
        &self,
        deployment: &str,
        number: RevisionNumber,
    ) -> Result<Option<Revision>, StoreError> {
        let name = deployment.to_owned();
        self.read(move |conn| deployments::revision_get(conn, &name, number))
            .await
    }

    async fn blob_get(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let dir = self.upkeep.dir.clone();
        self.read(move |conn| blobs::get(conn, &dir, &digest)).await
    }
    async fn secret_get(
        &self,
        deployment: &str,
        handle: &SecretHandle,
    ) -> Result<Option<Sensitive>, StoreError> {
        let (name, handle) = (deployment.to_owned(), handle.clone());
        let upkeep = Arc::clone(&self.upkeep);
        self.read(move |conn| deployments::secret(conn, &upkeep.vault, &name, &handle))
            .await
    }
    async fn secret_version(&self, deployment: &str, name: &str) -> Result<u32, StoreError> {
        let (deployment, name) = (deployment.to_owned(), name.to_owned());
        self.read(move |conn| deployments::secret_version(conn, &deployment, &name))
            .await
    }

    async fn inbox_read(&self, after: u64, limit: u32) -> Result<Vec<InboxEvent>, StoreError> {
        self.read(move |conn| messages::inbox(conn, after, limit))
            .await
    }
    async fn inbox_mark(&self, consumer: &str) -> Result<u64, StoreError> {
        let consumer = consumer.to_owned();
        self.read(move |conn| messages::mark(conn, &consumer)).await
    }
    async fn subscription_list(&self) -> Result<Vec<Subscription>, StoreError> {
        self.read(messages::subscriptions).await
    }
    async fn outbox_list(&self, limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
        self.read(move |conn| messages::outbox(conn, limit)).await
    }

    async fn runtime_get(&self, scope: &str, key: &str) -> Result<Option<Value>, StoreError> {
        let (scope, key) = (scope.to_owned(), key.to_owned());
        self.read(move |conn| messages::runtime_get(conn, &scope, &key))
            .await
    }
    async fn runtime_list(&self, scope: &str) -> Result<Vec<(String, Value)>, StoreError> {
        let scope = scope.to_owned();
        self.read(move |conn| messages::runtime_list(conn, &scope))
            .await
    }

    async fn retain(&self, ended_before: Timestamp) -> Result<u64, StoreError> {
        let before = ended_before.millis();
        self.aside(move |upkeep| retain::retain(upkeep, before))
            .await
    }
    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let to = to.to_owned();
        self.aside(move |upkeep| backup::backup(upkeep, &to)).await
    }
    async fn verify(&self) -> Result<Vec<String>, StoreError> {
        self.aside(verify::verify).await
    }
}
