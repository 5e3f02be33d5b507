//! Diagnostics as a person reads them.

use consort_blueprint::{LoadRequest, Render, diagnostic, load};

use crate::support::{codes, files, mistakes, request};

macro_rules! reads {
    ($name:ident, $files:expr) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(mistakes($files));
        }
    };
}

reads!(
    an_unknown_key_has_the_nearest_name,
    &[(
        "compose.yaml",
        "services:\n  web:\n    imagee: nginx\n    enviroment:\n      A: 1\n    deploy:\n      replica: 2\nvolume: {}\n",
    )]
);
reads!(
    a_wrong_kind_says_what_was_expected,
    &[(
        "compose.yaml",
        "services:\n  web:\n    image: 1.4\n    ports: 80\n    environment:\n    command: {a: b}\n    labels: {since: 2024-01-01}\n    restart: no\n    tty: maybe\n",
    )]
);
reads!(
    a_duplicate_key_shows_both_lines,
    &[(
        "compose.yaml",
        "services:\n  web:\n    image: a\n    ports: []\n    image: b\n"
    )]
);
reads!(
    broken_yaml_points_to_the_place,
    &[(
        "compose.yaml",
        "services:\n  web:\n    image: \"nginx\n    ports: []\n"
    )]
);
reads!(
    an_expression_without_quotes_gets_the_hint,
    &[(
        "compose.yaml",
        "services:\n  web: {image: nginx, hostname: ${ .inputs.a }, command: x}\n",
    )]
);
reads!(
    interpolation_mistakes_say_how_to_write_it,
    &[(
        "compose.yaml",
        "services:\n  web:\n    image: ${TAG:?set TAG to the version}\n    hostname: ${a.b}\n    user: ${.inputs.user}\n    labels: {x: '${ .a'}\n",
    )]
);
reads!(
    a_clash_shows_both_files,
    &[
        (
            "1.yaml",
            "services:\n  web:\n    image: a\n    healthcheck:\n      interval: 5s\n"
        ),
        ("2.yaml", "services:\n  web:\n    healthcheck: [CMD, x]\n"),
    ]
);
reads!(
    circles_show_each_step,
    &[(
        "compose.yaml",
        "services:\n  a:\n    image: i\n    depends_on: [b]\n  b:\n    image: i\n    depends_on: [c]\n  c:\n    image: i\n    depends_on: [a]\n",
    )]
);
reads!(
    undefined_names_get_the_nearest,
    &[(
        "compose.yaml",
        "services:\n  web:\n    image: i\n    depends_on: [databse]\n    networks: [backnd]\n    volumes: ['dta:/data']\n  database: {image: i}\nnetworks: {backend: }\nvolumes: {data: }\n",
    )]
);
reads!(
    short_forms_say_what_they_expect,
    &[(
        "compose.yaml",
        "services:\n  web:\n    image: i\n    ports: ['80:http', '1-3:1-2']\n    volumes: ['a::b']\n    devices: ['a:b:c:d']\n    mem_limit: lots\n    stop_grace_period: 5\n    healthcheck: {interval: soon}\n    command: echo 'x\n    extra_hosts: [nohost]\n    pull_policy: allways\n",
    )]
);
reads!(
    a_missing_file_is_shown_where_it_is_named,
    &[(
        "compose.yaml",
        "include:\n  - path: more/compose.yaml\nservices:\n  web:\n    extends: {service: base, file: base.yaml}\n    env_file: vars.env\n",
    )]
);
reads!(
    env_files_are_shown_with_their_line,
    &[
        (
            "compose.yaml",
            "services:\n  web:\n    image: i\n    env_file: [vars.env]\n"
        ),
        ("vars.env", "A=1\nB C=2\n"),
    ]
);

#[test]
fn nothing_found_says_what_was_looked_for() {
    let error = load(&request(), &files(&[("other.yaml", "")])).unwrap_err();
    insta::assert_snapshot!(error.render(Render::default()).trim_end(), @"
    error[E0013]: no blueprint was found in /p or above it
      = help: write a consort.yaml or compose.yaml, or name a file with `-f`
    ");
}

#[test]
fn warnings_are_readable() {
    let text = "version: '3'\nservices:\n  web:\n    image: i\n    hostname: ${UNSET}\n    privileged: \"yes\"\n    command: a; b\n    networks: [n]\n    environment: !custom {}\nnetworks:\n  n:\n    external: {name: x}\n";
    let all = files(&[("compose.yaml", text), ("docker-compose.yml", "")]);
    let loaded = load(&request(), &all).unwrap();
    insta::assert_snapshot!(
        diagnostic::render_all(&loaded.warnings, 0, &loaded.sources, Render::default()).trim_end()
    );
}

#[test]
fn long_lines_are_cut_to_the_width_of_a_terminal() {
    let long = "x".repeat(300);
    let text = format!(
        "services: {{web: {{image: i, labels: {{a: {long}}}, unknown_key_that_is_long: 1, environment: {{B: {long}}}}}}}\n"
    );
    let rendered = mistakes(&[("compose.yaml", &text)]);
    assert!(
        rendered.lines().all(|line| line.chars().count() <= 80),
        "{rendered}"
    );
    assert!(rendered.contains("unknown_key_that_is_long"), "{rendered}");
}

#[test]
fn colour_only_when_asked_for() {
    let error = load(&request(), &files(&[("compose.yaml", "servces: {}")])).unwrap_err();
    assert!(!error.render(Render::default()).contains('\u{1b}'));
    assert!(
        error
            .render(Render { color: true })
            .contains("\u{1b}[1;31merror[E0070]\u{1b}[0m")
    );
    assert_eq!(error.to_string(), "the blueprint has 1 mistake");
}

#[test]
fn all_mistakes_are_reported_at_once_and_their_number_is_bounded() {
    let text: String = (0..300)
        .map(|index| format!("    key{index}: 1\n"))
        .collect();
    let error = load(
        &request(),
        &files(&[("compose.yaml", &format!("services:\n  s:\n{text}"))]),
    )
    .unwrap_err();
    assert_eq!(error.diagnostics.len(), 100);
    assert_eq!(error.more, 200);
    let mixed = codes(&[(
        "1.yaml",
        "services: {a: {imag: i, ports: [x]}, b: {extends: c}, d: {image: 1}}",
    )]);
    assert_eq!(mixed, ["E0070", "E0080", "E0060", "E0071"]);
}

#[test]
fn control_characters_cannot_steer_the_terminal() {
    let rendered = mistakes(&[(
        "compose.yaml",
        "services: {s: {image: i, \"bad\\e[2Jkey\": 1}}",
    )]);
    assert!(!rendered.contains('\u{1b}'), "{rendered}");
}

#[test]
fn standard_input_is_a_file_too() {
    let request = LoadRequest {
        files: vec!["-".into()],
        stdin: Some(b"services: {s: {imag: i}}".to_vec()),
        ..request()
    };
    let error = load(&request, &files(&[])).unwrap_err();
    assert!(error.render(Render::default()).contains("<stdin>:1:16"));
}
