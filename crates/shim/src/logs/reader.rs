//! Reads records over all files of an instance, also while they are written and rotated.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::FILE;

/// A longer line is no record.
const MAX_LINE: u64 = (super::MAX_TEXT * 4) as u64;

/// Who wrote a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The shim.
    Shim,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// RFC 3339 in UTC with nanoseconds: sorts as text.
    pub time: String,
    /// Who wrote it.
    pub stream: Stream,
    /// The line goes on in the next record of this stream.
    pub more: bool,
    /// What the program wrote, unescaped.
    pub text: Vec<u8>,
}

impl Record {
    fn parse(line: &[u8]) -> Option<Self> {
        let mut parts = line.splitn(3, |byte| *byte == b' ');
        let time = std::str::from_utf8(parts.next()?).ok()?.to_owned();
        let name = parts.next()?;
        let (name, more) = name
            .strip_suffix(b"+")
            .map_or((name, false), |name| (name, true));
        let stream = match name {
            b"stdout" => Stream::Stdout,
            b"stderr" => Stream::Stderr,
            b"shim" => Stream::Shim,
            _ => return None,
        };
        Some(Self {
            time,
            stream,
            more,
            text: parts.next()?.to_vec(),
        })
    }
}

/// A place in the records, oldest first.
pub struct Reader {
    dir: PathBuf,
    current: Option<BufReader<File>>,
    inode: u64,
    partial: Vec<u8>,
    /// Records that rotation removed before they were read; at least one where this is true.
    gap: bool,
}

impl Reader {
    /// At the oldest record.
    pub fn open(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            current: None,
            inode: 0,
            partial: Vec::new(),
            gap: false,
        }
    }

    /// At the record from which `count` are left now.
    ///
    /// # Errors
    /// What the kernel says about a file.
    pub fn tail(dir: &Path, count: usize) -> io::Result<Self> {
        let mut left = count;
        let mut reader = Self::open(dir);
        for path in files(dir) {
            let Ok(file) = File::open(&path) else {
                continue;
            };
            reader.inode = file.metadata()?.ino();
            let (offset, found) = last_lines(&file, left)?;
            let mut buffered = BufReader::new(file);
            buffered.seek(SeekFrom::Start(offset))?;
            reader.current = Some(buffered);
            left -= found;
            if left == 0 {
                break;
            }
        }
        Ok(reader)
    }

    /// Whether rotation removed records before they were read.
    pub fn has_gap(&self) -> bool {
        self.gap
    }

    /// The next record; `None` at the end for now. Call again to follow. Lines that are no records are skipped.
    ///
    /// # Errors
    /// What the kernel says about a file.
    pub fn next_record(&mut self) -> io::Result<Option<Record>> {
        loop {
            if self.current.is_none() && !self.advance()? {
                return Ok(None);
            }
            let Some(file) = &mut self.current else {
                return Ok(None);
            };
            let limit = MAX_LINE.saturating_sub(self.partial.len() as u64);
            let read = io::Read::take(&mut *file, limit).read_until(b'\n', &mut self.partial)?;
            if self.partial.last() == Some(&b'\n') {
                self.partial.pop();
                let record = Record::parse(&self.partial);
                self.partial.clear();
                if record.is_some() {
                    return Ok(record);
                }
            } else if self.partial.len() as u64 >= MAX_LINE {
                self.partial.clear();
            } else if read == 0 && !self.advance()? {
                return Ok(None);
            }
        }
    }

    /// Goes to the next newer file, if there is one.
    fn advance(&mut self) -> io::Result<bool> {
        let mut newer: Option<(PathBuf, u64)> = None;
        let mut known = false;
        for path in files(&self.dir) {
            match fs::metadata(&path).map(|found| found.ino()) {
                Ok(inode) if self.current.is_some() && inode == self.inode => {
                    known = true;
                    break;
                }
                Ok(inode) => newer = Some((path, inode)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let Some((path, _)) = newer else {
            return Ok(false);
        };
        self.gap |= self.current.is_some() && !known;
        self.partial.clear();
        let file = match File::open(path) {
            Ok(file) => file,
            // Rotated in between; the next call sees the new names.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        self.inode = file.metadata()?.ino();
        self.current = Some(BufReader::new(file));
        Ok(true)
    }
}

/// All files that may be there, newest first.
fn files(dir: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    let older = (1..100)
        .map(|number| dir.join(format!("{FILE}.{number}")))
        .take_while(|path| path.exists());
    std::iter::once(dir.join(FILE)).chain(older)
}

/// The offset of the `count`-th line from the end, and how many lines are behind it.
fn last_lines(mut file: &File, count: usize) -> io::Result<(u64, usize)> {
    let mut at = file.metadata()?.len();
    if count == 0 {
        return Ok((at, 0));
    }
    let (end, mut found, mut block) = (at, 0, vec![0; 16 * 1024]);
    while at > 0 {
        let size = at.min(block.len() as u64);
        at -= size;
        file.seek(SeekFrom::Start(at))?;
        let block = &mut block[..usize::try_from(size).unwrap_or(0)];
        io::Read::read_exact(&mut file, block)?;
        for (index, _) in block
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, byte)| **byte == b'\n')
        {
            let offset = at + index as u64 + 1;
            if offset == end {
                continue;
            }
            found += 1;
            if found == count {
                return Ok((offset, count));
            }
        }
    }
    Ok((0, if end > 0 { found + 1 } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::super::Sink;
    use super::*;
    use crate::spec::Logging;
    use crate::time::Timestamp;

    fn texts(reader: &mut Reader) -> Vec<String> {
        std::iter::from_fn(|| reader.next_record().unwrap())
            .map(|record| String::from_utf8(record.text).unwrap())
            .collect()
    }

    fn write(sink: &mut Sink, texts: impl IntoIterator<Item = String>) {
        for text in texts {
            sink.add(Timestamp::now(), "stderr", false, text.as_bytes());
            sink.flush();
        }
    }

    #[test]
    fn follows_over_rotations_without_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = Sink::new(
            dir.path(),
            &Logging {
                max_size: 120,
                max_file: 4,
                ..Logging::default()
            },
            0,
        );
        let mut reader = Reader::open(dir.path());
        assert_eq!(texts(&mut reader), Vec::<String>::new());
        let mut seen = Vec::new();
        for number in 0..30 {
            write(&mut sink, [format!("n{number}")]);
            if number % 3 == 0 {
                seen.extend(texts(&mut reader));
            }
        }
        seen.extend(texts(&mut reader));
        assert_eq!(
            seen,
            (0..30)
                .map(|number| format!("n{number}"))
                .collect::<Vec<_>>()
        );
        assert!(!reader.has_gap());
    }

    #[test]
    fn says_that_rotation_was_faster() {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = Sink::new(
            dir.path(),
            &Logging {
                max_size: 60,
                max_file: 2,
                ..Logging::default()
            },
            0,
        );
        write(&mut sink, ["first".to_owned()]);
        let mut reader = Reader::open(dir.path());
        assert_eq!(texts(&mut reader), ["first"]);
        write(&mut sink, (0..10).map(|number| number.to_string()));
        texts(&mut reader);
        assert!(reader.has_gap());
    }

    #[test]
    fn tail_counts_over_files() {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = Sink::new(
            dir.path(),
            &Logging {
                max_size: 120,
                max_file: 9,
                ..Logging::default()
            },
            0,
        );
        write(&mut sink, (0..9).map(|number| number.to_string()));
        for count in [0, 1, 2, 3, 5, 9, 20] {
            let mut reader = Reader::tail(dir.path(), count).unwrap();
            let expected: Vec<String> = (9 - count.min(9)..9)
                .map(|number| number.to_string())
                .collect();
            assert_eq!(texts(&mut reader), expected, "tail {count}");
        }
        let mut reader = Reader::tail(&dir.path().join("missing"), 3).unwrap();
        assert_eq!(reader.next_record().unwrap(), None);
    }
}
