//! The format of the log: frames, each the messages of one commit.
//!
//! ```text
//! "C360MBX1"  length: u32  first offset: u64  digest: 32 bytes  payload
//! ```
//!
//! Numbers are little-endian. The digest is BLAKE3 over length, first offset and
//! payload; the payload is one JSON message per line. A frame is written by one
//! sync, so it is there as a whole or it was never acknowledged.

use std::io;

use super::message::Message;

const MAGIC: &[u8; 8] = b"C360MBX1";
const HEAD: usize = 8 + 4 + 8 + 32;
/// Largest payload, in bytes: more than a full commit of the largest messages.
pub const PAYLOAD_LIMIT: usize = 16 * 1024 * 1024;

/// A frame that was read.
#[derive(Debug, PartialEq)]
pub struct Frame {
    /// Offset of its first message.
    pub first: u64,
    /// Its messages.
    pub messages: Vec<Message>,
    /// Its length in the file, in bytes.
    pub length: usize,
}

/// Bytes that are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoFrame;

/// The bytes of a frame.
///
/// # Errors
/// If the messages are more than a frame can hold.
pub fn encode(first: u64, messages: &[Message]) -> io::Result<Vec<u8>> {
    let mut payload = Vec::new();
    for message in messages {
        serde_json::to_writer(&mut payload, message)?;
        payload.push(b'\n');
    }
    if payload.len() > PAYLOAD_LIMIT {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let length = (payload.len() as u32).to_le_bytes();
    let mut bytes = Vec::with_capacity(HEAD + payload.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&length);
    bytes.extend_from_slice(&first.to_le_bytes());
    bytes.extend_from_slice(digest(&bytes[8..20], &payload).as_bytes());
    bytes.extend_from_slice(&payload);
    Ok(bytes)
}

fn digest(head: &[u8], payload: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(head).update(payload);
    hasher.finalize()
}

/// Reads the frame at the beginning of `bytes`.
///
/// # Errors
/// [`NoFrame`], if there is none, or not all of it.
pub fn decode(bytes: &[u8]) -> Result<Frame, NoFrame> {
    let head = bytes.get(..HEAD).ok_or(NoFrame)?;
    let rest = head.strip_prefix(MAGIC).ok_or(NoFrame)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(NoFrame)?;
    let (first, expected) = rest.split_first_chunk::<8>().ok_or(NoFrame)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > PAYLOAD_LIMIT {
        return Err(NoFrame);
    }
    let payload = bytes.get(HEAD..HEAD + length).ok_or(NoFrame)?;
    if digest(&head[8..20], payload).as_bytes() != expected {
        return Err(NoFrame);
    }
    let messages = payload
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()
        .map_err(|_| NoFrame)?;
    Ok(Frame {
        first: u64::from_le_bytes(*first),
        messages,
        length: HEAD + length,
    })
}

/// Whether a whole frame begins anywhere after the first byte.
#[must_use]
pub fn any_later(bytes: &[u8]) -> bool {
    bytes
        .windows(MAGIC.len())
        .enumerate()
        .skip(1)
        .filter(|(_, window)| window == MAGIC)
        .any(|(at, _)| decode(&bytes[at..]).is_ok())
}
