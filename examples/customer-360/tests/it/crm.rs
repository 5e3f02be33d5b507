use axum::http::Method;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use customer_360::client::Reply;
use customer_360::crm::database::Database;
use customer_360::segments::history::History;
use serde_json::{Value, json};

use crate::support::{Running, client, start_crm, token};

const READ: &str = "customers:read";
const RECORD: &str = "purchases:write";
const SEGMENTS: &str = "segments:write";

async fn get(crm: &Running, path: &str, token: Option<&str>) -> Reply {
    client()
        .get(&format!("{}{path}", crm.url), token)
        .await
        .unwrap()
}

async fn send(crm: &Running, method: Method, path: &str, rights: &[&str], body: Value) -> Reply {
    let url = format!("{}{path}", crm.url);
    client()
        .send_json(method, &url, Some(&token(rights)), &body)
        .await
        .unwrap()
}

fn json_of(reply: &Reply) -> Value {
    reply.json().unwrap()
}

#[tokio::test]
async fn imports_the_calibration_period_once() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let crm = start_crm(folder.path()).await;
        assert_eq!(get(&crm, "/healthz", None).await.status, 200);
        assert_eq!(
            json_of(&get(&crm, "/customers/count", None).await),
            json!({"count": 2357})
        );
        let profile = json_of(&get(&crm, "/customers/1", Some(&token(&[READ]))).await);
        assert_eq!(
            profile,
            json!({
                "id": 1, "first_purchase": "1997-01-01", "last_purchase": "1997-08-02",
                "purchases": 3, "quantity": 5, "value": 74.02,
                "segment": null, "expected_purchases": null, "probability_alive": null,
            })
        );
        crm.end().await;
    }
}

#[test]
fn refuses_a_database_of_a_later_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 9).unwrap();
    drop(connection);
    let error = Database::open(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the database has schema 9, this program knows up to 1; use a newer program"
    );
}

#[tokio::test]
async fn lets_each_token_do_only_what_its_rights_say() {
    let folder = tempfile::tempdir().unwrap();
    let crm = start_crm(folder.path()).await;
    let purchase = json!({"event_id": "e", "date": "1997-10-01", "quantity": 1, "value": 9.99});
    let segments = json!({"segments": []});
    let requests = [
        (Method::GET, "/customers/1", READ, Value::Null),
        (Method::GET, "/purchases/summary?limit=1", READ, Value::Null),
        (Method::POST, "/customers/1/purchases", RECORD, purchase),
        (Method::PUT, "/segments", SEGMENTS, segments),
    ];
    for (method, path, needed, body) in requests {
        let url = format!("{}{path}", crm.url);
        for (rights, expected) in [(vec![needed], true), (other_rights(needed), false)] {
            let token = token(&rights);
            let reply = client()
                .send_json(method.clone(), &url, Some(&token), &body)
                .await
                .unwrap();
            let allowed = reply.status.is_success();
            assert_eq!(
                allowed, expected,
                "{method} {path} with {rights:?}: {}",
                reply.status
            );
            assert!(allowed || reply.status == 403);
        }
        let reply = client()
            .send_json(method.clone(), &url, Some("forged"), &body)
            .await
            .unwrap();
        assert_eq!(reply.status, 401);
        let reply = client().send_json(method, &url, None, &body).await.unwrap();
        assert_eq!(reply.status, 401);
        assert!(
            reply.headers["www-authenticate"]
                .to_str()
                .unwrap()
                .starts_with("Bearer")
        );
    }
    crm.end().await;
}

fn other_rights(than: &str) -> Vec<&'static str> {
    [READ, RECORD, SEGMENTS]
        .into_iter()
        .filter(|right| *right != than)
        .collect()
}

#[tokio::test]
async fn records_a_purchase_once_for_each_event() {
    let folder = tempfile::tempdir().unwrap();
    let crm = start_crm(folder.path()).await;
    let path = "/customers/7/purchases";
    // Numbers as text, as they come from XML.
    let body =
        json!({"event_id": "order-1", "date": "1997-10-01", "quantity": "2", "value": "19.9"});
    let first = send(&crm, Method::POST, path, &[RECORD], body.clone()).await;
    assert_eq!(first.status, 201);
    let again = send(&crm, Method::POST, path, &[RECORD], body).await;
    assert_eq!(again.status, 200);
    assert_eq!(
        json_of(&again)["purchase_id"],
        json_of(&first)["purchase_id"]
    );
    let other = json!({"event_id": "order-1", "date": "1997-10-01", "quantity": 3, "value": 19.9});
    assert_eq!(
        send(&crm, Method::POST, path, &[RECORD], other.clone())
            .await
            .status,
        409
    );
    let nobody = "/customers/99999/purchases";
    let fresh = json!({"event_id": "order-2", "date": "1997-10-01", "quantity": 3, "value": 19.9});
    assert_eq!(
        send(&crm, Method::POST, nobody, &[RECORD], fresh)
            .await
            .status,
        404
    );
    let profile = json_of(&get(&crm, "/customers/7", Some(&token(&[READ]))).await);
    assert_eq!(profile["last_purchase"], "1997-10-01");
    crm.end().await;
}

#[tokio::test]
async fn refuses_purchases_that_make_no_sense() {
    let folder = tempfile::tempdir().unwrap();
    let crm = start_crm(folder.path()).await;
    let good = json!({"event_id": "e", "date": "1997-10-01", "quantity": 1, "value": 9.99});
    let cases = [
        ("event_id", Value::Null, 400),
        ("event_id", json!(""), 400),
        ("event_id", json!("a\u{7}"), 400),
        ("date", json!("1997-02-30"), 400),
        ("quantity", json!(-1), 422),
        ("quantity", json!("many"), 422),
        ("value", json!(1.234), 422),
        ("colour", json!("red"), 422),
    ];
    for (key, value, status) in cases {
        let mut body = good.clone();
        body[key] = value;
        let reply = send(
            &crm,
            Method::POST,
            "/customers/1/purchases",
            &[RECORD],
            body.clone(),
        )
        .await;
        assert_eq!(reply.status, status, "{body}: {:?}", reply.body);
    }
    crm.end().await;
}

#[tokio::test]
async fn publishes_all_segments_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let crm = start_crm(folder.path()).await;
    let segment = |customer: u32, segment: &str| json!({"customer_id": customer, "segment": segment, "expected_purchases": 1.5, "probability_alive": 0.9});
    let bad = json!({"segments": [segment(1, "loyal"), segment(99_999, "new")]});
    assert_eq!(
        send(&crm, Method::PUT, "/segments", &[SEGMENTS], bad)
            .await
            .status,
        422
    );
    let unknown = json!({"segments": [segment(1, "rich")]});
    assert_eq!(
        send(&crm, Method::PUT, "/segments", &[SEGMENTS], unknown)
            .await
            .status,
        400
    );
    let profile = json_of(&get(&crm, "/customers/1", Some(&token(&[READ]))).await);
    assert_eq!(profile["segment"], Value::Null);
    let good = json!({"segments": [segment(1, "loyal"), segment(2, "new")]});
    let reply = send(&crm, Method::PUT, "/segments", &[SEGMENTS], good).await;
    assert_eq!(json_of(&reply), json!({"updated": 2}));
    let profile = json_of(&get(&crm, "/customers/1", Some(&token(&[READ]))).await);
    assert_eq!(profile["segment"], "loyal");
    crm.end().await;
}

#[tokio::test]
async fn pages_through_the_purchase_histories() {
    let folder = tempfile::tempdir().unwrap();
    let crm = start_crm(folder.path()).await;
    let token = token(&[READ]);
    let mut all: Vec<History> = Vec::new();
    let mut after = json!(0);
    while after != Value::Null {
        let page = json_of(
            &get(
                &crm,
                &format!("/purchases/summary?limit=1000&after={after}"),
                Some(&token),
            )
            .await,
        );
        all.extend(serde_json::from_value::<Vec<History>>(page["customers"].clone()).unwrap());
        after = page["next"].clone();
    }
    assert_eq!(all.len(), 2357);
    // The first customer of the published table: x = 2, t_x = 30.43, T = 38.86.
    assert_eq!(
        (
            all[0].x,
            (all[0].t_x * 100.0).round(),
            (all[0].age * 100.0).round()
        ),
        (2, 3043.0, 3886.0)
    );
    crm.end().await;
}

#[tokio::test]
async fn tells_the_administrator_only() {
    let folder = tempfile::tempdir().unwrap();
    let crm = start_crm(folder.path()).await;
    let ask = async |password: &str| {
        let value = format!("Basic {}", STANDARD.encode(format!("admin:{password}")));
        let headers = [(AUTHORIZATION, value.as_str())];
        let url = format!("{}/admin/stats", crm.url);
        client()
            .send(Method::GET, &url, &headers, None, Default::default())
            .await
            .unwrap()
    };
    assert_eq!(ask("wrong").await.status, 401);
    assert_eq!(get(&crm, "/admin/stats", None).await.status, 401);
    let stats = json_of(&ask("s3cret:with:colons").await);
    assert_eq!(
        stats,
        json!({"customers": 2357, "purchases": 4960, "recorded": 0, "segments": {"none": 2357}})
    );
    crm.end().await;
}
