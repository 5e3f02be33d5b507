//! Cuts a stream of bytes into lines.

use super::MAX_TEXT;

/// The unfinished line of one stream.
#[derive(Default)]
pub(crate) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Takes bytes; calls `emit` for each line, without its newline. The flag says that the line goes on.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut emit: impl FnMut(&mut Vec<u8>, bool)) {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let space = MAX_TEXT - self.rest.len();
            let take = end.unwrap_or(bytes.len()).min(space);
            self.rest.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            if let Some(after) = bytes.strip_prefix(b"\n") {
                bytes = after;
                emit(&mut self.rest, false);
                self.rest.clear();
            } else if self.rest.len() >= MAX_TEXT {
                emit(&mut self.rest, true);
                self.rest.clear();
            }
        }
        if self.rest.is_empty() && self.rest.capacity() > 1024 {
            self.rest = Vec::new();
        }
    }

    /// The end of the stream: what is left is a line.
    pub(crate) fn finish(&mut self, mut emit: impl FnMut(&mut Vec<u8>, bool)) {
        if !self.rest.is_empty() {
            emit(&mut self.rest, false);
            self.rest.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(chunks: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.push(chunk, |line, more| out.push((line.clone(), more)));
        }
        lines.finish(|line, more| out.push((line.clone(), more)));
        out
    }

    #[test]
    fn a_line_over_several_reads_is_one_line() {
        let expected = [
            (b"one".to_vec(), false),
            (vec![], false),
            (b"two".to_vec(), false),
        ];
        assert_eq!(cut(&[b"o", b"ne\n\nt", b"wo"]), expected);
    }

    #[test]
    fn an_endless_line_is_cut_and_marked() {
        let long = vec![b'x'; MAX_TEXT + 5];
        let out = cut(&[&long, b"\n"]);
        assert_eq!(
            out.iter()
                .map(|(line, more)| (line.len(), *more))
                .collect::<Vec<_>>(),
            [(MAX_TEXT, true), (5, false)]
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_wherever_the_reads_end(text in "[ab\n]{0,200}", size in 1usize..50) {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            let joined: Vec<Vec<u8>> = cut(&chunks).into_iter().map(|(line, _)| line).collect();
            let expected: Vec<Vec<u8>> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
            proptest::prop_assert_eq!(joined, expected);
        }
    }
}
