//! What the elements of a blueprint become.

use consort_blueprint::{Render, to_blueprint};
use consort_model::blueprint::{Blueprint, Condition, InputType, TargetKind};
use consort_model::{Address, Template};
use serde_json::{Value, json};

use crate::support::{loaded, request};

/// The example of the design, without hosts, providers and modules.
pub(crate) const SHOP: &str = r#"
name: shop
target: docker
inputs:
  region: {type: string, default: eu-west-1}
  env: {type: string, enum: [dev, prod]}
locals: {prefix: "${ .inputs.env }-shop"}
data:
  image: {type: aws_ami, properties: {most_recent: true}}
resources:
  orders:
    type: aws_s3_bucket
    for_each: [eu, us]
    properties: {bucket: "${ .locals.prefix }-${ .each.key }"}
    lifecycle: {prevent_destroy: true}
  db_password: {type: password, properties: {length: 24}}
services:
  api:
    image: shop/api:1.4
    process: {build: [cargo, build, --release], command: [./target/release/api], artifacts: [target/release/api]}
    environment: {BUCKET: '${ .resources.orders["eu"].id }'}
    ports: ["8080:80"]
    deploy: {replicas: 3, update_config: {order: start-first, failure_action: rollback}}
    healthcheck: {test: [CMD, wget, -q, -O-, http://localhost/healthz]}
    objective: {latency: p95 200ms, availability: 99.9%, minimize: cost}
    autoscale: {min: 2, max: 10}
jobs:
  vacuum: {image: shop/db-tools, command: [vacuum], triggers: {schedule: "0 3 * * *"}}
pools:
  workers:
    types: [{name: m7.large, cpus: 2, memory: 8G, price: 0.10 USD/h, startup: 60s}]
workloads:
  nightly:
    triggers: {schedule: "0 2 * * *", time_zone: Europe/Berlin}
    pool: workers
    objective: {deadline: 4h, minimize: cost}
    tasks:
      extract: {image: shop/etl, command: [extract], estimate: 10m, cpus: 1}
      report: {needs: [extract], image: shop/etl, command: report --all, estimate: 5m, environment: [A=b]}
workflows:
  fulfil:
    expose: {post: /orders, auth: token}
    definition: {do: [{charge: {call: http, with: {method: post, endpoint: "http://pay/charge", body: "${ . }"}}}]}
objectives: {budget: 500 USD/month, on_breach: ask}
outputs: {url: "${ .services.api.url }"}
"#;

#[track_caller]
pub(crate) fn typed(text: &str) -> Blueprint {
    let loaded = loaded(&[("1.yaml", text)]);
    match to_blueprint(&loaded) {
        Ok((blueprint, _)) => blueprint,
        Err(found) => panic!(
            "{}",
            consort_blueprint::diagnostic::render_all(
                &found,
                0,
                &loaded.sources,
                Render::default()
            )
        ),
    }
}

#[track_caller]
fn body(blueprint: &Blueprint, address: &str) -> Value {
    let address: Address = address.parse().unwrap();
    let node = blueprint
        .nodes
        .get(&address)
        .unwrap_or_else(|| panic!("{address} is not in {:?}", blueprint.nodes.keys()));
    shown(&node.body)
}

/// A template with its expressions as they are written.
fn shown(template: &Template) -> Value {
    match template {
        Template::Scalar(value) => value.clone(),
        Template::Deferred(deferred) => Value::String(deferred.source()),
        Template::List(items) => Value::Array(items.iter().map(shown).collect()),
        Template::Map(map) => Value::Object(
            map.iter()
                .map(|(key, item)| (key.clone(), shown(item)))
                .collect(),
        ),
    }
}

#[test]
fn the_example_of_the_design_is_a_blueprint() {
    let blueprint = typed(SHOP);
    let addresses: Vec<String> = blueprint.nodes.keys().map(Address::to_string).collect();
    assert_eq!(
        addresses,
        [
            "locals.prefix",
            "data.image",
            "resources.orders",
            "resources.db_password",
            "services.api",
            "jobs.vacuum",
            "pools.workers",
            "workloads.nightly",
            "workflows.fulfil",
            "networks.default"
        ]
    );
    assert_eq!(blueprint.target, Some(TargetKind::Docker));
    assert_eq!(blueprint.inputs["env"].kind, InputType::String);
    assert_eq!(
        blueprint.inputs["env"].allowed,
        [json!("dev"), json!("prod")]
    );
    assert_eq!(blueprint.inputs["region"].default, Some(json!("eu-west-1")));
    assert_eq!(
        shown(&blueprint.outputs["url"].value),
        json!("${ .services.api.url }")
    );
    let orders = &blueprint.nodes[&"resources.orders".parse::<Address>().unwrap()];
    assert_eq!(orders.type_name, "aws_s3_bucket");
    assert!(orders.lifecycle.prevent_destroy);
    assert_eq!(
        orders.for_each.as_ref().and_then(Template::known),
        Some(json!(["eu", "us"]))
    );
    assert_eq!(orders.place.to_string(), "/p/1.yaml:11:3");
    let warnings: Vec<&str> = blueprint
        .warnings
        .iter()
        .map(|warning| warning.message.as_str())
        .collect();
    assert!(
        warnings.contains(&"`services.api.objective` is not acted upon yet"),
        "{warnings:?}"
    );
    assert!(
        warnings.contains(&"`services.api.autoscale` is not acted upon yet"),
        "{warnings:?}"
    );
    assert!(
        warnings.contains(&"`objectives` of the deployment are not acted upon yet"),
        "{warnings:?}"
    );
}

#[test]
fn services_keep_what_runs_and_nothing_else() {
    let blueprint = typed(
        "services:\n  a:\n    image: i\n    scale: 2\n    x-mine: 1\n    profiles: []\n    process: {build: make all, command: './a \"b c\"'}\n    depends_on: [resources.r, b]\n  b: {command: run}\nresources: {r: {type: password}}\n",
    );
    let service = body(&blueprint, "services.a");
    assert_eq!(
        service["process"],
        json!({"build": ["make", "all"], "command": ["./a", "b c"]})
    );
    assert_eq!(service["deploy"], json!({"replicas": 2}));
    for key in ["scale", "x-mine", "depends_on", "profiles"] {
        assert!(service.get(key).is_none(), "{key}: {service}");
    }
    let node = &blueprint.nodes[&"services.a".parse::<Address>().unwrap()];
    let on: Vec<(String, Condition)> = node
        .depends_on
        .iter()
        .map(|one| (one.on.to_string(), one.condition))
        .collect();
    assert_eq!(
        on,
        [
            ("resources.r".to_owned(), Condition::ServiceStarted),
            ("services.b".to_owned(), Condition::ServiceStarted)
        ]
    );
}

#[test]
fn a_typed_service_can_be_read_from_its_body() {
    let blueprint = typed(
        "services: {a: {command: run --x, ports: ['80:8080'], environment: [A=1], healthcheck: {test: exit 0, interval: 1s}}}",
    );
    let value = body(&blueprint, "services.a");
    let spec = consort_model::service::ServiceSpec::from_value(&value)
        .unwrap_or_else(|error| panic!("{error}: {value}"));
    assert_eq!(spec.command.unwrap().0, ["run", "--x"]);
    assert_eq!(spec.ports.len(), 1);
    assert_eq!(spec.environment["A"].as_deref(), Some("1"));
}

#[test]
fn workloads_and_pools_have_their_defaults_filled_in() {
    let blueprint = typed(SHOP);
    assert_eq!(
        body(&blueprint, "pools.workers"),
        json!({
            "types": [{"name": "m7.large", "cpus": 2, "memory": "8G", "price": "0.10 USD/h", "startup": "60s", "speed": 1}],
            "billing": {"interval": "1s", "minimum": "0s"}
        })
    );
    let workload = body(&blueprint, "workloads.nightly");
    assert_eq!(
        workload["objective"],
        json!({"deadline": "4h", "minimize": "cost"})
    );
    assert_eq!(
        workload["tasks"]["report"],
        json!({
            "needs": ["extract"], "image": "shop/etl", "command": ["report", "--all"], "estimate": "5m",
            "environment": {"A": "b"}, "cpus": 1, "retries": 0
        })
    );
}

#[test]
fn a_definition_is_kept_as_it_is_and_gets_its_document() {
    let blueprint = typed(SHOP);
    let workflow = body(&blueprint, "workflows.fulfil");
    assert_eq!(
        workflow["definition"],
        json!({
            "document": {"dsl": "1.0.3", "namespace": "t", "name": "fulfil", "version": "0.0.0"},
            "do": [{"charge": {"call": "http", "with": {"method": "post", "endpoint": "http://pay/charge", "body": "${ . }"}}}]
        })
    );
    assert_eq!(
        workflow["expose"],
        json!({"post": "/orders", "auth": "token"})
    );
    let node = &blueprint.nodes[&"workflows.fulfil".parse::<Address>().unwrap()];
    let Template::Map(map) = &node.body else {
        panic!()
    };
    assert!(
        map["definition"].known().is_some(),
        "nothing in a definition is evaluated"
    );
}

#[test]
fn the_secrets_of_a_workflow_are_expressions_and_its_definition_is_not() {
    let blueprint = typed(
        "resources: {t: {type: password}}\nworkflows:\n  My_Flow:\n    secrets: {token: '${ .resources.t.value }'}\n    expose: {get: '/a/{id}', port: '${ .inputs.port }', auth: none}\n    definition: {do: [{a: {set: {x: '$HOME ${NAME} ${ .y }'}}}]}\ninputs: {port: {type: integer, default: 80}}\n",
    );
    let workflow = body(&blueprint, "workflows.My_Flow");
    assert_eq!(
        workflow["definition"]["do"][0]["a"]["set"]["x"],
        json!("$HOME ${NAME} ${ .y }")
    );
    assert_eq!(workflow["definition"]["document"]["name"], json!("my-flow"));
    assert_eq!(
        workflow["secrets"]["token"],
        json!("${ .resources.t.value }")
    );
    assert_eq!(workflow["expose"]["auth"], json!("none"));
}

#[test]
fn a_definition_may_stand_in_a_file_of_its_own() {
    let flow = "document: {dsl: '1.0.3', namespace: n, name: f, version: '1.0.0'}\ndo: [{w: {wait: {seconds: 1}}}]\n";
    let loaded = loaded(&[
        ("1.yaml", "workflows: {f: {file: flows/f.yaml}}"),
        ("flows/f.yaml", flow),
    ]);
    let (blueprint, _) = to_blueprint(&loaded).unwrap();
    assert_eq!(
        body(&blueprint, "workflows.f")["definition"]["document"]["version"],
        json!("1.0.0")
    );
    assert!(loaded.sources.paths().any(|path| path == "/p/flows/f.yaml"));
}

#[test]
fn programs_of_an_included_blueprint_are_built_in_its_folder() {
    let loaded = loaded(&[
        (
            "1.yaml",
            "include: [lib/compose.yaml]\nservices: {own: {process: {command: [a]}}}",
        ),
        (
            "lib/compose.yaml",
            "services: {a: {process: {command: [a]}}, b: {process: {command: [b], context: src}}}\nresources: {r: {type: password}}",
        ),
    ]);
    let (blueprint, _) = to_blueprint(&loaded).unwrap();
    assert_eq!(
        body(&blueprint, "services.a")["process"]["context"],
        json!("/p/lib")
    );
    assert_eq!(
        body(&blueprint, "services.b")["process"]["context"],
        json!("/p/lib/src")
    );
    assert_eq!(
        body(&blueprint, "services.own")["process"].get("context"),
        None
    );
    assert!(
        blueprint
            .nodes
            .contains_key(&"resources.r".parse::<Address>().unwrap())
    );
}

#[test]
fn a_workload_of_many_tasks_is_read() {
    let mut text = String::from(
        "pools: {p: {types: [{name: n, cpus: 1, memory: 1G, price: 1 USD/h}]}}\nworkloads:\n  w:\n    pool: p\n    objective: {deadline: 9h}\n    tasks:\n      t0: {estimate: 1s, command: x}\n",
    );
    for at in 1..1000 {
        text.push_str(&format!(
            "      t{at}: {{estimate: 1s, command: x, needs: [t{}]}}\n",
            at - 1
        ));
    }
    assert_eq!(
        body(&typed(&text), "workloads.w")["tasks"]
            .as_object()
            .map(|tasks| tasks.len()),
        Some(1000)
    );
}

#[test]
fn inputs_take_their_defaults_from_variables_in_their_type() {
    let request = consort_blueprint::LoadRequest {
        env: crate::support::env(&[("PORT", "8080"), ("ON", "true")]),
        ..request()
    };
    let text = "services: {a: {image: i}}\ninputs: {port: {type: integer, default: \"${PORT}\"}, on: {type: boolean, default: \"${ON}\"}, s: {type: string, default: \"${PORT}\"}}";
    let loaded =
        consort_blueprint::load(&request, &crate::support::files(&[("compose.yaml", text)]))
            .unwrap();
    let (blueprint, _) = to_blueprint(&loaded).unwrap();
    assert_eq!(blueprint.inputs["port"].default, Some(json!(8080)));
    assert_eq!(blueprint.inputs["on"].default, Some(json!(true)));
    assert_eq!(blueprint.inputs["s"].default, Some(json!("8080")));
}

#[test]
fn outputs_have_a_short_and_a_long_form() {
    let blueprint = typed(
        "services: {a: {image: i}}\noutputs: {a: 1, b: [x], c: {value: {k: v}, description: d, sensitive: true}}",
    );
    assert_eq!(shown(&blueprint.outputs["a"].value), json!(1));
    assert_eq!(shown(&blueprint.outputs["b"].value), json!(["x"]));
    assert_eq!(shown(&blueprint.outputs["c"].value), json!({"k": "v"}));
    assert!(blueprint.outputs["c"].sensitive && !blueprint.outputs["a"].sensitive);
    assert_eq!(blueprint.outputs["c"].description.as_deref(), Some("d"));
}

#[test]
fn a_secret_that_only_an_expression_uses_is_kept() {
    let blueprint = typed(
        "services: {a: {image: i, environment: {K: '${ .secrets.key.value }'}}}\nsecrets: {key: {environment: KEY}}",
    );
    assert!(
        blueprint
            .nodes
            .contains_key(&"secrets.key".parse::<Address>().unwrap())
    );
}

#[test]
fn a_target_may_have_settings() {
    let blueprint = typed("target: {kind: process, x-note: 1}\nservices: {a: {command: run}}");
    assert_eq!(blueprint.target, Some(TargetKind::Process));
}

#[test]
fn a_blueprint_survives_json() {
    let blueprint = typed(SHOP);
    let text = serde_json::to_string(&blueprint).unwrap();
    assert_eq!(serde_json::from_str::<Blueprint>(&text).unwrap(), blueprint);
}

#[test]
fn the_example_in_the_repository_is_a_blueprint() {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/customer-360");
    let request = consort_blueprint::LoadRequest {
        files: vec!["consort.yaml".to_owned()],
        working_dir: folder.to_str().unwrap().to_owned(),
        ..consort_blueprint::LoadRequest::default()
    };
    let loaded = consort_blueprint::load(&request, &consort_blueprint::source::Disk)
        .unwrap_or_else(|error| panic!("{}", error.render(Render::default())));
    let found = to_blueprint(&loaded);
    let shown = |found: &[_]| {
        consort_blueprint::diagnostic::render_all(found, 0, &loaded.sources, Render::default())
    };
    let (blueprint, _) = found.unwrap_or_else(|found| panic!("{}", shown(&found)));
    assert!(blueprint.nodes.len() > 10);
}

#[test]
fn mistakes_of_definitions_stand_at_their_places() {
    let loaded = loaded(&[(
        "1.yaml",
        "workflows:\n  f:\n    definition:\n      do:\n        - a: {cal: http}\n",
    )]);
    let check = |_: &Value| {
        ["/do/0/a/cal", "/do/0/a/missing/x", "/nothing"]
            .map(|pointer| consort_blueprint::DefinitionMistake {
                pointer: pointer.to_owned(),
                message: format!("at {pointer}"),
                lint: false,
            })
            .to_vec()
    };
    let found = consort_blueprint::to_blueprint_with(&loaded, &check).unwrap_err();
    let mut places: Vec<(u32, u32)> = found
        .iter()
        .map(|one| (one.primary.span.start.line, one.primary.span.start.column))
        .collect();
    places.sort_unstable();
    assert_eq!(places, [(4, 7), (5, 11), (5, 20)]);
}
