use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use consort_driver::Target;
use serde_json::json;

use super::support::*;

async fn exec(
    world: &World,
    id: &str,
    command: &[&str],
    input: &str,
) -> (Result<i32, String>, String, String) {
    let (stdin, mut to) = std::io::pipe().unwrap();
    let (mut from, stdout) = std::io::pipe().unwrap();
    let (mut errors, stderr) = std::io::pipe().unwrap();
    let words = command.iter().map(|word| (*word).to_owned()).collect();
    let streams: [OwnedFd; 3] = [stdin.into(), stdout.into(), stderr.into()];
    let input = input.to_owned();
    let feed = tokio::task::spawn_blocking(move || to.write_all(input.as_bytes()));
    let code = world.target.exec(&world.context, id, words, streams).await;
    let _ = feed.await.unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    from.read_to_string(&mut out).unwrap();
    errors.read_to_string(&mut err).unwrap();
    (code.map_err(|error| error.problem().to_string()), out, err)
}

#[test]
fn commands_run_inside_with_their_own_streams_and_exit_code() {
    block_on(async {
        let world = World::new();
        let api = world
            .service("api", web("x", json!({"environment": {"COLOUR": "blue"}})))
            .await;
        let id = world.start(&api, 1, "e").await.id;
        let line = "cat; echo $COLOUR; grep -c ' api$' /etc/hosts; echo oops >&2; exit 7";
        let (code, out, err) = exec(&world, &id, &["sh", "-c", line], "from outside\n").await;
        assert_eq!(
            (code, out.as_str(), err.as_str()),
            (Ok(7), "from outside\nblue\n1\n", "oops\n")
        );
        let (code, ..) = exec(&world, &id, &["sh", "-c", "kill -9 $$"], "").await;
        assert_eq!(code, Ok(137));
        let (code, ..) = exec(&world, &id, &["/no/such"], "").await;
        assert!(code.is_err_and(|text| text.contains("cannot be run")));
        let (code, ..) = exec(&world, "api-9-zzz", &["true"], "").await;
        assert!(code.is_err_and(|text| text.contains("no instance")));
        let (code, ..) = exec(&world, "../../etc", &["true"], "").await;
        assert!(code.is_err());
        world.down().await;
    });
}

#[test]
fn a_command_ends_when_nobody_waits_for_it() {
    block_on(async {
        let world = World::new();
        let api = world.service("api", web("x", json!({}))).await;
        let id = world.start(&api, 1, "e").await.id;
        let (mut from, stdout) = std::io::pipe().unwrap();
        let (stdin, _keep) = std::io::pipe().unwrap();
        let stderr = stdout.try_clone().unwrap();
        let words = ["sh", "-c", "echo begun; sleep 1000"]
            .map(str::to_owned)
            .to_vec();
        {
            let streams: [OwnedFd; 3] = [stdin.into(), stdout.into(), stderr.into()];
            let run = world.target.exec(&world.context, &id, words, streams);
            let begun = tokio::task::spawn_blocking(move || {
                let mut first = [0; 6];
                from.read_exact(&mut first).unwrap();
                from
            });
            tokio::select! {
                _ = run => panic!("it ends by itself"),
                pipe = begun => from = pipe.unwrap(),
            }
        }
        let rest = tokio::task::spawn_blocking(move || {
            let mut rest = String::new();
            from.read_to_string(&mut rest).unwrap();
            rest
        });
        assert_eq!(rest.await.unwrap(), "");
        world.down().await;
    });
}
