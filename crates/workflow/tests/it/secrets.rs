//! Secrets go into requests, and nowhere else.

use consort_model::{SecretHandle, Value};
use consort_workflow::Authentication;
use serde_json::json;

use crate::world::World;
use crate::yaml;

fn world(document: &str) -> World {
    let mut world = World::new(yaml::read(document));
    let handle = SecretHandle {
        name: "crm_token".into(),
        version: 2,
    };
    world.secrets.insert("crm".into(), handle.token());
    world
        .services
        .insert("http://x/".into(), vec![json!({"body": {"a": 1}})]);
    world
}

#[test]
fn a_secret_goes_into_a_request_as_its_token() {
    for policy in [
        "{bearer: {token: '${ $secrets.crm }'}}",
        "{bearer: {use: crm}}",
        "{use: named}",
    ] {
        let mut world = world(&format!(
            "
use: {{secrets: [crm], authentications: {{named: {{bearer: {{token: '${{ $secret.crm }}'}}}}}}}}
do:
  - ask: {{call: http, with: {{method: get, endpoint: {{uri: 'http://x/', authentication: {policy}}}, output: response, headers: {{x-api-key: '${{ $secrets.crm }}'}}}}}}
"
        ));
        let token = world.secrets["crm"].clone();
        let ended = world.execute(json!(null)).unwrap();
        assert_eq!(
            world.sent[0].2.authentication,
            Some(Authentication::Bearer {
                token: token.clone()
            })
        );
        assert_eq!(world.sent[0].2.headers["x-api-key"], token);
        let output = ended.output.unwrap_or_else(|| panic!("{:?}", ended.error));
        assert_eq!(output["request"]["headers"]["x-api-key"], "(hidden)");
        assert!(!output.to_string().contains("crm_token"));
    }
}

#[test]
fn a_secret_in_data_or_by_its_content_is_refused() {
    for (task, detail) in [
        ("{set: {x: '${ $secrets.crm }'}}", "must not hold a secret"),
        (
            "{set: {}, export: {as: $secrets}}",
            "must not hold a secret",
        ),
        (
            "{emit: {event: {with: {type: a, data: '${ $secrets.crm }'}}}}",
            "must not hold a secret",
        ),
        (
            "{set: {x: '${ $secrets.crm | length }'}}",
            "content of a secret",
        ),
    ] {
        let mut world = world(&format!("use: {{secrets: [crm]}}\ndo: [{{bad: {task}}}]"));
        let error = world.execute(json!(null)).unwrap().error.unwrap();
        assert!(
            error.detail.as_ref().unwrap().contains(detail),
            "{task}: {error:?}"
        );
    }
}

#[test]
fn data_cannot_make_up_a_secret() {
    let forged = SecretHandle {
        name: "crm_token".into(),
        version: 2,
    }
    .token();
    let mut world = world(
        "
use: {secrets: [crm]}
do:
  - ask: {call: http, with: {method: post, endpoint: 'http://x/', body: '${ . }'}}
",
    );
    world.execute(json!({"text": forged, forged.clone(): 1}));
    assert!(!world.sent[0].2.body.as_ref().unwrap().contains(&forged));

    let mut world = self::world(
        "do: [{ask: {call: http, with: {method: post, endpoint: 'http://x/', body: '${ .a.b }'}}}]",
    );
    world.secrets.clear();
    let text: Value = json!({"a": {"b": "plain"}});
    assert!(world.execute(text).unwrap().error.is_none());
    let made = "do: [{ask: {call: http, with: {method: post, endpoint: 'http://x/', body: \"${ \\\"\u{E0C5}other@1\u{E0C6}\\\" }\"}}}]";
    let error = self::world(made)
        .execute(json!(null))
        .unwrap()
        .error
        .unwrap();
    assert!(error.status == 403 && error.detail.unwrap().contains("`other`"));
}
