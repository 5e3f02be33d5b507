//! What the tests share: services on free ports of the loopback, and tokens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use customer_360::client::Client;
use customer_360::hub::api::{Hub, places};
use customer_360::hub::edition::Edition;
use customer_360::hub::follow::Source;
use customer_360::hub::window::Window;
use customer_360::settings::Settings;
use customer_360::{crm, hub, mailbox, orders, serve};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The sample file of the example.
pub(crate) fn seed_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/CDNOW_sample.txt")
}

pub(crate) fn settings(values: &[(&str, &str)]) -> Settings {
    values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub(crate) fn client() -> Client {
    Client::new(Duration::from_secs(20))
}

/// A service that runs until it is stopped.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) port: u16,
    pub(crate) stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Ends the service as SIGTERM does, and waits for its end.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

pub(crate) async fn listener(port: u16) -> TcpListener {
    TcpListener::bind(("127.0.0.1", port)).await.unwrap()
}

pub(crate) fn running<F>(
    listener: TcpListener,
    run: impl FnOnce(TcpListener, CancellationToken) -> F,
) -> Running
where
    F: Future<Output = ()> + Send + 'static,
{
    let port = listener.local_addr().unwrap().port();
    let stop = CancellationToken::new();
    let task = tokio::spawn(run(listener, stop.clone()));
    Running {
        url: format!("http://127.0.0.1:{port}"),
        port,
        stop,
        task,
    }
}

pub(crate) async fn start_router(router: Router) -> Running {
    running(listener(0).await, |listener, stop| {
        serve::serve(listener, router, stop)
    })
}

pub(crate) async fn start_crm(folder: &Path) -> Running {
    let seed = seed_file();
    let crm = crm::open(&settings(&[
        ("DATA_DIR", folder.to_str().unwrap()),
        ("SEED_FILE", seed.to_str().unwrap()),
        ("TOKEN_PUBLIC_KEY", &public_key()),
        ("ADMIN_PASSWORD", "s3cret:with:colons"),
    ]));
    start_router(crm::api::router(crm.unwrap())).await
}

pub(crate) async fn start_mailbox(folder: &Path, port: u16) -> Running {
    let folder = folder.to_str().unwrap().to_owned();
    running(listener(port).await, |listener, stop| async move {
        let mailbox = mailbox::open(&settings(&[("DATA_DIR", &folder)]), stop.clone()).unwrap();
        mailbox::run_on(listener, mailbox, stop).await.unwrap();
    })
}

pub(crate) async fn start_orders(folder: &Path, sink: &str, port: u16) -> Running {
    let seed = seed_file();
    let orders = orders::open(&settings(&[
        ("DATA_DIR", folder.to_str().unwrap()),
        ("SEED_FILE", seed.to_str().unwrap()),
        ("K_SINK", sink),
    ]));
    let orders = orders.unwrap();
    running(listener(port).await, |listener, stop| {
        orders::run_on(listener, orders, stop)
    })
}

pub(crate) async fn start_hub(mailbox: &str, edition: &'static Edition, port: u16) -> Running {
    let mailbox = mailbox.to_owned();
    running(listener(port).await, |listener, stop| {
        let hub = Hub {
            edition,
            instance: "test".to_owned(),
            window: Window::new().into(),
            source: Source::new(mailbox),
            stop,
            places: places(),
        };
        hub::run_on(listener, hub)
    })
}

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// The key that checks the tokens of these tests, as 32 bytes in base64.
pub(crate) fn public_key() -> String {
    STANDARD.encode(signing_key().verifying_key().to_bytes())
}

/// The same key in PEM.
pub(crate) fn public_key_pem() -> String {
    let mut der = vec![
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    der.extend_from_slice(signing_key().verifying_key().as_bytes());
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(der)
    )
}

/// A token with any header and payload.
pub(crate) fn signed(header: &Value, payload: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(payload));
    let signature = signing_key().sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

/// A token with these rights.
pub(crate) fn token(rights: &[&str]) -> String {
    signed(
        &json!({"alg": "EdDSA", "typ": "JWT"}),
        &json!({"sub": "test", "rights": rights, "aud": "crm"}),
    )
}
