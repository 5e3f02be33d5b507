//! Reading server-sent events (HTML Living Standard, section 9.2.6).

/// Longest line, in bytes.
const LINE_LIMIT: usize = 1024 * 1024;

/// An event that was dispatched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The last id of the stream so far; empty where none was sent.
    pub id: String,
    /// Its data, with line feeds between the lines.
    pub data: String,
}

/// The stream has a line that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event stream has a line of more than {LINE_LIMIT} bytes")]
pub struct LineTooLong;

/// A parser that is fed with what arrives.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    data: String,
    id: String,
    /// Whether the last byte was a carriage return, which may be followed by a line feed.
    after_return: bool,
}

impl Parser {
    /// Takes bytes and answers the events that they complete.
    ///
    /// # Errors
    /// [`LineTooLong`].
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>, LineTooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            let ends_pair = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if ends_pair => {}
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.end_line(&String::from_utf8_lossy(&line)));
                }
                _ if self.line.len() >= LINE_LIMIT || self.data.len() >= LINE_LIMIT => {
                    return Err(LineTooLong);
                }
                _ => self.line.push(byte),
            }
        }
        Ok(events)
    }

    fn end_line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        let mut data = std::mem::take(&mut self.data);
        data.pop()?;
        Some(Event {
            id: self.id.clone(),
            data,
        })
    }
}
