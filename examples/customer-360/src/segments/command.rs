//! The tasks as commands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::cdnow;
use crate::program::{Failure, report, run_tool};
use crate::settings::Settings;

use super::artefacts::Folder;
use super::bootstrap::{Shard, Share, bootstrap};
use super::fit::{self, Fit};
use super::history::{History, histories};
use super::merge::{Segments, merge};
use super::model::group;
use super::remote::Remote;

const HISTORIES: &str = "histories.json";
const FIT: &str = "fit.json";
const SEGMENTS: &str = "segments.json";

/// Sorts customers into segments by the BG/NBD model, in tasks that share a folder.
#[derive(Debug, Parser)]
#[command(name = "segments")]
pub struct Command {
    /// Folder by which the tasks of a run hand on what they found
    #[arg(
        long = "out",
        alias = "dir",
        env = "CONSORT_RUN_DIR",
        global = true,
        default_value = "."
    )]
    folder: PathBuf,
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Fit the model to the histories; writes histories.json and fit.json
    Fit(FitArgs),
    /// Refit resampled histories; writes shard-N.json
    Bootstrap(BootstrapArgs),
    /// Merge the shards; writes segments.json
    Merge(MergeArgs),
    /// Publish segments.json to crm (CRM_URL, SEGMENTS_TOKEN)
    Publish,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Origin {
    /// CRM_URL with SEGMENTS_TOKEN, which needs customers:read
    Crm,
    /// The file that SEED_FILE names
    File,
}

#[derive(Debug, Args)]
struct FitArgs {
    /// Where the histories come from; by default the file if SEED_FILE is set
    #[arg(long, value_enum)]
    from: Option<Origin>,
    /// Starting points of the search, 1 to 8
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=8))]
    starts: u8,
    /// Fail if the fit is not the published one
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Args)]
struct BootstrapArgs {
    /// Number of this shard, from 1
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    shard: u32,
    /// Number of shards
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    of: u32,
    /// Samples in this shard
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    samples: u32,
    /// Seed of the samples; the same one in all shards
    #[arg(long, default_value_t = 1997)]
    seed: u64,
}

#[derive(Debug, Args)]
struct MergeArgs {
    /// Number of shards
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    of: u32,
}

/// Runs a task and prints what it found, as one line of JSON.
///
/// # Errors
/// Those of the task.
pub fn run(command: Command, settings: &Settings) -> Result<(), Failure> {
    let folder = Folder(command.folder);
    let found = match command.task {
        Task::Fit(args) => run_fit(&folder, &args, settings)?,
        Task::Bootstrap(args) => run_bootstrap(&folder, &args)?,
        Task::Merge(args) => run_merge(&folder, args.of)?,
        Task::Publish => run_publish(&folder, settings)?,
    };
    report(&found)
}

fn run_fit(folder: &Folder, args: &FitArgs, settings: &Settings) -> Result<Value, Failure> {
    let by_default = if settings.get("SEED_FILE").is_some() {
        Origin::File
    } else {
        Origin::Crm
    };
    let histories = match args.from.unwrap_or(by_default) {
        Origin::File => {
            let path = settings.required("SEED_FILE", "the file of the purchases")?;
            histories(&cdnow::read(path.as_ref())?, cdnow::calibration_end())
        }
        Origin::Crm => {
            let remote = remote(settings)?;
            run_tool(|_| async move { Ok(remote.histories().await?) })?
        }
    };
    let groups = group(&histories);
    let fit = fit::fit(&groups, args.starts.into())?;
    folder.write(HISTORIES, &histories)?;
    folder.write(FIT, &fit)?;
    if args.check {
        fit::check(&fit)?;
    }
    Ok(
        json!({"task": "fit", "customers": histories.len(), "fit": fit, "as_published": fit::check(&fit).is_ok()}),
    )
}

fn run_bootstrap(folder: &Folder, args: &BootstrapArgs) -> Result<Value, Failure> {
    let BootstrapArgs {
        shard,
        of,
        samples,
        seed,
    } = *args;
    if shard > of {
        return Err(format!("--shard {shard} is more than --of {of}; shards count from 1").into());
    }
    let fit: Fit = folder.read(FIT)?;
    let histories: Vec<History> = folder.read(HISTORIES)?;
    if histories.is_empty() {
        return Err(fit::FitError::Empty.into());
    }
    let done = bootstrap(
        &group(&histories),
        fit,
        Share {
            shard,
            of,
            samples,
            seed,
        },
    );
    folder.write(&shard_name(shard), &done)?;
    Ok(
        json!({"task": "bootstrap", "shard": shard, "of": of, "fitted": done.fits.len(), "failed": done.failed}),
    )
}

fn shard_name(shard: u32) -> String {
    format!("shard-{shard}.json")
}

fn run_merge(folder: &Folder, of: u32) -> Result<Value, Failure> {
    let fit: Fit = folder.read(FIT)?;
    let histories: Vec<History> = folder.read(HISTORIES)?;
    let shards = (1..=of)
        .map(|shard| folder.read(&shard_name(shard)))
        .collect::<Result<Vec<Shard>, _>>()?;
    let merged = merge(&fit, &shards, &histories, &group(&histories))?;
    folder.write(SEGMENTS, &merged)?;
    Ok(json!({
        "task": "merge", "samples": merged.samples, "failed": merged.failed,
        "intervals": merged.intervals, "expected_total": merged.expected_total, "counts": merged.counts,
    }))
}

fn run_publish(folder: &Folder, settings: &Settings) -> Result<Value, Failure> {
    let merged: Segments = folder.read(SEGMENTS)?;
    let remote = remote(settings)?;
    let count = merged.segments.len();
    run_tool(|_| async move { Ok(remote.publish(&merged.segments).await?) })?;
    Ok(json!({"task": "publish", "published": count, "counts": merged.counts}))
}

fn remote(settings: &Settings) -> Result<Remote, Failure> {
    let token = settings
        .secret("SEGMENTS_TOKEN")?
        .ok_or("SEGMENTS_TOKEN is not set; set it, or SEGMENTS_TOKEN_FILE, to a token of crm")?;
    Ok(Remote::new(
        settings.base_url("CRM_URL", "http://crm"),
        token,
    ))
}
