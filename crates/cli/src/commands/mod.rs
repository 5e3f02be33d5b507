//! The commands, one file for each kind.

mod blueprint;
mod docs;
mod explain;
mod inspect;
mod plan;
mod runs;
mod serve;
mod services;
mod start;
mod up;

use std::process::ExitCode;

use clap::CommandFactory;
use consort_model::revision::Principal;
use consort_model::{Code, Problem};
use consort_server::client::Client;

use crate::args::{Cli, Command, Global};
use crate::environment::Environment;
use crate::home::Home;
use crate::output::Output;
use crate::{assemble, background};

/// What a command answers: its exit code, or all problems.
pub(crate) type Answer = Result<ExitCode, Vec<Problem>>;

/// What every command is given.
pub(crate) struct Session {
    pub(crate) global: Global,
    pub(crate) environment: Environment,
    pub(crate) output: Output,
}

impl Session {
    pub(crate) fn home(&self) -> Result<Home, Problem> {
        Home::find(self.global.home.as_deref(), &self.environment)
    }

    /// The server of the home: the one that answers, a new one in the background, or with
    /// `--standalone` one inside this command.
    pub(crate) async fn client(&self) -> Result<Client, Problem> {
        let home = self.home()?;
        if self.global.standalone && background::existing(&home).await.is_none() {
            home.create()?;
            let control = assemble::assemble(&home).await?;
            let router = consort_server::router(control, consort_server::Options::default());
            let principal = Principal::local_user(rustix::process::geteuid().as_raw());
            return Ok(Client::in_process(router, principal));
        }
        background::connect(&home, &self.environment).await
    }

    /// The name of the deployment: as given, else as the blueprint of this folder has it.
    pub(crate) fn deployment(&self) -> Result<String, Vec<Problem>> {
        if let Some(name) = &self.global.project_name {
            return Ok(name.clone());
        }
        crate::bundle::load(self, false).map(|loaded| loaded.name)
    }
}

/// Runs a command.
pub(crate) fn run(cli: Cli, environment: Environment, output: Output) -> Answer {
    let session = Session {
        global: cli.global,
        environment,
        output,
    };
    match cli.command {
        Command::Validate => blueprint::validate(&session),
        Command::Config(config) => blueprint::config(&session, &config),
        Command::Fmt(fmt) => blueprint::fmt(&session, &fmt),
        Command::Graph(graph) => blueprint::graph(&session, &graph),
        Command::Schema => blueprint::schema(&session),
        Command::Explain { subject } => explain::explain(&session, subject.as_deref()),
        Command::Completion { shell } => completion(shell),
        Command::Docs { folder } => docs::write(&folder),
        other => on_runtime(session, other),
    }
}

fn completion(shell: clap_complete::Shell) -> Answer {
    clap_complete::generate(
        shell,
        &mut Cli::command(),
        "consort",
        &mut std::io::stdout(),
    );
    Ok(ExitCode::SUCCESS)
}

fn on_runtime(session: Session, command: Command) -> Answer {
    let workers = if matches!(command, Command::Serve(_)) {
        2
    } else {
        1
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .map_err(|error| {
            vec![Problem::new(Code::INTERNAL, "the runtime cannot be started").caused_by(&error)]
        })?;
    runtime.block_on(asynchronous(&session, command))
}

async fn asynchronous(session: &Session, command: Command) -> Answer {
    match command {
        Command::Up(up) => up::up(session, &up).await,
        Command::Down(down) => up::down(session, &down).await,
        Command::Rollback { revision, yes } => up::rollback(session, revision, yes).await,
        Command::Plan(plan) => plan::plan(session, &plan).await,
        Command::Output { name } => inspect::outputs(session, name.as_deref()).await,
        Command::State { command } => inspect::state(session, &command).await,
        Command::Describe { address } => inspect::describe(session, &address).await,
        Command::Drift { only } => inspect::drift(session, &only).await,
        Command::Ps => services::ps(session).await,
        Command::Logs(logs) => services::logs(session, &logs).await,
        Command::Exec(exec) => services::exec(session, &exec).await,
        Command::Stop(named) => {
            services::act(
                session,
                consort_engine::control::ServiceAction::Stop,
                &named.services,
            )
            .await
        }
        Command::Start(named) => {
            services::act(
                session,
                consort_engine::control::ServiceAction::Start,
                &named.services,
            )
            .await
        }
        Command::Restart(named) => {
            services::act(
                session,
                consort_engine::control::ServiceAction::Restart,
                &named.services,
            )
            .await
        }
        Command::Scale { replicas } => services::scale(session, &replicas).await,
        Command::Events => services::events(session).await,
        Command::Runs { command } => runs::runs(session, &command).await,
        Command::Estimate { workload, deadline } => {
            start::estimate(session, workload.as_deref(), deadline.as_deref()).await
        }
        Command::Workflow { command } => start::workflow(session, &command).await,
        Command::Workload { command } => start::workload(session, &command).await,
        Command::Job { command } => start::job(session, &command).await,
        Command::Serve(serve) => serve::serve(session, &serve).await,
        Command::Doctor { store } => serve::doctor(session, store).await,
        Command::Store { command } => serve::store(session, &command).await,
        Command::Version => serve::version(session).await,
        Command::Validate
        | Command::Config(_)
        | Command::Fmt(_)
        | Command::Graph(_)
        | Command::Schema
        | Command::Explain { .. }
        | Command::Completion { .. }
        | Command::Docs { .. }
        | Command::Shim { .. }
        | Command::PortHolder { .. }
        | Command::Jq => Err(vec![Problem::new(
            Code::INTERNAL,
            "this command needs no runtime",
        )]),
    }
}
