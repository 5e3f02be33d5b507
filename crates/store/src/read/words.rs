//! Words of the file for what the vocabulary has enums for.

use consort_journal::StoreError;
use consort_model::Address;
use consort_model::blueprint::TargetKind;
use consort_model::run::{RunKind, RunStatus};

use crate::error::corrupt;

pub(crate) const fn target(target: TargetKind) -> &'static str {
    match target {
        TargetKind::Process => "process",
        TargetKind::Docker => "docker",
        TargetKind::Kubernetes => "kubernetes",
    }
}

pub(crate) fn to_target(word: &str) -> Result<TargetKind, StoreError> {
    [
        TargetKind::Process,
        TargetKind::Docker,
        TargetKind::Kubernetes,
    ]
    .into_iter()
    .find(|known| target(*known) == word)
    .ok_or_else(|| unknown("target", word))
}

pub(crate) fn to_kind(word: &str) -> Result<RunKind, StoreError> {
    [
        RunKind::Plan,
        RunKind::RollOut,
        RunKind::Job,
        RunKind::Workload,
        RunKind::Workflow,
    ]
    .into_iter()
    .find(|kind| kind.word() == word)
    .ok_or_else(|| unknown("kind of run", word))
}

pub(crate) fn to_status(word: &str) -> Result<RunStatus, StoreError> {
    RunStatus::from_word(word).ok_or_else(|| unknown("status of a run", word))
}

pub(crate) fn to_address(word: &str) -> Result<Address, StoreError> {
    word.parse().map_err(|_| unknown("address", word))
}

fn unknown(what: &str, word: &str) -> StoreError {
    corrupt(format!("`{word}` is no {what} that this version knows"))
}
