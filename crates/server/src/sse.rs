//! Feeds as server-sent events. Each item is one event with JSON data; a problem is an event of the
//! type `problem` and the end; `end` says that nothing more will come.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use consort_engine::control::Feed;
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;

/// A comment is sent so often when nothing happens, so that both sides notice a broken connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Sends a feed; `id` gives the event ids that a client resumes after.
pub(crate) fn send<T>(feed: Feed<T>, id: fn(&T) -> Option<u64>) -> Response
where
    T: Serialize + Send + 'static,
{
    Sse::new(events(feed, id))
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response()
}

fn events<T>(
    feed: Feed<T>,
    id: fn(&T) -> Option<u64>,
) -> impl Stream<Item = Result<Event, Infallible>>
where
    T: Serialize + Send + 'static,
{
    let items = feed.map(move |item| match item {
        Ok(item) => {
            let event = data(Event::default(), &item);
            id(&item).map_or(event.clone(), |id| event.id(id.to_string()))
        }
        Err(problem) => data(Event::default().event("problem"), &problem),
    });
    items
        .chain(stream::once(async {
            Event::default().event("end").data("{}")
        }))
        .map(Ok)
}

fn data<T: Serialize>(event: Event, item: &T) -> Event {
    let text = serde_json::to_string(item)
        .unwrap_or_else(|error| format!("{{\"unreadable\":\"{error}\"}}"));
    event.data(text)
}
