//! Killed in the middle: whatever was answered is there, and every batch is there or absent.
//!
//! The test runs itself again as a child, which appends and says on its standard output what was
//! answered, and kills it.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use consort_journal::{Blob, Store, StoreError, TimerChange};
use consort_model::id::TimerId;
use consort_store::SqliteStore;
use serde_json::json;

use crate::support::*;

const HOME: &str = "CONSORT_STORE_TEST_HOME";
const WRITERS: u64 = 4;

/// The child: not a test of its own. Does nothing unless it is told where.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_appends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(HOME).map(PathBuf::from) else {
        return;
    };
    let store = match SqliteStore::open(&dir, options()) {
        Ok(store) => store,
        Err(StoreError::Locked { holder, .. }) => {
            say(&format!("locked {holder}"));
            return;
        }
        Err(error) => panic!("{error}"),
    };
    say("open 0");
    let writers: Vec<_> = (1..=WRITERS)
        .map(|n| tokio::spawn(append(Arc::clone(&store), n)))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n@{line}")
        .and_then(|()| out.flush())
        .unwrap();
}

/// Batches of three records, a timer and a blob each; and retention now and then.
async fn append(store: Arc<SqliteStore>, n: u64) {
    let mut expected = last(&store, n).await;
    loop {
        let blob = Blob::new(format!("{n} {expected}").into_bytes());
        let bodies = vec![
            json!(blob.digest.to_string()),
            json!(expected),
            json!("x".repeat(200)),
        ];
        let mut batch = of([part(n, expected, bodies)]);
        batch.blobs.push(blob);
        batch.timers.push(TimerChange::Set {
            run: run_id(n),
            timer: TimerId::from_bytes([1; 16]),
            due: at(i64::try_from(expected).unwrap() + 3),
        });
        expected = write(&store, batch).await.0;
        say(&format!("{n} {expected}"));
        if n == 1 && expected % 60 == 0 {
            store.retain(at(0)).await.unwrap();
        }
    }
}

struct Kill(Child);

impl Drop for Kill {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn child(dir: &std::path::Path) -> Kill {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "crash::child_appends_until_it_is_killed",
            "--nocapture",
        ])
        .env(HOME, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    Kill(child.unwrap())
}

/// What a child says, line by line.
fn lines(child: &mut Kill) -> impl Iterator<Item = (String, u64)> + use<> {
    let out = BufReader::new(child.0.stdout.take().unwrap());
    out.lines().map_while(Result::ok).filter_map(|line| {
        let (word, number) = line.strip_prefix('@')?.split_once(' ')?;
        Some((word.to_owned(), number.parse().ok()?))
    })
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let mut answered = [0_u64; WRITERS as usize + 1];
    // Kills come after so many answers: at the start, and at places that differ.
    for answers in [1, 2, 7, 40, 93, 150, 211] {
        let mut child = child(dir.path());
        let mut said = lines(&mut child);
        let mut note = |(word, seq): (String, u64)| {
            if let Ok(n) = word.parse::<usize>() {
                answered[n] = answered[n].max(seq);
            }
        };
        said.by_ref().take(answers).for_each(&mut note);
        child.0.kill().unwrap();
        said.for_each(note);
        drop(child);
        let store = open(dir.path());
        assert_eq!(store.verify().await, Ok(Vec::new()), "after {answers}");
        for n in 1..=WRITERS {
            let there = last(&store, n).await;
            assert_eq!(there % 3, 0, "a batch is there whole or not at all");
            assert!(
                there >= answered[n as usize],
                "an answered batch of run {n} is lost"
            );
            let timers = store.timer_due(at(i64::MAX), 99).await.unwrap();
            let timer = timers.iter().find(|timer| timer.run == run_id(n));
            let due = timer.map_or(0, |timer| timer.due.millis());
            assert_eq!(
                due,
                i64::try_from(there).unwrap(),
                "the timer of the same batch"
            );
        }
    }
    assert!(
        answered.iter().sum::<u64>() > 0,
        "the children wrote something"
    );
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_who_holds_it() {
    let (dir, store) = fresh();
    let mut child = child(&home(&dir));
    let (word, holder) = lines(&mut child).next().unwrap();
    assert_eq!(
        (word.as_str(), holder),
        ("locked", u64::from(std::process::id()))
    );
    write(&store, of([part(1, 0, vec![1.into()])])).await;
}
