use std::future::poll_fn;

use consort_driver::{LogLine, LogQuery, LogStream, Target};
use serde_json::json;

use super::support::*;

async fn next(stream: &mut LogStream) -> Option<LogLine> {
    let next = poll_fn(|context| stream.as_mut().poll_next(context));
    let next = tokio::time::timeout(LIMIT, next)
        .await
        .expect("a line in time");
    next.map(|line| line.unwrap())
}

async fn texts(world: &World, query: LogQuery) -> Vec<String> {
    let mut stream = world.target.logs(&world.context, query).await.unwrap();
    let mut found = Vec::new();
    while let Some(line) = next(&mut stream).await {
        found.push(format!("{} {} {}", line.of, line.stream, line.text));
    }
    found
}

#[test]
fn lines_are_merged_chosen_tailed_and_followed() {
    block_on(async {
        let world = World::new();
        let go = world.folder.path().join("go");
        let line = format!(
            "echo one; echo two >&2; echo three; until test -e {}; do sleep 0.02; done; echo four; sleep 1000",
            go.display()
        );
        let api = world
            .service("api", json!({"command": ["/bin/sh", "-c", line]}))
            .await;
        world.start(&api, 1, "l1").await;
        let mut follow = world
            .target
            .logs(
                &world.context,
                LogQuery {
                    follow: true,
                    ..LogQuery::default()
                },
            )
            .await
            .unwrap();
        let mut first: Vec<String> = Vec::new();
        for _ in 0..3 {
            first.push(next(&mut follow).await.unwrap().text);
        }
        first.sort();
        assert_eq!(first, ["one", "three", "two"]);
        let second = world
            .service(
                "second",
                json!({"command": ["/bin/sh", "-c", "echo late; sleep 1000"]}),
            )
            .await;
        world.start(&second, 1, "l2").await;
        let late = next(&mut follow).await.unwrap();
        assert_eq!(
            (late.of.to_string().as_str(), late.text.as_str()),
            ("services.second#1", "late")
        );
        std::fs::write(&go, "").unwrap();
        let four = next(&mut follow).await.unwrap();
        assert_eq!(four.text, "four");
        drop(follow);
        let all = texts(&world, LogQuery::default()).await;
        assert_eq!(all.len(), 5, "{all:?}");
        assert!(all.contains(&"services.api#1 stderr two".to_owned()));
        let tail = LogQuery {
            tail: Some(1),
            ..LogQuery::default()
        };
        let tail = texts(&world, tail).await;
        assert_eq!(
            tail,
            [
                "services.second#1 stdout late",
                "services.api#1 stdout four"
            ]
        );
        let chosen = LogQuery {
            of: vec![second.address.clone()],
            ..LogQuery::default()
        };
        assert_eq!(
            texts(&world, chosen).await,
            ["services.second#1 stdout late"]
        );
        let since = LogQuery {
            since: Some(four.at),
            ..LogQuery::default()
        };
        assert_eq!(texts(&world, since).await, ["services.api#1 stdout four"]);
        let until = LogQuery {
            until: Some(late.at),
            ..LogQuery::default()
        };
        assert!(
            !texts(&world, until)
                .await
                .iter()
                .any(|text| text.ends_with("four"))
        );
        world.down().await;
    });
}
