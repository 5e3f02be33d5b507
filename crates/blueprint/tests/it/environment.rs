//! `.env`, `env_file`, `label_file` and the precedence of variables.

use consort_blueprint::dotenv::{parse, parse_raw};
use consort_blueprint::{LoadRequest, load};
use serde_json::json;

use crate::support::{codes, env, files, loaded, part, request};

#[test]
fn the_grammar_of_env_files_holds() {
    let lookup = |name: &str| (name == "OUT").then(|| "outside".to_owned());
    let table: &[(&str, &[(&str, &str)])] = &[
        (
            "A=1\nB: 2\nexport C=3",
            &[("A", "1"), ("B", "2"), ("C", "3")],
        ),
        ("OUT\nNOT_SET\nA=1", &[("A", "1"), ("OUT", "outside")]),
        ("A= b c  # comment", &[("A", "b c")]),
        ("A=b#c", &[("A", "b#c")]),
        ("# comment\n\nA=1 #", &[("A", "1")]),
        ("A='$B \\n'", &[("A", "$B \\n")]),
        ("A='it\\'s'", &[("A", "it's")]),
        ("A='two\nlines'\nB=1", &[("A", "two\nlines"), ("B", "1")]),
        ("A=\"a\\tb\\n\\\"q\\\"\"", &[("A", "a\tb\n\"q\"")]),
        ("A=\"\\0101\"", &[("A", "A")]),
        (
            "A=x\nB=\"${A}-$OUT\"\nC=$A",
            &[("A", "x"), ("B", "x-outside"), ("C", "x")],
        ),
        ("A=\"\\$B $$C\"", &[("A", "$B $C")]),
        ("A=${U:-d}", &[("A", "d")]),
        ("\u{feff}A=1", &[("A", "1")]),
        ("a.b-c[0]=1\nÄ=2", &[("a.b-c[0]", "1"), ("Ä", "2")]),
        ("A=", &[("A", "")]),
        ("A = 1", &[("A", "1")]),
        ("A=1\r\nB=2\r\n", &[("A", "1"), ("B", "2")]),
    ];
    for (text, expected) in table {
        let read = parse(text, &lookup).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(read.variables, env(expected), "{text}");
    }
}

#[test]
fn mistakes_in_env_files_name_their_line() {
    let none = |_: &str| None;
    for (text, expected) in [
        ("A=1\nB C=2", "line 2: the key `B C` cannot contain a space"),
        (
            "A=1\n\n!x=2",
            "line 3: unexpected character `!` in the name of the variable `!x=2`",
        ),
        ("A=\"x", "line 1: the quoted value \"x does not end"),
        ("A=1\n=2", "line 2: a value without a name"),
        ("A=${", "line 1: invalid interpolation at `${`"),
    ] {
        assert_eq!(parse(text, &none).unwrap_err().to_string(), expected);
    }
}

#[test]
fn raw_files_are_taken_as_they_are() {
    let none = |_: &str| None;
    let read = parse_raw("A=\"$x\" # no\n#c\nB='y'\n", &none).unwrap();
    assert_eq!(read.variables, env(&[("A", "\"$x\" # no"), ("B", "'y'")]));
}

#[test]
fn the_environment_wins_over_the_env_file() {
    let all = [
        ("compose.yaml", "services: {s: {image: '$A-$B'}}"),
        (".env", "A=file\nB=file"),
    ];
    let request = LoadRequest {
        env: env(&[("A", "shell")]),
        ..request()
    };
    assert_eq!(
        part(&load(&request, &files(&all)).unwrap(), "services/s/image"),
        json!("shell-file")
    );
    let off = LoadRequest {
        env: env(&[("COMPOSE_DISABLE_ENV_FILE", "1"), ("A", "a"), ("B", "b")]),
        ..request
    };
    assert_eq!(
        part(&load(&off, &files(&all)).unwrap(), "services/s/image"),
        json!("a-b")
    );
}

#[test]
fn named_env_files_replace_the_one_of_the_folder() {
    let all = [
        ("compose.yaml", "services: {s: {image: '${A:-none}-$B'}}"),
        (".env", "A=dot"),
        ("x.env", "B=x"),
        ("y.env", "B=y"),
    ];
    let request = LoadRequest {
        env_files: vec!["x.env".into(), "y.env".into()],
        ..request()
    };
    assert_eq!(
        part(&load(&request, &files(&all)).unwrap(), "services/s/image"),
        json!("none-y")
    );
    let missing = LoadRequest {
        env_files: vec!["z.env".into()],
        ..request
    };
    assert_eq!(
        load(&missing, &files(&all)).unwrap_err().diagnostics[0]
            .code
            .as_str(),
        "E0031"
    );
}

#[test]
fn containers_get_variables_from_files_below_their_own() {
    let loaded = loaded(&[
        (
            "compose.yaml",
            "services:\n  s:\n    image: i\n    environment: {A: own, B: , C: }\n    env_file:\n      - a.env\n      - {path: b.env, required: false}\n      - {path: none.env, required: false}\n      - {path: raw.env, format: raw}\n    label_file: l.labels\n    labels: {x: own}\n",
        ),
        (".env", "B=project\nP=q"),
        ("a.env", "A=file\nD=a\nE=\"$P $A\"\nC=file"),
        ("b.env", "D=b"),
        ("raw.env", "R=$P"),
        ("l.labels", "x=file\ny=file"),
    ]);
    assert_eq!(
        part(&loaded, "services/s/environment"),
        json!({"A": "own", "B": "project", "C": null, "D": "b", "E": "q own", "R": "$$P"})
    );
    assert_eq!(
        part(&loaded, "services/s/labels"),
        json!({"x": "own", "y": "file"})
    );
    let roles: Vec<_> = loaded
        .sources
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(
        roles,
        [
            "/p/.env",
            "/p/compose.yaml",
            "/p/a.env",
            "/p/b.env",
            "/p/raw.env",
            "/p/l.labels"
        ]
    );
}

#[test]
fn missing_and_unknown_env_files_are_mistakes() {
    let service = |body: &str| format!("services: {{s: {{image: i, {body}}}}}");
    assert_eq!(
        codes(&[("1.yaml", &service("env_file: none.env"))]),
        ["E0031"]
    );
    assert_eq!(
        codes(&[("1.yaml", &service("label_file: none"))]),
        ["E0033"]
    );
    assert_eq!(
        codes(&[(
            "1.yaml",
            &service("env_file: [{path: 1.yaml, format: json}]")
        )]),
        ["E0032"]
    );
    assert_eq!(
        codes(&[("1.yaml", &service("env_file: x.env")), ("x.env", "a b=1")]),
        ["E0030"]
    );
    assert_eq!(
        codes(&[("1.yaml", &service("env_file: ['${ .inputs.x }']"))]),
        ["E0075"]
    );
}

#[test]
fn build_arguments_without_a_value_are_dropped() {
    let all = [(
        "compose.yaml",
        "services: {s: {build: {context: ., args: [A, B]}, configs: [c]}}\nconfigs: {c: {environment: A}}",
    )];
    let request = LoadRequest {
        env: env(&[("A", "1")]),
        ..request()
    };
    let loaded = load(&request, &files(&all)).unwrap();
    assert_eq!(part(&loaded, "services/s/build/args"), json!({"A": "1"}));
    assert_eq!(part(&loaded, "configs/c/content"), json!("1"));
}

#[test]
fn what_came_from_a_variable_is_marked() {
    let all = [(
        "compose.yaml",
        "services: {s: {image: '$A', hostname: '${U:-x}', environment: [A]}}",
    )];
    let loaded = load(
        &LoadRequest {
            env: env(&[("A", "1")]),
            ..request()
        },
        &files(&all),
    )
    .unwrap();
    let marked = |path: &[&str]| loaded.document.at(path).unwrap().interpolated;
    assert!(marked(&["services", "s", "image"]) && marked(&["services", "s", "environment", "A"]));
    assert!(!marked(&["services", "s", "hostname"]));
}
