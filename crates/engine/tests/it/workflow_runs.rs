//! Workflows as durable runs.

use consort_model::Value;
use consort_model::run::RunStatus;
use serde_json::json;

use crate::workflow_world::{Service, TOKEN, World, handle, json_answer};

fn get(url: &str) -> Value {
    json!({"call": "http", "with": {"method": "get", "endpoint": url}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_starts_a_run_once_whose_calls_make_its_output() {
    let crm =
        Service::new(|asked| json_answer(&json!({"asked": asked.line, "sent": asked.body}))).await;
    let document = json!({
        "schedule": {"on": {"one": {"with": {"type": "shop.purchase"}}}},
        "do": [
            {"customer": {
                "call": "http",
                "with": {"method": "post", "endpoint": format!("{}/customers", crm.url),
                    "body": {"order": "${ $workflow.input[0].data.order }"}}}},
            {"note": {"set": {"seen": "${ .asked }", "sent": "${ .sent }"}}},
        ],
    });
    let world = World::with(&[("purchase", json!({"definition": document}))]).await;
    assert!(world.post("e1", "shop.other", json!({})).await);
    assert!(world.post("e2", "shop.purchase", json!({"order": 7})).await);
    assert!(!world.post("e2", "shop.purchase", json!({"order": 7})).await);
    let runs = world.until_runs(1).await;
    let detail = world.ended(runs[0]).await;
    assert_eq!(detail.summary.status, RunStatus::Completed, "{detail:#?}");
    assert_eq!(
        detail.output,
        Some(json!({"seen": "POST /customers", "sent": "{\"order\":7}"}))
    );
    assert_eq!(detail.steps.len(), 2, "{:#?}", detail.steps);
    // The same event once more, to another owner that reads the inbox again from its mark.
    let later = world.restarted().await;
    assert!(!later.post("e2", "shop.purchase", json!({"order": 7})).await);
    assert!(later.post("e3", "shop.purchase", json!({"order": 8})).await);
    let runs = later.until_runs(2).await;
    later.ended(runs[0]).await;
    assert_eq!(later.runs().await.len(), 2);
    assert_eq!(crm.asked().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_events_start_each_its_own_run_over_few_connections() {
    let crm = Service::new(|_| json_answer(&json!({}))).await;
    let document = json!({
        "schedule": {"on": {"one": {"with": {"type": "shop.purchase"}}}},
        "do": [{"a": get(&crm.url)}, {"b": get(&crm.url)}, {"c": get(&crm.url)}],
    });
    let world = World::with(&[("purchase", json!({"definition": document}))]).await;
    for number in 0..100 {
        assert!(
            world
                .post(&format!("e{number}"), "shop.purchase", json!({}))
                .await
        );
    }
    crm.until(300).await;
    for run in world.until_runs(100).await {
        assert_eq!(world.ended(run).await.summary.status, RunStatus::Completed);
    }
    assert_eq!(crm.asked().len(), 300);
    assert!(crm.connections() < 300, "connections are used again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_a_crash_left_open_is_repeated_with_its_key() {
    let pay = Service::gated(|_| json_answer(&json!({"paid": true}))).await;
    let document = json!({"do": [{"charge": {
        "call": "http",
        "with": {"method": "post", "endpoint": format!("{}/charge", pay.url), "body": {"sum": 5}},
    }}]});
    let world = World::with(&[("pay", json!({"definition": document}))]).await;
    let run = world.start("pay", json!({}), "k").await;
    pay.until(1).await;
    let later = world.restarted().await;
    pay.until(2).await;
    pay.gate.add_permits(10);
    let detail = later.ended(run).await;
    assert_eq!(detail.output, Some(json!({"paid": true})), "{detail:#?}");
    let asked = pay.asked();
    let keys: Vec<_> = asked
        .iter()
        .map(|asked| asked.headers.get("idempotency-key"))
        .collect();
    assert!(keys[0].is_some());
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_repeated_finds_its_run_and_refuses_another_input() {
    let document = json!({"do": [{"a": {"set": {"x": 1}}}]});
    let world = World::with(&[("plain", json!({"definition": document}))]).await;
    let run = world.start("plain", json!({"a": 1}), "same").await;
    assert_eq!(world.start("plain", json!({"a": 1}), "same").await, run);
    assert_eq!(world.ended(run).await.output, Some(json!({"x": 1})));
    let other = world.try_start("plain", json!({"a": 2}), "same").await;
    assert_eq!(
        other.unwrap_err().code,
        consort_model::Code::REQUEST_CONFLICT
    );
    assert_eq!(world.runs().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_outlives_the_server() {
    let document = json!({"do": [
        {"pause": {"wait": {"milliseconds": 300}}},
        {"done": {"set": {"done": true}}},
    ]});
    let world = World::with(&[("slow", json!({"definition": document}))]).await;
    let run = world.start("slow", json!({}), "k").await;
    world
        .until(run, &[RunStatus::Waiting, RunStatus::Completed])
        .await;
    let later = world.restarted().await;
    assert_eq!(later.ended(run).await.output, Some(json!({"done": true})));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_listens_takes_the_event_that_its_filter_means() {
    let document = json!({"do": [
        {"answer": {"listen": {"to": {"one": {"with": {"type": "shop.answer"}}}}}},
        {"keep": {"set": {"got": "${ .[0].value }"}}},
    ]});
    let world = World::with(&[("ask", json!({"definition": document}))]).await;
    let run = world.start("ask", json!({}), "k").await;
    world.until(run, &[RunStatus::Waiting]).await;
    // It waits as well in the hands of the next owner.
    let later = world.restarted().await;
    later.post("x", "shop.question", json!({"value": 1})).await;
    later.post("y", "shop.answer", json!({"value": 2})).await;
    assert_eq!(later.ended(run).await.output, Some(json!({"got": 2})));
    assert!(later.store_subscriptions().await == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_workflow_emits_starts_another_once() {
    let sender = json!({"do": [
        {"tell": {"emit": {"event": {"with": {"type": "shop.told", "source": "/w", "data": {"n": 3}}}}}},
    ]});
    let receiver = json!({
        "schedule": {"on": {"one": {"with": {"type": "shop.told"}}}},
        "do": [{"keep": {"set": {"n": "${ $workflow.input[0].data.n }"}}}],
    });
    let world = World::with(&[
        ("sender", json!({"definition": sender})),
        ("receiver", json!({"definition": receiver})),
    ])
    .await;
    world.start("sender", json!({}), "k").await;
    let runs = world.until_runs(2).await;
    assert_eq!(world.ended(runs[0]).await.output, Some(json!({"n": 3})));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exposed_workflow_answers_its_path_and_method_for_those_who_may() {
    let document = json!({"do": [{"find": {"set": {"id": "${ .path.id }"}}}]});
    let workflow = json!({
        "definition": document,
        "expose": {"get": "/customers/{id}", "auth": "token"},
    });
    let fails = json!({
        "definition": {"do": [{"no": {"raise": {"error": {
            "type": "https://example.org/gone", "status": 410, "title": "Gone"}}}}]},
        "expose": {"get": "/gone", "auth": "none"},
    });
    let world = World::with(&[("customer", workflow), ("gone", fails)]).await;
    let reply = world.call("GET", "/customers/17", Some(TOKEN), None).await;
    assert_eq!((reply.status, reply.body), (200, json!({"id": "17"})));
    for (method, path, token, status) in [
        ("GET", "/customers/17", None, 401),
        ("GET", "/customers/17", Some("wrong"), 401),
        ("POST", "/customers/17", Some(TOKEN), 405),
        ("GET", "/orders/17", Some(TOKEN), 404),
        ("GET", "/gone", None, 410),
    ] {
        let reply = world.call(method, path, token, None).await;
        assert_eq!(reply.status, status, "{method} {path}");
    }
    let once = world
        .call("GET", "/customers/1", Some(TOKEN), Some("k"))
        .await;
    let again = world
        .call("GET", "/customers/1", Some(TOKEN), Some("k"))
        .await;
    assert_eq!((once.run, once.body), (again.run, again.body));
    let other = world
        .call("GET", "/customers/2", Some(TOKEN), Some("k"))
        .await;
    assert_eq!(other.status, 409);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_put_in_when_sent_and_never_recorded() {
    let crm = Service::new(|asked| {
        let echoed = asked
            .headers
            .get("authorization")
            .cloned()
            .unwrap_or_default();
        json_answer(&json!({"echo": echoed}))
    })
    .await;
    let document = json!({
        "use": {"secrets": ["crm_token"]},
        "do": [{"ask": {"call": "http", "with": {
            "method": "get",
            "endpoint": {"uri": crm.url, "authentication": {"bearer": {"token": "${ $secrets.crm_token }"}}},
        }}}],
    });
    let token = handle("resources.token.value").token();
    let workflow = json!({"definition": document, "secrets": {"crm_token": token}});
    let world = World::with(&[("ask", workflow)]).await;
    let run = world.start("ask", json!({}), "k").await;
    let detail = world.ended(run).await;
    assert_eq!(
        crm.asked()[0]
            .headers
            .get("authorization")
            .map(String::as_str),
        Some("Bearer very\"secret")
    );
    assert_eq!(
        detail.output,
        Some(json!({"echo": "Bearer (secret resources.token.value@1)"})),
        "{detail:#?}"
    );
    assert!(!world.everything_recorded(run).await.contains("very"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_with_another_token_is_refused() {
    let world = World::with(&[]).await;
    let refused = world.post_with(Some("other")).await;
    assert_eq!(refused.unwrap_err().code, consort_model::Code::UNAUTHORIZED);
    assert!(world.post_with(None).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_fails_by_name_where_it_cannot_be_sent() {
    for (url, said) in [
        ("https://x/", "`https` is not there yet"),
        ("http://127.0.0.1:1/", "cannot be reached"),
    ] {
        let document = json!({"do": [{"a": get(url)}]});
        let world = World::with(&[("bad", json!({"definition": document}))]).await;
        let run = world.start("bad", json!({}), "k").await;
        let detail = world.ended(run).await;
        assert_eq!(detail.summary.status, RunStatus::Faulted);
        let error = detail.summary.error.unwrap_or_default();
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_starts_runs_by_itself() {
    let document =
        json!({"schedule": {"every": {"milliseconds": 50}}, "do": [{"a": {"set": {"x": 1}}}]});
    let world = World::with(&[("tick", json!({"definition": document}))]).await;
    let runs = world.until_runs(2).await;
    assert_eq!(world.ended(runs[1]).await.output, Some(json!({"x": 1})));
}
