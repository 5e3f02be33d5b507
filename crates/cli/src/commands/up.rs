//! `up`, `down`, `rollback`: a plan, a question if it must be asked, a run.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use consort_engine::control::{Approval, PlanAnswer, PlanRequest, RollbackRequest};
use consort_model::id::RunId;
use consort_model::plan::{Mode, Plan, Question};
use consort_model::revision::RevisionNumber;
use consort_model::run::RunStatus;
use consort_model::{Code, Problem};
use consort_server::client::Client;
use futures_util::StreamExt;
use serde_json::json;

use super::plan::{PlanFile, make_request, show};
use super::{Answer, Session};
use crate::args::{Down, Up};
use crate::progress::Progress;

/// A connection to the server that breaks is made again so often: the server may be restarted.
const RECONNECTS: u32 = 100;

pub(crate) async fn up(session: &Session, up: &Up) -> Answer {
    let client = session.client().await.map_err(one)?;
    let kept = match &up.plan {
        Some(file) => from_file(&client, file).await?,
        None => {
            let bundled = crate::bundle::prepare(
                session,
                &client,
                crate::bundle::Build::from_flag(up.planning.build),
            )
            .await?;
            let request = make_request(session, &up.planning, bundled, Mode::Apply)?;
            client.plan(&request).await?
        }
    };
    if kept.plan.is_empty() && kept.plan.parent.is_some() {
        start_stopped(session, &client, &kept.plan).await?;
        if !differs(&client, &kept.plan).await? {
            return nothing(session, &client, &kept).await;
        }
    }
    if up.plan.is_none() {
        show(session, &kept.plan);
    }
    let approval = approve(session, &kept.plan, up.yes)?;
    let code = carry_out(session, &client, &kept, approval).await?;
    if code == ExitCode::SUCCESS {
        tell_outputs(session, &client, &kept.plan.deployment).await?;
        if up.attach {
            return attach(session, &client, &kept.plan.deployment).await;
        }
    }
    Ok(code)
}

fn one(problem: Problem) -> Vec<Problem> {
    vec![problem]
}

/// Does the plan ask for something else than the newest revision, although nothing is to be done?
async fn differs(client: &Client, plan: &Plan) -> Result<bool, Vec<Problem>> {
    let revisions = client.revision_list(&plan.deployment).await?;
    Ok(revisions
        .first()
        .is_none_or(|newest| Some(newest.bundle) != plan.bundle || newest.inputs != plan.inputs))
}

/// As Compose has it, `up` starts what was stopped and what has died.
async fn start_stopped(
    session: &Session,
    client: &Client,
    plan: &Plan,
) -> Result<(), Vec<Problem>> {
    use consort_engine::control::ServiceAction;
    let services = client.services(&plan.deployment).await?;
    let alive = |phase: &str| !matches!(phase, "exited" | "failed");
    let (stopped, others): (Vec<_>, Vec<_>) =
        services.into_iter().partition(|service| service.stopped);
    let dead = others.into_iter().filter(|service| {
        service
            .instances
            .iter()
            .filter(|instance| alive(&instance.phase))
            .count()
            < service.replicas as usize
    });
    let names = |services: Vec<consort_engine::control::ServiceView>| {
        services.into_iter().map(|service| service.name).collect()
    };
    for (action, names) in [
        (ServiceAction::Start, names(stopped)),
        (ServiceAction::Repair, names(dead.collect())),
    ] {
        let names: Vec<String> = names;
        if !names.is_empty() {
            let run = client
                .service_action(&plan.deployment, action, &names)
                .await?;
            watch(session, client, run, Some(names.len())).await?;
        }
    }
    Ok(())
}

async fn nothing(session: &Session, client: &Client, kept: &PlanAnswer) -> Answer {
    if session.output.format == crate::output::Format::Json {
        session
            .output
            .json(&json!({"changed": false, "plan": kept.digest}));
    } else {
        session.output.note(format!(
            "Nothing to do: `{}` is as the blueprint says.",
            kept.plan.deployment
        ));
        tell_outputs(session, client, &kept.plan.deployment).await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn from_file(client: &Client, file: &Path) -> Result<PlanAnswer, Vec<Problem>> {
    let kept = PlanFile::read(file).map_err(one)?;
    let plan = client.plan_get(kept.digest).await?;
    if let Some(copy) = &kept.plan
        && *copy != plan
    {
        let message = format!(
            "{} is not the plan that the server keeps under its digest",
            file.display()
        );
        return Err(vec![Problem::new(Code::PLAN_TAMPERED, message)]);
    }
    Ok(PlanAnswer {
        digest: kept.digest,
        plan,
    })
}

/// Asks only when a plan destroys or replaces what holds data, calls a provider, costs money or
/// touches hosts.
fn approve(session: &Session, plan: &Plan, yes: bool) -> Result<Approval, Vec<Problem>> {
    if yes || plan.questions.is_empty() {
        return Ok(if yes {
            Approval::Approved
        } else {
            Approval::NotAsked
        });
    }
    let reasons: Vec<String> = plan.questions.iter().map(reason).collect();
    if !session.environment.stdin_terminal || !session.environment.stderr_terminal {
        let message = format!(
            "the plan must be approved, and nobody can be asked here: {}",
            reasons.join("; ")
        );
        return Err(vec![Problem::new(Code::PLAN_REFUSED, message)]);
    }
    for reason in &reasons {
        session.output.note(format!("! {reason}"));
    }
    let mut out = std::io::stderr();
    let _ = write!(out, "Carry this plan out? Only `yes` is a yes: ");
    let _ = out.flush();
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    if answer.trim() == "yes" {
        Ok(Approval::Approved)
    } else {
        Err(vec![Problem::new(
            Code::PLAN_REFUSED,
            "the plan was not approved; nothing was changed",
        )])
    }
}

fn reason(question: &Question) -> String {
    match question {
        Question::DestroysData { address } => {
            format!("`{address}` is deleted, and its data with it")
        }
        Question::CallsProvider { driver } => format!("provider `{driver}` is called"),
        Question::Costs { per_hour } => format!("it costs {per_hour} per hour at list prices"),
        Question::TouchesHost { address } => format!("`{address}` is changed"),
    }
}

async fn carry_out(
    session: &Session,
    client: &Client,
    kept: &PlanAnswer,
    approval: Approval,
) -> Answer {
    let key = format!("up-{}-{}", kept.digest, std::process::id());
    let run = client.apply(kept.digest, approval, &key).await?;
    watch(session, client, run, Some(kept.plan.actions.len())).await
}

/// Follows a run to its end. Ctrl-C once finishes what is under way and stops, twice aborts.
pub(crate) async fn watch(
    session: &Session,
    client: &Client,
    run: RunId,
    total: Option<usize>,
) -> Answer {
    let mut progress = Progress::new(&session.output, total);
    let mut interrupts = Interrupts::new().map_err(one)?;
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let (mut last, mut broken) = (0, 0);
    'connect: loop {
        let mut events = match client.run_watch(run, last).await {
            Ok(events) => events,
            Err(problems) => {
                reconnect(&mut broken, problems).await?;
                continue;
            }
        };
        loop {
            // Cancel-safe: the stream keeps what it has read, signals and ticks are not lost for good.
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => {
                        (last, broken) = (event.seq, 0);
                        progress.event(&event);
                    }
                    Some(Err(problem)) => {
                        reconnect(&mut broken, vec![problem]).await?;
                        continue 'connect;
                    }
                    None => break 'connect,
                },
                count = interrupts.next() => cancel(session, client, run, count).await?,
                _ = tick.tick() => progress.draw(),
            }
        }
    }
    ended(session, client, run, &mut progress).await
}

/// A server that is away comes back, or is started by the next command: waited for, for a while.
async fn reconnect(broken: &mut u32, problems: Vec<Problem>) -> Result<(), Vec<Problem>> {
    let lost = problems
        .first()
        .is_some_and(|problem| problem.code == Code::SERVER_UNREACHABLE);
    *broken += 1;
    if !lost || *broken > RECONNECTS {
        return Err(problems);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(())
}

async fn cancel(
    session: &Session,
    client: &Client,
    run: RunId,
    count: u32,
) -> Result<(), Vec<Problem>> {
    let now = count > 1;
    session.output.note(if now {
        "Stopping at once. `consort runs resume` goes on."
    } else {
        "Finishing what is under way, then stopping. Ctrl-C again stops at once."
    });
    if count > 2 {
        return Err(one(Problem::new(
            Code::RUN_CANCELLED,
            format!("run {run} is left to the server"),
        )));
    }
    match client.run_cancel(run, now).await {
        // It has just ended, or nobody drives it at the moment.
        Err(problems)
            if problems
                .first()
                .is_some_and(|problem| problem.code == Code::RUN_UNKNOWN) =>
        {
            Ok(())
        }
        other => other,
    }
}

async fn ended(session: &Session, client: &Client, run: RunId, progress: &mut Progress) -> Answer {
    let detail = client.run_detail(run).await?;
    progress.end(detail.summary.status);
    if session.output.format == crate::output::Format::Json {
        session.output.json(&detail);
    }
    match detail.summary.status {
        RunStatus::Completed => Ok(ExitCode::SUCCESS),
        RunStatus::Cancelled => {
            let problem = Problem::new(
                Code::RUN_CANCELLED,
                format!("run {run} was stopped before its end"),
            );
            Err(vec![problem.remedy(format!(
                "`consort runs resume {run}` goes on; `consort up` plans again."
            ))])
        }
        _ => {
            let mut problems = detail.problems;
            if problems.is_empty() {
                let why = detail
                    .summary
                    .error
                    .unwrap_or_else(|| "no reason is recorded".into());
                problems.push(Problem::new(
                    Code::RUN_FAILED,
                    format!("run {run} failed: {why}"),
                ));
            }
            Err(problems)
        }
    }
}

async fn tell_outputs(
    session: &Session,
    client: &Client,
    deployment: &str,
) -> Result<(), Vec<Problem>> {
    if session.output.format == crate::output::Format::Json {
        return Ok(());
    }
    let outputs = client.outputs(deployment, None).await?;
    if !outputs.is_empty() {
        session.output.note("");
    }
    for (name, value) in outputs {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        session.output.note(format!(
            "  {name} = {}",
            consort_model::text::printable(&text, false)
        ));
    }
    Ok(())
}

/// Compose's foreground: logs until Ctrl-C, which stops the services.
async fn attach(session: &Session, client: &Client, deployment: &str) -> Answer {
    let query = consort_driver::LogQuery {
        follow: true,
        ..Default::default()
    };
    let mut lines = client.logs(deployment, &query).await?;
    let mut interrupts = Interrupts::new().map_err(one)?;
    loop {
        // Cancel-safe: the stream keeps what it has read.
        tokio::select! {
            line = lines.next() => match line {
                Some(Ok(line)) => super::services::print_line(session, &line, false),
                Some(Err(problem)) => return Err(vec![problem]),
                None => return Ok(ExitCode::SUCCESS),
            },
            _ = interrupts.next() => break,
        }
    }
    let run = client
        .service_action(
            deployment,
            consort_engine::control::ServiceAction::Stop,
            &[],
        )
        .await?;
    watch(session, client, run, None).await
}

pub(crate) async fn down(session: &Session, down: &Down) -> Answer {
    let deployment = session.deployment()?;
    let client = session.client().await.map_err(one)?;
    if let Err(problems) = client.deployment_get(&deployment).await {
        if problems
            .first()
            .is_some_and(|problem| problem.code == Code::DEPLOYMENT_UNKNOWN)
        {
            session
                .output
                .note(format!("Nothing to do: `{deployment}` is not deployed."));
            return Ok(ExitCode::SUCCESS);
        }
        return Err(problems);
    }
    let request = PlanRequest {
        deployment,
        bundle: None,
        inputs: Default::default(),
        mode: Mode::Destroy {
            volumes: down.volumes,
        },
        only: Vec::new(),
        replace: Vec::new(),
        refresh: true,
    };
    let kept = client.plan(&request).await?;
    show(session, &kept.plan);
    let approval = approve(session, &kept.plan, down.yes)?;
    carry_out(session, &client, &kept, approval).await
}

pub(crate) async fn rollback(session: &Session, revision: Option<u32>, yes: bool) -> Answer {
    let deployment = session.deployment()?;
    let client = session.client().await.map_err(one)?;
    let request = RollbackRequest {
        deployment,
        revision: revision.map(RevisionNumber),
    };
    let kept = client.rollback_plan(&request).await?;
    show(session, &kept.plan);
    let approval = approve(session, &kept.plan, yes)?;
    carry_out(session, &client, &kept, approval).await
}

/// Ctrl-C and SIGTERM, counted.
struct Interrupts {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    count: u32,
}

impl Interrupts {
    fn new() -> Result<Self, Problem> {
        use tokio::signal::unix::{SignalKind, signal};
        let failed = |error: std::io::Error| {
            Problem::new(Code::INTERNAL, "signals cannot be received").caused_by(&error)
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            count: 0,
        })
    }

    async fn next(&mut self) -> u32 {
        // Cancel-safe: both are.
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        self.count += 1;
        self.count
    }
}
