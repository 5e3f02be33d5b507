//! What a request must hold to be taken.

use std::io;
use std::net::SocketAddr;

use http::{HeaderName, HeaderValue};

use crate::protocol::{
    Failure, FailureCode, ListenerKey, ListenerSpec, Mode, Protocol, TargetsRequest, UnixUpstream,
};

/// A day: longer waits are mistakes in the unit.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;
const TEXT_LIMIT: usize = 4096;
const HEADERS_LIMIT: usize = 64;

/// Checks what the types cannot.
pub(super) fn check_spec(spec: &ListenerSpec) -> Result<(), Failure> {
    let times = [
        ("wait_timeout_ms", spec.wait_timeout_ms),
        ("idle_timeout_ms", spec.idle_timeout_ms),
        ("header_timeout_ms", spec.header_timeout_ms),
    ];
    if let Some((name, value)) = times.into_iter().find(|(_, value)| *value > LONGEST_MS) {
        return Err(bad(
            &spec.key,
            format!("{name} is {value}; the most is {LONGEST_MS}, a day"),
        ));
    }
    if spec.max_connections == 0 {
        return Err(bad(
            &spec.key,
            "max_connections is 0; it must be at least 1",
        ));
    }
    match &spec.mode {
        Mode::L4 => Ok(()),
        mode if spec.protocol == Protocol::Udp => {
            Err(bad(&spec.key, format!("mode {mode:?} needs protocol tcp")))
        }
        Mode::Http => Ok(()),
        Mode::UnixHttp(upstream) => check_upstream(&spec.key, upstream),
    }
}

fn check_upstream(key: &ListenerKey, upstream: &UnixUpstream) -> Result<(), Failure> {
    let UnixUpstream {
        socket,
        path_prefix,
        headers,
    } = upstream;
    if !socket.is_absolute() || socket.as_os_str().len() > 107 {
        return Err(bad(
            key,
            "the server's socket must be an absolute path of at most 107 bytes",
        ));
    }
    let prefix_fits = path_prefix.is_empty()
        || (path_prefix.starts_with('/')
            && path_prefix
                .parse::<http::uri::PathAndQuery>()
                .is_ok_and(|path| path.query().is_none()));
    if !prefix_fits || path_prefix.len() > TEXT_LIMIT {
        return Err(bad(
            key,
            format!("path_prefix {path_prefix:?} is no path that begins with `/`"),
        ));
    }
    if headers.len() > HEADERS_LIMIT {
        return Err(bad(
            key,
            format!("{} headers are more than {HEADERS_LIMIT}", headers.len()),
        ));
    }
    let invalid = |(name, value): &(&String, &String)| {
        HeaderName::try_from(*name).is_err() || HeaderValue::try_from(*value).is_err()
    };
    match headers.iter().find(invalid) {
        Some((name, _)) => Err(bad(
            key,
            format!("the header {name:?} has an invalid name or value"),
        )),
        None => Ok(()),
    }
}

pub(super) fn check_targets(request: &TargetsRequest, limit: usize) -> Result<(), Failure> {
    if request.targets.len() > limit {
        let text = format!(
            "listener {}: {} targets are more than {limit}",
            request.key,
            request.targets.len()
        );
        return Err(Failure::new(FailureCode::LimitReached, text));
    }
    let mut ids: Vec<_> = request
        .targets
        .iter()
        .map(|target| target.id.as_str())
        .collect();
    ids.sort_unstable();
    if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(bad(
            &request.key,
            format!("the target {:?} is named twice", twice[0]),
        ));
    }
    match request
        .targets
        .iter()
        .find(|target| target.port == 0 || target.id.is_empty() || target.id.len() > TEXT_LIMIT)
    {
        Some(target) => Err(bad(
            &request.key,
            format!(
                "the target {:?} needs an id of 1 to {TEXT_LIMIT} bytes and a port from 1 to 65535",
                target.id
            ),
        )),
        None => Ok(()),
    }
}

fn bad(key: &ListenerKey, what: impl std::fmt::Display) -> Failure {
    Failure::new(FailureCode::BadRequest, format!("listener {key}: {what}"))
}

/// Why an address could not be bound, for people.
pub(super) fn bind_failure(key: &ListenerKey, address: SocketAddr, error: &io::Error) -> Failure {
    let (code, remedy) = match error.kind() {
        io::ErrorKind::AddrInUse => (FailureCode::AddressInUse, "another program listens there; stop it or choose another port".to_owned()),
        io::ErrorKind::AddrNotAvailable => (FailureCode::AddressNotAvailable, "no interface of this machine has that address".to_owned()),
        io::ErrorKind::PermissionDenied => (
            FailureCode::PermissionDenied,
            "the kernel allows low ports only with CAP_NET_BIND_SERVICE, or from the one in the sysctl net.ipv4.ip_unprivileged_port_start on; choose a higher port or change that".to_owned(),
        ),
        _ if matches!(error.raw_os_error(), Some(code) if code == rustix::io::Errno::MFILE.raw_os_error() || code == rustix::io::Errno::NFILE.raw_os_error()) => {
            (FailureCode::LimitReached, "this process has no descriptor left; raise its limit (RLIMIT_NOFILE)".to_owned())
        }
        _ => (FailureCode::Internal, error.to_string()),
    };
    Failure::new(
        code,
        format!("listener {key}: cannot listen on {address}: {remedy}"),
    )
}
