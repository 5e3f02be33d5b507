//! The suite that every store must pass: one named case per rule of the contract.
//!
//! It needs no runtime: the cases are plain futures, and the caller's executor runs them. A broken
//! rule panics; the place of the panic is in the case that is named after the rule.
//!
//! ```ignore
//! conformance::run(async || {
//!     let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
//!     store
//! })
//! .await;
//! ```
//!
//! Each case gets a fresh, empty store. Stores that keep unnamed blobs for a time of grace are made
//! without one here.

mod deployments;
mod fixture;
mod keeping;
mod runs;
mod waiting;

use std::pin::Pin;
use std::sync::Arc;

use crate::Store;

/// A case that is under way.
pub type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A rule, with what checks it.
#[derive(Clone, Copy)]
pub struct Case {
    /// The rule, as a sentence.
    pub name: &'static str,
    check: fn(Arc<dyn Store>) -> Running,
}

impl Case {
    /// Checks the rule on an empty store; panics if it is broken.
    pub fn check(&self, store: Arc<dyn Store>) -> Running {
        (self.check)(store)
    }
}

macro_rules! cases {
    ($($file:ident :: $case:ident),* $(,)?) => {
        /// Every case, in the order in which they are best read.
        pub const CASES: &[Case] = &[$(Case {
            name: stringify!($case),
            check: |store| Box::pin($file::$case(store)),
        }),*];
    };
}

cases! {
    runs::a_batch_is_read_back_as_it_was_written,
    runs::records_are_numbered_without_gaps,
    runs::an_older_epoch_is_fenced_and_writes_nothing,
    runs::a_higher_epoch_takes_a_run_over,
    runs::a_writer_with_a_wrong_place_is_refused,
    runs::an_unknown_run_is_refused,
    runs::a_run_is_begun_once,
    runs::the_same_key_finds_the_run_and_writes_nothing,
    runs::the_same_key_with_another_request_is_refused,
    runs::one_batch_writes_to_several_runs,
    runs::a_refused_batch_leaves_nothing,
    runs::lists_show_the_newest_first_and_filter,
    runs::open_runs_are_those_that_have_not_ended,
    runs::the_newest_snapshot_is_answered,
    runs::a_value_too_deep_to_be_read_back_is_refused,
    runs::watchers_are_told_before_the_answer,
    deployments::a_deployment_is_created_once,
    deployments::one_run_at_a_time_changes_a_deployment,
    deployments::a_run_that_ends_lets_its_deployment_go,
    deployments::generations_follow_each_other,
    deployments::state_is_listed_by_address,
    deployments::revisions_are_numbered_by_the_deployment,
    deployments::a_deployment_with_state_is_not_removed,
    deployments::a_removed_deployment_leaves_no_secret,
    waiting::due_timers_come_in_order_and_once,
    waiting::a_run_that_ends_waits_for_nothing,
    waiting::an_event_is_taken_in_once,
    waiting::marks_in_the_inbox_move_only_forward,
    waiting::subscriptions_are_open_until_closed,
    waiting::the_outbox_keeps_order_until_sent,
    waiting::runtime_facts_are_put_and_removed,
    keeping::blobs_are_kept_by_their_digest,
    keeping::a_blob_that_is_not_its_digest_is_refused,
    keeping::secrets_have_versions_that_never_change,
    keeping::retention_deletes_old_ended_runs_only,
    keeping::retention_keeps_what_a_revision_pins,
    keeping::retention_keeps_what_blobs_name,
    keeping::a_store_in_order_has_nothing_to_say,
}

/// Checks every rule, each on a store of its own.
///
/// # Panics
/// When a rule is broken.
pub async fn run(make: impl AsyncFn() -> Arc<dyn Store>) {
    for case in CASES {
        let store = make().await;
        case.check(Arc::clone(&store)).await;
        let findings = store.verify().await;
        assert_eq!(findings, Ok(Vec::new()), "after {}", case.name);
    }
}
