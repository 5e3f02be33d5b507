use std::io::{Read, Write};

use consort_driver::Target;
use consort_model::Code;
use serde_json::json;

use super::support::*;

#[test]
fn services_are_found_by_every_name_and_dialled_at_their_virtual_address() {
    block_on(async {
        let world = World::new();
        let desired = web(
            "x",
            json!({"networks": {"back": {"aliases": ["store"]}}, "container_name": "the-db", "expose": ["9000"]}),
        );
        let db = world.service("db", desired).await;
        let endpoints = world.target.endpoints();
        for name in ["db", "store", "the-db", "DB", "db."] {
            assert_eq!(
                endpoints.resolve_name(&world.context, name).await.unwrap(),
                Some(db.address.clone()),
                "{name}"
            );
        }
        assert_eq!(
            endpoints
                .resolve_name(&world.context, "example.com")
                .await
                .unwrap(),
            None
        );
        let at = endpoints
            .dial(&world.context, &db.address, 9000)
            .await
            .unwrap();
        assert_eq!(at.to_string(), format!("{}:9000", db.attribute("address")));
        let none = endpoints
            .dial(&world.context, &db.address, 1)
            .await
            .unwrap_err();
        assert_eq!(none.code, Code::NODE_UNKNOWN);
        world.down().await;
    });
}

#[test]
fn the_deployments_address_reaches_the_server_and_waits_for_it() {
    block_on(async {
        let world = World::new();
        let url = world
            .target
            .endpoints()
            .deployment_url(&world.context)
            .await
            .unwrap();
        assert_eq!(
            url,
            world
                .target
                .endpoints()
                .deployment_url(&world.context)
                .await
                .unwrap()
        );
        let authority = url.strip_prefix("http://").unwrap();
        let at: std::net::SocketAddr = if authority.contains(':') {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        }
        .parse()
        .unwrap();
        // The request comes before the server is there.
        let asked = tokio::task::spawn_blocking(move || get(at, "/customers/7?full=1"));
        tokio::task::yield_now().await;
        let socket = world.folder.path().join("server.sock");
        let server = tokio::task::spawn_blocking(move || {
            let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            let (mut head, mut byte) = (Vec::new(), [0; 1]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                head.push(byte[0]);
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                .unwrap();
            String::from_utf8(head).unwrap()
        });
        assert_eq!(asked.await.unwrap().unwrap(), "ok");
        let head = server.await.unwrap();
        assert!(
            head.starts_with("GET /v1/deployments/shop/exposed/customers/7?full=1 "),
            "{head}"
        );
        world.down().await;
    });
}
