//! Files that are made to exhaust memory or time end in a diagnostic.

use std::fmt::Write as _;

use consort_blueprint::source::{Disk, ReadError, Source};
use consort_blueprint::{LoadRequest, load};

use crate::support::{codes, request, try_load};

#[track_caller]
fn ends(text: &str, expected: &str) {
    let codes = codes(&[("1.yaml", text)]);
    assert!(codes.contains(&expected), "{codes:?}");
}

#[test]
fn aliases_of_aliases_are_counted_before_they_are_expanded() {
    let mut text = "x-a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n".to_owned();
    for level in 1..20 {
        let below = format!("*a{}", level - 1);
        let _ = writeln!(
            text,
            "x-a{level}: &a{level} [{}]",
            vec![below; 10].join(", ")
        );
    }
    ends(&text, "E0005");
    let mut text = "x-a0: &a0 {k: v}\n".to_owned();
    for level in 1..60 {
        let below = level - 1;
        let _ = writeln!(
            text,
            "x-a{level}: &a{level} {{<<: *a{below}, a: *a{below}, b: *a{below}}}"
        );
    }
    ends(&text, "E0005");
}

#[test]
fn nesting_has_a_limit() {
    ends(&format!("x-a: {}", "[".repeat(100_000)), "E0004");
    ends(
        &format!("x-a: {}{}", "[".repeat(200), "]".repeat(200)),
        "E0004",
    );
    ends(&format!("x-a:\n  {}x", "- ".repeat(100_000)), "E0004");
    let mut deep = String::new();
    for level in 0..2_000 {
        let _ = writeln!(deep, "{}k:", " ".repeat(level));
    }
    ends(&deep, "E0004");
    let mut text = "x-a0: &a0 {k: {k: {k: {k: {k: v}}}}}\n".to_owned();
    for level in 1..80 {
        let _ = writeln!(text, "x-a{level}: &a{level} {{k: {{k: *a{}}}}}", level - 1);
    }
    ends(&text, "E0004");
}

#[test]
fn documents_have_a_limit_of_values() {
    let mut text = "services:\n  s:\n    image: i\n    environment:\n".to_owned();
    for index in 0..100_001 {
        let _ = writeln!(text, "      K{index}: v");
    }
    ends(&text, "E0005");
}

#[test]
fn a_large_file_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("compose.yaml");
    std::fs::File::create(&path)
        .unwrap()
        .set_len(100 * 1024 * 1024)
        .unwrap();
    assert!(matches!(
        Disk.read(path.to_str().unwrap()),
        Err(ReadError::TooLarge { .. })
    ));
    let request = LoadRequest {
        working_dir: folder.path().to_str().unwrap().to_owned(),
        ..request()
    };
    let error = load(&request, &Disk).unwrap_err();
    assert_eq!(error.diagnostics[0].code.as_str(), "E0002");
    assert!(matches!(
        Disk.read(folder.path().to_str().unwrap()),
        Err(ReadError::NotAFile)
    ));
}

#[test]
fn includes_and_extends_cannot_multiply_without_end() {
    let names: Vec<String> = (0..12).map(|level| format!("f{level}.yaml")).collect();
    let texts: Vec<String> = (0..12)
        .map(|level| {
            format!(
                "include: [f{0}.yaml, ./f{0}.yaml]\nservices: {{s{level}: {{image: i}}}}",
                level + 1
            )
        })
        .collect();
    let mut all: Vec<(&str, &str)> = names
        .iter()
        .zip(&texts)
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    all.push(("f12.yaml", "services: {end: {image: i}}"));
    all.push(("1.yaml", "include: [f0.yaml]"));
    assert!(codes(&all).contains(&"E0016"));

    let mut text = "services:\n  s0: {image: i, environment: {".to_owned();
    (0..20_000).for_each(|index| {
        let _ = write!(text, "K{index}: v, ");
    });
    text.push_str("}}\n");
    for level in 1..80 {
        let _ = writeln!(text, "  s{level}: {{extends: s{}}}", level - 1);
    }
    assert!(codes(&[("1.yaml", &text)]).contains(&"E0005"));
}

#[test]
fn ports_cannot_be_multiplied_without_end() {
    let ports = vec!["'1-65535'"; 50].join(", ");
    ends(
        &format!("services: {{s: {{image: i, ports: [{ports}]}}}}"),
        "E0080",
    );
}

#[test]
fn long_chains_do_not_exhaust_the_stack() {
    let mut text = "services:\n  s0: {image: i}\n".to_owned();
    for level in 1..2_500 {
        let _ = writeln!(
            text,
            "  s{level}: {{image: i, depends_on: [s{}]}}",
            level - 1
        );
    }
    assert!(try_load(&[("1.yaml", &text)]).is_ok());
    let mut text = "services:\n  s0: {image: i}\n".to_owned();
    for level in 1..300 {
        let _ = writeln!(text, "  s{level}: {{extends: s{}}}", (level + 1) % 300);
    }
    assert!(codes(&[("1.yaml", &text)]).contains(&"E0061"));
}

#[test]
fn a_file_that_is_not_utf_8_is_named_with_the_place() {
    use consort_blueprint::source::Memory;
    let source = Memory::new().with(
        "/p/compose.yaml",
        b"services:\n  caf\xe9: {image: i}\n".to_vec(),
    );
    let error = load(&request(), &source).unwrap_err();
    let diagnostic = &error.diagnostics[0];
    assert_eq!(
        (
            diagnostic.code.as_str(),
            diagnostic.primary.span.start.line,
            diagnostic.primary.span.start.column
        ),
        ("E0001", 2, 6)
    );
}
