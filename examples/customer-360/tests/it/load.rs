use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use clap::Parser;
use customer_360::load::command::{Options, load};
use customer_360::load::count::{Class, Summary};
use customer_360::load::request::Target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::support::{listener, start_router};

async fn run(url: &str, more: &str) -> Summary {
    let line = format!("load --url {url} {more}");
    let options = Options::try_parse_from(line.split_whitespace()).unwrap();
    load(&options, &CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn counts_answers_by_version_on_new_and_kept_connections() {
    let router = Router::new().route("/version", get(|| async { r#"{"version": "7"}"# }));
    let server = start_router(router).await;
    let summary = run(
        &format!("{}/version", server.url),
        "--rate 200 --keep-alive 2 --duration 0.2",
    )
    .await;
    assert!(summary.sent > 0);
    assert_eq!(
        (summary.failed, summary.ok),
        (0, summary.sent),
        "{summary:?}"
    );
    assert_eq!(
        summary.versions,
        BTreeMap::from([("7".to_owned(), summary.sent)])
    );
    server.end().await;
}

/// A server that reads a request and answers with these bytes before it closes.
async fn answer_with(bytes: &'static [u8]) -> String {
    let listener = listener(0).await;
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1000]).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    url
}

#[tokio::test]
async fn tells_failures_apart() {
    let gone = start_router(Router::new()).await;
    let refused = gone.url.clone();
    gone.end().await;
    let failing = get(|| async { StatusCode::BAD_GATEWAY });
    let server = start_router(Router::new().route("/", failing)).await;
    let cases = [
        (refused, Class::Refused),
        (answer_with(b"").await, Class::Reset),
        (
            answer_with(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await,
            Class::CutShort,
        ),
        (format!("{}/", server.url), Class::ServerError),
        (format!("{}/nothing", server.url), Class::OtherStatus),
    ];
    for (url, class) in cases {
        let target = Target::new(&url, Duration::from_secs(10)).unwrap();
        assert_eq!(target.ask_once().await.unwrap_err().class, class);
        assert_eq!(target.ask_on(&mut None).await.unwrap_err().class, class);
    }
    server.end().await;
    let silent = listener(0).await;
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let target = Target::new(&url, Duration::from_millis(20)).unwrap();
    assert_eq!(target.ask_once().await.unwrap_err().class, Class::TimedOut);
    assert!(Target::new("https://a/", Duration::ZERO).is_err());
}

#[tokio::test]
async fn stops_when_the_file_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stop");
    std::fs::write(&path, "").unwrap();
    let summary = run(
        "http://127.0.0.1:1/",
        &format!("--rate 0 --stop-file {}", path.display()),
    )
    .await;
    assert_eq!(summary.sent, 0);
}

#[tokio::test]
async fn finishes_what_waits_in_the_queue_when_a_service_stops() {
    let server = start_router(Router::new().route("/", get(|| async { "ok" }))).await;
    let target = Target::new(&server.url, Duration::from_secs(10)).unwrap();
    let stop = server.stop.clone();
    let requests = futures_util::future::join_all((0..50).map(|_| target.ask_once()));
    let (results, ()) = tokio::join!(requests, async { stop.cancel() });
    // Each was either served or came after the listener had closed; none was reset.
    for result in results {
        assert!(result.is_ok() || result.unwrap_err().class == Class::Refused);
    }
    server.end().await;
}
