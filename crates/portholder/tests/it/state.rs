//! What is recorded.

use consort_portholder::{ListenerSpec, Mode};

use crate::support::{Backend, Home, key, spec, target};

#[test]
fn the_file_of_format_1_is_still_read() {
    let mut home = Home::prepare();
    std::fs::create_dir(home.dir.path().join("state")).unwrap();
    std::fs::set_permissions(
        home.dir.path().join("state"),
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    // Frozen: written by the first version. Do not edit.
    let file = r#"{"format":1,"listeners":[{"spec":{"key":"services.api/80/tcp","protocol":"tcp","address":"127.0.0.1","port":0,"mode":"http","wait_timeout_ms":60000,"idle_timeout_ms":0,"header_timeout_ms":30000,"max_connections":16384},"port":0,"generation":3,"targets":[{"id":"services.api#1","address":"127.64.0.2","port":80,"state":"draining","watch":"/run/consort/x"}]},{"spec":{"key":"events","protocol":"tcp","address":"127.0.0.1","port":0,"mode":{"unix_http":{"socket":"/run/consort/s","path_prefix":"/v1/x"}},"wait_timeout_ms":60000,"idle_timeout_ms":0,"header_timeout_ms":30000,"max_connections":16384},"port":0,"targets":[]}],"blocks":[]}"#;
    std::fs::write(home.state_file(), file).unwrap();
    home.launch();
    let consort_portholder::Reply::List { listeners, .. } = home
        .client()
        .ask(&consort_portholder::Request::List)
        .unwrap()
    else {
        panic!()
    };
    assert_eq!(listeners.len(), 2);
    assert!(matches!(listeners[0].spec.mode, Mode::UnixHttp(_)));
    assert_eq!(
        (listeners[1].generation, &listeners[1].spec),
        (
            Some(3),
            &ListenerSpec {
                mode: Mode::Http,
                ..spec("services.api/80/tcp")
            }
        )
    );
}

#[test]
fn holds_what_was_asked_for_and_no_more() {
    let (home, backend) = (Home::start(), Backend::echo());
    let mut client = home.client();
    for name in ["b", "a"] {
        client.bind(spec(name)).unwrap();
    }
    client
        .targets(&key("a"), 4, vec![target("i", backend.address)])
        .unwrap();
    client.drain(&key("a"), "i").unwrap();
    client.unbind(&key("b")).unwrap();
    let file: serde_json::Value =
        serde_json::from_slice(&std::fs::read(home.state_file()).unwrap()).unwrap();
    assert_eq!(file["listeners"].as_array().unwrap().len(), 1);
    assert_eq!(file["listeners"][0]["spec"]["key"], "a");
    assert_eq!(file["listeners"][0]["targets"][0]["state"], "draining");
    assert!(!home.state_file().with_extension("json.new").exists());
}
