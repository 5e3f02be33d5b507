//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::output::Format;

/// One blueprint, one plan, one durable run.
#[derive(Debug, Parser)]
#[command(
    name = "consort",
    version,
    max_term_width = 100,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Examples:\n  consort up            bring the system of this folder up\n  consort plan          show what would change\n  consort ps            what runs\n  consort down          take it down\n\nExit codes: docs/exit-codes.md. Every error has a page: consort explain CODE."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// A file of the blueprint; may be repeated, later ones are laid over. `-` is standard input
    // Before the command only, as Compose has it: `logs -f` follows.
    #[arg(short, long = "file", value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// The name of the deployment
    #[arg(short, long, global = true, value_name = "NAME")]
    pub(crate) project_name: Option<String>,
    /// The folder that relative paths start at
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) project_directory: Option<String>,
    /// Variables for `${NAME}`; may be repeated
    #[arg(long = "env-file", global = true, value_name = "FILE")]
    pub(crate) env_files: Vec<String>,
    /// Switches a profile on; may be repeated
    #[arg(long = "profile", global = true, value_name = "NAME")]
    pub(crate) profiles: Vec<String>,
    /// The form of data on standard output
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) output: Format,
    /// The home: state, sockets and what runs; `CONSORT_HOME` does the same
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) home: Option<PathBuf>,
    /// Run the server inside this command, if none holds the home
    #[arg(long, global = true)]
    pub(crate) standalone: bool,
}

/// Values of inputs.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Inputs {
    /// The value of an input: NAME=VALUE; may be repeated
    #[arg(long = "input", value_name = "NAME=VALUE")]
    pub(crate) input: Vec<String>,
    /// A YAML or JSON file with values of inputs
    #[arg(long = "inputs", value_name = "FILE")]
    pub(crate) inputs: Vec<PathBuf>,
}

/// What a plan is made of.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Planning {
    #[command(flatten)]
    pub(crate) inputs: Inputs,
    /// Only this node and what it depends on; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) only: Vec<String>,
    /// Replace this node; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) replace: Vec<String>,
    /// Build what has a build, even if it was built before
    #[arg(long)]
    pub(crate) build: bool,
    /// Plan from what is recorded, without looking at the world
    #[arg(long)]
    pub(crate) no_refresh: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the system as the blueprint says, and wait until all is healthy
    Up(Up),
    /// Take everything down; named volumes stay without `--volumes`
    Down(Down),
    /// Show what would change, and change nothing
    Plan(Plan),
    /// Check the blueprint
    Validate,
    /// Print the blueprint, resolved
    Config(Config),
    /// Put the file of the blueprint into its usual form
    Fmt(Fmt),
    /// Show the graph of the blueprint
    Graph(Graph),
    /// Explain a key of the blueprint or the code of an error
    Explain {
        /// `services.*.healthcheck.interval`, `plan/stale`
        subject: Option<String>,
    },
    /// Print the JSON Schema of the blueprint
    Schema,
    /// Plan workloads: time, cost and the nodes that they need
    Estimate {
        /// Which workload; all if none is named
        workload: Option<String>,
        /// Another deadline
        #[arg(long)]
        deadline: Option<String>,
    },
    /// Print the outputs
    Output {
        /// Only this one, with its secret
        name: Option<String>,
    },
    /// What is recorded
    State {
        #[command(subcommand)]
        command: StateCommand,
    },
    /// All that is known about a node
    Describe {
        /// `services.api`
        address: String,
    },
    /// Compare what is recorded with what is there
    Drift {
        /// Only these nodes
        only: Vec<String>,
    },
    /// Services and their instances
    Ps,
    /// Lines of logs
    Logs(Logs),
    /// Run a command inside an instance
    Exec(Exec),
    /// Stop services; they stay in the deployment
    Stop(Services),
    /// Start services that were stopped
    Start(Services),
    /// Restart services, one instance after the other
    Restart(Services),
    /// Set numbers of instances
    Scale {
        /// SERVICE=NUMBER
        #[arg(required = true)]
        replicas: Vec<String>,
    },
    /// Go back to an earlier revision
    Rollback {
        /// The number of the revision; the one before if none is named
        revision: Option<u32>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Follow what happens
    Events,
    /// Runs
    Runs {
        #[command(subcommand)]
        command: RunsCommand,
    },
    /// Workflows
    Workflow {
        #[command(subcommand)]
        command: WorkflowCommand,
    },
    /// Workloads
    Workload {
        #[command(subcommand)]
        command: WorkloadCommand,
    },
    /// Jobs
    Job {
        #[command(subcommand)]
        command: JobCommand,
    },
    /// Run the server in the foreground, or end the one of this home
    Serve(Serve),
    /// What this machine can do, and what follows
    Doctor {
        /// Check the store from end to end
        #[arg(long)]
        store: bool,
    },
    /// The store of this home
    Store {
        #[command(subcommand)]
        command: StoreCommand,
    },
    /// Print a script for the completion of a shell
    Completion {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Version of client and server
    Version,
    #[command(name = "__shim", hide = true)]
    Shim { directory: PathBuf },
    #[command(name = "__portholder", hide = true)]
    PortHolder {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    #[command(name = "__jq", hide = true)]
    Jq,
    #[command(name = "__docs", hide = true)]
    Docs { folder: PathBuf },
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  consort up\n  consort up --yes --input region=eu-west-1\n  consort plan --out change.plan && consort up change.plan"
)]
pub(crate) struct Up {
    /// A plan file of `plan --out`: exactly that plan is carried out
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) planning: Planning,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Stay in the foreground with the logs; Ctrl-C stops the services
    #[arg(long)]
    pub(crate) attach: bool,
    /// Accepted as Compose has it: `up` does not stay in the foreground anyway
    #[arg(short, long, hide = true)]
    pub(crate) detach: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Down {
    /// Named volumes and their data, too
    #[arg(short, long)]
    pub(crate) volumes: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Exit codes with --detailed-exitcode: 0 nothing to do, 2 changes, 1 error.")]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) planning: Planning,
    /// Keep the plan in a file for `up FILE`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Say by the exit code whether there is something to do
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Plan to take everything down
    #[arg(long, conflicts_with = "refresh_only")]
    pub(crate) destroy: bool,
    /// Only record what is there
    #[arg(long)]
    pub(crate) refresh_only: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// yaml or json
    #[arg(long, default_value = "yaml", value_parser = ["yaml", "json"])]
    pub(crate) format: String,
    /// Leave out the checks over the whole document
    #[arg(long)]
    pub(crate) no_consistency: bool,
    /// Only print the names of services
    #[arg(long)]
    pub(crate) services: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// Only say whether the file is in its usual form
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// text, dot or json
    #[arg(long, default_value = "text", value_parser = ["text", "dot", "json"])]
    pub(crate) format: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// Every recorded node
    List,
    /// One recorded node
    Show {
        /// `resources.key`
        address: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Only of these services, instances or tasks
    pub(crate) of: Vec<String>,
    /// Go on with new lines
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Not before: `10m`, or `2026-01-01T12:00:00Z`
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Only the last so many lines of each instance
    #[arg(short = 'n', long)]
    pub(crate) tail: Option<usize>,
    /// Show when each line was written
    #[arg(short = 't', long)]
    pub(crate) timestamps: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// Which instance, if there are several
    #[arg(long)]
    pub(crate) index: Option<u32>,
    /// The service
    pub(crate) service: String,
    /// The command
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Services {
    /// Which; all if none is named
    pub(crate) services: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Runs, newest first
    List {
        /// Of all deployments
        #[arg(short, long)]
        all: bool,
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// One run with its steps
    Show {
        /// The id of the run
        run: String,
    },
    /// Follow a run to its end
    Watch {
        /// The id of the run
        run: String,
    },
    /// Finish what is under way and stop
    Cancel {
        /// The id of the run
        run: String,
        /// Give up what is under way, too
        #[arg(long)]
        now: bool,
    },
    /// Go on with a run that was stopped or failed
    Resume {
        /// The id of the run
        run: String,
    },
    /// Say whether a step that is in doubt took effect
    Resolve {
        /// The id of the run
        run: String,
        /// The step, as `runs show` names it
        step: String,
        /// It took effect
        #[arg(long, conflicts_with = "did_not", required_unless_present = "did_not")]
        happened: bool,
        /// It did not: do it again
        #[arg(long)]
        did_not: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkflowCommand {
    /// Start a workflow
    Start {
        /// Its name
        name: String,
        /// Its input, as JSON
        #[arg(long, default_value = "null")]
        input: String,
        /// Do not wait for its end
        #[arg(short, long)]
        detach: bool,
    },
    /// The workflows of the deployment
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkloadCommand {
    /// Run a workload
    Start {
        /// Its name
        name: String,
        /// Another deadline for this run
        #[arg(long)]
        deadline: Option<String>,
        /// Do not wait for its end
        #[arg(short, long)]
        detach: bool,
    },
    /// Plan and actual of a run, side by side
    Report {
        /// The id of the run
        run: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// Run a job
    Start {
        /// Its name
        name: String,
        /// Do not wait for its end
        #[arg(short, long)]
        detach: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// End the server of this home; what runs goes on
    #[arg(long)]
    pub(crate) stop: bool,
    /// End the port holder, too; refused while something is deployed
    #[arg(long, requires = "stop")]
    pub(crate) teardown: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Copy the store with its key into a new folder, while it is in use
    Backup {
        /// The new folder
        to: PathBuf,
    },
    /// Put a backup in the place of the store; no server may be running
    Restore {
        /// The folder of the backup
        from: PathBuf,
    },
}
