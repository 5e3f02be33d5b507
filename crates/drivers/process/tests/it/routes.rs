use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use consort_driver::{Phase, Route, Target};
use consort_model::Code;
use serde_json::json;

use super::support::*;

#[test]
fn a_roll_over_under_load_refuses_no_request() {
    block_on(async {
        let world = World::new();
        let old = world.service("api", web("one", json!({}))).await;
        let before = world.run(&old, 2, "old").await;
        let (stop, count) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let at = [old.at(), old.published()];
        let clients: Vec<_> = (0..4)
            .map(|number| {
                let (stop, count, at) = (Arc::clone(&stop), Arc::clone(&count), at[number % 2]);
                std::thread::spawn(move || {
                    let mut failed = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        match get(at, "/") {
                            Ok(text) if text == "one" || text == "two" => {
                                count.fetch_add(1, Ordering::Relaxed)
                            }
                            other => {
                                failed.push(format!("{other:?}"));
                                0
                            }
                        };
                    }
                    failed
                })
            })
            .collect();
        let new = world.service("api", web("two", json!({}))).await;
        let mut ids: Vec<String> = before.iter().map(|one| one.id.clone()).collect();
        for number in 1..=2 {
            let started = world.start(&new, number, &format!("new-{number}")).await;
            let id = started.id.clone();
            world
                .until(&new.address, |all| {
                    all.iter()
                        .any(|one| one.id == id && one.phase == Phase::Ready)
                })
                .await;
            let gone = ids.remove(0);
            ids.push(id);
            world
                .route(
                    &new,
                    1 + u64::from(number),
                    &ids,
                    std::slice::from_ref(&gone),
                )
                .await;
            let runtime = world.target.instances();
            let left = runtime
                .route_drained(&world.context, &new.address, &gone, LIMIT)
                .await
                .unwrap();
            assert_eq!(left, 0);
            world.stop(&gone).await;
        }
        world.route(&new, 9, &ids, &[]).await;
        stop.store(true, Ordering::Relaxed);
        let failed: Vec<String> = clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect();
        assert!(
            failed.is_empty(),
            "{} of {}: {failed:?}",
            failed.len(),
            count.load(Ordering::Relaxed)
        );
        assert!(count.load(Ordering::Relaxed) > 0);
        assert_eq!(fetch(new.at(), "/").await, "two");
        world.down().await;
    });
}

#[test]
fn an_older_route_is_refused_and_a_lost_port_holder_is_made_again() {
    block_on(async {
        let mut world = World::new();
        let api = world.service("api", web("back", json!({}))).await;
        let started = world.run(&api, 1, "p").await;
        world.route(&api, 5, &[started[0].id.clone()], &[]).await;
        let route = Route {
            service: api.address.clone(),
            generation: 4,
            targets: vec![],
        };
        let refused = world
            .target
            .instances()
            .route_set(&world.context, route)
            .await
            .unwrap_err();
        assert_eq!(refused.code, Code::JOURNAL_FENCED);
        lose_port_holder(&world);
        world.restarted();
        world.route(&api, 6, &[started[0].id.clone()], &[]).await;
        assert_eq!(fetch(api.at(), "/").await, "back");
        assert_eq!(fetch(api.published(), "/").await, "back");
        world.down().await;
    });
}

#[test]
fn a_port_that_is_taken_is_named_and_nothing_is_half_open() {
    block_on(async {
        let world = World::new();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let desired = web("x", json!({"ports": [format!("{port}:8080")]}));
        let failed = world.apply(&service("api"), &desired).await.unwrap_err();
        assert_eq!(failed.code, Code::PORT_IN_USE);
        assert!(
            failed.problem().to_string().contains(&port.to_string()),
            "{}",
            failed.problem()
        );
        drop(taken);
        let api = world.service("api", desired).await;
        assert_eq!(api.published().port(), port);
        // A second service that wants it is refused too, and the first keeps it.
        let other = web("y", json!({"ports": [format!("{port}:8080")]}));
        assert_eq!(
            world
                .apply(&service("other"), &other)
                .await
                .unwrap_err()
                .code,
            Code::PORT_IN_USE
        );
        world.run(&api, 1, "t").await;
        assert_eq!(fetch(api.published(), "/").await, "x");
        world.down().await;
    });
}

#[test]
fn a_port_can_be_published_under_its_own_number_and_changes_keep_the_rest() {
    block_on(async {
        let world = World::new();
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let ports = |list: serde_json::Value| json!({"ports": list});
        let same = web("same", ports(json!([format!("{free}:{free}")])));
        let api = world.service("api", same).await;
        world.run(&api, 1, "n").await;
        assert_eq!(fetch(api.at(), "/").await, "same");
        assert_eq!(fetch(api.published(), "/").await, "same");
        // Published a second time, without a new route: the running instance answers.
        let more = web(
            "same",
            ports(json!([free.to_string(), format!("{free}:{free}")])),
        );
        let api = world.service("api", more).await;
        assert_ne!(api.published().port(), free);
        assert_eq!(fetch(api.published(), "/").await, "same");
        // … and no more under its own number.
        let less = web("same", ports(json!([free.to_string()])));
        let before = api.published();
        let api = world.service("api", less).await;
        assert_eq!(api.published(), before);
        assert!(get(std::net::SocketAddr::from(([127, 0, 0, 1], free)), "/").is_err());
        world.down().await;
    });
}

/// Gone with its shim and its files, as after a reboot and a cleaned disk.
fn lose_port_holder(world: &World) {
    let socket = world.context.socket_directory.join("ports-shim.sock");
    let mut client = consort_shim::Client::connect(&socket, LIMIT).unwrap();
    client.watch().unwrap();
    client.shutdown(Some(Duration::from_secs(1))).unwrap();
    while client.next_event(LIMIT).is_ok() {}
    std::fs::remove_dir_all(world.context.home_directory.join("process/.portholder")).unwrap();
}

#[test]
fn a_service_whose_addresses_another_home_took_gets_others() {
    block_on(async {
        let world = World::new();
        let api = world.service("api", web("moved", json!({}))).await;
        let address: std::net::Ipv4Addr = api.attribute("address").parse().unwrap();
        lose_port_holder(&world);
        let block = consort_portholder::addresses::Block::of(address).unwrap();
        let _other_home = consort_portholder::addresses::claim("other", &[block]).unwrap();
        let route = Route {
            service: api.address.clone(),
            generation: 1,
            targets: vec![],
        };
        let refused = world
            .target
            .instances()
            .route_set(&world.context, route)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("another home"), "{refused}");
        let object = consort_model::state::Object {
            id: api.applied.id.clone(),
            desired: api.desired.clone(),
            attributes: api.applied.attributes.clone(),
            tainted: false,
        };
        let seen = world
            .target
            .resources()
            .read(&world.context, "services", &object)
            .await
            .unwrap();
        let consort_driver::Observed::Present(attributes) = seen else {
            panic!("{seen:?}")
        };
        assert_eq!(attributes["address"], json!(null));
        let drifted = consort_model::state::Object {
            attributes,
            ..object
        };
        let planned = world
            .plan(&api.address, Some(drifted), api.desired.clone().into())
            .await
            .unwrap();
        assert!(planned.changes);
        let again = world.service("api", api.desired.clone()).await;
        assert_ne!(again.attribute("address"), api.attribute("address"));
        world.run(&again, 1, "m").await;
        assert_eq!(fetch(again.at(), "/").await, "moved");
        world.down().await;
    });
}
