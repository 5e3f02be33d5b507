//! Writes records, rotates, and never stops the program for want of space.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::FILE;
use crate::spec::Logging;
use crate::time::Timestamp;

/// The files of one instance.
pub(crate) struct Sink {
    dir: PathBuf,
    file: Option<File>,
    size: u64,
    max_size: u64,
    max_file: u32,
    /// Whole records that wait to be written, and their count.
    batch: Vec<u8>,
    records: u64,
    dropped: u64,
    /// Of those dropped, how many no remark in the file mentions yet.
    unsaid: u64,
}

impl Sink {
    pub(crate) fn new(dir: &Path, logging: &Logging, dropped: u64) -> Self {
        Self {
            dir: dir.to_owned(),
            file: None,
            size: 0,
            max_size: logging.max_size,
            max_file: logging.max_file,
            batch: Vec::new(),
            records: 0,
            dropped,
            unsaid: 0,
        }
    }

    /// Records that found no place on the disk.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Adds a record. It is in the file after [`Self::flush`].
    pub(crate) fn add(&mut self, now: Timestamp, stream: &str, more: bool, text: &[u8]) {
        let start = self.batch.len();
        let mark = if more { "+" } else { "" };
        // Writing to memory does not fail.
        let _ = write!(self.batch, "{now} {stream}{mark} ");
        self.batch.extend_from_slice(text);
        self.batch.push(b'\n');
        let with_this = self.size + self.batch.len() as u64;
        if self.max_size > 0 && with_this > self.max_size && self.size + start as u64 > 0 {
            let record = self.batch.split_off(start);
            self.write_batch();
            self.rotate();
            self.batch = record;
        }
        self.records += 1;
    }

    /// Brings what was added into the file.
    pub(crate) fn flush(&mut self) {
        self.write_batch();
    }

    fn write_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let mut bytes = std::mem::take(&mut self.batch);
        let records = std::mem::take(&mut self.records);
        if self.unsaid > 0 {
            let note = format!(
                "{} shim {} records of output were dropped: no space\n",
                Timestamp::now(),
                self.unsaid
            );
            bytes.splice(0..0, note.into_bytes());
        }
        match self.write(&bytes) {
            Ok(()) => self.unsaid = 0,
            Err(_) => {
                self.dropped += records;
                self.unsaid += records;
            }
        }
        bytes.clear();
        if bytes.capacity() <= 64 * 1024 {
            self.batch = bytes;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = OpenOptions::new()
                    .append(true)
                    .create(true)
                    .mode(0o600)
                    .open(self.dir.join(FILE))?;
                self.size = file.metadata()?.len();
                self.file.insert(file)
            }
        };
        if let Err(error) = file.write_all(bytes) {
            // A part may be there: files end at line ends.
            let _ = file.set_len(self.size);
            return Err(error);
        }
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Gives every file the next number; the oldest goes. If that fails, the current one grows on.
    fn rotate(&mut self) {
        if self.file.is_none() {
            return;
        }
        let name = |number: u32| match number {
            0 => self.dir.join(FILE),
            number => self.dir.join(format!("{FILE}.{number}")),
        };
        if self.max_file == 1 {
            let _ = fs::remove_file(name(0));
        }
        for number in (0..self.max_file.saturating_sub(1)).rev() {
            let _ = fs::rename(name(number), name(number + 1));
        }
        self.file = None;
        self.size = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logging(max_size: u64, max_file: u32) -> Logging {
        Logging {
            max_size,
            max_file,
            ..Logging::default()
        }
    }

    #[test]
    fn rotates_at_line_ends_and_keeps_so_many_files() {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = Sink::new(dir.path(), &logging(100, 3), 0);
        for number in 0..20 {
            sink.add(
                Timestamp::now(),
                "stdout",
                false,
                format!("line {number}").as_bytes(),
            );
            sink.flush();
        }
        let mut names: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["output.log", "output.log.1", "output.log.2"]);
        for name in names {
            let text = fs::read_to_string(dir.path().join(name)).unwrap();
            assert!(
                text.len() <= 100 && text.ends_with('\n') && text.starts_with("20"),
                "{text}"
            );
        }
    }

    #[test]
    fn counts_what_finds_no_place_and_says_so_later() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("not-yet");
        let mut sink = Sink::new(&missing, &logging(0, 1), 0);
        sink.add(Timestamp::now(), "stdout", false, b"lost");
        sink.flush();
        assert_eq!(sink.dropped(), 1);
        fs::create_dir(&missing).unwrap();
        sink.add(Timestamp::now(), "stdout", false, b"kept");
        sink.flush();
        let text = fs::read_to_string(missing.join(FILE)).unwrap();
        assert!(
            text.contains("shim 1 records of output were dropped"),
            "{text}"
        );
        assert!(text.ends_with("stdout kept\n"), "{text}");
        assert_eq!(sink.dropped(), 1);
    }
}
