//! Secret values: in memory only, put in place of their tokens at exec, taken out of the output.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

/// More than this over the pipe is refused.
const MAX_BYTES: u64 = 1 << 20;
/// Shorter values are not looked for in the output: they would match by chance.
const SCRUB_FROM: usize = 6;

/// Token to value, as the launcher passes them.
#[derive(Clone, Default)]
pub struct SecretValues(pub BTreeMap<String, String>);

impl fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretValues({} hidden)", self.0.len())
    }
}

/// The values that this shim has, longest token first.
#[derive(Default)]
pub(crate) struct Secrets {
    values: Vec<(String, String)>,
    /// Text to look for in output, and the token that replaces it; longest first.
    needles: Vec<(Vec<u8>, String)>,
}

impl Secrets {
    /// Reads the JSON map to the end of the stream; an empty stream is no secrets.
    pub(crate) fn read(from: impl Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        from.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "more than 1 MiB of secrets",
            ));
        }
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        // The parser's error is not passed on: it may quote what it read.
        let map: BTreeMap<String, String> = serde_json::from_slice(&bytes).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "secrets are not a JSON map of texts",
            )
        })?;
        Ok(Self::new(map))
    }

    pub(crate) fn new(map: BTreeMap<String, String>) -> Self {
        let mut needles: Vec<(Vec<u8>, String)> = Vec::new();
        for (token, value) in &map {
            // Output is cut into lines, so a value of many lines (a key) is looked for line by line.
            let lines = value
                .lines()
                .map(str::trim)
                .filter(|line| line.len() >= SCRUB_FROM);
            needles.extend(lines.map(|line| (line.as_bytes().to_vec(), token.clone())));
        }
        needles.sort_by_key(|(needle, _)| std::cmp::Reverse(needle.len()));
        let mut values: Vec<_> = map
            .into_iter()
            .filter(|(token, _)| !token.is_empty())
            .collect();
        values.sort_by_key(|(token, _)| std::cmp::Reverse(token.len()));
        Self { values, needles }
    }

    /// The first of these tokens that has no value.
    pub(crate) fn first_missing<'a>(&self, tokens: &'a [String]) -> Option<&'a String> {
        tokens
            .iter()
            .find(|token| !self.values.iter().any(|(known, _)| known == *token))
    }

    /// The text with values in place of tokens, in one pass: a value is never searched again.
    pub(crate) fn expand(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let found = self
                .values
                .iter()
                .find_map(|(token, value)| Some((rest.strip_prefix(token.as_str())?, value)));
            if let Some((after, value)) = found {
                out.push_str(value);
                rest = after;
            } else {
                let mut chars = rest.chars();
                out.extend(chars.next());
                rest = chars.as_str();
            }
        }
        out
    }

    /// Puts tokens in place of values.
    pub(crate) fn scrub(&self, line: &mut Vec<u8>) {
        for (needle, token) in &self.needles {
            let mut from = 0;
            while let Some(at) = find(&line[from..], needle) {
                let start = from + at;
                line.splice(start..start + needle.len(), token.bytes());
                from = start + token.len();
            }
        }
    }

    /// The same for a message.
    pub(crate) fn scrub_text(&self, text: String) -> String {
        let mut bytes = text.into_bytes();
        self.scrub(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while from + needle.len() <= haystack.len() {
        from += haystack[from..].iter().position(|byte| *byte == first)?;
        if haystack[from..].starts_with(needle) {
            return Some(from);
        }
        from += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(pairs: &[(&str, &str)]) -> Secrets {
        Secrets::new(
            pairs
                .iter()
                .map(|(t, v)| ((*t).to_owned(), (*v).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn replaces_tokens_in_one_pass_longest_first() {
        let secrets = secrets(&[
            ("{{db}}", "{{db2}}"),
            ("{{db}}@2", "second"),
            ("{{db2}}", "never"),
        ]);
        assert_eq!(
            secrets.expand("a={{db}}, b={{db}}@2, c={{d"),
            "a={{db2}}, b=second, c={{d"
        );
    }

    #[test]
    fn takes_values_out_of_output_also_those_of_many_lines() {
        let secrets = secrets(&[
            ("{{key}}", "-----BEGIN\nabcdefgh\n-----END--"),
            ("{{pin}}", "123"),
        ]);
        let mut line = b"got abcdefgh and 123, abcdefgh".to_vec();
        secrets.scrub(&mut line);
        assert_eq!(line, b"got {{key}} and 123, {{key}}");
    }

    #[test]
    fn names_the_token_without_a_value_and_never_prints_values() {
        let secrets = secrets(&[("{{one}}", "value-1")]);
        let tokens = ["{{one}}".to_owned(), "{{two}}".to_owned()];
        assert_eq!(secrets.first_missing(&tokens), Some(&tokens[1]));
        let error = Secrets::read(&b"{\"a\": {\"hunter2\": 1}}"[..])
            .err()
            .unwrap();
        assert!(!error.to_string().contains("hunter2"));
    }

    proptest::proptest! {
        #[test]
        fn output_without_a_value_is_left_as_it_is(line in "[a-f ]{0,64}") {
            let secrets = secrets(&[("{{t}}", "zzzzzz")]);
            let mut bytes = line.clone().into_bytes();
            secrets.scrub(&mut bytes);
            proptest::prop_assert_eq!(bytes, line.into_bytes());
        }

        #[test]
        fn no_value_survives_scrubbing(before in "[a-c]{0,20}", after in "[a-c]{0,20}") {
            let secrets = secrets(&[("{{t}}", "abcabc")]);
            let mut bytes = format!("{before}abcabc{after}").into_bytes();
            secrets.scrub(&mut bytes);
            proptest::prop_assert!(find(&bytes, b"abcabc").is_none());
        }
    }
}
