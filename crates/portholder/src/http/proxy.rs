//! One request to one target. The rule for sending it again is that of [`crate::Mode::Http`].

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::{Body, Incoming};
use hyper::upgrade::OnUpgrade;
use tokio::time::{Instant, sleep, timeout_at};

use super::body::Upstream;
use super::connection::Asked;
use super::{
    Busy, Client, Outgoing, RequestBody, Sender, forwarded, handshake, origin_form, refusal,
    strip_hop_by_hop, tunnel,
};
use crate::forward::connect_one;
use crate::targets::{Lease, Target, TargetSet};

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Answers a request of a client with the answer of a target.
pub(crate) async fn proxy(
    client: &Arc<Client>,
    request: Request<Incoming>,
    asked: Asked,
) -> Response<Outgoing> {
    let Asked { busy, patience } = asked;
    if request.method() == Method::CONNECT {
        return refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "this address is no forward proxy\n",
            busy,
        );
    }
    let (mut request, upgrade) = match prepare(client, request) {
        Ok(prepared) => prepared,
        Err(lack) => return refusal(StatusCode::BAD_REQUEST, lack, busy),
    };
    let repeatable = is_repeatable(&request);
    let deadline = Instant::now() + patience;
    let mut search = Search {
        targets: &client.shared.targets,
        tried: Vec::new(),
        pause: FIRST_PAUSE,
    };
    loop {
        let Ok((lease, mut sender, reused)) =
            timeout_at(deadline, search.connection(repeatable)).await
        else {
            client.shared.counters.unserved();
            return refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "no instance of this service became ready in time\n",
                busy,
            );
        };
        let spare = (reused && repeatable).then(|| copy(&request));
        match sender.try_send_request(request).await {
            Ok(response) => {
                return pass_on(
                    client,
                    response,
                    upgrade,
                    Upstream {
                        sender,
                        lease: Some(lease),
                    },
                    busy,
                );
            }
            Err(mut error) => match error.take_message().or(spare) {
                // A deadline that is over must also end a loop that never has to wait.
                Some(again) if Instant::now() < deadline => {
                    request = again;
                    if !reused {
                        lease.target().unreachable();
                        search.tried.push(Arc::clone(lease.target()));
                    }
                }
                _ => return failed(error.error(), &lease, busy),
            },
        }
    }
}

/// The request as it goes to a target, and the client's half of an upgrade if it asks for one.
fn prepare(
    client: &Client,
    mut request: Request<Incoming>,
) -> Result<(Request<RequestBody>, Option<OnUpgrade>), &'static str> {
    let protocol = wanted_upgrade(&request);
    let upgrade = protocol.is_some().then(|| hyper::upgrade::on(&mut request));
    origin_form(&mut request)?;
    strip_hop_by_hop(request.headers_mut());
    forwarded(request.headers_mut(), client.peer);
    if let Some(protocol) = protocol {
        request
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("upgrade"));
        request.headers_mut().insert(UPGRADE, protocol);
    }
    let pause = client.shared.header_timeout();
    Ok((
        request.map(|body| RequestBody::streaming(body, pause)),
        upgrade,
    ))
}

/// The protocol that an HTTP/1.1 request wants to change to. A change to HTTP/2 is not offered: clients
/// that speak it begin with it.
fn wanted_upgrade(request: &Request<Incoming>) -> Option<HeaderValue> {
    let named = |value: &HeaderValue| {
        value.to_str().is_ok_and(|value| {
            value
                .split(',')
                .any(|word| word.trim().eq_ignore_ascii_case("upgrade"))
        })
    };
    let wanted = request.version() == Version::HTTP_11
        && request.headers().get_all(CONNECTION).iter().any(named);
    let protocol = request.headers().get(UPGRADE).filter(|_| wanted)?;
    (!protocol.as_bytes().eq_ignore_ascii_case(b"h2c")).then(|| protocol.clone())
}

/// Whether the rule of [`crate::Mode::Http`] allows it to be sent again after it was written.
fn is_repeatable(request: &Request<RequestBody>) -> bool {
    matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    ) && request.body().is_end_stream()
        && !request.headers().contains_key(UPGRADE)
}

/// The same head; only for requests without a body.
fn copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::Whole(None));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// The search for a connection to a ready target.
struct Search<'a> {
    targets: &'a Arc<TargetSet>,
    tried: Vec<Arc<Target>>,
    pause: Duration,
}

impl Search<'_> {
    /// A connection, and whether it was in use before. Waits as long as it takes. Cancel-safe.
    async fn connection(&mut self, repeatable: bool) -> (Lease, Sender, bool) {
        loop {
            let Some(lease) = self.targets.pick(&self.tried) else {
                self.wait().await;
                continue;
            };
            if let Some(sender) = lease.target().pool.take(repeatable) {
                return (lease, sender, true);
            }
            let connected = connect_one(lease.target()).await;
            let Ok(stream) = connected else {
                self.tried.push(Arc::clone(lease.target()));
                continue;
            };
            match handshake(stream).await {
                Ok(sender) => return (lease, sender, false),
                Err(_) => self.tried.push(Arc::clone(lease.target())),
            }
        }
    }

    async fn wait(&mut self) {
        if self.tried.is_empty() {
            self.targets.wait_ready().await;
        } else {
            self.tried.clear();
            sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn pass_on(
    client: &Arc<Client>,
    mut response: Response<Incoming>,
    upgrade: Option<OnUpgrade>,
    upstream: Upstream,
    busy: Busy,
) -> Response<Outgoing> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let Some(client_half) = upgrade else {
            return refusal(
                StatusCode::BAD_GATEWAY,
                "the instance changed the protocol without being asked\n",
                busy,
            );
        };
        let protocol = response.headers().get(UPGRADE).cloned();
        let target_half = hyper::upgrade::on(&mut response);
        tunnel::open(Arc::clone(client), client_half, target_half, upstream, busy);
        let mut switched = response.map(|_| Outgoing::none());
        strip_hop_by_hop(switched.headers_mut());
        switched
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some(protocol) = protocol {
            switched.headers_mut().insert(UPGRADE, protocol);
        }
        return switched;
    }
    strip_hop_by_hop(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    response.map(|body| Outgoing::back_end(body, upstream, busy))
}

fn failed(error: &hyper::Error, lease: &Lease, busy: Busy) -> Response<Outgoing> {
    if error.is_user() {
        // The body of the request did not come.
        return refusal(
            StatusCode::REQUEST_TIMEOUT,
            "the body of the request did not arrive\n",
            busy,
        );
    }
    lease.target().failed();
    refusal(
        StatusCode::BAD_GATEWAY,
        "the instance ended the connection without an answer; the request may have had effect\n",
        busy,
    )
}
