//! Bytes to text.

/// Where the bytes stop being text: line and column, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotText {
    /// The line.
    pub line: u32,
    /// The column in characters.
    pub column: u32,
    /// The byte that does not fit.
    pub byte: u8,
}

/// The text of a file: UTF-8, or UTF-16 when it starts with a byte order mark.
///
/// # Errors
/// The first place that is not text.
pub fn decode(bytes: &[u8]) -> Result<String, NotText> {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => {
            let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
            match std::str::from_utf8(bytes) {
                Ok(text) => Ok(text.to_owned()),
                Err(error) => {
                    let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                    Err(at_end(
                        &good,
                        bytes.get(error.valid_up_to()).copied().unwrap_or(0),
                    ))
                }
            }
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, NotText> {
    let units = bytes.chunks(2).map(|pair| match pair {
        [a, b] => unit([*a, *b]),
        _ => 0xD800,
    });
    let mut text = String::new();
    for decoded in char::decode_utf16(units) {
        match decoded {
            Ok(c) => text.push(c),
            Err(error) => return Err(at_end(&text, error.unpaired_surrogate().to_be_bytes()[0])),
        }
    }
    Ok(text)
}

fn at_end(good: &str, byte: u8) -> NotText {
    let line = good.matches('\n').count() + 1;
    let column = good
        .rsplit('\n')
        .next()
        .map_or(0, |line| line.chars().count())
        + 1;
    NotText {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
        byte,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_place_of_a_latin_1_byte() {
        assert_eq!(
            decode(b"a: 1\nname: caf\xe9\n"),
            Err(NotText {
                line: 2,
                column: 10,
                byte: 0xe9
            })
        );
    }

    #[test]
    fn reads_utf_16_and_skips_the_mark_of_utf_8() {
        assert_eq!(decode(b"\xFF\xFEa\x00").as_deref(), Ok("a"));
        assert_eq!(decode(b"\xFE\xFF\x00a").as_deref(), Ok("a"));
        assert_eq!(decode(b"\xEF\xBB\xBFa").as_deref(), Ok("a"));
        assert!(decode(b"\xFF\xFEa").is_err());
    }
}
