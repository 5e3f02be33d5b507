//! Finds the server of the home, or starts it in the background under a shim of its own.

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::time::{Duration, Instant};

use consort_model::{Code, Problem};
use consort_server::client::Client;
use consort_server::{API_VERSION, VersionInfo};
use consort_shim::spec::{Logging, Mode, Namespaces, Process, Restart, RestartPolicy, Stop};
use consort_shim::{Launcher, SecretValues, Spec, launch};

use crate::environment::Environment;
use crate::home::Home;
use crate::small;

/// A server has so long to answer after it was started.
const START_LIMIT: Duration = Duration::from_secs(20);

/// The client of the server of this home; starts one if none answers.
pub(crate) async fn connect(home: &Home, environment: &Environment) -> Result<Client, Problem> {
    home.create()?;
    let client = Client::unix(&home.socket());
    if let Ok(version) = client.version().await {
        return match fits(&version) {
            Fit::Good => Ok(client),
            Fit::Replace => replace(home, environment, client).await,
            Fit::TooOld => Err(Problem::new(
                Code::SERVER_VERSION,
                format!(
                    "the server is of version {}, this command of {}",
                    version.version,
                    env!("CARGO_PKG_VERSION")
                ),
            )),
        };
    }
    // Two commands that need a server at the same time start one.
    let _lock = lock(home)?;
    if client.version().await.is_ok() {
        return Ok(client);
    }
    start(home, environment)?;
    wait(&client).await
}

/// Held while a server is being started; the kernel frees it when this process ends.
fn lock(home: &Home) -> Result<std::fs::File, Problem> {
    let path = home.directory.join("start.lock");
    let failed = |error: std::io::Error| {
        Problem::new(
            Code::FILE_UNREADABLE,
            format!("{} cannot be locked", path.display()),
        )
        .caused_by(&error)
    };
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)
        .map_err(|error| failed(error.into()))?;
    Ok(file)
}

/// The client of a server that answers already.
pub(crate) async fn existing(home: &Home) -> Option<Client> {
    let client = Client::unix(&home.socket());
    client.version().await.is_ok().then_some(client)
}

enum Fit {
    Good,
    Replace,
    TooOld,
}

fn fits(server: &VersionInfo) -> Fit {
    if server.api > API_VERSION {
        Fit::TooOld
    } else if server.api < API_VERSION || server.version != env!("CARGO_PKG_VERSION") {
        Fit::Replace
    } else {
        Fit::Good
    }
}

/// An older server is drained and replaced; what runs goes on.
async fn replace(home: &Home, environment: &Environment, old: Client) -> Result<Client, Problem> {
    old.shutdown(false, false).await.map_err(first)?;
    let deadline = Instant::now() + START_LIMIT;
    while old.version().await.is_ok() {
        if Instant::now() > deadline {
            return Err(Problem::new(
                Code::SERVER_VERSION,
                "the older server does not end",
            ));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    start(home, environment)?;
    wait(&Client::unix(&home.socket())).await
}

fn first(problems: Vec<Problem>) -> Problem {
    problems
        .into_iter()
        .next()
        .unwrap_or_else(|| Problem::new(Code::INTERNAL, "refused without a reason"))
}

async fn wait(client: &Client) -> Result<Client, Problem> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        match client.version().await {
            Ok(_) => return Ok(client.clone()),
            Err(problems) if Instant::now() > deadline => {
                let cause = first(problems);
                return Err(Problem::new(
                    Code::SERVER_UNREACHABLE,
                    "the server was started and does not answer",
                )
                .caused_by(&cause));
            }
            // There is no notice of "listens from now on": the socket is tried again soon.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Starts the server under a shim. Two commands that do so at once find the same server: the second
/// one does not get the lock of the shim's folder, or of the store.
fn start(home: &Home, environment: &Environment) -> Result<(), Problem> {
    let failed = |message: &str, error: &(dyn std::error::Error + 'static)| {
        Problem::new(Code::SERVER_UNREACHABLE, message.to_owned())
            .caused_by(error)
            .remedy(format!("Its log is in {}.", home.server_shim().display()))
    };
    let folder = home.server_shim();
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| failed("the server's folder cannot be made", &error))?;
    let spec = spec(home, environment)?;
    spec.store(&folder)
        .map_err(|error| failed("the server's specification cannot be written", &error))?;
    let program = small::shim(&home.directory)?;
    let mut launcher = Launcher::new(program.path);
    launcher.args = program.arguments.into_iter().map(Into::into).collect();
    match launch(&folder, &launcher, &SecretValues::default()) {
        Ok(_) => Ok(()),
        // Somebody else is starting it: it will answer.
        Err(consort_shim::LaunchError::AlreadyRunning { .. }) => Ok(()),
        Err(error) => Err(failed("the server cannot be started", &error)),
    }
}

fn spec(home: &Home, environment: &Environment) -> Result<Spec, Problem> {
    let program = std::env::current_exe().map_err(|error| {
        Problem::new(Code::INTERNAL, "it is not known where this program is").caused_by(&error)
    })?;
    let kept = [
        "HOME",
        "PATH",
        "XDG_RUNTIME_DIR",
        "XDG_STATE_HOME",
        "CONSORT_LOG",
        "TMPDIR",
        "LANG",
    ];
    let variables = kept
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), environment.get(name)?.to_owned())));
    let process = Process {
        program: program.display().to_string(),
        args: vec![
            "--home".into(),
            home.directory.display().to_string(),
            "serve".into(),
        ],
        cwd: Some(home.directory.clone()),
        env: variables.collect(),
        ..Process::default()
    };
    Ok(Spec {
        format: consort_shim::spec::FORMAT,
        id: "server".into(),
        site: "local".into(),
        home: home.id()?.to_string(),
        address: "server".into(),
        control: home.sockets.join("server-shim.sock"),
        process,
        secrets: Vec::new(),
        secret_files: Vec::new(),
        namespaces: Namespaces::None,
        mounts: Vec::new(),
        hosts: None,
        hostname: None,
        cgroup: None,
        probes: Vec::new(),
        mode: Mode::Service,
        // A server that was killed comes back and takes its runs up; one that ended stays away.
        restart: Restart {
            policy: RestartPolicy::OnFailure,
            max_attempts: 20,
            window_ms: 600_000,
            cap_ms: 5_000,
            ..Restart::default()
        },
        stop: Stop {
            grace_ms: 20_000,
            ..Stop::default()
        },
        logging: Logging::default(),
        on_shim_loss: Default::default(),
        fd_store: 0,
        // Nobody asks how a server has ended; its log says so.
        supervises_others: true,
        linger_ms: 0,
    })
}

/// Waits until no server answers and its shim is gone, too.
pub(crate) async fn wait_until_gone(home: &Home) -> Result<(), Problem> {
    let deadline = Instant::now() + START_LIMIT;
    let shim = home.sockets.join("server-shim.sock");
    loop {
        let served = existing(home).await.is_some();
        if !served && std::os::unix::net::UnixStream::connect(&shim).is_err() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Problem::new(
                Code::SERVER_UNREACHABLE,
                "the server does not end",
            ));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
