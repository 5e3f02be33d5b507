//! What is refused, and what the user reads.

use consort_blueprint::diagnostic::render_all;
use consort_blueprint::{Render, Severity, to_blueprint};

use crate::support::{loaded, try_load};

/// The mistakes of a blueprint, wherever they are found.
#[track_caller]
fn said(text: &str) -> String {
    let errors_only = |found: Vec<consort_blueprint::Diagnostic>| -> Vec<_> {
        found
            .into_iter()
            .filter(|one| one.severity() == Severity::Error)
            .collect()
    };
    match try_load(&[("1.yaml", text)]) {
        Err(error) => render_all(
            &errors_only(error.diagnostics.clone()),
            0,
            &error.sources,
            Render::default(),
        ),
        Ok(loaded) => match to_blueprint(&loaded) {
            Ok(_) => panic!("it was accepted:\n{text}"),
            Err(found) => render_all(&errors_only(found), 0, &loaded.sources, Render::default()),
        },
    }
}

#[test]
fn references_to_what_is_not_there_have_the_nearest_name() {
    insta::assert_snapshot!(said(
        r#"
inputs: {region: {type: string}}
resources:
  orders:
    type: file
    for_each: [eu, us]
    properties: {path: "${ .inputs.regoin }/${ .each.name }"}
  other:
    type: file
    properties:
      path: "${ .each.key }"
      content: "${ .resource.orders } ${ .resources.oders.id }"
      mode: '${ .resources.orders["ue"].id }'
      more: "${ .services.orders.url } ${ .hosts.web.ip }"
outputs: {all: "${ . }", id: "${ .resources.orders.id }"}
"#
    ));
}

#[test]
fn broken_expressions_show_the_place_inside() {
    insta::assert_snapshot!(said(
        r#"
locals:
  a: "${ .inputs.x | }"
  b: '${ env.HOME }'
  c: >-
    text ${ nofunction(1) }
services:
  s:
    command: [run, "${ input }"]
"#
    ));
}

#[test]
fn circles_are_shown_as_their_path() {
    insta::assert_snapshot!(said(
        r#"
locals:
  a: "${ .locals.b }"
  b: "${ .resources.r.path }"
  self: "x${ .locals.self }"
resources:
  r:
    type: file
    depends_on: [services.s]
services:
  s:
    command: [run, "${ .locals.a }"]
"#
    ));
}

#[test]
fn what_is_not_there_yet_is_refused_by_its_name() {
    insta::assert_snapshot!(said(
        r#"
providers: {aws: {source: hashicorp/aws}}
hosts: {web: {addresses: [a]}}
modules: {m: {source: ./m}}
services: {s: {command: run}}
"#
    ));
}

#[test]
fn unknown_keys_and_values_have_the_nearest_name() {
    insta::assert_snapshot!(said(
        r#"
target: proces
inputs: {a: {typ: string}, b: {type: text}}
resources: {r: {type: file, propertys: {}, lifecycle: {prevent_destory: true}}}
pools: {p: {types: [{name: n, cpu: 1, cpus: 1, memory: 1Q, price: 1 EUR/h}]}}
workloads:
  w: {pool: p, objective: {deadlin: 1h}, tasks: {t: {estimate: soon, command: x, volumes: [a:/b]}}}
workflows: {f: {defintion: {}, expose: {get: orders}}}
services: {s: {command: run, autoscale: {min: 0}, objective: {latency: fast}}}
objectives: {budget: 5 USD}
"#
    ));
}

#[test]
fn elements_that_contradict_themselves_are_refused() {
    insta::assert_snapshot!(said(
        r#"
inputs:
  a: {type: integer, default: x}
  b: {type: string, enum: [x, y], default: z}
  c: {type: string, default: "${ .inputs.a }"}
pools:
  p: {types: [{name: n, cpus: 1, memory: 1G, price: 1 USD/h}, {name: n, cpus: 0, memory: 1G, price: 1 USD/h}], billing: {interval: 0s}}
workloads:
  both: {pool: p, objective: {deadline: 1h, budget: 5 USD}, tasks: {t: {estimate: 1m, command: x}}}
  none: {pool: q, objective: {}, tasks: {t: {estimate: 1m}}}
  wrong: {pool: p, objective: {deadline: 1h, minimize: makespan}, tasks: {a: {estimate: 1m, command: x, needs: [b]}, b: {estimate: 1m, command: x, needs: [a, c]}}}
workflows:
  one: {definition: {do: []}, expose: {get: "/a/{id}"}}
  two: {definition: {do: []}, expose: {get: "/a/{name}"}}
  three: {expose: {auth: none}}
services:
  s: {command: run, autoscale: {min: 5, max: 2}}
"#
    ));
}

#[test]
fn what_shapes_the_graph_is_known_at_load() {
    insta::assert_snapshot!(said(
        r#"
inputs: {keys: {type: array}}
locals: {fine: "${ .inputs.keys }", late: "${ .resources.a.list }"}
resources:
  a: {type: file, for_each: "${ .locals.fine }"}
  b: {type: file, for_each: "${ .locals.late }"}
  c: {type: "${ .locals.fine }", depends_on: [resources.d, services], lifecycle: {replace_triggered_by: [resources.e.id]}}
jobs: {j: {image: i, triggers: {schedule: "0 25 * * *"}}}
"#
    ));
}

#[test]
fn characters_that_mark_secrets_are_refused() {
    let text = said("services: {s: {command: [run, \"\u{e0c5}resources.p.value@1\u{e0c6}\"]}}");
    assert!(text.contains("E0115"), "{text}");
}

#[test]
fn keys_of_elements_are_never_expressions() {
    let text = said("services: {s: {command: run}}\nlocals: {a: {'${ .inputs.x }': 1}}");
    assert!(
        text.contains("E0075") && text.contains("a key cannot be an expression"),
        "{text}"
    );
}

#[test]
fn keys_that_mark_values_inside_are_refused() {
    for key in ["$deferred", "$unknown"] {
        let text = said(&format!(
            "services: {{s: {{command: run}}}}\nresources: {{r: {{type: file, properties: {{'{key}': 1}}}}}}"
        ));
        assert!(text.contains("E0077"), "{text}");
    }
}

#[test]
fn warnings_do_not_stop_anything() {
    let loaded = loaded(&[(
        "1.yaml",
        "services: {s: {command: run, privileged: true, gpus: all, hostname: h, autoscale: {min: 1, max: 2}}}",
    )]);
    let (_, warnings) = to_blueprint(&loaded).unwrap();
    insta::assert_snapshot!(render_all(&warnings, 0, &loaded.sources, Render::default()));
}
