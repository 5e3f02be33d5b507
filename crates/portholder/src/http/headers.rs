//! What a proxy must change in a head (RFC 9110 §7.6, RFC 9113 §8.2).

use std::net::IpAddr;

use http::header::{CONNECTION, COOKIE, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, Version};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const PROXY_AUTHORIZATION: HeaderName = HeaderName::from_static("proxy-authorization");

/// A list of more names than this in `Connection` is not taken seriously.
const NAMED_LIMIT: usize = 32;

/// Removes what concerns one connection only, also what `Connection` names.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .take(NAMED_LIMIT)
            .collect();
        for name in named.iter().filter(|name| **name != HOST && **name != TE) {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    let trailers = headers.get(TE).is_some_and(|te| {
        te.as_bytes()
            .windows(8)
            .any(|word| word.eq_ignore_ascii_case(b"trailers"))
    });
    headers.remove(TE);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    for name in [
        KEEP_ALIVE,
        PROXY_CONNECTION,
        PROXY_AUTHORIZATION,
        TRANSFER_ENCODING,
        UPGRADE,
    ] {
        headers.remove(name);
    }
}

/// Tells the back end who asked: appends to `X-Forwarded-For`, and says host and scheme unless a proxy
/// before this one already did.
pub(crate) fn forwarded(headers: &mut HeaderMap, peer: IpAddr) {
    let chain = match headers
        .get(X_FORWARDED_FOR)
        .and_then(|chain| chain.to_str().ok())
    {
        Some(chain) => HeaderValue::try_from(format!("{chain}, {peer}")),
        None => HeaderValue::try_from(peer.to_string()),
    };
    if let Ok(chain) = chain {
        headers.insert(X_FORWARDED_FOR, chain);
    }
    if !headers.contains_key(X_FORWARDED_PROTO) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    if !headers.contains_key(X_FORWARDED_HOST)
        && let Some(host) = headers.get(HOST).cloned()
    {
        headers.insert(X_FORWARDED_HOST, host);
    }
}

/// Turns any form of a request into HTTP/1.1 with a path and a `Host`; `Err` says what it lacks.
pub(crate) fn origin_form<B>(request: &mut Request<B>) -> Result<(), &'static str> {
    if let Some(authority) = request.uri().authority() {
        // RFC 9112 §3.2.2: an absolute form's authority replaces `Host`.
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        let host = HeaderValue::try_from(host)
            .map_err(|_invalid| "the request's authority is no host name\n")?;
        request.headers_mut().insert(HOST, host);
    }
    if request.version() != Version::HTTP_10 && !request.headers().contains_key(HOST) {
        return Err("the request has no Host header\n");
    }
    let path = request
        .uri()
        .path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    if request.version() == Version::HTTP_2 {
        join_cookies(request.headers_mut());
    }
    *request.version_mut() = Version::HTTP_11;
    // The body is asked for at once, which makes the server side say "100 Continue" itself.
    request.headers_mut().remove(EXPECT);
    Ok(())
}

/// HTTP/2 may split cookies over several fields, HTTP/1.1 may not (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_some() {
        let parts: Vec<_> = headers
            .get_all(COOKIE)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        if let Ok(joined) = HeaderValue::from_bytes(&parts.join(&b"; "[..])) {
            headers.insert(COOKIE, joined);
        }
    }
}
