//! A world for runs: a clock that jumps, services that answer from a list, events that wait, and a
//! server that may be killed after every batch.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use consort_expression::helper::run_job;
use consort_journal::{Envelope, Machine};
use consort_model::id::{RunId, SubscriptionId};
use consort_model::revision::Principal;
use consort_model::{Timestamp, Value};
use consort_workflow::{
    Definition, Ended, Event, EventFilter, HttpAnswer, HttpRequest, Input, Matching, Record, State,
    WorkflowEffect, WorkflowMachine,
};
use serde_json::json;

/// More events than any test needs.
const STEPS: usize = 5_000;

pub(crate) struct World {
    pub(crate) machine: WorkflowMachine,
    pub(crate) state: State,
    pub(crate) records: Vec<(Timestamp, Record)>,
    pub(crate) now: Timestamp,
    pub(crate) started: Timestamp,
    /// Answers by address, used up one after another; the last one stays.
    pub(crate) services: BTreeMap<String, Vec<Value>>,
    pub(crate) sent: Vec<(String, u32, HttpRequest)>,
    /// Events that nobody took yet.
    pub(crate) events: Vec<Value>,
    pub(crate) secrets: BTreeMap<String, String>,
    queue: VecDeque<Input>,
    filters: BTreeMap<SubscriptionId, EventFilter>,
    given: BTreeMap<(String, u32), HttpAnswer>,
    /// After which batches the server is killed.
    pub(crate) kills: BTreeSet<usize>,
    pub(crate) batches: usize,
    entropy: u64,
}

pub(crate) fn person() -> Principal {
    Principal::local_user(1)
}

impl World {
    pub(crate) fn new(document: Value) -> Self {
        let definition = Definition::read(document, "test", "test")
            .unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        let now = Timestamp::from_millis(1_700_000_000_000);
        Self {
            machine: WorkflowMachine::new(Arc::new(definition)),
            state: State::default(),
            records: Vec::new(),
            now,
            started: now,
            services: BTreeMap::new(),
            sent: Vec::new(),
            events: Vec::new(),
            secrets: BTreeMap::new(),
            queue: VecDeque::new(),
            filters: BTreeMap::new(),
            given: BTreeMap::new(),
            kills: BTreeSet::new(),
            batches: 0,
            entropy: 7,
        }
    }

    pub(crate) fn start(&mut self, input: Value) {
        let run = RunId::from_bytes([9; 16]);
        let runtime = json!({"name": "consort", "version": "0.1.0", "metadata": {}});
        self.tell(Input::Started {
            run,
            input,
            secrets: self.secrets.clone(),
            runtime,
        });
    }

    /// Runs to the end, or until nothing more happens.
    pub(crate) fn execute(&mut self, input: Value) -> Option<Ended> {
        self.start(input);
        self.settle();
        self.state.ended().cloned()
    }

    pub(crate) fn settle(&mut self) {
        for _ in 0..STEPS {
            if !self.advance() {
                return;
            }
        }
        panic!("the run does not end");
    }

    /// The next thing that happens, if there is one.
    pub(crate) fn advance(&mut self) -> bool {
        if let Some(input) = self.queue.pop_front() {
            self.tell(input);
        } else if let Some(input) = self.delivery() {
            self.tell(input);
        } else if let Some((timer, due)) = self.state.timers().min_by_key(|(id, due)| (*due, *id)) {
            self.now = self.now.max(due);
            self.tell(Input::TimerFired { timer });
        } else {
            return false;
        }
        true
    }

    fn delivery(&mut self) -> Option<Input> {
        for subscription in self.state.subscriptions().collect::<Vec<_>>() {
            let filter = &self.filters[&subscription];
            if let Some(place) = self
                .events
                .iter()
                .position(|event| filter.matches(event) == Matching::Yes)
            {
                return Some(Input::Received {
                    subscription,
                    event: self.events.remove(place),
                });
            }
        }
        None
    }

    pub(crate) fn tell(&mut self, input: Input) {
        self.entropy = self
            .entropy
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let event = Event {
            at: self.now,
            entropy: self.entropy,
            input,
        };
        let decision = self.machine.decide(&self.state, &event);
        assert!(
            decision.effects.is_empty() || !decision.records.is_empty(),
            "an effect without a record"
        );
        let any = !decision.records.is_empty();
        for record in decision.records {
            let stored = Envelope::wrap(&record, self.now).unwrap();
            assert_eq!(
                stored.unwrap::<Record>().unwrap(),
                record,
                "a record does not survive the store"
            );
            if let Record::SubOpened { sub, filter, .. } = &record {
                self.filters.insert(*sub, filter.clone());
            }
            self.machine.apply(&mut self.state, &record);
            self.records.push((self.now, record));
        }
        self.batches += usize::from(any);
        if any && self.kills.contains(&self.batches) {
            self.restart();
        } else {
            decision
                .effects
                .into_iter()
                .for_each(|effect| self.begin(effect));
        }
    }

    /// What was under way is lost; the records are folded anew, half of them over a snapshot.
    pub(crate) fn restart(&mut self) {
        self.queue.clear();
        let mut state = State::default();
        for (place, (_, record)) in self.records.iter().enumerate() {
            if place == self.records.len() / 2 {
                state = serde_json::from_value(serde_json::to_value(&state).unwrap()).unwrap();
            }
            self.machine.apply(&mut state, record);
        }
        assert_eq!(
            state, self.state,
            "the fold of the records is another state"
        );
        self.tell(Input::Recovered);
        self.machine
            .open_effects(&self.state)
            .into_iter()
            .for_each(|effect| self.begin(effect));
    }

    fn begin(&mut self, effect: WorkflowEffect) {
        let input = match effect {
            WorkflowEffect::Continue => Input::Continue,
            WorkflowEffect::Evaluate { name, job } => Input::Evaluated {
                name,
                answer: run_job(&job),
            },
            WorkflowEffect::Http {
                act,
                attempt,
                request,
            } => {
                let key = (act.clone(), attempt);
                let answer = match self.given.get(&key) {
                    Some(answer) => answer.clone(),
                    None => self.answer(&request),
                };
                self.given.insert(key, answer.clone());
                self.sent.push((act.clone(), attempt, request));
                Input::Http {
                    act,
                    attempt,
                    answer,
                }
            }
        };
        self.queue.push_back(input);
    }

    fn answer(&mut self, request: &HttpRequest) -> HttpAnswer {
        let Some(answers) = self.services.get_mut(&request.url) else {
            return petstore(&request.url);
        };
        let answer = if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0].clone()
        };
        if let Some(message) = answer.get("failed").and_then(Value::as_str) {
            let ambiguous = answer.get("ambiguous") == Some(&Value::Bool(true));
            return HttpAnswer::Failed {
                message: message.into(),
                ambiguous,
                status: 503,
            };
        }
        let kind = answer
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or("application/json");
        let body = match answer.get("body") {
            None => String::new(),
            Some(Value::String(text)) if kind != "application/json" => text.clone(),
            Some(body) => body.to_string(),
        };
        answered(
            answer.get("status").and_then(Value::as_u64).unwrap_or(200) as u16,
            kind,
            &body,
        )
    }

    /// The calls of an address; repetitions after a kill count once.
    pub(crate) fn calls(&self, url: &str) -> Vec<&HttpRequest> {
        let mut seen = BTreeSet::new();
        let sent = self
            .sent
            .iter()
            .filter(|(act, attempt, request)| request.url == url && seen.insert((act, attempt)));
        sent.map(|(_, _, request)| request).collect()
    }

    /// Names of tasks in the order of their beginning.
    pub(crate) fn tasks(&self) -> Vec<String> {
        let steps =
            consort_workflow::view::steps(self.records.iter().map(|(at, record)| (*at, record)));
        let ran = steps
            .into_iter()
            .filter(|step| step.status.word() != "skipped");
        ran.map(|step| step.name).collect()
    }
}

pub(crate) fn answered(status: u16, kind: &str, body: &str) -> HttpAnswer {
    let headers = BTreeMap::from([("content-type".to_owned(), kind.to_owned())]);
    HttpAnswer::Answered {
        status,
        headers,
        body: STANDARD.encode(body),
    }
}

fn petstore(url: &str) -> HttpAnswer {
    let pet = |id: u32| json!({"id": id, "name": "Milou", "status": "available"});
    let body = match url.strip_prefix("https://petstore.swagger.io/v2/pet/") {
        Some("findByStatus?status=available") => json!([pet(1), pet(2)]),
        Some("1") => pet(1),
        Some("2") => pet(2),
        _ if url == "https://httpbin.org/basic-auth/serverless-workflow/conformance-test" => {
            json!({"authenticated": true})
        }
        _ => return answered(404, "application/json", "{}"),
    };
    answered(200, "application/json; charset=utf-8", &body.to_string())
}
