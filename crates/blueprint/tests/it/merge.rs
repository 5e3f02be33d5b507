//! Several files laid over each other. The expected values were made with compose-go 2.9.1.

use serde_json::json;

use crate::support::{codes, loaded, part};

/// Two bodies of a service.
fn service(base: &str, over: &str) -> [(&'static str, String); 2] {
    let file = |body: &str| {
        let indented: String = body.lines().map(|line| format!("    {line}\n")).collect();
        format!(
            "services:\n  a: {{image: i}}\n  b: {{image: i}}\n  s:\n    image: i\n{indented}\nnetworks: {{a: , b: }}\n"
        )
    };
    [("1.yaml", file(base)), ("2.yaml", file(over))]
}

#[track_caller]
fn check(base: &str, over: &str, key: &str, expected: serde_json::Value) {
    let [(a, base), (b, over)] = service(base, over);
    let loaded = loaded(&[(a, &base), (b, &over)]);
    assert_eq!(
        part(&loaded, &format!("services/s/{key}")),
        expected,
        "{over}"
    );
}

#[test]
fn lists_are_appended_and_scalars_replaced() {
    check(
        "cap_add: [A, B]",
        "cap_add: [B, C]",
        "cap_add",
        json!(["A", "B", "C"]),
    );
    check("hostname: a", "hostname: b", "hostname", json!("b"));
    check("hostname: a", "hostname:", "hostname", json!("a"));
    check(
        "security_opt: [a]",
        "security_opt: [b]",
        "security_opt",
        json!(["a", "b"]),
    );
}

#[test]
fn commands_replace_each_other() {
    check("command: [a, b]", "command: [c]", "command", json!(["c"]));
    check(
        "entrypoint: a b",
        "entrypoint: c",
        "entrypoint",
        json!(["c"]),
    );
    check(
        "healthcheck: {test: [CMD, a], interval: 5s}",
        "healthcheck: {test: b}",
        "healthcheck",
        json!({"test": ["CMD-SHELL", "b"], "interval": "5s"}),
    );
}

#[test]
fn pairs_are_merged_by_their_keys_whatever_their_form() {
    check(
        "environment: {A: 1, B: 2}",
        "environment: [B=3, C]",
        "environment",
        json!({"A": "1", "B": "3", "C": null}),
    );
    check(
        "labels: [a=1]",
        "labels: {a: 2, b: true}",
        "labels",
        json!({"a": "2", "b": "true"}),
    );
    check(
        "sysctls: {x: 1}",
        "sysctls: [x=2]",
        "sysctls",
        json!({"x": "2"}),
    );
    check(
        "dns: 1.1.1.1",
        "dns: [8.8.8.8, 1.1.1.1]",
        "dns",
        json!(["1.1.1.1", "8.8.8.8"]),
    );
    check("tmpfs: /a", "tmpfs: /b", "tmpfs", json!(["/a", "/b"]));
}

#[test]
fn mounts_ports_and_devices_are_merged_by_their_targets() {
    check(
        "volumes: [./a:/x, ./b:/y]",
        "volumes: [./c:/x]",
        "volumes",
        json!([
            {"type": "bind", "source": "/p/c", "target": "/x", "bind": {"create_host_path": true}},
            {"type": "bind", "source": "/p/b", "target": "/y", "bind": {"create_host_path": true}}
        ]),
    );
    check(
        "ports: ['80:80']",
        "ports: [{target: 80, published: '80'}, '81:80']",
        "ports",
        json!([
            {"mode": "ingress", "target": 80, "published": "80", "protocol": "tcp"},
            {"mode": "ingress", "target": 80, "published": "81", "protocol": "tcp"}
        ]),
    );
    check(
        "devices: ['/dev/a:/dev/x']",
        "devices: ['/dev/b:/dev/x:r']",
        "devices",
        json!([{"source": "/dev/b", "target": "/dev/x", "permissions": "r"}]),
    );
    check(
        "expose: [80]",
        "expose: ['80', 81]",
        "expose",
        json!(["80", "81"]),
    );
}

#[test]
fn hosts_keep_several_addresses() {
    check(
        "extra_hosts: {h: 1.1.1.1}",
        "extra_hosts: ['h=2.2.2.2', 'h=1.1.1.1']",
        "extra_hosts",
        json!(["h=1.1.1.1", "h=2.2.2.2"]),
    );
}

#[test]
fn lists_of_names_and_mappings_fit_each_other() {
    check(
        "networks: [a]",
        "networks: {b: {aliases: [x]}}",
        "networks",
        json!({"a": null, "b": {"aliases": ["x"]}}),
    );
    check(
        "depends_on: [a]",
        "depends_on: {a: {condition: service_healthy}, b: {condition: service_started, required: false}}",
        "depends_on",
        json!({"a": {"condition": "service_healthy", "required": true}, "b": {"condition": "service_started", "required": false}}),
    );
}

#[test]
fn builds_are_merged_with_their_short_form() {
    check(
        "build: ./x",
        "build: {args: {A: 1}, target: t}",
        "build",
        json!({"context": "/p/x", "dockerfile": "Dockerfile", "args": {"A": "1"}, "target": "t"}),
    );
}

#[test]
fn logging_is_merged_only_for_one_driver() {
    check(
        "logging: {driver: json-file, options: {a: 1}}",
        "logging: {options: {b: 2}}",
        "logging",
        json!({"driver": "json-file", "options": {"a": "1", "b": "2"}}),
    );
    check(
        "logging: {driver: json-file, options: {a: 1}}",
        "logging: {driver: syslog, options: {b: 2}}",
        "logging",
        json!({"driver": "syslog", "options": {"b": "2"}}),
    );
}

#[test]
fn limits_are_replaced() {
    check(
        "ulimits: {nofile: {soft: 1, hard: 2}}",
        "ulimits: {nofile: 5}",
        "ulimits",
        json!({"nofile": 5}),
    );
}

#[test]
fn address_pools_are_paired_by_subnet() {
    let file = |pools: &str| {
        format!(
            "networks: {{n: {{ipam: {{config: {pools}}}}}}}\nservices: {{s: {{image: i, networks: [n]}}}}\n"
        )
    };
    for (base, over, expected) in [
        (
            "[{subnet: a, gateway: g}]",
            "[{subnet: a, ip_range: r}]",
            json!([{"subnet": "a", "gateway": "g", "ip_range": "r"}]),
        ),
        ("[{subnet: a}]", "[{subnet: b}]", json!([{"subnet": "b"}])),
        (
            "[{subnet: a}, {subnet: b}]",
            "[{subnet: b, gateway: g}]",
            json!([{"subnet": "b", "gateway": "g"}]),
        ),
    ] {
        let loaded = loaded(&[("1.yaml", &file(base)), ("2.yaml", &file(over))]);
        assert_eq!(
            part(&loaded, "networks/n/ipam/config"),
            expected,
            "{base} {over}"
        );
    }
}

#[test]
fn documents_of_one_file_are_laid_over_each_other() {
    let text = "services: {s: {image: a, environment: &e {A: x}}}\n---\nservices: {s: {image: b, labels: *e}}\n";
    let loaded = loaded(&[("1.yaml", text)]);
    assert_eq!(part(&loaded, "services/s/image"), json!("b"));
    // Anchors hold across the documents of a file.
    assert_eq!(part(&loaded, "services/s/labels"), json!({"A": "x"}));
}

#[test]
fn a_clash_of_kinds_is_a_mistake_with_both_places() {
    let [(a, base), (b, over)] = service("healthcheck: {interval: 5s}", "healthcheck: [x]");
    assert_eq!(codes(&[(a, &base), (b, &over)]), ["E0050"]);
}

#[test]
fn our_file_is_laid_over_the_compose_file() {
    let loaded = loaded(&[
        (
            "compose.yaml",
            "services: {s: {image: a, ports: ['80:80']}}",
        ),
        (
            "compose.override.yaml",
            "services: {s: {environment: [A=1]}}",
        ),
        (
            "consort.yaml",
            "target: process\nservices: {s: {process: {command: [x]}, environment: [A=2]}}",
        ),
    ]);
    assert_eq!(part(&loaded, "services/s/environment"), json!({"A": "2"}));
    assert_eq!(part(&loaded, "services/s/process/command"), json!(["x"]));
    assert_eq!(part(&loaded, "target"), json!("process"));
}
