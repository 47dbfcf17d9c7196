//! Random histories of any model: whatever a client can be told, right or wrong, with few keys, few values and few
//! versions, so that everything meets everything.

use growler_checker::history::{Consistency, Event, EventType, Process, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const CLIENTS: usize = 4;

struct Clients {
    rng: ChaCha8Rng,
    model: &'static str,
    /// How many different values there are.
    values: i64,
    /// What the answers of this history say of versions: dots, numbers, timestamps or nothing.
    versions: u32,
    deletes: bool,
    events: Vec<Event>,
    processes: u64,
}

/// The history of a model that this seed gives.
pub(crate) fn history(model: &'static str, seed: u64) -> Vec<Event> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values = if rng.random_bool(0.5) { 3 } else { 9 };
    let (versions, deletes) = (rng.random_range(0..5), rng.random_bool(0.5));
    let operations = rng.random_range(2..14);
    let mut clients =
        Clients { rng, model, values, versions, deletes, events: Vec::new(), processes: CLIENTS as u64 };
    let mut open: Vec<Option<(u64, Event)>> = vec![None; CLIENTS];
    let mut invoked = 0;
    let mut names: Vec<u64> = (0..CLIENTS as u64).collect();
    while invoked < operations || open.iter().any(Option::is_some) {
        let at = clients.rng.random_range(0..CLIENTS);
        match open[at].take() {
            None if invoked < operations => {
                invoked += 1;
                let event = clients.invocation(names[at], at as u64);
                open[at] = Some((names[at], event.clone()));
                clients.push(event);
            }
            None => {}
            // Some are still open in the end.
            Some(_) if invoked == operations && clients.rng.random_bool(0.1) => {}
            Some((_, call)) => {
                let answer = clients.completion(&call);
                if answer.kind == EventType::Info {
                    names[at] = clients.processes;
                    clients.processes += 1;
                }
                clients.push(answer);
            }
        }
    }
    clients.events
}

impl Clients {
    fn push(&mut self, mut event: Event) {
        event.index = self.events.len() as u64;
        event.time = event.index * 1_000_000;
        self.events.push(event);
    }

    fn below(&mut self, limit: i64) -> i64 {
        self.rng.random_range(0..limit)
    }

    fn chance(&mut self, share: f64) -> bool {
        self.rng.random_bool(share)
    }

    fn value(&mut self) -> Value {
        match self.model {
            "counter" => return json!(self.below(5) * 2 - 4),
            "kv" => return json!(["a", "b", "ab", "ba", "bab"][self.below(5) as usize]),
            _ => {}
        }
        if self.chance(0.1) { json!(format!("v{}", self.below(3))) } else { json!(self.below(self.values)) }
    }

    fn written(&mut self) -> Value {
        if self.deletes && self.chance(0.3) { Value::Null } else { self.value() }
    }

    fn list(&mut self) -> Value {
        let length = self.below(4);
        let mut list: Vec<Value> = (0..length).map(|_| self.value()).collect();
        if self.chance(0.5) {
            list.sort_by_key(ToString::to_string);
        }
        if self.chance(0.05) { Value::Null } else { Value::Array(list) }
    }

    fn invocation(&mut self, process: u64, client: u64) -> Event {
        let looks = self.chance(0.5);
        let is_replica =
            looks && self.chance(0.2) && !["bank", "mutex", "multi-register"].contains(&self.model);
        let (f, value) = match (self.model, looks) {
            _ if is_replica => ("replica-read", Value::Null),
            ("register", false) => ("write", self.written()),
            ("cas-register", false) if self.chance(0.6) => ("cas", json!([self.written(), self.written()])),
            ("cas-register", false) => ("write", self.written()),
            ("set" | "cart", false) if self.chance(0.2) => ("remove", self.value()),
            ("set" | "cart" | "counter", false) => ("add", self.value()),
            ("queue", false) => ("enqueue", self.value()),
            ("queue", true) => ("dequeue", Value::Null),
            ("kv", false) => (if self.chance(0.3) { "put" } else { "append" }, self.value()),
            ("kv", true) => ("get", Value::Null),
            ("mutex", false) => ("acquire", Value::Null),
            ("mutex", true) => ("release", if self.chance(0.7) { self.value() } else { Value::Null }),
            ("multi-register", _) => ("txn", self.txn()),
            ("bank", false) => {
                let (from, to) = if self.chance(0.5) { ("a", "b") } else { ("b", "a") };
                ("transfer", json!({"from": from, "to": to, "amount": self.below(3) * 2}))
            }
            _ => ("read", Value::Null),
        };
        let mut event = Event::new(Process::Client(process), EventType::Invoke, f, value);
        event.client = Some(client);
        event.node = Some(format!("n{}", self.below(3) + 1).into());
        if self.model != "bank" {
            event.key = Some(["x", "y"][self.below(2) as usize].into());
        }
        if looks && !is_replica && self.chance(0.5) {
            event.consistency = Some(Consistency::Eventual);
        }
        event
    }

    fn txn(&mut self) -> Value {
        let steps = self.below(3) + 1;
        let step = |clients: &mut Self| {
            let register = ["p", "q"][clients.below(2) as usize];
            if clients.chance(0.5) {
                json!(["r", register, null])
            } else {
                json!(["w", register, clients.written()])
            }
        };
        Value::Array((0..steps).map(|_| step(self)).collect())
    }

    fn completion(&mut self, call: &Event) -> Event {
        let kind = match self.below(10) {
            0 => EventType::Info,
            1 | 2 => EventType::Fail,
            _ => EventType::Ok,
        };
        let mut event = Event::new(call.process, kind, call.f.clone(), call.value.clone());
        (event.key, event.client) = (call.key.clone(), call.client);
        if kind == EventType::Ok {
            event.value = self.result(call);
            self.version(&mut event);
        }
        let changes = ["write", "cas", "add", "remove"].contains(&call.f.as_str());
        if kind != EventType::Info && changes && self.chance(0.3) {
            let is_list = ["set", "cart"].contains(&self.model);
            event.observed = Some(if is_list { self.list() } else { self.written() });
        }
        event
    }

    fn result(&mut self, call: &Event) -> Value {
        match (self.model, call.f.as_str()) {
            ("set" | "cart", "read" | "replica-read") | ("queue", "replica-read") => self.list(),
            ("multi-register", _) => {
                let steps = call.value.as_array().expect("steps").iter();
                let answered = steps.map(|step| {
                    if step[0] == "r" { json!(["r", step[1], self.written()]) } else { step.clone() }
                });
                Value::Array(answered.collect())
            }
            ("bank", "read") => {
                let a = self.below(30);
                let b = if self.chance(0.8) { 20 - a.min(20) } else { self.below(30) };
                json!({"a": a, "b": b})
            }
            ("kv", "get" | "replica-read") => {
                let pieces = self.below(4);
                json!(
                    (0..pieces).map(|_| self.value().as_str().expect("text").to_owned()).collect::<String>()
                )
            }
            ("counter", "read" | "replica-read") => json!(self.below(13) - 6),
            ("mutex", "acquire") => self.written(),
            ("mutex", _) => call.value.clone(),
            (_, "read" | "replica-read" | "dequeue") => {
                if self.chance(0.2) {
                    Value::Null
                } else {
                    self.value()
                }
            }
            _ => call.value.clone(),
        }
    }

    fn version(&mut self, event: &mut Event) {
        if self.chance(0.2) {
            return;
        }
        let sort = if self.chance(0.05) { self.below(4) as u32 } else { self.versions };
        match sort {
            0 => {
                let dots = if event.f == "write" || event.f == "cas" { 1 } else { self.below(3) };
                let dot = |clients: &mut Self| format!("n{}:{}", clients.below(2) + 1, clients.below(3) + 1);
                let dots: Vec<String> = (0..dots).map(|_| dot(self)).collect();
                event.extra_mut().version = Some(dots.join("|").into());
            }
            1 => event.extra_mut().version = Some(json!(self.below(4))),
            2 => event.extra_mut().timestamp = Some(Timestamp::new(self.below(4), "n1")),
            3 => event.extra_mut().version = Some(json!("no such thing")),
            _ => {}
        }
    }
}
