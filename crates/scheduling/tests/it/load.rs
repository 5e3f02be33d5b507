use consort_scheduling::load::{Dag, LoadOptions, dax, wfformat};
use consort_scheduling::{Objective, Problem, literature};

use crate::support::{HOUR, suite_file};

/// File, tasks, edges, work in seconds, fastest chain in seconds, MB on edges with one file per edge
/// and with all.
type Row = (&'static str, usize, usize, f64, f64, f64, f64);

const DAX: [Row; 16] = [
    ("Montage_25", 25, 45, 227.7, 9.302, 161.3, 320.3),
    ("Montage_50", 50, 106, 508.6, 11.152, 347.5, 691.8),
    ("Montage_1000", 1000, 2485, 11378.7, 73.692, 7200.0, 14386.0),
    ("CyberShake_30", 30, 52, 760.5, 44.368, 3746.0, 7493.0),
    ("CyberShake_50", 50, 88, 1524.6, 48.580, 5188.0, 10375.0),
    ("CyberShake_100", 100, 180, 3215.8, 52.632, 9956.0, 19912.0),
    (
        "CyberShake_1000",
        1000,
        1988,
        22751.9,
        51.026,
        132949.0,
        265887.0,
    ),
    ("Epigenomics_24", 24, 27, 17720.2, 1116.210, 965.8, 965.8),
    ("Epigenomics_46", 47, 54, 41401.8, 1545.648, 1369.8, 1369.8),
    (
        "Epigenomics_100",
        100,
        122,
        403400.2,
        5974.650,
        523.1,
        523.1,
    ),
    (
        "Epigenomics_997",
        997,
        1234,
        3854812.7,
        6808.822,
        6380.0,
        6380.0,
    ),
    ("Inspiral_30", 30, 35, 6617.1, 267.036, 11.8, 11.8),
    ("Inspiral_50", 50, 60, 11762.0, 282.160, 19.5, 19.5),
    ("Inspiral_100", 100, 119, 21024.0, 266.552, 38.7, 38.7),
    ("Sipht_30", 29, 33, 5546.5, 881.785, 14.8, 52.3),
    ("Sipht_60", 58, 82, 11668.9, 927.945, 25.0, 85.9),
];

fn megabytes(dag: &Dag) -> f64 {
    dag.edges.iter().map(|edge| edge.bytes as f64 / 1e6).sum()
}

fn near(what: &str, found: f64, expected: f64, within: f64) {
    assert!(
        (found - expected).abs() <= within,
        "{what}: {found}, not {expected}"
    );
}

#[test]
fn published_dax_files_have_the_published_figures() {
    for (name, tasks, edges, work, chain, one, sum) in DAX {
        let Some(text) = suite_file(&format!("dax/{name}.xml")) else {
            return;
        };
        let options = |one_file_per_edge| LoadOptions {
            compatible: true,
            one_file_per_edge,
        };
        let dag = dax(&text, options(true)).expect(name);
        assert_eq!((dag.tasks.len(), dag.edges.len()), (tasks, edges), "{name}");
        let total: u64 = dag.tasks.iter().map(|task| task.work_us).sum();
        near(name, total as f64 / 1e6, work, 0.06);
        let spec = literature(&dag, HOUR, Objective::Deadline(HOUR));
        let problem = Problem::new(spec).expect(name);
        near(name, problem.fastest_chain() as f64 / 1e6, chain, 0.000_6);
        let all = dax(&text, options(false)).expect(name);
        for (found, expected) in [(megabytes(&dag), one), (megabytes(&all), sum)] {
            near(
                name,
                found,
                expected,
                if expected < 5000.0 { 0.6 } else { 1.0 },
            );
        }
    }
}

#[test]
fn published_wfformat_files_load_and_can_be_planned() {
    for name in [
        "1000genome-chameleon-2ch-100k-001",
        "blast-chameleon-small-001",
        "epigenomics-chameleon-hep-1seq-100k-001",
        "helloworld-forkjoin-10-chameleon",
        "montage-chameleon-2mass-005d-001",
        "sarek-dirt02-001",
        "scrnaseq-dirt02-001",
        "srasearch-chameleon-10a-001",
    ] {
        let Some(text) = suite_file(&format!("wfinstances/{name}.json")) else {
            return;
        };
        let dag = wfformat(&text, LoadOptions::default()).expect(name);
        assert!(!dag.tasks.is_empty() && !dag.edges.is_empty(), "{name}");
        let spec = literature(&dag, HOUR, Objective::Deadline(HOUR));
        Problem::new(spec).expect(name);
    }
}

#[test]
fn edges_of_files_and_declared_edges_are_joined() {
    let text = r#"<adag>
        <job id="a" runtime="1.5"><uses file="x" link="output" size="10"/><uses file="y" link="output" size="5"/></job>
        <job id="b" runtime="-2"><uses file="y" link="input" size="6"/><uses file="x" link="input" size="7"/></job>
        <job id="c" runtime="0"/>
        <child ref="c"><parent ref="a"/></child>
      </adag>"#;
    let edges = |one_file_per_edge| {
        let options = LoadOptions {
            compatible: false,
            one_file_per_edge,
        };
        let dag = dax(text, options).unwrap();
        let times: Vec<u64> = dag.tasks.iter().map(|task| task.work_us).collect();
        assert_eq!(times, [1_500_000, 2_000_000, 1000]);
        let edges = dag.edges.iter().map(|e| (e.from, e.to, e.bytes));
        edges.collect::<Vec<_>>()
    };
    // The first size that was met counts: 10 for x, 5 for y.
    assert_eq!(edges(false), [(0, 1, 15), (0, 2, 0)]);
    assert_eq!(edges(true), [(0, 1, 10), (0, 2, 0)]);
}

#[test]
fn wrong_files_are_refused_with_the_place() {
    let dax = |text| dax(text, LoadOptions::default()).unwrap_err().to_string();
    let json = |text| {
        wfformat(text, LoadOptions::default())
            .unwrap_err()
            .to_string()
    };
    let texts = [
        dax("<adag><job id='a' runtime='1'></adag>"),
        dax("<adag><job runtime='1'/></adag>"),
        dax("<adag><job id='a' runtime='soon'/></adag>"),
        dax("<adag><job id='a' runtime='inf'/></adag>"),
        dax("<adag><job id='a' runtime='1'/><job id='a' runtime='1'/></adag>"),
        dax("<adag><job id='a' runtime='1'/><child ref='a'><parent ref='b'/></child></adag>"),
        json("{}"),
        json(
            r#"{"workflow":{"specification":{"tasks":[{"name":"a","id":"a"}]},"execution":{"tasks":[]}}}"#,
        ),
    ];
    insta::assert_snapshot!(texts.join("\n"), @r"
    byte 30: the file is not well-formed XML
    byte 6: <job> has no `id`
    `soon` is not a number that `runtime` may have
    `inf` is not a number that `runtime` may have
    two tasks have the id `a`
    the task `b` is referred to but not defined
    the file is not WfFormat 1.4 to 1.6
    the task `a` has no run time under `execution`
    ");
}
