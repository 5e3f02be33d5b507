//! Redirections: where to, with which method.

use http::{Method, StatusCode, Uri};

/// So many are followed.
pub(super) const HOPS: usize = 10;

/// The next request after a redirection: its method, and whether the body goes with it.
pub(super) fn next_method(status: StatusCode, method: &Method) -> (Method, bool) {
    match status.as_u16() {
        303 if *method != Method::HEAD => (Method::GET, false),
        301 | 302 if *method == Method::POST => (Method::GET, false),
        _ => (method.clone(), true),
    }
}

/// Where a `Location` points from a URL; `None` if it cannot be understood.
pub(super) fn join(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next().unwrap_or_default();
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    let text = if location.contains("://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{}{location}", base.path())
    } else {
        let folder = base
            .path()
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    text.parse().ok()
}

/// Do both belong to the same scheme, host and port? What proves the sender goes no further.
pub(super) fn is_same_origin(one: &Uri, other: &Uri) -> bool {
    let origin = |uri: &Uri| {
        (
            uri.scheme_str().map(str::to_ascii_lowercase),
            uri.host().map(str::to_ascii_lowercase),
            uri.port_u16().unwrap_or(80),
        )
    };
    origin(one) == origin(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_relative_to_the_request() {
        let base: Uri = "http://crm:81/a/b?x=1".parse().unwrap();
        for (location, wanted) in [
            ("/c", "http://crm:81/c"),
            ("c?y=2#part", "http://crm:81/a/c?y=2"),
            ("//other/d", "http://other/d"),
            ("http://else/e", "http://else/e"),
            ("?z=3", "http://crm:81/a/b?z=3"),
        ] {
            assert_eq!(join(&base, location), wanted.parse().ok(), "{location}");
        }
    }

    #[test]
    fn only_the_same_host_and_port_is_trusted() {
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        assert!(is_same_origin(
            &uri("http://crm/a"),
            &uri("http://CRM:80/b")
        ));
        assert!(!is_same_origin(
            &uri("http://crm/a"),
            &uri("http://crm:81/a")
        ));
        assert!(!is_same_origin(
            &uri("http://crm/a"),
            &uri("http://other/a")
        ));
    }

    #[test]
    fn a_redirected_post_becomes_a_get_unless_it_must_not() {
        let after = |status: u16| next_method(StatusCode::from_u16(status).unwrap(), &Method::POST);
        assert_eq!(after(302), (Method::GET, false));
        assert_eq!(after(303), (Method::GET, false));
        assert_eq!(after(307), (Method::POST, true));
    }
}
