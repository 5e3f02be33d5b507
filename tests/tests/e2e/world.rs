//! A home and a folder of their own for each test; everything that was started is ended.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary that is tested: `CONSORT_BIN`, else the one that `make build` leaves.
fn binary() -> PathBuf {
    let named = std::env::var_os("CONSORT_BIN").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../bin/consort"))
}

/// A world of its own.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) home: PathBuf,
}

/// A service that answers with `ANSWER` after `WARM_UP` seconds, and ends with 1 if that is `broken`.
pub(crate) fn service(
    name: &str,
    environment: &str,
    port: u16,
    replicas: u8,
    more: &str,
) -> String {
    format!(
        r#"  {name}:
    process:
      command:
        - python3
        - -u
        - -c
        - |
          # the program of {name} in the tests
          import http.server, os, sys, time
          time.sleep(float(os.environ.get("WARM_UP", "0")))
          if os.environ["ANSWER"] == "broken": sys.exit(1)
          class Page(http.server.BaseHTTPRequestHandler):
              def do_GET(self):
                  body = os.environ["ANSWER"].encode()
                  self.send_response(200)
                  self.send_header("Content-Length", str(len(body)))
                  self.end_headers()
                  self.wfile.write(body)
          print("serving", os.environ["ANSWER"])
          http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Page).serve_forever()
    environment: {environment}
    ports: ["127.0.0.1:{port}:80"]
    deploy: {{replicas: {replicas}, update_config: {{failure_action: rollback}}}}
    healthcheck:
      test: ["CMD-SHELL", "curl -fsS -o /dev/null http://$$HOST:$$PORT/"]
      interval: 1s
      start_period: 20s
      start_interval: 100ms
{more}"#
    )
}

/// One request over a new connection: the body of the answer.
pub(crate) fn ask(port: u16) -> std::io::Result<String> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(10)))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer
        .split_once("\r\n\r\n")
        .filter(|_| answer.contains(" 200 "));
    body.map(|(_, body)| body.to_owned())
        .ok_or_else(|| std::io::Error::other(format!("answered `{answer}`")))
}

/// Asks again until it is so; a command that asks takes its time.
#[track_caller]
pub(crate) fn patiently(what: &str, so: impl Fn() -> bool) {
    assert!((0..2000).any(|_| so()), "in vain: {what}");
}

/// Sends a signal to a process.
pub(crate) fn signal(name: &str, pid: i32) {
    let status = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success(), "no signal {name} to {pid}");
}

fn holds(path: &str, text: &str) -> bool {
    let bytes = std::fs::read(path).unwrap_or_default();
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// What a command said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
    #[track_caller]
    pub(crate) fn fails(self, code: i32, text: &str) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.out, self.err
        );
        assert!(self.err.contains(text), "`{text}` is not in:\n{}", self.err);
        self
    }
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}:\n{}", self.out))
    }
}

impl World {
    pub(crate) fn new(blueprint: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("consort-e2e")
            .tempdir()
            .unwrap();
        let home = folder.path().join("home");
        let world = Self { home, folder };
        world.write("consort.yaml", blueprint);
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("project").join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.path(""))
            .env("CONSORT_HOME", &self.home)
            .env_remove("NO_COLOR")
            .stdin(std::process::Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments).output().unwrap();
        Said {
            code: status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&stdout).into_owned(),
            err: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    /// The process of the server.
    pub(crate) fn server(&self) -> i32 {
        let version = self.run(&["version", "--output", "json"]).ok().json();
        i32::try_from(version["server"]["pid"].as_i64().expect("a server answers")).unwrap()
    }

    /// The processes of the instances of a service that are ready.
    pub(crate) fn pids(&self, service: &str) -> Vec<i64> {
        let services = self.run(&["ps", "--output", "json"]).ok().json();
        let service = services
            .as_array()
            .unwrap()
            .iter()
            .find(|entry| entry["name"] == service);
        let instances = service
            .and_then(|entry| entry["instances"].as_array())
            .into_iter()
            .flatten();
        instances
            .filter(|one| one["phase"] == "ready")
            .filter_map(|one| one["pid"].as_i64())
            .collect()
    }

    /// How many programs of a service of [`service`] run below this home.
    pub(crate) fn programs(&self, name: &str) -> usize {
        let programs =
            Self::processes_with("cmdline", &format!("# the program of {name} in the tests"));
        let ours = self.folder.path().to_str().unwrap();
        programs
            .iter()
            .filter(|pid| holds(&format!("/proc/{pid}/environ"), ours))
            .count()
    }

    fn processes_with(file: &str, text: &str) -> Vec<i32> {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| holds(&format!("/proc/{pid}/{file}"), text))
            .collect()
    }

    /// Every file below a folder whose bytes hold this text.
    pub(crate) fn files_with(&self, text: &str) -> Vec<PathBuf> {
        fn walk(folder: &Path, text: &[u8], found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    walk(&path, text, found);
                } else if kind.is_file() {
                    let bytes = std::fs::read(&path).unwrap_or_default();
                    if bytes.windows(text.len()).any(|window| window == text) {
                        found.push(path);
                    }
                }
            }
        }
        let mut found = Vec::new();
        walk(self.folder.path(), text.as_bytes(), &mut found);
        found
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.home.join("server/output.log");
            eprintln!(
                "--- the server's log\n{}",
                std::fs::read_to_string(log).unwrap_or_default()
            );
        }
        let down = self.run(&["down", "--volumes", "--yes"]);
        let stop = self.run(&["serve", "--stop", "--teardown"]);
        if !std::thread::panicking() {
            assert_eq!((down.code, stop.code), (0, 0), "{}\n{}", down.err, stop.err);
        }
    }
}
