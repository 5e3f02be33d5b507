//! A small world for workflows: an engine over a store in memory, and a server that notes what it is
//! asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use consort_engine::control::{
    CloudEvent, Control, EngineControl, ExposedCall, ExposedReply, RunDetail, StartRequest,
};
use consort_engine::{Engine, Home, Options};
use consort_journal::memory::MemoryStore;
use consort_journal::{
    Batch, DeploymentChange, NewSecret, RunFilter, Sensitive, Seq, StateChange, Store,
};
use consort_model::blueprint::{Lifecycle, TargetKind};
use consort_model::id::{DeploymentId, HomeId, RunId};
use consort_model::revision::Principal;
use consort_model::run::{RunKind, RunStatus};
use consort_model::state::{Object, Site};
use consort_model::{
    Address, Generation, Kind, Problem, SecretHandle, StateEntry, Timestamp, Value,
};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Everything in these tests happens long before this.
const LIMIT: Duration = Duration::from_secs(20);
pub(crate) const SHOP: &str = "shop";
pub(crate) const TOKEN: &str = "the-event-token";

/// An engine, its store and its folder.
pub(crate) struct World {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) control: EngineControl,
    folder: Arc<tempfile::TempDir>,
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Timestamp::from_millis(since.as_millis() as i64)
}

pub(crate) fn handle(name: &str) -> SecretHandle {
    SecretHandle {
        name: name.into(),
        version: 1,
    }
}

impl World {
    /// A deployment with these workflows, by name: the settings of each.
    pub(crate) async fn with(workflows: &[(&str, Value)]) -> Self {
        let store = Arc::new(MemoryStore::new());
        let mut batch = Batch::new(Principal::system(), now());
        batch.deployments.push(DeploymentChange::Create {
            id: DeploymentId::from_bytes([1; 16]),
            name: SHOP.into(),
            target: TargetKind::Process,
            created: now(),
        });
        for (name, value) in [
            ("deployment.event_token", TOKEN),
            ("resources.token.value", "very\"secret"),
        ] {
            batch.secrets.push(NewSecret {
                deployment: SHOP.into(),
                handle: handle(name),
                value: Sensitive::new(value.into()),
            });
        }
        for (name, desired) in workflows {
            batch.state.push((
                SHOP.into(),
                StateChange::Put(Box::new(entry(name, desired))),
            ));
        }
        store.append(batch).await.unwrap();
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::over(store, folder).await
    }

    async fn over(store: Arc<MemoryStore>, folder: Arc<tempfile::TempDir>) -> Self {
        let engine = Engine::new(Options {
            home: Home {
                id: HomeId::from_bytes([2; 16]),
                directory: folder.path().to_owned(),
                sockets: folder.path().to_owned(),
            },
            store: Arc::clone(&store) as Arc<dyn Store>,
            drivers: Vec::new(),
            targets: Vec::new(),
            helper: None,
        });
        engine.recover().await.unwrap();
        Self {
            store,
            control: EngineControl(engine),
            folder,
        }
    }

    /// The next owner of the same store. The one before still lives, but is fenced.
    pub(crate) async fn restarted(&self) -> Self {
        let store = Arc::new(self.store.restarted());
        Self::over(store, Arc::clone(&self.folder)).await
    }

    pub(crate) async fn start(&self, name: &str, input: Value, key: &str) -> RunId {
        self.try_start(name, input, key).await.unwrap()
    }

    pub(crate) async fn try_start(
        &self,
        name: &str,
        input: Value,
        key: &str,
    ) -> Result<RunId, Problem> {
        let request = StartRequest {
            deployment: SHOP.into(),
            address: Address::new(Kind::Workflow, name),
            input,
            deadline: None,
            key: key.into(),
            estimate_only: false,
        };
        let answer = self.control.start(request, Principal::system()).await?;
        Ok(answer.run.unwrap())
    }

    /// Posts an event; was it new?
    pub(crate) async fn post(&self, id: &str, kind: &str, data: Value) -> bool {
        let rest = json!({"specversion": "1.0", "data": data});
        let event = CloudEvent {
            id: id.into(),
            source: "/test".into(),
            event_type: kind.into(),
            rest: rest.as_object().unwrap().clone(),
        };
        let taken = self.control.event_put(SHOP, Some(TOKEN), event).await;
        taken.unwrap()
    }

    pub(crate) async fn post_with(&self, token: Option<&str>) -> Result<bool, Problem> {
        let event = CloudEvent {
            id: "1".into(),
            source: "/test".into(),
            event_type: "x".into(),
            rest: Default::default(),
        };
        self.control.event_put(SHOP, token, event).await
    }

    pub(crate) async fn store_subscriptions(&self) -> usize {
        self.store.subscription_list().await.unwrap().len()
    }

    /// All records of a run as text.
    pub(crate) async fn everything_recorded(&self, run: RunId) -> String {
        let records = self.store.run_records(run, Seq(0), 1_000).await.unwrap();
        format!("{records:?}")
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        key: Option<&str>,
    ) -> ExposedReply {
        let call = ExposedCall {
            method: method.into(),
            path: path.into(),
            query: Default::default(),
            token: token.map(str::to_owned),
            body: Value::Null,
            key: key.map(str::to_owned),
        };
        self.control.exposed_call(SHOP, call).await.unwrap()
    }

    pub(crate) async fn runs(&self) -> Vec<RunId> {
        let filter = RunFilter {
            kind: Some(RunKind::Workflow),
            ..RunFilter::default()
        };
        let rows = self.store.run_list(filter).await.unwrap();
        rows.into_iter().map(|row| row.summary.id).collect()
    }

    /// Waits until a run stands like this.
    pub(crate) async fn until(&self, run: RunId, wanted: &[RunStatus]) -> RunDetail {
        let look = async {
            loop {
                let detail = self.control.run_detail(run).await.unwrap();
                if wanted.contains(&detail.summary.status) {
                    return detail;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let seen = tokio::time::timeout(LIMIT, look).await;
        match seen {
            Ok(detail) => detail,
            Err(_) => panic!(
                "never {wanted:?}: {:#?}",
                self.control.run_detail(run).await
            ),
        }
    }

    pub(crate) async fn ended(&self, run: RunId) -> RunDetail {
        let ends = [
            RunStatus::Completed,
            RunStatus::Faulted,
            RunStatus::Cancelled,
        ];
        self.until(run, &ends).await
    }

    /// Waits until there are so many runs.
    pub(crate) async fn until_runs(&self, count: usize) -> Vec<RunId> {
        let look = async {
            loop {
                let runs = self.runs().await;
                if runs.len() >= count {
                    return runs;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(LIMIT, look).await.unwrap()
    }
}

fn entry(name: &str, desired: &Value) -> StateEntry {
    StateEntry {
        address: Address::new(Kind::Workflow, name),
        driver: "engine".into(),
        type_name: "workflow".into(),
        site: Site::local(),
        object: Some(Object {
            id: name.into(),
            desired: desired.clone(),
            attributes: json!({}),
            tainted: false,
        }),
        deposed: Vec::new(),
        generation: Generation(1),
        depends_on: Vec::new(),
        lifecycle: Lifecycle::default(),
        changed: now(),
    }
}

/// What a server was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

type Answer = (u16, Vec<(&'static str, String)>, String);
type Handler = dyn Fn(&Asked) -> Answer + Send + Sync;

/// An HTTP server of the test. `gate` lets so many answers pass; what was asked is noted before.
pub(crate) struct Service {
    pub(crate) url: String,
    asked: watch::Receiver<Vec<Asked>>,
    pub(crate) gate: Arc<Semaphore>,
    connections: Arc<Mutex<usize>>,
}

impl Service {
    pub(crate) async fn new(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let service = Self::gated(handler).await;
        service.gate.add_permits(100_000);
        service
    }

    /// Answers nothing until the gate is opened.
    pub(crate) async fn gated(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (note, asked) = watch::channel(Vec::new());
        let (note, handler): (Arc<_>, Arc<Handler>) = (Arc::new(note), Arc::new(handler));
        let gate = Arc::new(Semaphore::new(0));
        let connections = Arc::new(Mutex::new(0));
        let (gate_inside, count) = (Arc::clone(&gate), Arc::clone(&connections));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *count.lock().unwrap() += 1;
                let (note, handler) = (Arc::clone(&note), Arc::clone(&handler));
                tokio::spawn(serve(stream, note, handler, Arc::clone(&gate_inside)));
            }
        });
        Self {
            url,
            asked,
            gate,
            connections,
        }
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    /// Waits until so much was asked.
    pub(crate) async fn until(&self, count: usize) -> Vec<Asked> {
        let mut asked = self.asked.clone();
        let wait = asked.wait_for(|asked| asked.len() >= count);
        let seen = tokio::time::timeout(LIMIT, wait).await;
        seen.expect("it is asked in time").unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

async fn serve(
    mut stream: TcpStream,
    note: Arc<watch::Sender<Vec<Asked>>>,
    handler: Arc<Handler>,
    gate: Arc<Semaphore>,
) {
    while let Some(asked) = read(&mut stream).await {
        note.send_modify(|all| all.push(asked.clone()));
        let Ok(permit) = gate.acquire().await else {
            return;
        };
        permit.forget();
        let (status, headers, body) = handler(&asked);
        let mut text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(&body);
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let mut chunk = [0; 4096];
        let count = stream
            .read(&mut chunk)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.lines();
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .map_or(Ok(0), |text| text.parse())
        .ok()?;
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        let mut chunk = [0; 4096];
        let count = stream
            .read(&mut chunk)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        body.extend_from_slice(&chunk[..count]);
    }
    Some(Asked {
        line,
        headers,
        body: String::from_utf8(body).ok()?,
    })
}

/// An answer of JSON.
pub(crate) fn json_answer(value: &Value) -> Answer {
    (
        200,
        vec![("content-type", "application/json".into())],
        value.to_string(),
    )
}
