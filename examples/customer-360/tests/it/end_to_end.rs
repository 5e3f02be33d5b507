//! All services together, with a stand-in for the workflow between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use clap::Parser;
use customer_360::client::ClientError;
use customer_360::hub::edition::{FIRST, SECOND};
use customer_360::watcher::command::{Options, watch};
use customer_360::watcher::tally::Tally;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::orders::elements;
use crate::support::{
    client, start_crm, start_hub, start_mailbox, start_orders, start_router, token,
};

/// Does for an event what the workflow does: asks both sources, records, tells the user.
#[derive(Clone)]
struct Workflow {
    crm: String,
    orders: Arc<OnceCell<String>>,
    mailbox: String,
    events: Arc<AtomicU32>,
}

impl Workflow {
    async fn handle(&self, event: &Value) -> Result<(), ClientError> {
        let token = token(&["customers:read", "purchases:write"]);
        let (customer, order) = (&event["data"]["customer_id"], &event["data"]["order_id"]);
        let url = format!("{}/customers/{customer}", self.crm);
        let profile: Value = client().get(&url, Some(&token)).await?.success()?.json()?;
        let url = format!("{}/orders/{order}.xml", self.orders.get().unwrap());
        let document = client().get(&url, None).await?.success()?;
        let found = elements(std::str::from_utf8(&document.body).unwrap());
        let text = |name: &str| {
            found
                .iter()
                .find(|(found, _)| found == name)
                .unwrap()
                .1
                .clone()
        };
        let purchase = json!({
            "event_id": event["id"], "date": text("date"), "quantity": text("quantity"), "value": text("value"),
        });
        let url = format!("{}/customers/{customer}/purchases", self.crm);
        client()
            .send_json(Method::POST, &url, Some(&token), &purchase)
            .await?
            .success()?;
        let message = json!({
            "id": event["id"], "customer_id": customer, "at": event["time"], "order_id": order,
            "text": format!("Thank you for purchase {} since {}", text("value"), profile["first_purchase"]),
        });
        let url = format!("{}/messages", self.mailbox);
        client()
            .send_json(Method::POST, &url, None, &message)
            .await?
            .success()?;
        Ok(())
    }
}

/// Every seventh answer is lost after the work was done, so the event comes again.
async fn sink(State(workflow): State<Workflow>, Json(event): Json<Value>) -> StatusCode {
    let number = workflow.events.fetch_add(1, Ordering::Relaxed);
    match workflow.handle(&event).await {
        Ok(()) if number % 7 != 6 => StatusCode::ACCEPTED,
        Ok(()) | Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brings_every_purchase_to_its_user_once_while_parts_are_replaced() {
    let folders: [_; 3] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let crm = start_crm(folders[0].path()).await;
    let mailbox = start_mailbox(folders[1].path(), 0).await;
    let hub = start_hub(&mailbox.url, &FIRST, 0).await;
    let workflow = Workflow {
        crm: crm.url.clone(),
        orders: Arc::default(),
        mailbox: mailbox.url.clone(),
        events: Arc::default(),
    };
    let router = Router::new()
        .route("/events", post(sink))
        .with_state(workflow.clone());
    let event_address = start_router(router).await;
    let orders = start_orders(
        folders[2].path(),
        &format!("{}/events", event_address.url),
        0,
    )
    .await;
    workflow.orders.set(orders.url.clone()).unwrap();

    let line = format!(
        "watcher --url {}/events --after 0 --expect 60 --timeout 60",
        hub.url
    );
    let options = Options::try_parse_from(line.split(' ')).unwrap();
    let watcher =
        tokio::spawn(async move { watch(&options, &CancellationToken::new()).await.unwrap() });

    replay_until(&orders.url, 20).await;
    let port = hub.port;
    hub.end().await;
    let hub = start_hub(&mailbox.url, &SECOND, port).await;
    replay_until(&orders.url, 40).await;
    let port = mailbox.port;
    mailbox.end().await;
    let mailbox = start_mailbox(folders[1].path(), port).await;
    replay_until(&orders.url, 60).await;

    let summary = watcher.await.unwrap();
    assert!(summary.good(), "{summary:?}");
    assert_eq!(
        (summary.count, summary.duplicates, summary.order_violations),
        (60, 0, 0)
    );
    assert_eq!((summary.overtaken, summary.reconnects), (0, 1));
    assert!(summary.p99_ms.unwrap() >= summary.p50_ms.unwrap());
    for service in [orders, event_address, hub, mailbox, crm] {
        service.end().await;
    }
}

async fn replay_until(orders: &str, until: u32) {
    let url = format!("{orders}/replay?until={until}");
    client()
        .send_json(Method::POST, &url, None, &Value::Null)
        .await
        .unwrap()
        .success()
        .unwrap();
    loop {
        let status: Value = client()
            .get(&format!("{orders}/replay"), None)
            .await
            .unwrap()
            .json()
            .unwrap();
        if status["acknowledged"] == until {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn the_watcher_tells_repetition_and_disorder() {
    let mut tally = Tally::default();
    let message = |offset: u64, id: &str, customer: u32, at: &str| {
        serde_json::from_value(
            json!({"offset": offset, "id": id, "customer_id": customer, "at": at, "text": ""}),
        )
        .unwrap()
    };
    let now = "2026-01-01T00:00:10Z".parse().unwrap();
    for stored in [
        message(1, "a", 1, "2026-01-01T00:00:01Z"),
        message(3, "b", 1, "2026-01-01T00:00:00Z"),
        message(2, "c", 1, "2026-01-01T00:00:09Z"),
        message(2, "d", 2, "2026-01-01T00:00:09Z"),
        message(2, "d", 2, "2026-01-01T00:00:09Z"),
    ] {
        tally.observe(&stored, now);
    }
    let summary = tally.summary(0, true);
    assert_eq!((summary.count, summary.customers), (4, 2));
    assert_eq!(
        (
            summary.duplicates,
            summary.order_violations,
            summary.overtaken
        ),
        (1, 1, 1)
    );
    assert_eq!(
        (summary.p50_ms, summary.p99_ms),
        (Some(1000.0), Some(10_000.0))
    );
    assert!(!summary.good());
}
