//! Names, profiles, selection, inference and consistency.

use consort_blueprint::{LoadRequest, load, support};
use consort_model::blueprint::TargetKind;
use serde_json::json;

use crate::support::{codes, env, files, loaded, part, request};

#[test]
fn the_name_comes_from_the_nearest_place() {
    let all = [(
        "compose.yaml",
        "name: First\n---\nname: '${N}-X'\nservices: {s: {image: i}}",
    )];
    let name = |request: LoadRequest| load(&request, &files(&all)).map(|loaded| loaded.name);
    let base = LoadRequest {
        name: None,
        ..request()
    };
    assert_eq!(
        name(LoadRequest {
            env: env(&[("N", "Shop")]),
            ..base.clone()
        })
        .unwrap(),
        "shop-x"
    );
    assert_eq!(
        name(LoadRequest {
            env: env(&[("COMPOSE_PROJECT_NAME", "v")]),
            ..base.clone()
        })
        .unwrap(),
        "v"
    );
    assert_eq!(
        name(LoadRequest {
            name: Some("o".into()),
            env: env(&[("COMPOSE_PROJECT_NAME", "v")]),
            ..base.clone()
        })
        .unwrap(),
        "o"
    );
    assert!(
        name(LoadRequest {
            name: Some("Not Good".into()),
            ..base.clone()
        })
        .is_err()
    );
    let unnamed = [(
        "compose.yaml",
        "services: {s: {image: i, environment: [COMPOSE_PROJECT_NAME]}}",
    )];
    let loaded = load(&base, &files(&unnamed)).unwrap();
    assert_eq!(loaded.name, "p");
    assert_eq!(
        part(&loaded, "services/s/environment"),
        json!({"COMPOSE_PROJECT_NAME": "p"})
    );
}

#[test]
fn profiles_switch_services_on() {
    let all = [(
        "compose.yaml",
        "services: {a: {image: i}, b: {image: i, profiles: [x]}, c: {image: i, profiles: [y, z]}}",
    )];
    let names = |profiles: &[&str], variable: &str| {
        let profiles = profiles
            .iter()
            .map(|profile| (*profile).to_owned())
            .collect();
        let request = LoadRequest {
            profiles,
            env: env(&[("COMPOSE_PROFILES", variable)]),
            ..request()
        };
        let loaded = load(&request, &files(&all)).unwrap();
        part(&loaded, "services")
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join("")
    };
    assert_eq!(names(&[], ""), "a");
    assert_eq!(names(&["x"], ""), "ab");
    assert_eq!(names(&["x"], "z,q"), "abc");
    assert_eq!(names(&["*"], ""), "abc");
}

#[test]
fn a_dependency_that_is_switched_off_is_a_mistake_unless_it_is_not_required() {
    let off = |required: &str| {
        format!(
            "services: {{a: {{image: i, depends_on: {{b: {{condition: service_started{required}}}}}}}, b: {{image: i, profiles: [x]}}}}"
        )
    };
    assert_eq!(codes(&[("1.yaml", &off(""))]), ["E0105"]);
    loaded(&[("1.yaml", &off(", required: false"))]);
}

#[test]
fn a_selection_brings_what_it_depends_on() {
    let all = [(
        "compose.yaml",
        "services: {a: {image: i, depends_on: [b]}, b: {image: i, networks: [n]}, c: {image: i, networks: [m]}, d: {image: i, profiles: [x]}}\nnetworks: {n: , m: }",
    )];
    let select = |names: &[&str]| {
        let services = names.iter().map(|name| (*name).to_owned()).collect();
        load(
            &LoadRequest {
                services,
                ..request()
            },
            &files(&all),
        )
    };
    let chosen = select(&["a"]).unwrap();
    assert_eq!(part(&chosen, "services").as_object().unwrap().len(), 2);
    assert_eq!(
        part(&chosen, "networks")
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        ["n", "default"]
    );
    assert!(chosen.disabled.contains_key("c") && chosen.disabled.contains_key("d"));
    assert!(
        part(&select(&["d"]).unwrap(), "services")
            .get("d")
            .is_some()
    );
    assert_eq!(
        select(&["aa"]).unwrap_err().diagnostics[0].help.as_deref(),
        Some("did you mean `a`?")
    );
}

#[test]
fn links_and_shared_namespaces_are_dependencies() {
    let text = "services:\n  a: {image: i, links: [b, 'c:x'], pid: 'service:d', volumes_from: ['e:ro', 'container:f'], depends_on: [b]}\n  b: {image: i}\n  c: {image: i}\n  d: {image: i}\n  e: {image: i}\n";
    let needs = part(&loaded(&[("1.yaml", text)]), "services/a/depends_on");
    assert_eq!(
        needs["b"],
        json!({"condition": "service_started", "required": true})
    );
    assert_eq!(
        needs["c"],
        json!({"condition": "service_started", "restart": true, "required": true})
    );
    assert_eq!(needs["d"]["restart"], json!(true));
    assert_eq!(
        needs["e"],
        json!({"condition": "service_started", "required": true})
    );
    assert_eq!(needs.as_object().unwrap().len(), 4);
}

#[test]
fn every_rule_of_consistency_holds() {
    let service = |body: &str| format!("services: {{s: {{{body}}}, o: {{image: i}}}}");
    for (body, expected) in [
        ("hostname: h", "E0101"),
        (
            "build: {context: ., dockerfile: a, dockerfile_inline: b}",
            "E0090",
        ),
        (
            "image: i, build: {context: ., platforms: [linux/amd64]}, platform: linux/arm64",
            "E0102",
        ),
        (
            "image: i, build: {context: ., additional_contexts: {x: 'service:none'}}",
            "E0100",
        ),
        (
            "image: i, build: {context: ., additional_contexts: {x: 'service:o'}}",
            "E0102",
        ),
        ("image: i, network_mode: host, networks: [default]", "E0090"),
        ("image: i, networks: [none]", "E0100"),
        ("image: i, volumes: ['none:/x']", "E0100"),
        ("image: i, configs: [none]", "E0100"),
        ("image: i, secrets: [none]", "E0100"),
        ("image: i, models: [none]", "E0100"),
        ("image: i, depends_on: [none]", "E0100"),
        ("image: i, network_mode: 'service:none'", "E0100"),
        ("image: i, healthcheck: {test: [curl, x]}", "E0107"),
        ("image: i, scale: 2, deploy: {replicas: 3}", "E0102"),
        ("image: i, scale: -1", "E0073"),
        (
            "image: i, cpus: 1, deploy: {resources: {limits: {cpus: '2'}}}",
            "E0102",
        ),
        (
            "image: i, mem_limit: 1g, deploy: {resources: {limits: {memory: 2g}}}",
            "E0102",
        ),
        (
            "image: i, mem_reservation: 1g, deploy: {resources: {reservations: {memory: 2g}}}",
            "E0102",
        ),
        (
            "image: i, pids_limit: 1, deploy: {resources: {limits: {pids: 2}}}",
            "E0102",
        ),
        ("image: i, scale: 2, container_name: abc", "E0102"),
        (
            "image: i, develop: {watch: [{path: ., action: sync}]}",
            "E0072",
        ),
        (
            "image: i, volumes: ['/x:/a', '/y:/b'], tmpfs: [/a]",
            "E0104",
        ),
        ("image: i, depends_on: [s]", "E0103"),
        ("image: i, ports: [{target: 80, host_ip: x}]", "E0080"),
        ("image: i, gpus: [{count: 1, device_ids: [a]}]", "E0090"),
        ("image: i, volumes: [{type: bind, target: /x}]", "E0072"),
        ("image: i, volumes: [{type: volume, source: x}]", "E0051"),
    ] {
        assert_eq!(
            codes(&[("1.yaml", &service(body))]).first(),
            Some(&expected),
            "{body}"
        );
    }
    for (top, expected) in [
        ("configs: {c: {file: a, content: b}}", "E0090"),
        ("secrets: {c: {}}", "E0091"),
        ("volumes: {v: {external: true, driver: x}}", "E0090"),
    ] {
        assert_eq!(
            codes(&[("1.yaml", &format!("services: {{s: {{image: i}}}}\n{top}"))]),
            [expected],
            "{top}"
        );
    }
}

#[test]
fn values_that_are_equal_in_other_units_do_not_contradict() {
    loaded(&[(
        "1.yaml",
        "services: {s: {image: i, mem_limit: 1024m, cpus: '1.0', deploy: {resources: {limits: {memory: 1g, cpus: 1}}}}}",
    )]);
}

#[test]
fn jobs_are_containers_that_run_to_their_end() {
    let text = "jobs: {j: {image: i, environment: [A=1], triggers: {schedule: '0 3 * * *'}}}";
    let loaded = loaded(&[("1.yaml", text)]);
    assert_eq!(part(&loaded, "jobs/j/environment"), json!({"A": "1"}));
    assert_eq!(
        codes(&[("1.yaml", "jobs: {j: {image: i, scale: 2, triggers: {}}}")]),
        ["E0070"]
    );
    assert_eq!(codes(&[("1.yaml", "jobs: {j: {image: i}}")]), ["E0072"]);
}

#[test]
fn keys_that_a_target_ignores_are_named_with_their_place() {
    let loaded = loaded(&[(
        "1.yaml",
        "services:\n  s:\n    image: i\n    dns: 1.1.1.1\n    user: x\n    annotations: {a: b}\n",
    )]);
    let warnings = support::warnings(&loaded.document, TargetKind::Process);
    let lines: Vec<_> = warnings
        .iter()
        .map(|w| (w.code.as_str(), w.primary.span.start.line))
        .collect();
    assert_eq!(lines, [("W0007", 3), ("W0006", 4), ("W0006", 6)]);
    assert!(support::warnings(&loaded.document, TargetKind::Docker).is_empty());
}

#[test]
fn scale_is_the_number_of_replicas() {
    let loaded = loaded(&[(
        "1.yaml",
        "services: {s: {image: i, scale: 2, deploy: {mode: replicated}}}",
    )]);
    assert_eq!(part(&loaded, "services/s/deploy/replicas"), json!(2));
}
