//! Paths into a document, and patterns over them.

use std::fmt::Write as _;

/// Whether a path fits a pattern such as `services.*.build.args`. `*` fits any one segment. Jobs have
/// the rules of services: a path that starts with `jobs` fits patterns that start with `services`.
pub fn matches(pattern: &str, path: &[String]) -> bool {
    let mut segments = path.iter();
    for (index, want) in pattern.split('.').enumerate() {
        let Some(have) = segments.next() else {
            return false;
        };
        let fits =
            want == "*" || want == have || (index == 0 && want == "services" && have == "jobs");
        if !fits {
            return false;
        }
    }
    segments.next().is_none()
}

/// A path for people: `services.web.ports[0]`, with names in quotes where they need them.
pub fn shown(path: &[String]) -> String {
    let mut out = String::new();
    for segment in path {
        let plain = segment
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
            && !segment.is_empty();
        if segment.starts_with('[') {
            out.push_str(segment);
        } else if plain {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(segment);
        } else {
            let _ = write!(out, "[{segment:?}]");
        }
    }
    out
}

/// The segment of an entry of a list.
pub fn index(index: usize) -> String {
    format!("[{index}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn patterns_match_whole_paths_and_jobs_are_like_services() {
        assert!(matches(
            "services.*.build.args",
            &path("services/web/build/args")
        ));
        assert!(matches(
            "services.*.environment",
            &path("jobs/a.b/environment")
        ));
        assert!(!matches("services.*", &path("services")));
        assert!(!matches("services.*", &path("services/web/x")));
        assert!(!matches("networks.*", &path("jobs/a")));
    }

    #[test]
    fn paths_are_shown_as_people_write_them() {
        assert_eq!(
            shown(&path("services/web/ports/[0]/target")),
            "services.web.ports[0].target"
        );
        assert_eq!(
            shown(&path("services/a.b/labels")),
            "services[\"a.b\"].labels"
        );
    }
}
