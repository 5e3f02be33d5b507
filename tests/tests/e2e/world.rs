//! A home and a folder of their own for each test; everything that was started is ended.

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
