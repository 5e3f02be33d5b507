use axum::http::Method;
use customer_360::hub::edition::{FIRST, SECOND};
use customer_360::hub::window::{Line, Since, Window};
use customer_360::watcher::subscription::Subscription;
use serde_json::{Value, json};

use crate::support::{Running, client, start_hub, start_mailbox};

async fn post(mailbox: &Running, numbers: std::ops::RangeInclusive<u32>) {
    for number in numbers {
        let body = json!({"id": format!("m-{number}"), "customer_id": number % 2, "text": "t"});
        let url = format!("{}/messages", mailbox.url);
        client()
            .send_json(Method::POST, &url, None, &body)
            .await
            .unwrap()
            .success()
            .unwrap();
    }
}

async fn next_ids(subscription: &mut Subscription, count: usize) -> Vec<u64> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let event = subscription.next().await;
        let data: Value = serde_json::from_str(&event.data).unwrap();
        assert_eq!(event.id, data["offset"].to_string());
        ids.push(data["offset"].as_u64().unwrap());
    }
    ids
}

#[tokio::test]
async fn is_ready_once_the_mailbox_was_reached() {
    let folder = tempfile::tempdir().unwrap();
    // A port that was free a moment ago and where nobody listens yet.
    let placeholder = start_mailbox(folder.path(), 0).await;
    let port = placeholder.port;
    placeholder.end().await;
    let hub = start_hub(&format!("http://127.0.0.1:{port}"), &FIRST, 0).await;
    let health = async || {
        client()
            .get(&format!("{}/healthz", hub.url), None)
            .await
            .unwrap()
            .status
    };
    assert_eq!(health().await, 503);
    let mailbox = start_mailbox(folder.path(), port).await;
    while health().await != 200 {
        tokio::task::yield_now().await;
    }
    mailbox.end().await;
    assert_eq!(health().await, 200, "streams go on without the mailbox");
    hub.end().await;
}

#[tokio::test]
async fn tells_its_versions_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mailbox = start_mailbox(folder.path(), 0).await;
    let mut pages = Vec::new();
    for edition in [&FIRST, &SECOND] {
        let hub = start_hub(&mailbox.url, edition, 0).await;
        let get = async |path: &str| {
            client()
                .get(&format!("{}{path}", hub.url), None)
                .await
                .unwrap()
        };
        let version: Value = get("/version").await.json().unwrap();
        assert_eq!(
            version,
            json!({"program": "hub", "version": edition.version, "instance": "test"})
        );
        assert_eq!(get("/payload/1000000").await.body.len(), 1_000_000);
        assert_eq!(get("/payload/99999999").await.status, 400);
        pages.push(String::from_utf8(get("/").await.body.to_vec()).unwrap());
        hub.end().await;
    }
    assert!(pages.iter().all(|page| !page.contains("{{")));
    assert_ne!(pages[0], pages[1]);
    mailbox.end().await;
}

#[tokio::test]
async fn resumes_a_stream_at_another_replica_without_gap_or_repetition() {
    let folder = tempfile::tempdir().unwrap();
    let mailbox = start_mailbox(folder.path(), 0).await;
    post(&mailbox, 1..=5).await;
    let hub = start_hub(&mailbox.url, &FIRST, 0).await;
    let port = hub.port;
    let mut subscription = Subscription::new(format!("{}/events?after=1", hub.url));
    assert_eq!(
        next_ids(&mut subscription, 4).await,
        [2, 3, 4, 5],
        "older ones come from the mailbox"
    );
    post(&mailbox, 6..=7).await;
    assert_eq!(
        next_ids(&mut subscription, 2).await,
        [6, 7],
        "newer ones come as they are posted"
    );
    hub.end().await;
    post(&mailbox, 8..=9).await;
    let hub = start_hub(&mailbox.url, &SECOND, port).await;
    post(&mailbox, 10..=10).await;
    assert_eq!(
        next_ids(&mut subscription, 3).await,
        [8, 9, 10],
        "the last id wins over the page's start"
    );
    assert_eq!(subscription.connects, 2);
    hub.end().await;
    mailbox.end().await;
}

#[tokio::test]
async fn pushes_only_the_messages_of_the_customer_who_asks() {
    let folder = tempfile::tempdir().unwrap();
    let mailbox = start_mailbox(folder.path(), 0).await;
    post(&mailbox, 1..=6).await;
    let hub = start_hub(&mailbox.url, &FIRST, 0).await;
    let mut of_one = Subscription::new(format!("{}/events?customer=1&last=4", hub.url));
    assert_eq!(next_ids(&mut of_one, 2).await, [3, 5]);
    let bad = client()
        .send(
            Method::GET,
            &format!("{}/events", hub.url),
            &[("last-event-id".parse().unwrap(), "x")],
            None,
            Default::default(),
        )
        .await;
    assert_eq!(bad.unwrap().status, 400);
    hub.end().await;
    mailbox.end().await;
}

fn line(offset: u64) -> Line {
    Line {
        offset,
        customer: 1,
        json: String::new(),
    }
}

#[test]
fn the_window_says_when_the_mailbox_must_be_asked() {
    let window = Window::new();
    assert_eq!(window.since(0, 10), Since::Nothing);
    window.begin(10);
    assert_eq!(window.since(10, 10), Since::Nothing);
    assert_eq!(window.since(9, 10), Since::TooOld);
    window.extend((11..=10_000).map(line));
    assert_eq!(
        window.since(10, 10),
        Since::TooOld,
        "it keeps the last 4096 only"
    );
    assert_eq!(
        window.since(9_998, 10),
        Since::Lines(vec![line(9_999), line(10_000)])
    );
    assert_eq!(window.since(5_904, 1), Since::Lines(vec![line(5_905)]));
    assert_eq!(window.since(u64::MAX, 1), Since::Nothing);
    window.begin(3);
    assert_eq!(
        window.since(2, 10),
        Since::TooOld,
        "another mailbox has a log of its own"
    );
}
