//! Who listens for events, by deployment and type: an index over the store's subscriptions, which
//! only this server writes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use consort_journal::Subscription;
use consort_model::Value;
use consort_model::id::{RunId, SubscriptionId};
use consort_workflow::{EventFilter, Matching};

use super::host::hold;

/// Deployment and exact type; no type: the filter has to be asked for every event.
type Place = (String, Option<String>);

#[derive(Clone)]
struct Listener {
    run: RunId,
    filter: EventFilter,
}

#[derive(Default)]
struct Index {
    places: BTreeMap<Place, BTreeMap<SubscriptionId, Listener>>,
    known: HashMap<SubscriptionId, (Place, RunId)>,
}

/// Who listens for events.
#[derive(Default)]
pub(super) struct Listeners(Mutex<Index>);

impl Listeners {
    /// All that the store knows of.
    pub(super) fn load(&self, subscriptions: Vec<Subscription>) {
        for subscription in subscriptions {
            let filter = EventFilter(subscription.filter);
            self.open(
                subscription.id,
                subscription.run,
                &subscription.deployment,
                filter,
            );
        }
    }

    pub(super) fn open(
        &self,
        id: SubscriptionId,
        run: RunId,
        deployment: &str,
        filter: EventFilter,
    ) {
        let place = (
            deployment.to_owned(),
            filter.event_type().map(str::to_owned),
        );
        let mut index = hold(&self.0);
        index.known.insert(id, (place.clone(), run));
        index
            .places
            .entry(place)
            .or_default()
            .insert(id, Listener { run, filter });
    }

    pub(super) fn close(&self, id: SubscriptionId) {
        let mut index = hold(&self.0);
        let Some((place, _)) = index.known.remove(&id) else {
            return;
        };
        if let Some(listeners) = index.places.get_mut(&place) {
            listeners.remove(&id);
            if listeners.is_empty() {
                index.places.remove(&place);
            }
        }
    }

    /// A run has ended: it listens no more.
    pub(super) fn close_all(&self, run: RunId) {
        let own: Vec<SubscriptionId> = hold(&self.0)
            .known
            .iter()
            .filter(|(_, (_, of))| *of == run)
            .map(|(id, _)| *id)
            .collect();
        own.into_iter().for_each(|id| self.close(id));
    }

    /// Who listens for this event, in the order of their ids.
    pub(super) fn of(
        &self,
        deployment: &str,
        event_type: &str,
        event: &Value,
    ) -> Vec<(SubscriptionId, RunId)> {
        let candidates: Vec<(SubscriptionId, Listener)> = {
            let index = hold(&self.0);
            [Some(event_type.to_owned()), None]
                .into_iter()
                .filter_map(|kind| index.places.get(&(deployment.to_owned(), kind)))
                .flat_map(|listeners| {
                    listeners
                        .iter()
                        .map(|(id, listener)| (*id, listener.clone()))
                })
                .collect()
        };
        candidates
            .into_iter()
            .filter(|(_, listener)| listener.filter.matches(event) == Matching::Yes)
            .map(|(id, listener)| (id, listener.run))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn listeners_are_found_by_type_and_by_filter_until_they_close() {
        let listeners = Listeners::default();
        let (one, two) = (
            SubscriptionId::from_bytes([1; 16]),
            SubscriptionId::from_bytes([2; 16]),
        );
        let run = RunId::from_bytes([9; 16]);
        listeners.open(one, run, "shop", EventFilter(json!({"type": "a.b"})));
        listeners.open(two, run, "shop", EventFilter(json!({"source": "/x"})));
        let event = json!({"type": "a.b", "source": "/x"});
        assert_eq!(
            listeners.of("shop", "a.b", &event),
            [(one, run), (two, run)]
        );
        assert!(listeners.of("other", "a.b", &event).is_empty());
        listeners.close(one);
        assert_eq!(listeners.of("shop", "a.b", &event), [(two, run)]);
        listeners.close_all(run);
        assert!(listeners.of("shop", "a.b", &event).is_empty());
    }
}
