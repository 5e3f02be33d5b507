//! Mode `http`: client connections that outlive targets.

mod answer;
mod body;
mod connection;
mod headers;
mod pool;
mod progress;
mod proxy;
mod tunnel;

pub(crate) use answer::refusal;
pub(crate) use body::{Outgoing, RequestBody, Upstream};
pub(crate) use connection::{Asked, Client, drive};
pub(crate) use headers::{forwarded, origin_form, strip_hop_by_hop};
pub(crate) use pool::Pool;
pub(crate) use progress::Busy;

use std::sync::Arc;

use tokio::net::TcpStream;

/// Serves one accepted client to its end.
pub(crate) async fn serve(client: Arc<Client>, stream: TcpStream) {
    drive(client, stream, |client, request, asked| async move {
        proxy::proxy(&client, request, asked).await
    })
    .await;
}

/// A connection over which requests go to a back end.
pub(crate) type Sender = hyper::client::conn::http1::SendRequest<RequestBody>;

/// The largest head of a request or an answer, in bytes.
pub(crate) const HEAD_LIMIT: usize = 64 * 1024;
/// The most header fields of a request or an answer.
pub(crate) const FIELD_LIMIT: usize = 128;

/// Starts HTTP/1.1 over a connection to a back end.
pub(crate) async fn handshake<T>(stream: T) -> hyper::Result<Sender>
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_buf_size(HEAD_LIMIT).max_headers(FIELD_LIMIT);
    let (sender, connection) = builder
        .handshake(hyper_util::rt::TokioIo::new(stream))
        .await?;
    crate::tasks::start(crate::tasks::TaskKind::Connection, async move {
        // Its errors reach whoever waits for the answer.
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}
