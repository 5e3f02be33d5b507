//! A home of its own per test, which leaves nothing behind.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use consort_driver::{
    Applied, ApplyRequest, Context, DriverError, Facts, InstanceRequest, InstanceStatus, Phase,
    PlanRequest, PlannedChange, Route, RouteTarget, SecretValue, Secrets, StepKey, StopMode,
    Target,
};
use consort_driver_process::{Options, ProcessTarget, Rung};
use consort_model::bundle::{BuiltProgram, BundledFile};
use consort_model::id::HomeId;
use consort_model::plan::Operation;
use consort_model::service::ServiceSpec;
use consort_model::state::Object;
use consort_model::{Address, Code, Digest, Kind, Partial, SecretHandle, Timestamp, Value};
use serde_json::json;

/// Nothing here takes long; on a busy machine it may.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// Facts, blobs and secrets in memory.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) facts: Mutex<BTreeMap<(String, String), Value>>,
    blobs: Mutex<BTreeMap<Digest, Vec<u8>>>,
    secrets: Mutex<BTreeMap<SecretHandle, String>>,
}

#[async_trait]
impl Secrets for Memory {
    async fn secret_value(&self, handle: &SecretHandle) -> Result<SecretValue, DriverError> {
        let found = self.secrets.lock().unwrap().get(handle).cloned();
        found
            .map(SecretValue::new)
            .ok_or_else(|| DriverError::new(Code::STORE_CORRUPT, format!("no secret {handle}")))
    }
}

#[async_trait]
impl Facts for Memory {
    async fn fact_get(&self, scope: &str, key: &str) -> Result<Option<Value>, DriverError> {
        let facts = self.facts.lock().unwrap();
        Ok(facts.get(&(scope.to_owned(), key.to_owned())).cloned())
    }
    async fn fact_list(&self, scope: &str) -> Result<Vec<(String, Value)>, DriverError> {
        let facts = self.facts.lock().unwrap();
        let found = facts.iter().filter(|((of, _), _)| of == scope);
        Ok(found
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }
    async fn fact_put(
        &self,
        scope: &str,
        key: &str,
        value: Option<Value>,
    ) -> Result<(), DriverError> {
        let at = (scope.to_owned(), key.to_owned());
        let mut facts = self.facts.lock().unwrap();
        match value {
            Some(value) => facts.insert(at, value),
            None => facts.remove(&at),
        };
        Ok(())
    }
    async fn blob(&self, digest: Digest) -> Result<Vec<u8>, DriverError> {
        let found = self.blobs.lock().unwrap().get(&digest).cloned();
        found.ok_or_else(|| DriverError::new(Code::STORE_CORRUPT, format!("no blob {digest}")))
    }
}

/// The programs of `examples/process-programs.rs`, which cargo builds with the tests.
pub(crate) fn programs() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap();
    let path = folder.join("examples/process-programs");
    assert!(
        path.exists(),
        "{} is missing; run `cargo test` without --test",
        path.display()
    );
    path
}

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) target: ProcessTarget,
    pub(crate) memory: Arc<Memory>,
    pub(crate) context: Context,
}

static HOMES: AtomicU64 = AtomicU64::new(1);

fn options(folder: &Path) -> Options {
    Options {
        shim: (programs(), vec!["shim".into()]),
        port_holder: (programs(), vec!["holder".into()]),
        server_socket: folder.join("server.sock"),
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(ProcessTarget::new)
    }

    pub(crate) fn limited_to(rung: Rung) -> Self {
        Self::with(|options| ProcessTarget::limited_to(options, rung))
    }

    fn with(make: impl FnOnce(Options) -> ProcessTarget) -> Self {
        let folder = tempfile::Builder::new().prefix("cp").tempdir().unwrap();
        let memory = Arc::new(Memory::default());
        let mut id = [7; 16];
        id[..8].copy_from_slice(&HOMES.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        id[8..12].copy_from_slice(&std::process::id().to_le_bytes());
        let at = |name: &str| {
            use std::os::unix::fs::DirBuilderExt;
            let path = folder.path().join(name);
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(&path)
                .unwrap();
            path
        };
        let context = Context {
            deployment: "shop".into(),
            home: HomeId::from_bytes(id),
            home_directory: at("home"),
            socket_directory: at("run"),
            project_directory: at("project"),
            now: now(),
            secrets: Arc::clone(&memory) as Arc<dyn Secrets>,
            facts: Arc::clone(&memory) as Arc<dyn Facts>,
        };
        let target = make(options(folder.path()));
        Self {
            folder,
            target,
            memory,
            context,
        }
    }

    /// The target after a restart of the server: nothing of its memory is left.
    pub(crate) fn restarted(&mut self) {
        self.target = ProcessTarget::new(options(self.folder.path()));
    }

    pub(crate) fn secret(&self, name: &str, value: &str) -> String {
        let handle = SecretHandle {
            name: name.into(),
            version: 1,
        };
        self.memory
            .secrets
            .lock()
            .unwrap()
            .insert(handle.clone(), value.into());
        handle.token()
    }

    /// A built program of these files: (path, content, executable).
    pub(crate) fn program(&self, files: &[(&str, &[u8], bool)]) -> Digest {
        let mut blobs = self.memory.blobs.lock().unwrap();
        let mut artifacts = BTreeMap::new();
        for (path, content, executable) in files {
            let digest = Digest::of(content);
            blobs.insert(digest, content.to_vec());
            let file = BundledFile {
                digest,
                size: content.len() as u64,
                executable: *executable,
            };
            artifacts.insert((*path).to_owned(), file);
        }
        let built = BuiltProgram { artifacts };
        let value = serde_json::to_value(&built).unwrap();
        blobs.insert(
            built.digest(),
            consort_model::digest::canonical(&value).into_bytes(),
        );
        built.digest()
    }

    pub(crate) async fn plan(
        &self,
        address: &Address,
        prior: Option<Object>,
        desired: Partial,
    ) -> Result<PlannedChange, DriverError> {
        let request = PlanRequest {
            address: address.clone(),
            type_name: address.kind().word().into(),
            prior,
            desired,
        };
        self.target.resources().plan(&self.context, request).await
    }

    pub(crate) async fn apply(
        &self,
        address: &Address,
        desired: &Value,
    ) -> Result<Applied, DriverError> {
        self.act(
            address,
            Operation::Create { replaces: false },
            desired.clone(),
            None,
        )
        .await
    }

    pub(crate) async fn delete(&self, address: &Address, applied: &Applied) {
        let prior = Object {
            id: applied.id.clone(),
            desired: Value::Null,
            attributes: applied.attributes.clone(),
            tainted: false,
        };
        let operation = Operation::Delete { deposed: None };
        self.act(address, operation, Value::Null, Some(prior))
            .await
            .unwrap();
    }

    async fn act(
        &self,
        address: &Address,
        operation: Operation,
        desired: Value,
        prior: Option<Object>,
    ) -> Result<Applied, DriverError> {
        let request = ApplyRequest {
            key: StepKey(format!("step-{address}")),
            address: address.clone(),
            type_name: address.kind().word().into(),
            operation,
            prior,
            desired,
        };
        self.target.resources().apply(&self.context, request).await
    }

    pub(crate) fn request(&self, service: &Service, number: u32, key: &str) -> InstanceRequest {
        InstanceRequest {
            key: StepKey(key.into()),
            address: service.address.clone().instance(number),
            version: Digest::of_value(&service.desired),
            spec: ServiceSpec::from_value(&service.desired).unwrap(),
            service: service.applied.attributes.clone(),
            program: None,
            environment: vec![("CONSORT_DEPLOYMENT".into(), "shop".into())],
        }
    }

    /// Applies a service.
    pub(crate) async fn service(&self, name: &str, desired: Value) -> Service {
        let address = service(name);
        let applied = self.apply(&address, &desired).await.unwrap();
        Service {
            address,
            desired,
            applied,
        }
    }

    /// Starts an instance.
    pub(crate) async fn start(&self, service: &Service, number: u32, key: &str) -> InstanceStatus {
        let request = self.request(service, number, key);
        self.target
            .instances()
            .instance_start(&self.context, request)
            .await
            .unwrap()
    }

    /// Starts so many instances, routes to them and waits until they are ready.
    pub(crate) async fn run(
        &self,
        service: &Service,
        count: u32,
        key: &str,
    ) -> Vec<InstanceStatus> {
        let mut started = Vec::new();
        for number in 1..=count {
            started.push(
                self.start(service, number, &format!("{key}-{number}"))
                    .await,
            );
        }
        let ids: Vec<String> = started.iter().map(|status| status.id.clone()).collect();
        self.route(service, 1, &ids, &[]).await;
        self.until(&service.address, |all| {
            let ready = all
                .iter()
                .filter(|one| one.phase == Phase::Ready && ids.contains(&one.id));
            ready.count() == ids.len()
        })
        .await;
        started
    }

    pub(crate) async fn route(
        &self,
        service: &Service,
        generation: u64,
        ids: &[String],
        draining: &[String],
    ) {
        let target = |draining| {
            move |id: &String| RouteTarget {
                id: id.clone(),
                draining,
            }
        };
        let targets = ids
            .iter()
            .map(target(false))
            .chain(draining.iter().map(target(true)));
        let route = Route {
            service: service.address.clone(),
            generation,
            targets: targets.collect(),
        };
        self.target
            .instances()
            .route_set(&self.context, route)
            .await
            .unwrap();
    }

    pub(crate) async fn list(&self) -> Vec<InstanceStatus> {
        self.target
            .instances()
            .instance_list(&self.context, None)
            .await
            .unwrap()
    }

    /// Waits by `instance_wait` until the instances are as wanted.
    pub(crate) async fn until(
        &self,
        service: &Address,
        wanted: impl Fn(&[InstanceStatus]) -> bool,
    ) -> Vec<InstanceStatus> {
        let give_up = Instant::now() + LIMIT;
        let mut seen = Vec::new();
        loop {
            let limit = Duration::from_secs(5);
            let runtime = self.target.instances();
            seen = runtime
                .instance_wait(&self.context, service, &seen, limit)
                .await
                .unwrap();
            if wanted(&seen) {
                return seen;
            }
            assert!(Instant::now() < give_up, "not as wanted in time: {seen:#?}");
        }
    }

    pub(crate) async fn stop(&self, id: &str) {
        let runtime = self.target.instances();
        runtime
            .instance_stop(&self.context, id, StopMode::Graceful)
            .await
            .unwrap();
        runtime.instance_remove(&self.context, id).await.unwrap();
    }

    /// Takes everything down, as `down` and the end of the home do.
    pub(crate) async fn down(&self) {
        for status in self.list().await {
            self.stop(&status.id).await;
        }
        let facts = self.memory.facts.lock().unwrap().clone();
        for ((scope, key), _) in facts {
            if scope == "process/services" {
                let address: Address = key.strip_prefix("shop/").unwrap().parse().unwrap();
                self.delete(&address, &Applied::default()).await;
            }
        }
        self.target.shutdown(&self.context).await.unwrap();
    }
}

/// A test that failed leaves no process behind either.
impl Drop for World {
    fn drop(&mut self) {
        let process = self.context.home_directory.join("process");
        let folders = files(&process)
            .into_iter()
            .filter(|path| path.ends_with("spec.json"));
        let folders: Vec<PathBuf> = folders
            .filter_map(|path| Some(path.parent()?.to_owned()))
            .collect();
        for (folder, found) in consort_shim::adopt(&folders) {
            if let consort_shim::Found::Alive { mut client, .. } = found {
                let _ = client.shutdown(Some(Duration::ZERO));
                while client
                    .next_event(Duration::from_secs(5))
                    .is_ok_and(|event| event.is_some())
                {}
            }
            let _ = consort_shim::sweep(&folder);
        }
    }
}

pub(crate) struct Service {
    pub(crate) address: Address,
    pub(crate) desired: Value,
    pub(crate) applied: Applied,
}

impl Service {
    pub(crate) fn attribute(&self, name: &str) -> &str {
        self.applied.attributes[name].as_str().unwrap()
    }
    /// The virtual address with its first port.
    pub(crate) fn at(&self) -> SocketAddr {
        self.applied.attributes["ports"][0]["address"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }
    /// Where its first port is published.
    pub(crate) fn published(&self) -> SocketAddr {
        let port = self.applied.attributes["ports"][0]["published"]
            .as_u64()
            .unwrap();
        SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap()))
    }
}

pub(crate) fn service(name: &str) -> Address {
    Address::new(Kind::Service, name)
}

/// A service that answers with a text.
pub(crate) fn web(text: &str, more: Value) -> Value {
    let mut desired = json!({
        "process": {"command": [programs().display().to_string(), "web", text]},
        "ports": [{"target": 8080, "protocol": "tcp"}],
        "networks": {"default": null},
        "stop_grace_period": "5s",
    });
    for (key, value) in more.as_object().unwrap() {
        desired[key] = value.clone();
    }
    desired
}

pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

/// The body of an answer.
pub(crate) fn get(at: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&at, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(
        format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    match text.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => Err(std::io::Error::other(text)),
    }
}

/// [`get`], away from the reactor.
pub(crate) async fn fetch(at: SocketAddr, path: &str) -> String {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || get(at, &path))
        .await
        .unwrap()
        .unwrap()
}

/// Runs a test on a reactor of its own.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(150), test)
            .await
            .unwrap()
    })
}

/// All files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(_) => found.push(entry.path()),
            Err(_) => {}
        }
    }
    found.sort();
    found
}
