//! Lines of JSON, of bounded length, over a stream.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

/// Why there is no further line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    /// The line is longer than allowed.
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
    /// The stream failed, or ended within a line.
    #[error("the connection failed")]
    Io(#[from] io::Error),
}

/// The next line without its end, or `None` at the end of the stream. Not cancel-safe.
pub(crate) async fn read_line<R>(reader: &mut R, limit: usize) -> Result<Option<Vec<u8>>, LineError>
where
    R: AsyncBufRead + Unpin,
{
    let mut line = Vec::new();
    loop {
        let available = reader.fill_buf().await?;
        if available.is_empty() {
            return if line.is_empty() {
                Ok(None)
            } else {
                Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
            };
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(available.len());
        if line.len() + taken > limit {
            return Err(LineError::TooLong(limit));
        }
        line.extend_from_slice(&available[..taken]);
        reader.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}

/// Writes one document as a line.
pub(crate) async fn write_line<W, T>(writer: &mut W, document: &T) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
    T: Serialize + Sync,
{
    writer.write_all(&encode(document)?).await?;
    writer.flush().await
}

/// A document with the end of its line.
pub(crate) fn encode<T: Serialize>(document: &T) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(document)?;
    line.push(b'\n');
    Ok(line)
}

/// Reads a document; the error is a sentence part.
pub(crate) fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    serde_json::from_slice(line).map_err(|error| error.to_string())
}
