//! Plans the published graphs and prints costs beside the best of five published methods.
//!
//! `cargo run --release -p consort-scheduling --example suite -- SUITES WORK [NAME…]`, where SUITES
//! is the folder that holds `dags/` and WORK the units of work for each plan.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use consort_scheduling::load::{LoadOptions, dax};
use consort_scheduling::{Limits, Objective, Problem, literature, lower_bound, plan, validate};

/// File name, name in the table of costs.
const GRAPHS: [(&str, &str); 16] = [
    ("Montage_25", "Montage_30"),
    ("Montage_50", "Montage_50"),
    ("CyberShake_30", "CyberShake_30"),
    ("CyberShake_50", "CyberShake_50"),
    ("CyberShake_100", "CyberShake_100"),
    ("Epigenomics_24", "Epigenomics_30"),
    ("Epigenomics_46", "Epigenomics_50"),
    ("Epigenomics_100", "Epigenomics_100"),
    ("Inspiral_30", "Inspiral_30"),
    ("Inspiral_50", "Inspiral_50"),
    ("Inspiral_100", "Inspiral_100"),
    ("Sipht_30", "Sipht_30"),
    ("Sipht_60", "Sipht_50"),
    ("Montage_1000", "Montage_1000"),
    ("CyberShake_1000", "CyberShake_1000"),
    ("Epigenomics_997", "Epigenomics_1000"),
];

const HOUR: u64 = 3_600_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [suites, work, names @ ..] = &arguments[..] else {
        return Err("give the folder of the suites and the units of work".into());
    };
    let dags = Path::new(suites).join("dags");
    let best = published(&std::fs::read_to_string(dags.join("reference_costs.csv"))?);
    let work = work.parse()?;
    let mut out = std::io::stdout().lock();
    let mut ratios = Vec::new();
    for (file, listed) in GRAPHS {
        let small = !file.ends_with("1000") && !file.ends_with("997");
        let wanted = names.iter().any(|name| file.starts_with(name.as_str()));
        if !(wanted || names.is_empty() && small) {
            continue;
        }
        let text = std::fs::read_to_string(dags.join("dax").join(format!("{file}.xml")))?;
        let dag = dax(
            &text,
            LoadOptions {
                compatible: true,
                one_file_per_edge: true,
            },
        )?;
        let problem = Problem::new(literature(&dag, HOUR, Objective::Deadline(HOUR)))?;
        for tenths in (15..=50).step_by(5) {
            let objective = Objective::Deadline(problem.fastest_chain() * tenths / 10);
            let asked = problem.with(objective);
            let began = Instant::now();
            let found = plan(&asked, &Limits::of(work))?;
            let time = began.elapsed();
            if let Err(faults) = validate(problem.spec(), objective, &found) {
                return Err(format!("{file} {tenths}: {faults:?}").into());
            }
            let cost = found.cost as f64 / 1e6;
            let bound = lower_bound(&asked).cost as f64 / 1e6;
            let reference = best.get(&(listed.to_owned(), tenths)).copied();
            let ratio = reference.map(|best| cost / best);
            ratios.extend(ratio);
            writeln!(
                out,
                "{file:16} {:.1}  cost {cost:8.3}  best of five {:8.3}  ratio {:.3}  bound {bound:8.3}  {time:.2?}",
                tenths as f64 / 10.0,
                reference.unwrap_or(f64::NAN),
                ratio.unwrap_or(f64::NAN),
            )?;
        }
    }
    let logs: f64 = ratios.iter().map(|ratio: &f64| ratio.ln()).sum();
    let mean = (logs / ratios.len() as f64).exp();
    let worst = ratios.iter().copied().fold(0.0, f64::max);
    let losses = ratios.iter().filter(|&&ratio| ratio > 1.0 + 1e-9).count();
    writeln!(
        out,
        "{} cases, geometric mean {mean:.4}, worst {worst:.3}, losses {losses}",
        ratios.len()
    )?;
    Ok(())
}

/// The cheapest successful plan for each graph and α in tenths, hourly, exact transfers.
fn published(table: &str) -> BTreeMap<(String, u64), f64> {
    let mut best = BTreeMap::new();
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let ["fix", name, "alpha", factor, _, _, cost, _, _, "1", ..] = cells[..] else {
            continue;
        };
        let (Ok(factor), Ok(cost)) = (factor.parse::<f64>(), cost.parse::<f64>()) else {
            continue;
        };
        let least = best
            .entry((name.to_owned(), (factor * 10.0).round() as u64))
            .or_insert(cost);
        *least = cost.min(*least);
    }
    best
}
