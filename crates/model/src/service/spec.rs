//! The typed service.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Mount, Order, Port, UpdateConfig};
use crate::time::Span;
use crate::units::{Bytes, MilliCpus};
use crate::{Object, Value};

/// A command: a list of arguments, or one line that is split as a shell would split it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandLine(pub Vec<String>);

impl CommandLine {
    /// Splits a line into words as a POSIX shell does (quotes and backslashes; nothing is expanded).
    ///
    /// # Errors
    /// When a quotation mark is not closed.
    pub fn parse(line: &str) -> Result<Self, String> {
        split_words(line).map(Self)
    }
}

/// What the process target builds and runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessSpec {
    /// The command that builds the program, run in the service's folder on the user's side.
    pub build: Option<CommandLine>,
    /// The program and its arguments.
    pub command: Option<CommandLine>,
    /// What belongs to the program, relative to the service's folder: files or folders.
    pub artifacts: Vec<String>,
    /// The service's folder; the folder of the blueprint if none is named.
    pub context: Option<String>,
    /// Files that the build reads, as patterns; when none of them changed, nothing is built.
    pub sources: Vec<String>,
}

/// The test of a health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealthTest {
    /// Run this program; 0 is healthy.
    Command(Vec<String>),
    /// Run this line in a shell.
    Shell(String),
    /// No check, also not that of an image.
    None,
}

/// Compose's `healthcheck`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// What is run.
    pub test: HealthTest,
    /// Between two tests.
    pub interval: Span,
    /// A test that takes longer has failed.
    pub timeout: Span,
    /// So many failures in a row are unhealthy.
    pub retries: u32,
    /// Failures do not count for so long after the start.
    pub start_period: Span,
    /// Between two tests in the start period.
    pub start_interval: Span,
}

/// When an instance that has ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartWhen {
    /// Never.
    #[default]
    No,
    /// When it ended with an error.
    OnFailure,
    /// Whenever it ended.
    Always,
    /// Whenever it ended, unless a person stopped it.
    UnlessStopped,
}

/// The restart policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RestartPolicy {
    /// When.
    pub when: RestartWhen,
    /// At most so often within the window (or ever); `None` is without end.
    pub max_attempts: Option<u32>,
    /// At least so long between two starts; `None` is the growing back-off of the shim.
    pub delay: Option<Span>,
    /// The window of `max_attempts`.
    pub window: Option<Span>,
}

/// Limits of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Processors.
    pub cpus: Option<MilliCpus>,
    /// Memory.
    pub memory: Option<Bytes>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// A config or secret that a service may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The key in top-level `configs` or `secrets`.
    pub source: String,
    /// The path inside.
    #[serde(default)]
    pub target: Option<String>,
}

/// Compose's `deploy.resources`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// At most.
    pub limits: Option<Object>,
    /// At least.
    pub reservations: Option<Object>,
}

/// Compose's `deploy`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Deploy {
    /// How many instances.
    pub replicas: Option<u32>,
    /// How they are replaced.
    pub update_config: Option<UpdateConfig>,
    /// How they go back.
    pub rollback_config: Option<UpdateConfig>,
    /// Wins over `restart`.
    pub restart_policy: Option<Object>,
    /// Limits.
    pub resources: Resources,
}

/// Compose's `logging`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Logging {
    /// A file is begun anew at this size.
    pub max_size: Option<Bytes>,
    /// So many files are kept.
    pub max_file: Option<u32>,
}

/// A service with every expression evaluated. Secrets are tokens in the text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// What the process target runs.
    pub process: Option<ProcessSpec>,
    /// The image.
    pub image: Option<String>,
    /// Replaces the entry point.
    pub entrypoint: Option<CommandLine>,
    /// Arguments, or the whole command.
    pub command: Option<CommandLine>,
    /// The environment; null values are taken from nowhere and left out.
    pub environment: IndexMap<String, Option<String>>,
    /// Ports.
    pub ports: Vec<Port>,
    /// More ports at the virtual address.
    pub expose: Vec<u16>,
    /// Mounts, tmpfs among them.
    pub mounts: Vec<Mount>,
    /// Configs that it reads.
    pub configs: Vec<Grant>,
    /// Secrets that it reads.
    pub secrets: Vec<Grant>,
    /// Networks that it is in, with its other names there.
    pub networks: BTreeMap<String, Vec<String>>,
    /// Is it well?
    pub healthcheck: Option<HealthCheck>,
    /// How many instances, and how they are replaced.
    pub deploy: Deploy,
    /// When an instance is started again.
    pub restart: RestartPolicy,
    /// Sent to stop it; SIGTERM if none is named.
    pub stop_signal: Option<String>,
    /// How long it may take to stop; 10 s if nothing is written.
    pub stop_grace_period: Span,
    /// User, or `user:group`.
    pub user: Option<String>,
    /// The working folder.
    pub working_dir: Option<String>,
    /// Its host name.
    pub hostname: Option<String>,
    /// Limits of each instance.
    pub limits: Limits,
    /// Rotation of its log.
    pub logging: Logging,
    /// Its root is read only.
    pub read_only: bool,
    /// Capabilities that it does not get.
    pub cap_drop: Vec<String>,
    /// `host`, `none`, `service:x`.
    pub network_mode: Option<String>,
    /// `host=address` entries for its hosts file.
    pub extra_hosts: Vec<String>,
    /// A fixed name, which only one instance can have.
    pub container_name: Option<String>,
}

/// Why a value is not a service: the path inside it and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`: {problem}")]
pub struct ServiceError {
    /// As `healthcheck.interval`.
    pub path: String,
    /// What is wrong.
    pub problem: String,
}

impl ServiceSpec {
    /// Reads a service from its canonical Compose form with everything known. Keys that this type
    /// does not know are left to the loader's table of keys, which has warned about them.
    ///
    /// # Errors
    /// The first part that cannot be read.
    pub fn from_value(value: &Value) -> Result<Self, ServiceError> {
        let empty = Object::new();
        let object = value.as_object().unwrap_or(&empty);
        Reader { object }.service()
    }

    /// How many instances.
    pub fn replicas(&self) -> u32 {
        self.deploy.replicas.unwrap_or(1)
    }

    /// The order of replacement when none is written, and why (`services.md` 8.2).
    pub fn default_order(&self) -> (Order, &'static str) {
        if self.mounts.iter().any(Mount::is_writable_volume) {
            (Order::StopFirst, "it writes to a named volume")
        } else if self.container_name.is_some() {
            (Order::StopFirst, "its container_name can exist only once")
        } else if self.network_mode.is_some() {
            (
                Order::StopFirst,
                "its network_mode allows only one at a time",
            )
        } else {
            (
                Order::StartFirst,
                "nothing keeps two versions from running side by side",
            )
        }
    }
}

struct Reader<'a> {
    object: &'a Object,
}

type Read<T> = Result<T, ServiceError>;

fn fail<T>(path: &str, problem: impl ToString) -> Read<T> {
    Err(ServiceError {
        path: path.into(),
        problem: problem.to_string(),
    })
}

impl Reader<'_> {
    fn service(&self) -> Read<ServiceSpec> {
        let mut mounts = self.list("volumes", Mount::from_value)?;
        mounts.extend(self.tmpfs()?);
        let deploy: Deploy = self.parsed("deploy")?.unwrap_or_default();
        Ok(ServiceSpec {
            process: self.process()?,
            image: self.text("image")?,
            entrypoint: self.command("entrypoint")?,
            command: self.command("command")?,
            environment: self.environment()?,
            ports: self.ports()?,
            expose: self.list("expose", expose)?.into_iter().flatten().collect(),
            mounts,
            configs: self.list("configs", grant)?,
            secrets: self.list("secrets", grant)?,
            networks: self.networks(),
            healthcheck: self.healthcheck()?,
            restart: self.restart(&deploy)?,
            limits: self.limits(&deploy)?,
            deploy,
            stop_signal: self.text("stop_signal")?,
            stop_grace_period: self
                .span("stop_grace_period")?
                .unwrap_or(Span::from_secs(10)),
            user: self.text("user")?,
            working_dir: self.text("working_dir")?,
            hostname: self.text("hostname")?,
            logging: self.logging()?,
            read_only: self
                .get("read_only")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            cap_drop: self.list("cap_drop", |item| Ok(plain_text(item)))?,
            network_mode: self.text("network_mode")?,
            extra_hosts: self.list("extra_hosts", |item| Ok(plain_text(item)))?,
            container_name: self.text("container_name")?,
        })
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    fn text(&self, key: &str) -> Read<Option<String>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(_) | Value::Object(_)) => fail(key, "is not text"),
            Some(value) => Ok(Some(plain_text(value))),
        }
    }

    fn span(&self, key: &str) -> Read<Option<Span>> {
        span_of(self.get(key), key)
    }

    fn parsed<T: serde::de::DeserializeOwned>(&self, key: &str) -> Read<Option<T>> {
        self.get(key)
            .map(|value| T::deserialize(value).or_else(|error| fail(key, error)))
            .transpose()
    }

    fn list<T>(&self, key: &str, read: impl Fn(&Value) -> Result<T, String>) -> Read<Vec<T>> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        let Some(items) = value.as_array() else {
            return fail(key, "is not a list");
        };
        let item = |(index, item): (usize, &Value)| {
            read(item).or_else(|problem| fail(&format!("{key}[{index}]"), problem))
        };
        items.iter().enumerate().map(item).collect()
    }

    fn command(&self, key: &str) -> Read<Option<CommandLine>> {
        command_of(self.get(key), key)
    }

    fn process(&self) -> Read<Option<ProcessSpec>> {
        let Some(value) = self.get("process") else {
            return Ok(None);
        };
        let Some(object) = value.as_object() else {
            return fail("process", "is not a mapping");
        };
        let mut rest = object.clone();
        let build = command_of(
            rest.remove("build").as_ref().filter(|v| !v.is_null()),
            "process.build",
        )?;
        let command = command_of(
            rest.remove("command").as_ref().filter(|v| !v.is_null()),
            "process.command",
        )?;
        let spec = ProcessSpec::deserialize(Value::Object(rest))
            .or_else(|error| fail("process", error))?;
        Ok(Some(ProcessSpec {
            build,
            command,
            ..spec
        }))
    }

    fn environment(&self) -> Read<IndexMap<String, Option<String>>> {
        match self.get("environment") {
            None => Ok(IndexMap::new()),
            Some(Value::Object(object)) => Ok(object
                .iter()
                .map(|(key, value)| (key.clone(), (!value.is_null()).then(|| plain_text(value))))
                .collect()),
            Some(Value::Array(items)) => Ok(items
                .iter()
                .map(|item| match plain_text(item).split_once('=') {
                    Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                    None => (plain_text(item), None),
                })
                .collect()),
            Some(_) => fail("environment", "is neither a mapping nor a list"),
        }
    }

    fn ports(&self) -> Read<Vec<Port>> {
        let nested = self.list("ports", |item| {
            Port::from_value(item).map_err(|error| error.to_string())
        })?;
        Ok(nested.into_iter().flatten().collect())
    }

    fn tmpfs(&self) -> Read<Vec<Mount>> {
        let paths = match self.get("tmpfs") {
            Some(Value::String(path)) => vec![path.clone()],
            _ => self.list("tmpfs", |item| Ok(plain_text(item)))?,
        };
        let mount = |path: String| Mount {
            kind: super::MountKind::Tmpfs,
            source: None,
            target: path.split(':').next().unwrap_or_default().to_owned(),
            read_only: false,
        };
        Ok(paths.into_iter().map(mount).collect())
    }

    fn networks(&self) -> BTreeMap<String, Vec<String>> {
        let aliases = |value: &Value| {
            let list = value.get("aliases").and_then(Value::as_array);
            list.into_iter().flatten().map(plain_text).collect()
        };
        match self.get("networks") {
            Some(Value::Object(object)) => object
                .iter()
                .map(|(key, value)| (key.clone(), aliases(value)))
                .collect(),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| (plain_text(item), Vec::new()))
                .collect(),
            _ => BTreeMap::new(),
        }
    }

    fn healthcheck(&self) -> Read<Option<HealthCheck>> {
        let Some(value) = self.get("healthcheck") else {
            return Ok(None);
        };
        let path = |key: &str| format!("healthcheck.{key}");
        let span = |key: &str, default: Span| {
            span_of(value.get(key).filter(|v| !v.is_null()), &path(key))
                .map(|span| span.unwrap_or(default))
        };
        if value.get("disable").and_then(Value::as_bool) == Some(true) {
            return Ok(None);
        }
        let test = match value.get("test").filter(|test| !test.is_null()) {
            None => return Ok(None),
            Some(Value::String(line)) => HealthTest::Shell(line.clone()),
            Some(test) => health_test(test)?,
        };
        let retries = value
            .get("retries")
            .filter(|v| !v.is_null())
            .map_or(Ok(3), |v| {
                plain_text(v)
                    .parse()
                    .or_else(|_| fail(&path("retries"), "is not a number"))
            })?;
        Ok((test != HealthTest::None).then_some(HealthCheck {
            test,
            interval: span("interval", Span::from_secs(30))?,
            timeout: span("timeout", Span::from_secs(30))?,
            retries,
            start_period: span("start_period", Span::ZERO)?,
            start_interval: span("start_interval", Span::from_secs(5))?,
        }))
    }

    fn restart(&self, deploy: &Deploy) -> Read<RestartPolicy> {
        if let Some(policy) = &deploy.restart_policy {
            return restart_policy(policy);
        }
        let Some(text) = self.text("restart")? else {
            return Ok(RestartPolicy::default());
        };
        let (word, count) = text
            .split_once(':')
            .map_or((text.as_str(), None), |(word, n)| (word, Some(n)));
        let when = match word {
            "no" | "false" | "none" => RestartWhen::No,
            "always" => RestartWhen::Always,
            "unless-stopped" => RestartWhen::UnlessStopped,
            "on-failure" => RestartWhen::OnFailure,
            other => {
                return fail(
                    "restart",
                    format!("`{other}` is none of no, always, on-failure, unless-stopped"),
                );
            }
        };
        let max_attempts = count
            .map(|n| {
                n.parse()
                    .or_else(|_| fail("restart", format!("`{n}` is not a number")))
            })
            .transpose()?;
        Ok(RestartPolicy {
            when,
            max_attempts,
            ..RestartPolicy::default()
        })
    }

    fn limits(&self, deploy: &Deploy) -> Read<Limits> {
        let deployed = |key: &str| {
            deploy
                .resources
                .limits
                .as_ref()
                .and_then(|limits| limits.get(key))
                .cloned()
        };
        let either = |top: &str, inner: &str| self.get(top).cloned().or_else(|| deployed(inner));
        let cpus = either("cpus", "cpus")
            .filter(|value| plain_text(value) != "0")
            .map(|value| {
                let number: f64 = plain_text(&value)
                    .parse()
                    .or_else(|_| fail("cpus", "is not a number"))?;
                MilliCpus::from_cpus(number).or_else(|error| fail("cpus", error))
            });
        let memory = either("mem_limit", "memory").map(|value| {
            plain_text(&value)
                .parse()
                .or_else(|error| fail("mem_limit", error))
        });
        let pids = either("pids_limit", "pids").map(|value| plain_text(&value));
        let pids = pids.filter(|text| text != "-1" && text != "0");
        let pids = pids.map(|text| {
            text.parse()
                .or_else(|_| fail("pids_limit", "is not a number"))
        });
        Ok(Limits {
            cpus: cpus.transpose()?,
            memory: memory.transpose()?,
            pids: pids.transpose()?,
        })
    }

    fn logging(&self) -> Read<Logging> {
        let option = |key: &str| {
            let options = self
                .get("logging")
                .and_then(|logging| logging.get("options"));
            options
                .and_then(|options| options.get(key))
                .filter(|v| !v.is_null())
                .map(plain_text)
        };
        let max_size = option("max-size").map(|text| {
            text.parse()
                .or_else(|e| fail("logging.options.max-size", e))
        });
        let max_file = option("max-file").map(|text| {
            text.parse()
                .or_else(|_| fail("logging.options.max-file", "is not a number"))
        });
        Ok(Logging {
            max_size: max_size.transpose()?,
            max_file: max_file.transpose()?,
        })
    }
}

fn plain_text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn span_of(value: Option<&Value>, path: &str) -> Read<Option<Span>> {
    value
        .map(|value| plain_text(value).parse().or_else(|error| fail(path, error)))
        .transpose()
}

fn expose(item: &Value) -> Result<Vec<u16>, String> {
    let ports = Port::parse_short(&plain_text(item)).map_err(|error| error.to_string())?;
    Ok(ports.into_iter().map(|port| port.target).collect())
}

fn grant(item: &Value) -> Result<Grant, String> {
    match item {
        Value::String(source) => Ok(Grant {
            source: source.clone(),
            target: None,
        }),
        other => Grant::deserialize(other).map_err(|error| error.to_string()),
    }
}

fn command_of(value: Option<&Value>, path: &str) -> Read<Option<CommandLine>> {
    match value {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(CommandLine(items.iter().map(plain_text).collect()))),
        Some(Value::String(line)) => split_words(line)
            .map(|words| Some(CommandLine(words)))
            .or_else(|e| fail(path, e)),
        Some(_) => fail(path, "is neither a list nor text"),
    }
}

fn health_test(test: &Value) -> Read<HealthTest> {
    let words: Vec<String> = test
        .as_array()
        .into_iter()
        .flatten()
        .map(plain_text)
        .collect();
    match words.split_first() {
        Some((kind, rest)) if kind == "CMD" && !rest.is_empty() => {
            Ok(HealthTest::Command(rest.to_vec()))
        }
        Some((kind, rest)) if kind == "CMD-SHELL" => Ok(HealthTest::Shell(rest.join(" "))),
        Some((kind, _)) if kind == "NONE" => Ok(HealthTest::None),
        _ => fail(
            "healthcheck.test",
            "must be text or a list that starts with CMD, CMD-SHELL or NONE",
        ),
    }
}

fn restart_policy(policy: &Object) -> Read<RestartPolicy> {
    let get = |key: &str| policy.get(key).filter(|value| !value.is_null());
    let path = |key: &str| format!("deploy.restart_policy.{key}");
    let when = match get("condition").map(plain_text).as_deref() {
        Some("none" | "no") => RestartWhen::No,
        Some("on-failure") => RestartWhen::OnFailure,
        None | Some("any" | "always") => RestartWhen::Always,
        Some("unless-stopped") => RestartWhen::UnlessStopped,
        Some(other) => {
            return fail(
                &path("condition"),
                format!("`{other}` is none of none, on-failure, any"),
            );
        }
    };
    let attempts = get("max_attempts").map(|value| {
        plain_text(value)
            .parse()
            .or_else(|_| fail(&path("max_attempts"), "is not a number"))
    });
    Ok(RestartPolicy {
        when,
        max_attempts: attempts.transpose()?,
        delay: span_of(get("delay"), &path("delay"))?,
        window: span_of(get("window"), &path("window"))?,
    })
}

/// Splits a line into words as a POSIX shell does (quotes and backslashes; nothing is expanded).
///
/// # Errors
/// When a quotation mark is not closed.
fn split_words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let text = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => text.push(c),
                        None => return Err(format!("a `'` is not closed in `{line}`")),
                    }
                }
            }
            '"' => {
                let text = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some(c @ ('"' | '\\' | '$' | '`')) => text.push(c),
                            Some(c) => text.extend(['\\', c]),
                            None => return Err(format!("a `\"` is not closed in `{line}`")),
                        },
                        Some(c) => text.push(c),
                        None => return Err(format!("a `\"` is not closed in `{line}`")),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_service_is_read_from_long_and_short_forms() {
        let spec = ServiceSpec::from_value(&json!({
            "process": {"command": "./api --x 'a b'", "artifacts": ["api"]},
            "environment": {"A": "1", "B": null, "N": 5},
            "ports": ["8080:80", {"target": 90, "published": "91", "app_protocol": "http"}],
            "volumes": ["data:/data"],
            "healthcheck": {"test": ["CMD", "true"], "interval": "1s"},
            "deploy": {"replicas": 2, "resources": {"limits": {"cpus": "0.5", "memory": "64M"}}},
            "restart": "on-failure:3",
        }))
        .unwrap();
        let process = spec.process.clone().unwrap();
        assert_eq!(process.command.unwrap().0, ["./api", "--x", "a b"]);
        assert_eq!(spec.environment["N"].as_deref(), Some("5"));
        assert_eq!(spec.ports.len(), 2);
        assert_eq!(spec.limits.cpus, Some(MilliCpus(500)));
        assert_eq!(spec.restart.max_attempts, Some(3));
        assert_eq!(spec.default_order().0, Order::StopFirst);
        let check = spec.healthcheck.unwrap();
        assert_eq!((check.interval, check.retries), (Span::from_secs(1), 3));
    }

    #[test]
    fn a_wrong_part_is_named_by_its_path() {
        for (value, path) in [
            (json!({"ports": ["80", "x"]}), "ports[1]"),
            (
                json!({"healthcheck": {"test": "true", "interval": "x"}}),
                "healthcheck.interval",
            ),
            (json!({"restart": "sometimes"}), "restart"),
            (json!({"command": "a 'b"}), "command"),
            (json!({"process": {"comand": "x"}}), "process"),
        ] {
            assert_eq!(
                ServiceSpec::from_value(&value).map_err(|error| error.path),
                Err(path.to_owned())
            );
        }
    }
}
