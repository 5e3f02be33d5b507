//! Mode `unix_http`: HTTP to a server's Unix socket, waiting while the server is away.
//!
//! A request that the server has not accepted waits. One that was lost with its connection before the
//! first byte of an answer is sent again if that cannot do harm: its method is idempotent (RFC 9110
//! §9.2.2), or it has an identity that the server knows again (`Idempotency-Key`, or a CloudEvent's
//! source and id), and its body is at most [`WHOLE_LIMIT`] and of known length.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::http::{
    Asked, Client, Outgoing, RequestBody, Sender, Upstream, drive, forwarded, handshake,
    origin_form, refusal, strip_hop_by_hop,
};
use crate::protocol::{Mode, UnixUpstream};

/// The largest body that is kept until the server has answered.
const WHOLE_LIMIT: u64 = 1024 * 1024;
/// How many such bodies are kept at once; further requests wait.
static WHOLE_BODIES: Semaphore = Semaphore::const_new(32);

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Serves one accepted client to its end.
pub(crate) async fn serve(client: Arc<Client>, stream: TcpStream) {
    drive(client, stream, |client, request, asked| async move {
        answer(&client, request, asked).await
    })
    .await;
}

async fn answer(client: &Client, request: Request<Incoming>, asked: Asked) -> Response<Outgoing> {
    let Asked { busy, patience } = asked;
    let Mode::UnixHttp(upstream) = &client.shared.spec.mode else {
        return refusal(StatusCode::NOT_FOUND, "nothing is served here\n", busy);
    };
    let deadline = Instant::now() + patience;
    let mut kept = match Kept::prepare(client, upstream, request, deadline).await {
        Ok(kept) => kept,
        Err((status, text)) => return refusal(status, text, busy),
    };
    let mut pause = FIRST_PAUSE;
    loop {
        let Ok(mut sender) = timeout_at(deadline, connection(upstream)).await else {
            client.shared.counters.unserved();
            return refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "the server is away; send the request again later\n",
                busy,
            );
        };
        let (request, spare) = kept.split();
        match sender.try_send_request(request).await {
            Ok(mut response) => {
                strip_hop_by_hop(response.headers_mut());
                *response.version_mut() = Version::HTTP_11;
                return response.map(|body| {
                    Outgoing::back_end(
                        body,
                        Upstream {
                            sender,
                            lease: None,
                        },
                        busy,
                    )
                });
            }
            Err(mut error) => match error.take_message().or(spare) {
                Some(again) if Instant::now() < deadline => {
                    kept.request = again;
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                _ if error.error().is_user() => {
                    return refusal(
                        StatusCode::REQUEST_TIMEOUT,
                        "the body of the request did not arrive\n",
                        busy,
                    );
                }
                _ => {
                    return refusal(
                        StatusCode::BAD_GATEWAY,
                        "the server ended the connection without an answer; the request may have had effect\n",
                        busy,
                    );
                }
            },
        }
    }
}

/// A connection to the server, as soon as there is one. Cancel-safe.
async fn connection(upstream: &UnixUpstream) -> Sender {
    let mut pause = FIRST_PAUSE;
    loop {
        if let Ok(stream) = UnixStream::connect(&upstream.socket).await
            && let Ok(sender) = handshake(stream).await
        {
            return sender;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A request ready to be sent, perhaps more than once.
struct Kept {
    request: Request<RequestBody>,
    /// The body, if it may be sent again.
    whole: Option<(Bytes, SemaphorePermit<'static>)>,
}

impl Kept {
    async fn prepare(
        client: &Client,
        upstream: &UnixUpstream,
        mut request: Request<Incoming>,
        deadline: Instant,
    ) -> Result<Self, (StatusCode, &'static str)> {
        if request.method() == Method::CONNECT {
            return Err((
                StatusCode::METHOD_NOT_ALLOWED,
                "this address is no forward proxy\n",
            ));
        }
        origin_form(&mut request).map_err(|lack| (StatusCode::BAD_REQUEST, lack))?;
        strip_hop_by_hop(request.headers_mut());
        forwarded(request.headers_mut(), client.peer);
        *request.uri_mut() = prefixed(&upstream.path_prefix, request.uri())?;
        for (name, value) in &upstream.headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                request.headers_mut().insert(name, value);
            }
        }
        let pause = client.shared.header_timeout();
        let small = request
            .body()
            .size_hint()
            .upper()
            .is_some_and(|length| length <= WHOLE_LIMIT);
        if !(small && is_repeatable(&request)) {
            return Ok(Self {
                request: request.map(|body| RequestBody::streaming(body, pause)),
                whole: None,
            });
        }
        let permit = timeout_at(deadline, WHOLE_BODIES.acquire()).await;
        let Ok(Ok(permit)) = permit else {
            return Err((
                StatusCode::SERVICE_UNAVAILABLE,
                "too many requests wait for the server; send the request again later\n",
            ));
        };
        let (head, body) = request.into_parts();
        let collected = timeout(pause, body.collect()).await;
        let Ok(Ok(whole)) = collected.map(|whole| whole.map(http_body_util::Collected::to_bytes))
        else {
            return Err((
                StatusCode::REQUEST_TIMEOUT,
                "the body of the request did not arrive\n",
            ));
        };
        let body = RequestBody::Whole(Some(whole.clone()).filter(|whole| !whole.is_empty()));
        Ok(Self {
            request: Request::from_parts(head, body),
            whole: Some((whole, permit)),
        })
    }

    /// The request, and a second one if it may be sent again.
    fn split(&mut self) -> (Request<RequestBody>, Option<Request<RequestBody>>) {
        let spare = self.whole.as_ref().map(|(whole, _)| {
            let mut spare = Request::new(RequestBody::Whole(
                Some(whole.clone()).filter(|whole| !whole.is_empty()),
            ));
            *spare.method_mut() = self.request.method().clone();
            *spare.uri_mut() = self.request.uri().clone();
            *spare.headers_mut() = self.request.headers().clone();
            spare
        });
        (
            std::mem::replace(&mut self.request, Request::new(RequestBody::Whole(None))),
            spare,
        )
    }
}

fn is_repeatable(request: &Request<Incoming>) -> bool {
    let headers = request.headers();
    let idempotent = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE
    );
    let binary_event = headers.contains_key("ce-id") && headers.contains_key("ce-source");
    let structured_event = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/cloudevents"));
    idempotent || binary_event || structured_event || headers.contains_key("idempotency-key")
}

/// The path behind the prefix. The prefix is what a client of this address is allowed to reach, so a
/// path that a server could resolve to something above it is refused.
fn prefixed(prefix: &str, uri: &Uri) -> Result<Uri, (StatusCode, &'static str)> {
    if has_dot_segment(uri.path()) || !uri.path().starts_with('/') {
        return Err((StatusCode::BAD_REQUEST, "the path has dot segments\n"));
    }
    let joined = format!(
        "{}{}",
        prefix.trim_end_matches('/'),
        uri.path_and_query().map_or("/", PathAndQuery::as_str)
    );
    joined
        .parse()
        .map_err(|_invalid| (StatusCode::BAD_REQUEST, "the path is not valid\n"))
}

/// Whether a segment is `.` or `..`, also in percent encoding and behind an encoded or a backward slash.
fn has_dot_segment(path: &str) -> bool {
    // Twice decoded, for servers that decode twice; more is not a request that anyone means.
    let once = decoded(path.as_bytes());
    let twice = decoded(&once);
    [once, twice].iter().any(|path| {
        path.split(|byte| matches!(byte, b'/' | b'\\'))
            .any(|segment| matches!(segment, b"." | b".."))
    })
}

fn decoded(path: &[u8]) -> Vec<u8> {
    let hex = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut result = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                result.push(hex(*high).unwrap_or(0) * 16 + hex(*low).unwrap_or(0));
                rest = after;
            }
            _ => {
                result.push(*first);
                rest = tail;
            }
        }
    }
    result
}
