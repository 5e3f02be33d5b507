//! Appends per second of the store, beside bare SQLite with the same batching, in turns in the same
//! run: `cargo run --release -p consort-store --example append_rate [FOLDER]`.
//!
//! Each writer appends one small record to a run of its own and waits for the answer before the
//! next. Bare SQLite is one thread that takes what waits in its queue, inserts rows of the same
//! shape, and commits with `synchronous=FULL`: no fencing, no sums, no savepoints.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use consort_journal::{Batch, Envelope, Epoch, NewRun, RunPart, Seq, Store, StoreError};
use consort_model::id::RunId;
use consort_model::revision::Principal;
use consort_model::run::RunKind;
use consort_model::{Digest, Timestamp, Value};
use consort_store::{Options, SqliteStore};
use rusqlite::Connection;
use tokio::sync::oneshot;

const WRITERS: [u64; 3] = [1, 32, 256];
const ROUNDS: usize = 3;
const TIME: Duration = Duration::from_millis(1500);
const BODY: &str = r#"{"step":"services.api","attempt":1,"digest":"0123456789abcdef"}"#;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("consort-append-rate-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    let measured = runtime.block_on(measure(&folder));
    std::fs::remove_dir_all(&folder)?;
    measured
}

async fn measure(folder: &Path) -> Result<(), Failure> {
    println!("writers    store/s     bare/s   ratio  (medians of {ROUNDS} rounds)");
    for writers in WRITERS {
        let (mut ours, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let name = |what: &str| folder.join(format!("{what}-{writers}-{round}"));
            let one = store(&name("store"), writers).await?;
            let other = sqlite(&name("bare"), writers).await?;
            ours.push(one);
            bare.push(other);
            ratios.push(one / other);
        }
        let (ours, bare, ratio) = (median(ours), median(bare), median(ratios));
        println!("{writers:>7} {ours:>10.0} {bare:>10.0} {ratio:>7.2}");
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Waits for writers that each count their appends.
async fn rate(
    tasks: Vec<tokio::task::JoinHandle<Result<u64, StoreError>>>,
    begun: Instant,
) -> Result<f64, Failure> {
    let mut appends = 0;
    for task in tasks {
        appends += task.await??;
    }
    Ok(appends as f64 / begun.elapsed().as_secs_f64())
}

async fn store(dir: &Path, writers: u64) -> Result<f64, Failure> {
    let store = SqliteStore::open(
        dir,
        Options {
            reserve: 0,
            ..Options::default()
        },
    )?;
    let begun = Instant::now();
    let tasks = (0..writers)
        .map(|n| tokio::spawn(append(Arc::clone(&store), n, begun)))
        .collect();
    rate(tasks, begun).await
}

async fn append(store: Arc<SqliteStore>, n: u64, begun: Instant) -> Result<u64, StoreError> {
    let at = Timestamp::from_millis(1);
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    let run = RunId::from_bytes(bytes);
    let body: Value = serde_json::from_str(BODY).unwrap_or_default();
    let mut seq = 0;
    while begun.elapsed() < TIME {
        let create = (seq == 0).then(|| NewRun {
            id: run,
            kind: RunKind::Workflow,
            deployment: "shop".into(),
            subject: None,
            definition: Digest::of(b"definition"),
            parent: None,
            key: None,
            created: at,
        });
        let record = Envelope {
            v: 1,
            kind: "StepPlanned".into(),
            at,
            body: body.clone(),
        };
        let mut batch = Batch::new(Principal("uid:1000".into()), at);
        batch.runs.push(RunPart {
            run,
            create,
            epoch: Epoch(1),
            expected: Seq(seq),
            records: vec![record],
            status: None,
            snapshot: None,
        });
        store.append(batch).await?;
        seq += 1;
    }
    Ok(seq)
}

type Insert = ((u64, u64), oneshot::Sender<()>);

async fn sqlite(dir: &Path, writers: u64) -> Result<f64, Failure> {
    std::fs::create_dir_all(dir)?;
    let conn = Connection::open(dir.join("bare.db"))?;
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
        CREATE TABLE record (run INTEGER, seq INTEGER, v INTEGER, kind TEXT, at INTEGER,
        epoch INTEGER, principal TEXT, body TEXT, sum INTEGER, PRIMARY KEY (run, seq)) WITHOUT ROWID",
    )?;
    let (sender, receiver) = channel();
    let thread = std::thread::spawn(move || bare_writer(&conn, &receiver));
    let begun = Instant::now();
    let tasks = (0..writers)
        .map(|n| tokio::spawn(insert(sender.clone(), n, begun)))
        .collect();
    drop(sender);
    let rate = rate(tasks, begun).await?;
    thread.join().map_err(|_| "the bare writer ended badly")??;
    Ok(rate)
}

async fn insert(sender: Sender<Insert>, n: u64, begun: Instant) -> Result<u64, StoreError> {
    let mut seq = 0;
    while begun.elapsed() < TIME {
        let (done, answer) = oneshot::channel();
        if sender.send(((n, seq), done)).is_err() || answer.await.is_err() {
            break;
        }
        seq += 1;
    }
    Ok(seq)
}

fn bare_writer(conn: &Connection, receiver: &Receiver<Insert>) -> rusqlite::Result<()> {
    while let Ok(first) = receiver.recv() {
        let mut group = vec![first];
        group.extend(receiver.try_iter().take(511));
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let sql = "INSERT INTO record VALUES (?1, ?2, 1, 'StepPlanned', 1, 1, 'uid:1000', ?3, 7)";
        let mut insert = conn.prepare_cached(sql)?;
        for ((run, seq), _) in &group {
            insert.execute((*run as i64, *seq as i64, BODY))?;
        }
        conn.prepare_cached("COMMIT")?.execute([])?;
        for (_, done) in group {
            let _ = done.send(());
        }
    }
    Ok(())
}
