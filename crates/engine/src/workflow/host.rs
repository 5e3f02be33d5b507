//! What all runs of workflows of one engine share: who is driven now, compiled definitions, those who
//! wait for an end, and the connections.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use consort_journal::Change;
use consort_model::id::RunId;
use consort_model::{Code, Digest, Problem, Value};
use consort_workflow::{Definition, Ended, Input, WorkflowMachine};
use tokio::sync::{Notify, Semaphore, oneshot};

use super::driver;
use super::http::Caller;
use super::registered::Cache;
use super::subscriptions::Listeners;
use crate::engine::Engine;
use crate::tasks::TaskKind;

/// So many inputs may wait for one run.
const MAILBOX: usize = 10_000;
/// So many runs decide at the same moment; the others wait for their turn.
const DECIDING: usize = 64;
/// So many compiled definitions are kept.
const MACHINES: usize = 256;

/// One input for a run, and who wants to know that it is durable.
pub(super) struct Mail {
    /// Nothing: the run is only taken up.
    pub(super) input: Option<Input>,
    pub(super) done: Option<oneshot::Sender<Result<(), Problem>>>,
}

/// The inputs of a run that is driven now.
#[derive(Default)]
pub(super) struct Mailbox {
    queue: Mutex<VecDeque<Mail>>,
    /// Told when something comes in; a notice that nobody waits for is kept.
    pub(super) arrived: Notify,
}

impl Mailbox {
    fn push(&self, mail: Mail) {
        let mut queue = hold(&self.queue);
        if queue.len() < MAILBOX {
            queue.push_back(mail);
            drop(queue);
            self.arrived.notify_one();
            return;
        }
        drop(queue);
        if let Some(done) = mail.done {
            let _ = done.send(Err(Problem::new(
                Code::QUEUE_FULL,
                "the run has too much to take in",
            )));
        }
    }
    /// Answers all that is left with this problem.
    pub(super) fn refuse(&self, problem: &Problem) {
        while let Some(mail) = self.pop() {
            if let Some(done) = mail.done {
                let _ = done.send(Err(problem.clone()));
            }
        }
    }
    pub(super) fn pop(&self) -> Option<Mail> {
        hold(&self.queue).pop_front()
    }
}

/// What all runs of workflows of one engine share.
pub(super) struct Host {
    live: Mutex<HashMap<RunId, Arc<Mailbox>>>,
    waiters: Mutex<HashMap<RunId, Vec<oneshot::Sender<Ended>>>>,
    machines: Mutex<BTreeMap<Digest, Arc<WorkflowMachine>>>,
    position: AtomicU64,
    pub(super) deciding: Semaphore,
    pub(super) listeners: Listeners,
    pub(super) definitions: Cache,
    pub(super) http: Caller,
    /// There is a new event.
    pub(super) inbox: Notify,
    /// There is a new timer.
    pub(super) timer: Notify,
    /// There is something to be sent.
    pub(super) outbox: Notify,
    /// A schedule may have changed.
    pub(super) schedule: Notify,
}

/// The hosts of the engines of this process. There is one engine in a server; tests have several.
static HOSTS: Mutex<Vec<(Weak<Engine>, Arc<Host>)>> = Mutex::new(Vec::new());

/// Data under these locks is whole after a panic too: each change is one operation of a collection.
pub(super) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host {
    /// The host of an engine; made at its first use.
    pub(super) fn of(engine: &Arc<Engine>) -> Arc<Self> {
        let mut hosts = hold(&HOSTS);
        hosts.retain(|(engine, _)| engine.strong_count() > 0);
        if let Some((_, host)) = hosts
            .iter()
            .find(|(known, _)| std::ptr::eq(known.as_ptr(), Arc::as_ptr(engine)))
        {
            return Arc::clone(host);
        }
        let host = Arc::new(Self::new());
        let told = Arc::downgrade(&host);
        engine.store.watch(Box::new(move |change| {
            if let Some(host) = told.upgrade() {
                host.noticed(change);
            }
        }));
        hosts.push((Arc::downgrade(engine), Arc::clone(&host)));
        host
    }

    fn new() -> Self {
        Self {
            live: Mutex::default(),
            waiters: Mutex::default(),
            machines: Mutex::default(),
            position: AtomicU64::new(0),
            deciding: Semaphore::new(DECIDING),
            listeners: Listeners::default(),
            definitions: Cache::default(),
            http: Caller::new(),
            inbox: Notify::new(),
            timer: Notify::new(),
            outbox: Notify::new(),
            schedule: Notify::new(),
        }
    }

    fn noticed(&self, change: &Change) {
        match change {
            Change::State(deployment) => {
                self.definitions.forget(deployment);
                self.http.forget(deployment);
                self.schedule.notify_one();
            }
            Change::Inbox(_) => self.inbox.notify_one(),
            Change::Timer(_) => self.timer.notify_one(),
            Change::Run(..) => {}
        }
    }

    /// Up to where events have been taken to those who wait for them.
    pub(super) fn position(&self) -> u64 {
        self.position.load(Ordering::SeqCst)
    }
    pub(super) fn set_position(&self, upto: u64) {
        self.position.store(upto, Ordering::SeqCst);
    }

    /// Puts an input into the mailbox of a run, and drives the run if nobody does.
    fn post(self: &Arc<Self>, engine: &Arc<Engine>, run: RunId, mail: Mail) {
        let mut live = hold(&self.live);
        if let Some(mailbox) = live.get(&run) {
            mailbox.push(mail);
            return;
        }
        let mailbox = Arc::new(Mailbox::default());
        mailbox.push(mail);
        live.insert(run, Arc::clone(&mailbox));
        drop(live);
        let drive = driver::take_up(Arc::clone(engine), Arc::clone(self), run, mailbox);
        engine.tasks.start(TaskKind::Run, drive);
    }

    /// Takes a run up.
    pub(super) fn wake(self: &Arc<Self>, engine: &Arc<Engine>, run: RunId) {
        let mail = Mail {
            input: None,
            done: None,
        };
        self.post(engine, run, mail);
    }

    /// Queues an input; the answer comes when it is durable.
    pub(super) fn send(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        run: RunId,
        input: Input,
    ) -> oneshot::Receiver<Result<(), Problem>> {
        let (send, receive) = oneshot::channel();
        let mail = Mail {
            input: Some(input),
            done: Some(send),
        };
        self.post(engine, run, mail);
        receive
    }

    /// Gives a run an input and waits until it is durable.
    pub(super) async fn deliver(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        run: RunId,
        input: Input,
    ) -> Result<(), Problem> {
        delivered(self.send(engine, run, input).await)
    }

    /// The mailbox of a run that is about to begin: whoever has something for it finds it there.
    pub(super) fn open(&self, run: RunId) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox::default());
        hold(&self.live).insert(run, Arc::clone(&mailbox));
        mailbox
    }

    /// Nobody drives the run any more, whatever is in its mailbox.
    pub(super) fn close(&self, run: RunId) {
        hold(&self.live).remove(&run);
    }

    /// Nobody drives the run any more, unless something has come in meanwhile.
    pub(super) fn retire(&self, run: RunId, mailbox: &Mailbox) -> bool {
        let mut live = hold(&self.live);
        let empty = hold(&mailbox.queue).is_empty();
        if empty {
            live.remove(&run);
        }
        empty
    }

    /// Tells this one when the run ends.
    pub(super) fn wait_for(&self, run: RunId, waiter: oneshot::Sender<Ended>) {
        let mut waiters = hold(&self.waiters);
        let of_run = waiters.entry(run).or_default();
        of_run.retain(|other| !other.is_closed());
        of_run.push(waiter);
    }

    /// Nobody waits for this run any more.
    pub(super) fn forget_waiters(&self, run: RunId) {
        let mut waiters = hold(&self.waiters);
        if let Some(of_run) = waiters.get_mut(&run) {
            of_run.retain(|waiter| !waiter.is_closed());
            if of_run.is_empty() {
                waiters.remove(&run);
            }
        }
    }

    /// The run did not begin: there is nothing to wait for.
    pub(super) fn drop_waiters(&self, run: RunId) {
        hold(&self.waiters).remove(&run);
    }

    pub(super) fn ended(&self, run: RunId, ended: &Ended) {
        let waiters = hold(&self.waiters).remove(&run).unwrap_or_default();
        for waiter in waiters {
            // Whoever does not wait any more has given up.
            let _ = waiter.send(ended.clone());
        }
        self.schedule.notify_one();
    }

    /// A machine that was compiled before.
    pub(super) fn compiled(&self, definition: &Arc<Definition>) -> Arc<WorkflowMachine> {
        let digest = definition.digest();
        if let Some(machine) = hold(&self.machines).get(&digest) {
            return Arc::clone(machine);
        }
        let machine = Arc::new(WorkflowMachine::new(Arc::clone(definition)));
        let mut machines = hold(&self.machines);
        if machines.len() >= MACHINES {
            machines.clear();
        }
        machines.insert(digest, Arc::clone(&machine));
        machine
    }

    /// The machine of a definition that is kept.
    pub(super) async fn machine(
        &self,
        engine: &Engine,
        digest: Digest,
    ) -> Result<Arc<WorkflowMachine>, Problem> {
        if let Some(machine) = hold(&self.machines).get(&digest) {
            return Ok(Arc::clone(machine));
        }
        let document: Value = engine.kept(digest, "the definition of a workflow").await?;
        let definition = Definition::read(document, "", "").map_err(|mistakes| {
            let what = mistakes
                .first()
                .map_or_else(String::new, |mistake| mistake.message.clone());
            let message = format!("a definition that was pinned cannot be used any more: {what}");
            Problem::new(Code::WORKFLOW_INVALID, message)
        })?;
        Ok(self.compiled(&Arc::new(definition)))
    }
}

/// What became of an input.
pub(super) fn delivered(
    answer: Result<Result<(), Problem>, oneshot::error::RecvError>,
) -> Result<(), Problem> {
    answer.unwrap_or_else(|_| {
        let message = "the run was given up before it took that in";
        // The server stops: whoever sent it sends it again to the next owner.
        Err(Problem::new(Code::QUEUE_FULL, message))
    })
}

/// Nothing is wrong with what was to be written: it may be tried again a little later.
pub(super) fn is_passing(problem: &Problem) -> bool {
    [Code::STORE_FULL, Code::QUEUE_FULL].contains(&problem.code)
}
