//! Our expressions on their way through the loader.

use consort_blueprint::{Node, Value};
use consort_model::template::TextPart;
use serde_json::json;

use crate::support::{codes, loaded, part};

fn deferred(node: &Node) -> &[TextPart] {
    let Value::Deferred(parts) = &node.value else {
        panic!("{node:?}")
    };
    parts
}

#[test]
fn an_expression_stands_for_any_value() {
    let text = "services:\n  s:\n    image: 'i:${ .inputs.tag }'\n    scale: '${ .inputs.n }'\n    privileged: '${ .inputs.p }'\n    ports: ['${ .inputs.port }:80', '81:${ .inputs.port }']\n    volumes: ['${ .resources.d.path }:/data']\n    environment: {A: '${ .locals.a }'}\n    labels: ['b=x${ .locals.a }']\n    deploy: '${ .locals.deploy }'\n    mem_limit: '${ .inputs.mem }'\n    command: '${ .locals.command }'\n";
    let loaded = loaded(&[("1.yaml", text)]);
    let at = |path: &[&str]| deferred(loaded.document.at(path).unwrap()).to_vec();
    let expression = |text: &str| TextPart::Expression(text.to_owned());
    assert_eq!(at(&["services", "s", "scale"]), [expression(".inputs.n")]);
    assert_eq!(
        at(&["services", "s", "image"]),
        [TextPart::Text("i:".into()), expression(".inputs.tag")]
    );
    assert_eq!(
        at(&["services", "s", "labels", "b"]),
        [TextPart::Text("x".into()), expression(".locals.a")]
    );
    assert_eq!(
        at(&["services", "s", "environment", "A"]),
        [expression(".locals.a")]
    );
    let ports = loaded
        .document
        .at(&["services", "s", "ports"])
        .unwrap()
        .as_seq()
        .unwrap();
    assert_eq!(
        deferred(&ports[0]),
        [expression(".inputs.port"), TextPart::Text(":80".into())]
    );
    assert_eq!(
        part(&loaded, "services/s/volumes/0"),
        json!("$${ .resources.d.path }:/data")
    );
}

#[test]
fn expressions_survive_merges_and_extends() {
    let loaded = loaded(&[
        (
            "1.yaml",
            "services: {b: {image: i, environment: {A: '${ .a }', B: x}, ports: ['${ .p }:1']}, s: {extends: b}}",
        ),
        (
            "2.yaml",
            "services: {s: {environment: [B=y], ports: ['${ .p }:1', '2:2']}}",
        ),
    ]);
    assert_eq!(
        part(&loaded, "services/s/environment"),
        json!({"A": "$${ .a }", "B": "y"})
    );
    let ports = part(&loaded, "services/s/ports");
    assert_eq!(ports.as_array().unwrap().len(), 2, "{ports}");
    assert_eq!(ports[0], json!("$${ .p }:1"));
}

#[test]
fn compose_variables_and_expressions_live_side_by_side() {
    let loaded = loaded(&[(
        "1.yaml",
        "services: {s: {image: i, environment: {A: '$$x $HOME ${ .a | \"$HOME\" } ${U:-${ .b }}'}}}",
    )]);
    let parts = deferred(
        loaded
            .document
            .at(&["services", "s", "environment", "A"])
            .unwrap(),
    );
    assert_eq!(
        parts,
        [
            TextPart::Text("$x /root ".into()),
            TextPart::Expression(".a | \"$HOME\"".into()),
            TextPart::Text(" ".into()),
            TextPart::Expression(".b".into()),
        ]
    );
}

#[test]
fn what_shapes_the_graph_cannot_be_an_expression() {
    for body in [
        "extends: '${ .x }'",
        "profiles: ['${ .x }']",
        "depends_on: ['${ .x }']",
    ] {
        let text = format!("services: {{s: {{image: i, {body}}}}}");
        assert_eq!(codes(&[("1.yaml", &text)]), ["E0075"], "{body}");
    }
    assert_eq!(
        codes(&[("1.yaml", "name: '${ .x }'\nservices: {s: {image: i}}")]),
        ["E0075"]
    );
    assert_eq!(
        codes(&[("1.yaml", "include: ['${ .x }']\nservices: {s: {image: i}}")]),
        ["E0075"]
    );
    assert_eq!(
        codes(&[(
            "1.yaml",
            "services: {s: {image: i, environment: ['${ .x }=1']}}"
        )]),
        ["E0075"]
    );
}

#[test]
fn our_own_elements_are_passed_through_with_their_expressions() {
    let text = "inputs: {region: {type: string, default: eu}}\nlocals: {a: '${ .inputs.region }-$HOME'}\nservices: {s: {image: i, depends_on: [resources.db]}}\nresources: {db: {type: password, properties: {length: 24}}}\noutputs: {u: '${ .services.s.url }'}\n";
    let loaded = loaded(&[("1.yaml", text)]);
    assert_eq!(
        part(&loaded, "locals/a"),
        json!("$${ .inputs.region }-/root")
    );
    assert_eq!(part(&loaded, "resources/db/properties/length"), json!(24));
    let template = loaded.document.to_template(&loaded.sources);
    let mut places = Vec::new();
    template.visit_deferred(&mut |deferred| places.push(deferred.place.to_string()));
    assert_eq!(places, ["/p/1.yaml:2:13", "/p/1.yaml:5:14"]);
}
