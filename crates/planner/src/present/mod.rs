//! The plan as a person reads it: what happens to each node and why, attribute by attribute.

mod node;
mod style;
mod value;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use consort_model::plan::{Action, Mode, Plan, Question, VerdictKind};
use consort_model::text::printable;
use consort_model::{Address, Partial};

pub use style::Style;

/// The whole plan as text, with a line end after each line.
pub fn render(plan: &Plan, style: &Style) -> String {
    let mut out = String::new();
    header(&mut out, plan, style);
    nodes(&mut out, plan, style);
    drift(&mut out, plan, style);
    outputs(&mut out, plan, style);
    estimate(&mut out, plan, style);
    warnings(&mut out, plan, style);
    questions(&mut out, plan, style);
    let _ = writeln!(out, "{}", style.bold(&summary(plan)));
    out
}

/// `Plan: 2 to create, 1 to update; 3 unchanged.`
pub fn summary(plan: &Plan) -> String {
    let counts = plan.counts();
    let verb = |what: VerdictKind| match what {
        VerdictKind::Create => "to create",
        VerdictKind::Update => "to update",
        VerdictKind::Replace | VerdictKind::ReplaceCreateFirst => "to replace",
        VerdictKind::Delete => "to delete",
        VerdictKind::Read => "to read",
        VerdictKind::Forget => "to forget",
        VerdictKind::Waiting => "waiting",
        VerdictKind::Held => "held",
        VerdictKind::Unchanged | VerdictKind::Skipped => "",
    };
    let mut parts: Vec<(&str, usize)> = Vec::new();
    for (what, count) in counts {
        match parts.last_mut() {
            Some((last, sum)) if *last == verb(what) => *sum += count,
            _ => parts.push((verb(what), count)),
        }
    }
    let still = |what| {
        plan.verdicts
            .values()
            .filter(|verdict| verdict.what == what)
            .count()
    };
    let (unchanged, skipped) = (still(VerdictKind::Unchanged), still(VerdictKind::Skipped));
    let left_out = match (skipped, plan.only.is_empty()) {
        (0, _) => String::new(),
        (count, true) => format!(", {count} kept"),
        (count, false) => format!(", {count} left out"),
    };
    if parts.is_empty() {
        return format!("Nothing to do: {unchanged} unchanged{left_out}.");
    }
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(verb, count)| format!("{count} {verb}"))
        .collect();
    format!(
        "Plan: {}; {unchanged} unchanged{left_out}.",
        parts.join(", ")
    )
}

fn header(out: &mut String, plan: &Plan, style: &Style) {
    let what = match plan.mode {
        Mode::Apply => "",
        Mode::Destroy { volumes: true } => ", to destroy everything",
        Mode::Destroy { volumes: false } => ", to destroy everything but named volumes",
        Mode::RefreshOnly => ", to record what is there",
    };
    let follows = plan.parent.map_or_else(
        || "first revision".to_owned(),
        |parent| format!("after {parent}"),
    );
    let target = crate::input::target_driver(plan.target);
    let name = printable(&plan.deployment, false);
    let _ = writeln!(out, "{} on {target}, {follows}{what}\n", style.bold(&name));
}

fn nodes(out: &mut String, plan: &Plan, style: &Style) {
    let mut actions: BTreeMap<&Address, Vec<&Action>> = BTreeMap::new();
    for action in &plan.actions {
        actions.entry(&action.address).or_default().push(action);
    }
    let mut any = false;
    for (address, verdict) in &plan.verdicts {
        let quiet = matches!(verdict.what, VerdictKind::Unchanged | VerdictKind::Skipped);
        // What is kept on purpose is said; what `--only` left out is counted.
        let kept = verdict.what == VerdictKind::Skipped && plan.only.is_empty();
        if quiet && !style.all && !kept {
            continue;
        }
        any = true;
        let own = actions.get(address).map_or(&[][..], Vec::as_slice);
        node::write(out, address, verdict, own, style);
    }
    if any {
        out.push('\n');
    }
}

fn drift(out: &mut String, plan: &Plan, style: &Style) {
    if plan.drift.is_empty() {
        return;
    }
    let _ = writeln!(out, "{}", style.bold("Changed outside"));
    for (address, differences) in &plan.drift {
        let _ = writeln!(out, "    {}", printable(&address.to_string(), false));
        match differences.as_slice() {
            [all] if all.path.is_empty() => out.push_str("      is gone\n"),
            differences => node::differences(out, differences, false, style),
        }
    }
    out.push('\n');
}

fn outputs(out: &mut String, plan: &Plan, style: &Style) {
    if plan.planned_outputs.is_empty() {
        return;
    }
    let _ = writeln!(out, "{}", style.bold("Outputs"));
    let column = plan
        .planned_outputs
        .keys()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .min(32);
    for (name, value) in &plan.planned_outputs {
        let value = value::partial(value, false, style.width.saturating_sub(column + 8));
        let _ = writeln!(out, "    {:column$}  {value}", printable(name, false));
    }
    out.push('\n');
}

fn estimate(out: &mut String, plan: &Plan, style: &Style) {
    let consort_model::plan::Estimate {
        duration,
        workloads,
    } = &plan.estimate;
    if duration.is_none() && workloads.is_empty() {
        return;
    }
    let _ = writeln!(out, "{}", style.bold("Estimate"));
    if let Some(duration) = duration {
        let _ = writeln!(out, "    this plan  {duration}");
    }
    for (name, workload) in workloads {
        let fleet: Vec<String> = workload
            .fleet
            .iter()
            .map(|(kind, count)| format!("{count} x {kind}"))
            .collect();
        let _ = writeln!(
            out,
            "    one run of {}  {}, {} at list prices, on {}",
            printable(name, false),
            workload.makespan,
            workload.cost,
            fleet.join(", ")
        );
    }
    out.push('\n');
}

fn warnings(out: &mut String, plan: &Plan, style: &Style) {
    for warning in &plan.warnings {
        let at = warning
            .address
            .as_ref()
            .map(|address| format!("{address}: "))
            .unwrap_or_default();
        let place = warning
            .place
            .as_ref()
            .map(|place| format!(" ({place})"))
            .unwrap_or_default();
        let text = printable(&format!("{at}{}{place}", warning.message), false);
        let _ = writeln!(out, "{} {text}", style.paint("33", "warning:"));
    }
    if !plan.warnings.is_empty() {
        out.push('\n');
    }
}

fn questions(out: &mut String, plan: &Plan, style: &Style) {
    if plan.questions.is_empty() {
        return;
    }
    let _ = writeln!(out, "{}", style.bold("Needs your approval, because it"));
    for question in &plan.questions {
        let text = match question {
            Question::DestroysData { address } => format!("destroys the data of {address}"),
            Question::CallsProvider { driver } => format!("calls the provider {driver}"),
            Question::Costs { per_hour } => format!("costs {per_hour} per hour at list prices"),
            Question::TouchesHost { address } => format!("changes the server {address}"),
        };
        let _ = writeln!(out, "    {}", printable(&text, false));
    }
    out.push('\n');
}

/// One value as the plan shows it, for other commands: secrets masked, unknown ones said to be so.
pub fn value_text(value: &Partial, sensitive: bool, width: usize) -> String {
    value::partial(value, sensitive, width)
}
