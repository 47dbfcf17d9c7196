//! The seam between the driver and what is done to the system under test.
//!
//! A [`Workload`] says which tables it needs, which operations it makes (its [`Generator`]), how one of them
//! is sent, and which checks judge the recorded history. The driver knows nothing else of it: an operation
//! may touch one key or many, and take one request or several.
//!
//! A generator is a pure function of its seed, the clock that it is shown and the completions that it is
//! told: it never blocks, reads no clock and draws from no other source of randomness.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use growler_checker::history::{CausalContext, Consistency, Event, EventType, Key};
use growler_checker::promise::{EVENTUAL, Terms};
use growler_checker::verdict::Check;
use serde_json::Value;

use crate::dynamodb::outcome::CONDITION_FAILED;
use crate::dynamodb::{Answer, Client, Outcome, Versioning};
use crate::generator::NOT_A_REPLICA;
use crate::probe::Service;

/// How long a client rests after an operation that was not served ([`Completion::served`]), so that a node
/// that refuses at once is not hammered.
pub const BACK_OFF: Duration = Duration::from_millis(100);

/// What `growler list workloads` says of a workload.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Description {
    /// Its name on the command line.
    pub name: &'static str,
    /// One sentence for people.
    pub about: &'static str,
    /// Styles of the bundled store that can run it.
    pub stores: &'static [&'static str],
    /// The model in `growler list models` that its history follows.
    pub model: &'static str,
    /// Promises it can be held to.
    pub promises: &'static [&'static str],
    /// DynamoDB operations that the system must offer.
    pub needs: &'static [&'static str],
}

/// What is done to the system under test, and which promise is checked.
#[async_trait]
pub trait Workload: Send + Sync {
    /// What it is.
    fn description(&self) -> &'static Description;

    /// Creates its tables, seeds them, and probes what the server can return. Called once, before any fault.
    ///
    /// # Errors
    /// When the system cannot be reached, refuses a table, or lacks an operation that is needed.
    async fn set_up(&mut self, client: &Client) -> Result<(), SetUpError>;

    /// The source of operations. Called once, after `set_up`.
    fn generator(&self) -> Box<dyn Generator>;

    /// Sends one operation through `client` and says how it ended. One call, one attempt: never retries.
    async fn invoke(&self, client: &Client, op: &Invocation) -> Completion;

    /// The checks that hold the history to `promise`.
    fn checks(&self, promise: &str) -> Vec<Box<dyn Check>>;

    /// Functions that must be `ok` at least once for the run to mean anything.
    fn functions(&self) -> &'static [&'static str];

    /// What its clients ask of the system: when it recovers from a fault, all of it must be served again.
    fn services(&self) -> &'static [Service] {
        &[Service::Write, Service::StrongRead]
    }

    /// Whether its clients write to the same items at the same time on purpose.
    fn races(&self) -> bool {
        true
    }

    /// Removes the tables that `set_up` made. Called at the end, also after an interruption; idempotent.
    ///
    /// # Errors
    /// When a table could not be removed: the message names it.
    async fn tear_down(&self, client: &Client) -> Result<(), SetUpError>;
}

/// Why a workload could not be set up or torn down.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The system under test could not be reached, or did not answer in time.
    #[error("cannot reach {endpoint}: {reason}")]
    Unreachable {
        /// The endpoint as the user named it.
        endpoint: String,
        /// What happened.
        reason: String,
    },
    /// The system answers, and did not get done what set-up or tear-down asks.
    #[error("{endpoint} did not get {operation} done within {patience:?}: {reason}")]
    NotReady {
        /// The endpoint as the user named it.
        endpoint: String,
        /// The DynamoDB operation.
        operation: &'static str,
        /// How long it had.
        patience: Duration,
        /// Its last answer.
        reason: String,
    },
    /// The system answered, and lacks something that the workload needs.
    #[error("{endpoint} cannot run the {workload} workload: {reason}")]
    Unsupported {
        /// The endpoint as the user named it.
        endpoint: String,
        /// The workload.
        workload: &'static str,
        /// What is missing.
        reason: String,
    },
    /// The system refused a request of the set-up.
    #[error("{endpoint} refused {operation}: {reason}")]
    Refused {
        /// The endpoint as the user named it.
        endpoint: String,
        /// The DynamoDB operation.
        operation: &'static str,
        /// Its error, as it came.
        reason: String,
    },
}

/// One operation to be sent: what the invocation's line says.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// The function.
    pub f: &'static str,
    /// The key, for per-key workloads.
    pub key: Option<Key>,
    /// The argument.
    pub value: Value,
    /// `Eventual` where a read promises no more.
    pub consistency: Option<Consistency>,
    /// How it is asked, where there are several ways.
    pub via: Option<&'static str>,
    /// The index of the node that must be asked; the worker's own where there is none.
    pub node: Option<usize>,
    /// The context that it is sent in, as a clock to be recorded: what an earlier event had in its `context`.
    /// Whoever sends it must know the token that came with that clock.
    pub context: Option<CausalContext>,
}

/// How an operation ended: what the completion's line says.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// `Ok`, `Fail` (certainly without effect) or `Info` (unknown).
    pub kind: EventType,
    /// The result, or the argument again.
    pub value: Value,
    /// The value in force just before, where the server said; `Some(Null)`: it said that there was none.
    pub observed: Option<Value>,
    /// Why it is not `ok`.
    pub error: Option<Value>,
    /// The partition that answered, where the server says so.
    pub partition: Option<String>,
    /// What a server that keeps versions says of them.
    pub versioning: Option<Box<Versioning>>,
    /// The clock of the context that a write was sent with, where a read of the same operation told it.
    pub sent: Option<BTreeMap<String, u64>>,
}

impl Completion {
    /// True for `ok`, for a condition that did not hold, and for a node that has no part in the key: the system
    /// did its work, no back-off is due.
    #[must_use]
    pub fn served(&self) -> bool {
        let error = self.error.as_ref().and_then(Value::as_str);
        self.kind == EventType::Ok
            || (self.kind == EventType::Fail && matches!(error, Some(CONDITION_FAILED | NOT_A_REPLICA)))
    }
}

impl Answer<Value> {
    /// The completion of an operation that this answers: its result, or the operation's argument again.
    #[must_use]
    pub fn completion(self, op: &Invocation) -> Completion {
        let (kind, value, error) = match self.outcome {
            Outcome::Ok(value) => (EventType::Ok, value, None),
            Outcome::Fail(failure) => (EventType::Fail, op.value.clone(), Some(failure.recorded())),
            Outcome::Info(failure) => (EventType::Info, op.value.clone(), Some(failure.recorded())),
        };
        let (partition, versioning) = (self.partition, self.versioning);
        Completion { kind, value, observed: None, error, partition, versioning, sent: None }
    }
}

/// What a generator may look at when it is asked for an operation.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// Time since the run began, on the run's monotonic clock.
    pub time: Duration,
    /// The worker that asks: its session, which survives `info`.
    pub client: u64,
    /// Number of nodes that can be asked.
    pub nodes: usize,
}

/// A generator's answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Send this.
    Op(Invocation),
    /// Nothing for this worker now: ask again after a completion, or after this long at the latest.
    Wait(Duration),
    /// Nothing more, for any worker.
    Done,
}

/// A pure, seeded source of operations.
pub trait Generator: Send {
    /// The next operation for this worker.
    fn next(&mut self, context: &Context) -> Next;

    /// Tells the generator of an event as it was recorded: invocation or completion.
    fn update(&mut self, event: &Event);

    /// Ends the load: from now on only final reads come, and then `Done`.
    fn finish(&mut self);
}

/// The shape of the load, as the command line gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Keys in use at a time.
    pub keys: usize,
    /// How keys are chosen: uniform, zipf, or one hot key.
    pub popularity: Popularity,
    /// Operations on one key before it retires.
    pub ops_per_key: u64,
    /// Workers.
    pub concurrency: usize,
    /// The seed of the generator's own named stream.
    pub seed: u64,
    /// Tables are created under this prefix; it carries the run's id.
    pub table_prefix: String,
    /// How reads are asked for, and how the run ends.
    pub mode: Mode,
    /// What the checks are told of the store, and what it is held to beyond its promise.
    pub terms: Terms,
    /// How long the replicas may take to agree once nothing is broken or written any more.
    pub convergence: Duration,
}

/// What a load asks of reads, and what it looks at in the end. It follows from the promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Reads are strong, and a client stays with its node.
    Strong,
    /// Reads may be stale, clients go from node to node, and in the end each replica is asked for what it
    /// holds.
    Eventual,
}

impl Mode {
    /// The mode in which `promise` can be judged.
    #[must_use]
    pub fn of(promise: &str) -> Self {
        if EVENTUAL.contains(&promise) { Self::Eventual } else { Self::Strong }
    }
}

/// How popular the keys are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Popularity {
    /// Every key alike.
    Uniform,
    /// The k-th key in proportion to 1 / k^exponent.
    Zipf(f64),
    /// One key takes this share of the operations, the others the rest alike.
    Hot(f64),
}
