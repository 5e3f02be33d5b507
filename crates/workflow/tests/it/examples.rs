//! The examples of the specification.

use consort_workflow::Definition;

use crate::features::suite;
use crate::yaml;

/// What is refused, by the name that the refusal tells.
const NOT_YET: &[(&str, &str)] = &[
    ("accumulate-room-readings", "listening to `all`"),
    ("authentication-oauth2-secret", "authentication by `oauth2`"),
    ("authentication-oauth2", "authentication by `oauth2`"),
    ("authentication-oidc", "authentication by `oidc`"),
    ("call-asyncapi-subscribe-consume-amount", "`call: asyncapi`"),
    (
        "call-asyncapi-subscribe-consume-forever-foreach",
        "`call: asyncapi`",
    ),
    ("call-asyncapi-subscribe-consume-while", "`call: asyncapi`"),
    (
        "call-custom-function-cataloged",
        "`call: https://raw.githubusercontent.com/serverlessworkflow/catalog/main/functions/log/1.0.0/function.yaml`",
    ),
    ("call-grpc", "`call: grpc`"),
    ("call-mcp", "`call: mcp`"),
    ("call-openapi-redirect", "`call: openapi`"),
    ("listen-to-all", "listening to `all`"),
    (
        "listen-to-any-forever-foreach",
        "`foreach` of a listen task",
    ),
    ("listen-to-any-until-condition", "listening to `any`"),
    ("listen-to-any", "listening to `any`"),
    ("run-container-cleanup-eventually", "`run: container`"),
    ("run-container-stdin-and-arguments", "`run: container`"),
    ("run-container-with-pull-policy", "`run: container`"),
    ("run-container", "`run: container`"),
    ("run-return-code", "`run: container`"),
    ("run-return-none", "`run: container`"),
    ("run-script-with-stdin-and-arguments", "`run: script`"),
    ("run-shell-stdin-and-arguments", "`run: shell`"),
];

#[test]
fn each_example_is_accepted_or_refused_by_the_name_of_what_it_needs() {
    let Some(folder) = suite("examples") else {
        return;
    };
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 45);
    let mut refused = Vec::new();
    for file in &files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let document = yaml::read(&std::fs::read_to_string(file).unwrap());
        let printed: consort_model::Value = serde_json::from_str(&document.to_string()).unwrap();
        assert_eq!(printed, document);
        match Definition::read(document.clone(), "test", "test") {
            Ok(definition) => {
                let again =
                    Definition::read(definition.document().clone(), "other", "other").unwrap();
                assert_eq!(again.digest(), definition.digest(), "{name}");
            }
            Err(mistakes) => {
                for mistake in &mistakes {
                    assert!(
                        mistake.message.ends_with("is not there yet"),
                        "{name}: {mistake:?}"
                    );
                    assert!(
                        document.pointer(&mistake.pointer).is_some(),
                        "{name}: {mistake:?}"
                    );
                }
                refused.push((name, mistakes[0].message.clone()));
            }
        }
    }
    let refused: Vec<_> = refused
        .iter()
        .map(|(name, why)| (name.as_str(), why.trim_end_matches(" is not there yet")))
        .collect();
    assert_eq!(refused, NOT_YET);
}
