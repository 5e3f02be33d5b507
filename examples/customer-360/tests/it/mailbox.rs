use std::path::Path;

use axum::http::Method;
use customer_360::client::Reply;
use customer_360::mailbox::file::{LogError, LogFile, Recovered};
use customer_360::mailbox::frame;
use customer_360::mailbox::message::Message;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Running, client, start_mailbox};

fn message(number: usize) -> Message {
    let value = json!({"id": format!("m-{number}"), "customer_id": 1, "text": "x".repeat(number % 40), "more": number});
    serde_json::from_value(value).unwrap()
}

/// Frames of these sizes, and the file that they make.
fn frames(sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut first = 0;
    let frame = |size: &usize| {
        let messages: Vec<_> = (first..first + size).map(message).collect();
        let bytes = frame::encode(first as u64 + 1, &messages).unwrap();
        first += size;
        bytes
    };
    sizes.iter().map(frame).collect()
}

fn open(path: &Path) -> Result<Recovered, LogError> {
    LogFile::open(path).map(|(_, recovered)| recovered)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn recovers_all_whole_commits_wherever_the_last_one_tore(
        sizes in prop::collection::vec(1_usize..5, 1..6), cut in any::<prop::sample::Index>(), zeros in 0_usize..100
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.log");
        let frames = frames(&sizes);
        let last = frames.last().unwrap();
        let kept = cut.index(last.len());
        let mut bytes: Vec<u8> = frames[..frames.len() - 1].concat();
        let whole = bytes.len() as u64;
        bytes.extend_from_slice(&last[..kept]);
        bytes.extend(std::iter::repeat_n(0, zeros));
        std::fs::write(&path, &bytes).unwrap();
        let recovered = open(&path).unwrap();
        let expected: usize = sizes[..sizes.len() - 1].iter().sum();
        prop_assert_eq!(recovered.messages, (0..expected).map(message).collect::<Vec<_>>());
        prop_assert_eq!(recovered.torn_bytes, bytes.len() as u64 - whole);
        prop_assert_eq!(std::fs::metadata(&path).unwrap().len(), whole);
        prop_assert_eq!(open(&path).unwrap().torn_bytes, 0);
    }

    #[test]
    fn refuses_a_log_that_is_damaged_before_its_last_commit(
        sizes in prop::collection::vec(1_usize..5, 2..6), at in any::<prop::sample::Index>(), flip in 1_u8..=255
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.log");
        let frames = frames(&sizes);
        let mut bytes = frames.concat();
        let place = at.index(bytes.len() - frames.last().unwrap().len());
        bytes[place] ^= flip;
        std::fs::write(&path, &bytes).unwrap();
        let is_damaged = matches!(open(&path), Err(LogError::Damaged { .. }));
        prop_assert!(is_damaged);
        prop_assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn reads_no_frame_from_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(frame::decode(&bytes).is_err());
    }
}

#[test]
fn refuses_a_log_that_another_mailbox_uses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.log");
    let _held = LogFile::open(&path).unwrap();
    assert!(matches!(open(&path), Err(LogError::InUse { .. })));
}

async fn post(mailbox: &Running, body: &Value) -> Reply {
    let url = format!("{}/messages", mailbox.url);
    client()
        .send_json(Method::POST, &url, None, body)
        .await
        .unwrap()
}

async fn get(mailbox: &Running, path: &str) -> Value {
    let reply = client()
        .get(&format!("{}{path}", mailbox.url), None)
        .await
        .unwrap();
    reply.success().unwrap().json().unwrap()
}

#[tokio::test]
async fn keeps_each_message_once_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mailbox = start_mailbox(folder.path(), 0).await;
    let body = json!({"id": "a", "customer_id": "7", "at": "2026-01-31T12:00:00.5Z", "text": "hello", "segment": "new"});
    let first = post(&mailbox, &body).await;
    assert_eq!(
        (
            first.status.as_u16(),
            first.json::<Value>().unwrap()["offset"].clone()
        ),
        (201, json!(1))
    );
    assert_eq!(post(&mailbox, &body).await.status, 200);
    assert_eq!(
        post(&mailbox, &json!({"id": "b", "customer_id": 8, "text": "t"}))
            .await
            .status,
        201
    );
    mailbox.end().await;

    let mailbox = start_mailbox(folder.path(), 0).await;
    let again = post(&mailbox, &body).await;
    assert_eq!(
        again.json::<Value>().unwrap(),
        json!({"id": "a", "offset": 1, "duplicate": true})
    );
    assert_eq!(
        post(
            &mailbox,
            &json!({"id": "a", "customer_id": 7, "text": "other"})
        )
        .await
        .status,
        409
    );
    let page = get(&mailbox, "/messages?after=0").await;
    assert_eq!(
        page["messages"][0],
        json!({"offset": 1, "id": "a", "customer_id": 7, "at": "2026-01-31T12:00:00.5Z", "text": "hello", "segment": "new"})
    );
    assert_eq!((&page["next"], &page["head"]), (&json!(2), &json!(2)));
    let of_one = get(&mailbox, "/messages?customer=8&limit=1").await;
    assert_eq!(of_one["messages"][0]["id"], "b");
    assert_eq!(get(&mailbox, "/stats").await["messages"], 2);
    mailbox.end().await;
}

#[tokio::test]
async fn refuses_messages_that_make_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let mailbox = start_mailbox(folder.path(), 0).await;
    let good = json!({"id": "a", "customer_id": 7, "text": "hello"});
    for (key, value) in [
        ("id", json!("")),
        ("id", json!("a\nb")),
        ("customer_id", json!(-1)),
        ("at", json!("yesterday")),
        ("offset", json!(1)),
        ("text", json!("x".repeat(9000))),
    ] {
        let mut body = good.clone();
        body[key] = value;
        assert_eq!(post(&mailbox, &body).await.status, 422, "{body}");
    }
    let mut huge = good;
    huge["more"] = json!("x".repeat(20_000));
    assert_eq!(post(&mailbox, &huge).await.status, 413);
    let url = format!("{}/messages?wait=1000", mailbox.url);
    assert_eq!(client().get(&url, None).await.unwrap().status, 400);
    mailbox.end().await;
}

#[tokio::test]
async fn wakes_a_long_poll_and_ends_it_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let mailbox = start_mailbox(folder.path(), 0).await;
    let body = json!({"id": "a", "customer_id": 7, "text": "hello"});
    let (page, _) = tokio::join!(
        get(&mailbox, "/messages?after=0&wait=20"),
        post(&mailbox, &body)
    );
    assert_eq!(page["messages"][0]["id"], "a");
    let stop = mailbox.stop.clone();
    let (page, ()) = tokio::join!(get(&mailbox, "/messages?after=1&wait=20"), async {
        stop.cancel()
    });
    assert_eq!(page["messages"], json!([]));
    mailbox.end().await;
}

#[tokio::test]
async fn stores_what_is_posted_at_the_same_time_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let mailbox = start_mailbox(folder.path(), 0).await;
    let posts = (0..200).map(|number| {
        let body = json!({"id": format!("m-{}", number % 100), "customer_id": 1, "text": "x"});
        let mailbox = &mailbox;
        async move { post(mailbox, &body).await.status.as_u16() }
    });
    let statuses = futures_util::future::join_all(posts).await;
    assert_eq!(
        statuses.iter().filter(|status| **status == 201).count(),
        100
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        100
    );
    let stats = get(&mailbox, "/stats").await;
    assert_eq!(
        (&stats["messages"], &stats["duplicates"]),
        (&json!(100), &json!(100))
    );
    assert!(stats["commits"].as_u64().unwrap() <= 100);
    mailbox.end().await;
}
