//! The graph for people and programs.

use consort_planner::evaluate::Programs;
use consort_planner::graph::Declarations;
use serde_json::json;

use crate::blueprint::blueprint;

fn graph() -> Declarations {
    let document = json!({
        "inputs": {"env": {"type": "string"}},
        "resources": {
            "a": {"type": "thing", "for_each": "${ .inputs.env }", "properties": {"name": "${ .inputs.env }"}},
            "b": {"type": "thing", "properties": {"use": "${ .resources.a }"}, "depends_on": ["resources.a"], "lifecycle": {"replace_triggered_by": ["resources.a"]}},
        },
        "services": {"my-api": {"image": "x", "volumes": ["data:/d"]}},
        "volumes": {"data": {}},
    });
    Declarations::of(&blueprint(&document), &mut Programs::default()).unwrap()
}

#[test]
fn the_graph_is_shown_as_text_with_the_reason_of_every_edge() {
    insta::assert_snapshot!(graph().text(), @r#"
    inputs.env
    resources.a (thing), one per key
      <- inputs.env (reference, for_each)
    resources.b (thing)
      <- resources.a (reference, depends_on, replace_triggered_by)
    volumes.data
    services["my-api"]
      <- volumes.data (setting)
    "#);
}

#[test]
fn the_graph_is_drawn_by_graphviz() {
    insta::assert_snapshot!(graph().dot(), @r#"
    digraph deployment {
      rankdir = RL;
      node [shape = box];
      "inputs.env";
      "resources.a";
      "resources.b";
      "services[\"my-api\"]";
      "volumes.data";
      "resources.a" -> "inputs.env" [label = "reference, for_each"];
      "resources.b" -> "resources.a" [label = "reference, depends_on, replace_triggered_by"];
      "services[\"my-api\"]" -> "volumes.data" [label = "setting"];
    }
    "#);
}

#[test]
fn the_graph_is_json_for_programs() {
    let json = graph().json();
    assert_eq!(json["nodes"][1]["address"], "resources.a");
    assert_eq!(json["nodes"][1]["keys"], true);
    assert_eq!(
        json["edges"][2],
        json!({"from": "services[\"my-api\"]", "to": "volumes.data", "why": ["setting"]})
    );
}
