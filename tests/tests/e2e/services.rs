//! Services behind a published port: change, failure, the verbs, and nothing left behind.

use std::sync::atomic::{AtomicBool, Ordering};

use super::world::{World, ask, service};

fn shop(answer: &str, port: u16) -> String {
    format!(
        "name: shop\nservices:\n{}",
        service("web", &format!("{{ANSWER: {answer}}}"), port, 2, "")
    )
}

/// Asks over new connections while the work is done: what was answered, and what failed.
fn under_load(port: u16, work: impl FnOnce()) -> (std::collections::BTreeSet<String>, Vec<String>) {
    /// Ends the load also when the work panics.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let (mut answers, mut failures) = (std::collections::BTreeSet::new(), Vec::new());
            while !done.load(Ordering::Acquire) && failures.len() < 100 {
                match ask(port) {
                    Ok(answer) => drop(answers.insert(answer)),
                    Err(error) => failures.push(error.to_string()),
                }
            }
            (answers, failures)
        });
        let end = End(&done);
        work();
        drop(end);
        load.join().unwrap()
    })
}

#[test]
fn services_come_up_and_a_change_rolls_out_without_a_failed_request() {
    let world = World::new(&shop("one", 18401));
    world.run(&["up"]).ok();
    assert_eq!(world.run(&["plan", "--detailed-exitcode"]).code, 0);
    let before = world.pids("web");
    assert_eq!(before.len(), 2);
    assert_eq!(ask(18401).unwrap(), "one");
    world.write("consort.yaml", &shop("two", 18401));
    let (answers, failures) = under_load(18401, || drop(world.run(&["up"]).ok()));
    assert_eq!(failures, Vec::<String>::new());
    assert!(answers.contains("one"), "{answers:?}");
    assert_eq!(ask(18401).unwrap(), "two");
    let after = world.pids("web");
    assert!(
        after.len() == 2 && before.iter().all(|pid| !after.contains(pid)),
        "{before:?} {after:?}"
    );
    assert!(world.run(&["logs", "web"]).ok().out.contains("serving two"));
    assert_eq!(
        world
            .run(&["exec", "web", "--", "sh", "-c", "echo $ANSWER"])
            .ok()
            .out
            .trim(),
        "two"
    );
    assert_eq!(world.run(&["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn a_version_that_never_gets_healthy_is_rolled_back_while_the_old_one_serves() {
    let world = World::new(&shop("one", 18403));
    world.run(&["up"]).ok();
    world.write("consort.yaml", &shop("broken", 18403));
    let (answers, failures) = under_load(18403, || {
        let said = world.run(&["up"]);
        assert_ne!(said.code, 0);
        assert!(
            said.err.contains("exit code 1") && said.err.contains("rolled back"),
            "{}",
            said.err
        );
    });
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!(answers.into_iter().collect::<Vec<_>>(), ["one"]);
    assert_eq!(world.pids("web").len(), 2);
}

#[test]
fn a_secret_in_the_environment_of_a_service_is_nowhere_on_disk() {
    let environment = r#"{ANSWER: one, SECRET: "${ .resources.password.value }"}"#;
    let resources = "name: shop\nresources: {password: {type: password, properties: {length: 24}}}\nservices:\n";
    let world = World::new(&format!(
        "{resources}{}",
        service("web", environment, 18404, 1, "")
    ));
    world.run(&["up"]).ok();
    let secret = world
        .run(&["exec", "web", "--", "sh", "-c", "echo $SECRET"])
        .ok()
        .out
        .trim()
        .to_owned();
    assert_eq!(secret.len(), 24);
    assert_eq!(world.files_with(&secret), Vec::<std::path::PathBuf>::new());
}
