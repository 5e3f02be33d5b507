//! Errors of this driver, from those of the parts that it uses.

use std::io;

use consort_driver::DriverError;
use consort_model::Code;
use consort_portholder::{ClientError as HolderClientError, FailureCode};
use consort_shim::{ClientError as ShimClientError, LaunchError};

/// A file or folder that could not be used.
pub(crate) fn file(what: impl Into<String>) -> impl FnOnce(io::Error) -> DriverError {
    move |error| {
        let full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        let code = if full {
            Code::STORE_FULL
        } else {
            Code::FILE_UNREADABLE
        };
        DriverError::new(code, what).because(error)
    }
}

/// Runs something that blocks away from the reactor.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T, DriverError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        DriverError::new(Code::INTERNAL, "a helper thread ended without a result").because(error)
    })
}

/// Why an instance could not be launched.
pub(crate) fn launch(error: LaunchError) -> DriverError {
    let (code, remedy) = match &error {
        LaunchError::Exec { errno: 2, .. } => (
            Code::PROGRAM_MISSING,
            Some(
                "Check `command`: a name is looked for among the artifacts and in PATH, a path from the service's folder.",
            ),
        ),
        LaunchError::Exec { .. } => (
            Code::PROGRAM_MISSING,
            Some("Check that the program is executable, and that `user` and `working_dir` exist."),
        ),
        LaunchError::BadSpec { .. } => (Code::BLUEPRINT_INVALID, None),
        LaunchError::NoShim { .. } => (
            Code::TARGET_UNAVAILABLE,
            Some("The installation is not complete: install Consort again."),
        ),
        LaunchError::AlreadyRunning { .. }
        | LaunchError::Setup { .. }
        | LaunchError::Died { .. }
        | LaunchError::TimedOut { .. } => (Code::NODE_FAILED, None),
    };
    let ambiguous = matches!(
        error,
        LaunchError::TimedOut { .. } | LaunchError::Died { .. }
    );
    let mut failed = DriverError::new(code, "the program cannot be started").because(error);
    failed.remedy = remedy.map(str::to_owned);
    if ambiguous {
        failed.ambiguous()
    } else {
        failed
    }
}

/// Why a shim did not do what was asked.
pub(crate) fn shim(error: ShimClientError) -> DriverError {
    let retryable = match &error {
        ShimClientError::Unreachable { .. } => true,
        ShimClientError::Stranger { .. }
        | ShimClientError::Protocol { .. }
        | ShimClientError::Unexpected { .. }
        | ShimClientError::Refused { .. } => false,
    };
    let failed = DriverError::new(
        Code::NODE_FAILED,
        "the shim of the instance does not do what it was asked",
    )
    .because(error);
    if retryable {
        failed.ambiguous().retryable()
    } else {
        failed
    }
}

/// Why the port holder did not do what was asked.
pub(crate) fn holder(error: HolderClientError) -> DriverError {
    let code = match error.code() {
        Some(FailureCode::AddressInUse) => Code::PORT_IN_USE,
        Some(FailureCode::PermissionDenied | FailureCode::AddressNotAvailable) => {
            Code::TARGET_UNAVAILABLE
        }
        Some(FailureCode::StaleGeneration) => Code::JOURNAL_FENCED,
        Some(_) | None => Code::NODE_FAILED,
    };
    let lost = error.code().is_none();
    let failed =
        DriverError::new(code, "the port holder does not do what it was asked").because(error);
    // Every request to the port holder may be repeated.
    if lost {
        failed.ambiguous().retryable()
    } else {
        failed
    }
}
