use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use customer_360::client::Reply;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::{Running, client, start_orders, start_router};

/// A sink that refuses every third event once, and keeps all that it got.
#[derive(Clone)]
struct Sink {
    got: Arc<Mutex<Vec<Value>>>,
    accepted: watch::Sender<usize>,
}

async fn take(
    State(sink): State<Sink>,
    headers: HeaderMap,
    Json(event): Json<Value>,
) -> StatusCode {
    assert_eq!(
        headers["content-type"],
        "application/cloudevents+json; charset=utf-8"
    );
    let mut got = sink.got.lock().unwrap();
    got.push(event);
    if got.len() % 3 == 0 {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    sink.accepted.send_modify(|count| *count += 1);
    StatusCode::ACCEPTED
}

async fn start_sink() -> (Sink, Running) {
    let sink = Sink {
        got: Arc::default(),
        accepted: watch::Sender::new(0),
    };
    let router = Router::new()
        .route("/events", post(take))
        .with_state(sink.clone());
    (sink, start_router(router).await)
}

async fn get(orders: &Running, path: &str) -> Reply {
    client()
        .get(&format!("{}{path}", orders.url), None)
        .await
        .unwrap()
}

async fn replay(orders: &Running, query: &str) -> Reply {
    let url = format!("{}/replay?{query}", orders.url);
    client()
        .send_json(Method::POST, &url, None, &Value::Null)
        .await
        .unwrap()
}

async fn idle(orders: &Running) -> Value {
    loop {
        let status: Value = get(orders, "/replay").await.json().unwrap();
        if status["idle"] == true {
            return status;
        }
        tokio::task::yield_now().await;
    }
}

/// The elements of a document, each with its attributes and its text.
pub(crate) fn elements(document: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(document);
    let mut found = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => found.push((start.to_string(), String::new())),
            Event::Text(text) => {
                if let Some(last) = found.last_mut() {
                    last.1.push_str(&text.xml10_content());
                }
            }
            Event::Eof => return found,
            _ => {}
        }
    }
}

#[tokio::test]
async fn posts_each_event_with_the_same_content_until_it_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, server) = start_sink().await;
    let orders = start_orders(folder.path(), &format!("{}/events", server.url), 0).await;
    assert_eq!(get(&orders, "/orders/1.xml").await.status, 404);
    assert_eq!(replay(&orders, "until=7").await.status, 202);
    let status = idle(&orders).await;
    assert_eq!(
        (&status["acknowledged"], &status["sent"], &status["retries"]),
        (&json!(7), &json!(10), &json!(3))
    );
    assert_eq!(
        (&status["last"], &status["total"]),
        (&json!("order-7"), &json!(1959))
    );
    // Asking for what is done changes nothing.
    let again: Value = replay(&orders, "until=5").await.json().unwrap();
    assert_eq!(
        (&again["target"], &again["idle"]),
        (&json!(7), &json!(true))
    );
    orders.end().await;

    let orders = start_orders(folder.path(), &format!("{}/events", server.url), 0).await;
    assert_eq!(replay(&orders, "count=2&rate=1000").await.status, 202);
    assert_eq!(idle(&orders).await["acknowledged"], 9);
    orders.end().await;
    let got = std::mem::take(&mut *sink.got.lock().unwrap());
    let first = &got[0];
    assert_eq!(first["specversion"], "1.0");
    assert_eq!(
        (&first["type"], &first["source"]),
        (&json!("shop.purchase"), &json!("/orders"))
    );
    assert_eq!(
        (&first["id"], &first["data"]["order_id"]),
        (&json!("order-1"), &json!(1))
    );
    let mut ids = Vec::new();
    for pair in got.chunk_by(|a, b| a["id"] == b["id"]) {
        assert!(pair.iter().all(|event| event == &pair[0]), "{pair:?}");
        ids.push(pair[0]["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        ids,
        (1..=9)
            .map(|number| format!("order-{number}"))
            .collect::<Vec<_>>()
    );
    server.end().await;
}

#[tokio::test]
async fn answers_xml_for_orders_that_were_placed() {
    let folder = tempfile::tempdir().unwrap();
    let (_sink, server) = start_sink().await;
    let orders = start_orders(folder.path(), &format!("{}/events", server.url), 0).await;
    replay(&orders, "until=40").await;
    idle(&orders).await;
    let reply = get(&orders, "/orders/1.xml").await;
    assert_eq!(
        reply.headers["content-type"],
        "application/xml; charset=utf-8"
    );
    let document = String::from_utf8(reply.body.to_vec()).unwrap();
    let found = elements(&document);
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["order id=\"1\"", "customer", "date", "quantity", "value"]
    );
    assert_eq!(found[2].1, "1997-10-01");
    let customer = &found[1].1;
    let list = get(&orders, &format!("/orders?customer={customer}")).await;
    let list = elements(std::str::from_utf8(&list.body).unwrap());
    assert!(
        list[0]
            .0
            .starts_with(&format!("orders customer=\"{customer}\" count=\"")),
        "{list:?}"
    );
    assert_eq!(list[1].0, "order id=\"1\"");
    for (path, status) in [
        ("/orders/41.xml", 404),
        ("/orders/x.xml", 404),
        ("/orders", 400),
        ("/orders/0", 404),
    ] {
        assert_eq!(get(&orders, path).await.status, status, "{path}");
    }
    for query in [
        "",
        "count=1&until=2",
        "count=1&rate=0",
        "count=x",
        "rate=NaN&count=1",
    ] {
        assert_eq!(replay(&orders, query).await.status, 400, "{query}");
    }
    orders.end().await;
    server.end().await;
}

#[tokio::test]
async fn has_no_feed_without_a_sink() {
    let folder = tempfile::tempdir().unwrap();
    let orders = start_orders(folder.path(), "", 0).await;
    let reply = replay(&orders, "count=1").await;
    assert_eq!(reply.status, 503);
    assert!(String::from_utf8_lossy(&reply.body).contains("K_SINK is not set"));
    orders.end().await;
}
