use crate::support::settings;

#[test]
fn reads_a_secret_from_the_file_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "hidden\n").unwrap();
    let found = settings(&[("TOKEN_FILE", path.to_str().unwrap())])
        .secret("TOKEN")
        .unwrap();
    assert_eq!(found.as_deref(), Some("hidden"));
}

#[test]
fn refuses_a_secret_that_is_given_twice() {
    let error = settings(&[("TOKEN", "a"), ("TOKEN_FILE", "/b")])
        .secret("TOKEN")
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "TOKEN and TOKEN_FILE are both set; keep one of them"
    );
}

#[test]
fn never_shows_values_when_printed() {
    let text = format!("{:?}", settings(&[("TOKEN", "hidden")]));
    assert_eq!(text, r#"{"TOKEN"}"#);
}

#[test]
fn takes_an_empty_value_as_not_set() {
    assert_eq!(
        settings(&[("PORT", "")])
            .parsed::<u16>("PORT", "a port")
            .unwrap(),
        None
    );
    assert!(
        settings(&[("PORT", "x")])
            .parsed::<u16>("PORT", "a port")
            .is_err()
    );
}
