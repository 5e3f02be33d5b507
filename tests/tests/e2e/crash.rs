//! Server and command are killed; services and runs go on.

use std::process::Child;

use super::world::{World, ask, patiently, service, signal};

/// Resources, a service that is quick, one that takes seconds, and one after it.
fn chain(port: u16) -> String {
    let quick = service(
        "quick",
        r#"{ANSWER: "${ .resources.name.hex }"}"#,
        port,
        1,
        "",
    );
    let after = |name| format!("    depends_on: {{{name}: {{condition: service_healthy}}}}\n");
    let slow = service(
        "slow",
        r#"{ANSWER: slow, WARM_UP: "2"}"#,
        port + 1,
        2,
        &after("quick"),
    );
    let last = service("last", "{ANSWER: last}", port + 2, 1, &after("slow"));
    let resources = "resources: {name: {type: random_id, properties: {bytes: 4}}}";
    format!("name: shop\n{resources}\nservices:\n{quick}{slow}{last}")
}

/// `up` in a child, in the middle: the slow service is there and not ready.
fn up_until_the_slow_service_starts(world: &World) -> Child {
    let null = std::process::Stdio::null;
    let up = world
        .command(&["up"])
        .stdout(null())
        .stderr(null())
        .spawn()
        .unwrap();
    patiently("the slow service starts", || {
        let said = world.run(&["ps", "--output", "json"]);
        said.code == 0 && said.out.contains("services.slow#1")
    });
    up
}

fn number(up: &Child) -> i32 {
    i32::try_from(up.id()).unwrap()
}

/// The run of the newest plan.
fn run_of_plan(world: &World) -> String {
    let runs = world.run(&["runs", "list", "--output", "json"]).ok().json();
    let plan = runs
        .as_array()
        .unwrap()
        .iter()
        .find(|run| run["kind"] == "plan")
        .expect("a plan was run");
    plan["id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_all_is_there_once(world: &World) {
    for (name, replicas) in [("quick", 1), ("slow", 2), ("last", 1)] {
        let pids = world.pids(name);
        assert_eq!(pids.len(), replicas, "{name}: {pids:?}");
        assert_eq!(world.programs(name), replicas, "processes of {name}");
    }
    assert_eq!(world.run(&["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn a_server_killed_while_services_run_costs_no_request_and_no_instance() {
    let blueprint = format!(
        "name: shop\nservices:\n{}",
        service("web", "{ANSWER: one}", 18420, 2, "")
    );
    let world = World::new(&blueprint);
    world.run(&["up"]).ok();
    let before = world.pids("web");
    let server = world.server();
    signal("KILL", server);
    for _ in 0..200 {
        assert_eq!(ask(18420).unwrap(), "one");
    }
    assert_eq!(world.pids("web"), before);
    assert_ne!(world.server(), server);
    assert_eq!(world.run(&["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn a_run_ends_although_the_command_that_began_it_was_killed() {
    let world = World::new(&chain(18430));
    let mut up = up_until_the_slow_service_starts(&world);
    signal("KILL", number(&up));
    up.wait().unwrap();
    world.run(&["runs", "watch", &run_of_plan(&world)]).ok();
    assert_all_is_there_once(&world);
}
