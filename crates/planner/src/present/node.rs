//! One node of a plan: a line, and its differences below it.

use std::fmt::Write as _;

use consort_model::plan::{Action, Difference, Mandate, Operation, Verdict, VerdictKind};
use consort_model::service::{FailureAction, Order, RollOutPolicy};
use consort_model::text::printable;
use consort_model::{Address, Partial, Value};

use super::style::{Style, sign};
use super::value;

/// The lines of a node; `actions` are its own.
pub(super) fn write(
    out: &mut String,
    address: &Address,
    verdict: &Verdict,
    actions: &[&Action],
    style: &Style,
) {
    let (mark, colour) = sign(verdict.what);
    let action = actions
        .iter()
        .find(|action| action.template.is_some())
        .or_else(|| actions.first());
    let kind = action.map_or("", |action| action.type_name.as_str());
    let of_type = if kind.is_empty() || kind == address.kind().word() {
        String::new()
    } else {
        format!(" ({kind})")
    };
    let head = format!("{}{of_type}", printable(&address.to_string(), false));
    let reason = printable(&verdict.reason, false);
    let _ = writeln!(
        out,
        "{} {}  {}",
        style.paint(colour, &format!("{mark:>3}")),
        style.bold(&head),
        style.dim(&reason)
    );
    let Some(action) = action else { return };
    if verdict.what != VerdictKind::Delete {
        let new = verdict.what == VerdictKind::Create;
        differences(out, &action.differences, new, style);
    }
    mandates(out, action, style);
    let deposed =
        |action: &&&Action| matches!(&action.operation, Operation::Delete { deposed: Some(_) });
    let old = actions.iter().filter(deposed).count();
    if old > usize::from(verdict.what == VerdictKind::ReplaceCreateFirst) {
        let text = style.dim("what was replaced before is deleted");
        let _ = writeln!(out, "      {text}");
    }
}

fn mandates(out: &mut String, action: &Action, style: &Style) {
    for mandate in &action.mandates {
        if let Mandate::RollOut {
            policy,
            replicas,
            reason,
        } = mandate
        {
            let why = format!("({})", printable(reason, false));
            let _ = writeln!(out, "      {}", style.dim(&roll_out(policy, *replicas)));
            let _ = writeln!(out, "      {}", style.dim(&why));
        }
    }
}

/// The differences of a node; what is `new` had nothing before.
pub(super) fn differences(out: &mut String, differences: &[Difference], new: bool, style: &Style) {
    let longest = differences
        .iter()
        .map(|difference| name(difference).chars().count())
        .max();
    let column = longest.unwrap_or(0).min(32);
    // Room for the indent, the path, the arrow and the remark.
    let width = style.width.saturating_sub(column + 10);
    for difference in differences {
        let path = name(difference);
        let line = line(difference, new, width);
        let forced = if difference.forces_replacement {
            style.paint("35", "  # forces replacement")
        } else {
            String::new()
        };
        let _ = writeln!(out, "      {path:column$}  {line}{forced}");
    }
}

fn name(difference: &Difference) -> String {
    if difference.path.is_empty() {
        "(all)".into()
    } else {
        printable(&difference.path, false)
    }
}

fn line(difference: &Difference, new: bool, width: usize) -> String {
    let Difference {
        before,
        after,
        sensitive,
        ..
    } = difference;
    if new {
        return value::partial(after, *sensitive, width);
    }
    let half = width.saturating_sub(4) / 2;
    let none = || "(none)".to_owned();
    let old = if *before == Value::Null {
        none()
    } else {
        value::known(before, *sensitive, half)
    };
    let after = if *after == Partial::NULL {
        none()
    } else {
        value::partial(after, *sensitive, half)
    };
    format!("{old} -> {after}")
}

fn roll_out(policy: &RollOutPolicy, replicas: u32) -> String {
    let order = match policy.order {
        Order::StartFirst => "start first",
        Order::StopFirst => "stop first",
    };
    let failure = match policy.failure_action {
        FailureAction::Pause => "pause",
        FailureAction::Continue => "go on",
        FailureAction::Rollback => "roll back",
    };
    let instances = if replicas == 1 {
        "instance"
    } else {
        "instances"
    };
    let at_a_time = if policy.parallelism == 0 {
        "all at once".to_owned()
    } else {
        format!("{} at a time", policy.parallelism)
    };
    format!("{replicas} {instances}; {order}, {at_a_time}, on failure {failure}")
}
