//! The last step to one form: lists of `KEY=value` become mappings of texts, text of commands becomes
//! words. After this, each key of a service has one shape.

use crate::canonical::{command, split_pair};
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::node::{Entry, Map, Node, Value};
use crate::path;
use crate::quantity;

/// What a key without a value stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Empty {
    Null,
    Text,
}

/// Settles all services, jobs and resources, and reads sizes and durations to see that they are some.
pub fn settle(document: &mut Node, sink: &mut Sink) {
    for section in ["services", "jobs"] {
        let Some(map) = document.get_mut(section).and_then(Node::as_map_mut) else {
            continue;
        };
        for (name, entry) in map.iter_mut() {
            let mut settler = Settler {
                sink,
                path: vec![section.to_owned(), name.clone()],
            };
            settler.service(&mut entry.node);
        }
    }
    for section in ["networks", "volumes", "secrets", "configs"] {
        let Some(map) = document.get_mut(section).and_then(Node::as_map_mut) else {
            continue;
        };
        for (name, entry) in map.iter_mut() {
            let mut settler = Settler {
                sink,
                path: vec![section.to_owned(), name.clone()],
            };
            settler.pairs(&mut entry.node, "labels", Empty::Text);
            settler.pairs(&mut entry.node, "driver_opts", Empty::Text);
        }
    }
}

struct Settler<'a> {
    sink: &'a mut Sink,
    path: Vec<String>,
}

impl Settler<'_> {
    fn within(&mut self, node: &mut Node, key: &str, with: impl FnOnce(&mut Self, &mut Node)) {
        if let Some(value) = node.get_mut(key) {
            self.path.push(key.to_owned());
            with(self, value);
            self.path.pop();
        }
    }

    fn each(&mut self, node: &mut Node, key: &str, mut with: impl FnMut(&mut Self, &mut Node)) {
        self.within(node, key, |settler, list| {
            for (index, item) in list.as_seq_mut().into_iter().flatten().enumerate() {
                settler.path.push(path::index(index));
                with(settler, item);
                settler.path.pop();
            }
        });
    }

    fn service(&mut self, node: &mut Node) {
        self.container(node);
        self.within(node, "build", |settler, build| {
            settler.pairs(build, "args", Empty::Null);
            settler.pairs(build, "labels", Empty::Text);
            settler.hosts(build);
            settler.size(build, "shm_size");
        });
        self.within(node, "healthcheck", |settler, check| {
            for key in ["interval", "timeout", "start_period", "start_interval"] {
                settler.duration(check, key);
            }
            if let Some(test) = check.get_mut("test")
                && let Value::String(_) = &test.value
            {
                let shell = Node::string("CMD-SHELL", test.span);
                *test = Node::new(Value::Seq(vec![shell, test.clone()]), test.span);
            }
        });
        self.within(node, "deploy", Self::deploy);
        for hooks in ["post_start", "pre_stop"] {
            self.each(node, hooks, Self::hook);
        }
        self.each(node, "pre_start", Self::container);
        self.within(node, "develop", |settler, develop| {
            settler.each(develop, "watch", |settler, rule| {
                settler.within(rule, "exec", Self::hook)
            });
        });
    }

    fn hook(&mut self, node: &mut Node) {
        self.command(node, "command");
        self.pairs(node, "environment", Empty::Null);
    }

    fn deploy(&mut self, node: &mut Node) {
        self.pairs(node, "labels", Empty::Text);
        for policy in ["update_config", "rollback_config"] {
            self.within(node, policy, |settler, policy| {
                settler.duration(policy, "delay");
                settler.duration(policy, "monitor");
            });
        }
        self.within(node, "restart_policy", |settler, policy| {
            settler.duration(policy, "delay");
            settler.duration(policy, "window");
        });
        self.within(node, "resources", |settler, resources| {
            for part in ["limits", "reservations"] {
                settler.within(resources, part, |settler, part| {
                    settler.size(part, "memory");
                    settler.each(part, "devices", |settler, device| {
                        settler.pairs(device, "options", Empty::Text)
                    });
                });
            }
        });
    }

    fn container(&mut self, node: &mut Node) {
        self.command(node, "command");
        self.command(node, "entrypoint");
        self.pairs(node, "environment", Empty::Null);
        self.pairs(node, "labels", Empty::Text);
        self.pairs(node, "annotations", Empty::Text);
        self.pairs(node, "sysctls", Empty::Text);
        self.hosts(node);
        for key in ["dns_search", "tmpfs"] {
            if let Some(value) = node.get_mut(key)
                && let Value::String(_) = &value.value
            {
                *value = Node::new(Value::Seq(vec![value.clone()]), value.span);
            }
        }
        for key in [
            "mem_limit",
            "mem_reservation",
            "memswap_limit",
            "mem_swappiness",
            "shm_size",
        ] {
            self.size(node, key);
        }
        self.duration(node, "stop_grace_period");
        self.each(node, "gpus", |settler, device| {
            settler.pairs(device, "options", Empty::Text)
        });
        self.each(node, "volumes", |settler, mount| {
            settler.within(mount, "volume", |settler, volume| {
                settler.pairs(volume, "labels", Empty::Text)
            });
            settler.within(mount, "tmpfs", |settler, tmpfs| settler.size(tmpfs, "size"));
        });
        for list in [
            "device_read_bps",
            "device_read_iops",
            "device_write_bps",
            "device_write_iops",
        ] {
            self.within(node, "blkio_config", |settler, blkio| {
                settler.each(blkio, list, |settler, limit| settler.size(limit, "rate"));
            });
        }
    }

    /// A list or mapping of pairs becomes a mapping of texts.
    fn pairs(&mut self, node: &mut Node, key: &str, empty: Empty) {
        self.within(node, key, |settler, pairs| {
            let span = pairs.span;
            let map = match std::mem::take(&mut pairs.value) {
                Value::Map(map) => map,
                Value::Seq(items) => settler.list_to_map(items),
                other => {
                    pairs.value = other;
                    return;
                }
            };
            let map = map.into_iter().map(|(key, entry)| {
                let node = text_value(entry.node, empty);
                (
                    key,
                    Entry {
                        key: entry.key,
                        node,
                    },
                )
            });
            *pairs = Node::new(Value::Map(map.collect()), span);
        });
    }

    fn list_to_map(&mut self, items: Vec<Node>) -> Map {
        let mut map = Map::new();
        for item in items {
            let Some((key, value)) = split_pair(&item) else {
                if matches!(item.value, Value::Deferred(_)) {
                    self.sink.push(
                        Diagnostic::new(
                            Code::ExpressionNotHere,
                            item.span,
                            format!(
                                "a key of `{}` cannot be an expression",
                                path::shown(&self.path)
                            ),
                        )
                        .help("write KEY=${ … }, with the key itself in plain text"),
                    );
                }
                continue;
            };
            if key.ends_with(char::is_whitespace) {
                let message = format!(
                    "the name `{key}` in `{}` ends with white space",
                    path::shown(&self.path)
                );
                self.sink.push(
                    Diagnostic::new(Code::BadShortForm, item.span, message)
                        .help("remove the space before the `=`"),
                );
            }
            let node = value.unwrap_or_else(|| Node::new(Value::Null, item.span));
            map.insert(
                key,
                Entry {
                    key: item.span,
                    node,
                },
            );
        }
        map
    }

    /// One `host=address` per address.
    fn hosts(&mut self, node: &mut Node) {
        self.within(node, "extra_hosts", |settler, hosts| {
            let span = hosts.span;
            let pairs: Vec<(String, Node)> = match std::mem::take(&mut hosts.value) {
                Value::Map(map) => map
                    .into_iter()
                    .flat_map(|(host, entry)| match entry.node.value {
                        Value::Seq(items) => {
                            items.into_iter().map(|item| (host.clone(), item)).collect()
                        }
                        value => vec![(
                            host,
                            Node {
                                value,
                                ..entry.node
                            },
                        )],
                    })
                    .collect(),
                Value::Seq(items) => items
                    .into_iter()
                    .flat_map(|item| settler.host_entries(item))
                    .collect(),
                other => {
                    hosts.value = other;
                    return;
                }
            };
            let entries = pairs
                .into_iter()
                .filter_map(|(host, address)| settler.host(&host, address))
                .collect();
            *hosts = Node::new(Value::Seq(entries), span);
        });
    }

    fn host_entries(&mut self, item: Node) -> Vec<(String, Node)> {
        let Value::String(text) = &item.value else {
            return if item.is_opaque() {
                vec![(String::new(), item)]
            } else {
                Vec::new()
            };
        };
        match text.split_once('=').or_else(|| text.split_once(':')) {
            Some((host, addresses)) => {
                let address = |address: &str| item.with(Value::String(address.to_owned()));
                addresses
                    .split(',')
                    .map(|one| (host.to_owned(), address(one)))
                    .collect()
            }
            None => {
                let message = format!("`{text}` has no address: HOST=ADDRESS");
                self.sink
                    .push(Diagnostic::new(Code::BadShortForm, item.span, message));
                Vec::new()
            }
        }
    }

    fn host(&mut self, host: &str, address: Node) -> Option<Node> {
        if address.is_opaque() {
            return Some(if host.is_empty() {
                address
            } else {
                prefixed(host, address)
            });
        }
        if host.is_empty() || host.contains([':', '=']) {
            self.sink.push(Diagnostic::new(
                Code::BadShortForm,
                address.span,
                format!("`{host}` is not a host name"),
            ));
            return None;
        }
        let text = address.scalar_text().unwrap_or_default();
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .filter(|bare| !bare.is_empty());
        let value = Value::String(format!("{host}={}", bare.unwrap_or(&text)));
        Some(address.with(value))
    }

    fn command(&mut self, node: &mut Node, key: &str) {
        self.within(node, key, |settler, words| {
            let Value::String(text) = &words.value else {
                return;
            };
            match command::split(text) {
                Ok(split) => {
                    if let Some(operator) = split.cut_at {
                        let message = format!(
                            "`{}`: what follows `{operator}` is dropped",
                            path::shown(&settler.path)
                        );
                        settler.sink.push(
                            Diagnostic::new(Code::ShellOperator, words.span, message)
                                .help("write [sh, -c, \"…\"] for a shell, or quote the character"),
                        );
                    }
                    let items = split
                        .words
                        .into_iter()
                        .map(|word| words.with(Value::String(word)))
                        .collect();
                    *words = words.with(Value::Seq(items));
                }
                Err(error) => crate::canonical::wrong(words, &error, settler.sink),
            }
        });
    }

    fn size(&mut self, node: &mut Node, key: &str) {
        self.read(node, key, |text| quantity::bytes(text).map(drop));
    }

    fn duration(&mut self, node: &mut Node, key: &str) {
        self.read(node, key, |text| quantity::nanoseconds(text).map(drop));
    }

    fn read(
        &mut self,
        node: &mut Node,
        key: &str,
        with: fn(&str) -> Result<(), quantity::QuantityError>,
    ) {
        self.within(node, key, |settler, value| {
            // -1 stands for no limit; it is a number in YAML and text after interpolation.
            let error = value
                .as_str()
                .filter(|text| *text != "-1")
                .and_then(|text| with(text).err());
            if let Some(error) = error {
                crate::canonical::wrong(
                    value,
                    &format!("`{}`: {error}", path::shown(&settler.path)),
                    settler.sink,
                );
            }
        });
    }
}

fn text_value(node: Node, empty: Empty) -> Node {
    let value = match &node.value {
        Value::Null if empty == Empty::Text => Value::String(String::new()),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
            Value::String(node.scalar_text().unwrap_or_default())
        }
        _ => return node,
    };
    Node { value, ..node }
}

fn prefixed(host: &str, address: Node) -> Node {
    use consort_model::template::TextPart;
    let Value::Deferred(parts) = &address.value else {
        return address;
    };
    let mut all = vec![TextPart::Text(format!("{host}="))];
    all.extend(parts.iter().cloned());
    address.with(Value::Deferred(crate::merge::join_text(all)))
}
