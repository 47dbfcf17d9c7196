//! A simulated register store: larger histories, linearizable by construction.

use growler_checker::history::{Event, EventType, Key, Process};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// What is simulated. Shares are of operations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Simulation {
    pub(crate) keys: usize,
    pub(crate) ops: usize,
    pub(crate) clients: usize,
    /// The share on the first key.
    pub(crate) hot: f64,
    pub(crate) writes: f64,
    pub(crate) cas: f64,
    pub(crate) deletes: f64,
    /// The share of answers that say what was in force.
    pub(crate) images: f64,
    /// Whether failed conditions never do.
    pub(crate) opaque: bool,
    /// The share of operations that are never answered; half of those take effect, some of them late.
    pub(crate) indeterminate: f64,
    /// How many values there are; unique ones if this is none.
    pub(crate) values: Option<i64>,
}

struct Call {
    key: usize,
    f: &'static str,
    argument: Value,
    met: Option<Value>,
}

impl Simulation {
    /// A history, in which every client always has an operation open.
    pub(crate) fn events(&self, seed: u64) -> Vec<Event> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut state = vec![Value::Null; self.keys];
        let mut open: Vec<(u64, Option<Call>)> =
            (0..self.clients as u64).map(|client| (client, None)).collect();
        let mut late: Vec<Call> = Vec::new();
        let (mut events, mut fresh, mut processes) = (Vec::new(), 0, self.clients as u64);
        let mut invoked = 0;
        while invoked < self.ops {
            let client = rng.random_range(0..self.clients);
            let (process, call) = &mut open[client];
            if let Some(call) = call
                && call.met.is_none()
                && rng.random_bool(0.5)
            {
                call.take_effect(&mut state);
                continue;
            }
            if !late.is_empty() && rng.random_bool(0.02) {
                late.swap_remove(rng.random_range(0..late.len())).take_effect(&mut state);
                continue;
            }
            let Some(mut done) = call.take() else {
                let next = self.call(&mut rng, &state, &mut fresh);
                push(&mut events, *process, client, EventType::Invoke, &next);
                *call = Some(next);
                invoked += 1;
                continue;
            };
            if rng.random_bool(self.indeterminate) {
                push(&mut events, *process, client, EventType::Info, &done);
                if done.met.is_none() && rng.random_bool(0.5) {
                    late.push(done);
                }
                *process = processes;
                processes += 1;
                continue;
            }
            done.take_effect(&mut state);
            self.answer(&mut rng, &mut events, *process, client, &done);
        }
        events
    }

    fn call(&self, rng: &mut ChaCha8Rng, state: &[Value], fresh: &mut i64) -> Call {
        let key = if rng.random_bool(self.hot) { 0 } else { rng.random_range(0..self.keys) };
        let mut value = || {
            *fresh += 1;
            json!(self.values.map_or(*fresh, |values| *fresh * 7 % values))
        };
        let roll: f64 = rng.random();
        let (f, argument) = if roll < self.deletes {
            ("write", Value::Null)
        } else if roll < self.deletes + self.writes {
            ("write", value())
        } else if roll < self.deletes + self.writes + self.cas {
            let new = value();
            let old = if rng.random_bool(0.7) { state[key].clone() } else { json!(0) };
            ("cas", json!([old, new]))
        } else {
            ("read", Value::Null)
        };
        Call { key, f, argument, met: None }
    }

    fn answer(
        &self,
        rng: &mut ChaCha8Rng,
        events: &mut Vec<Event>,
        process: u64,
        client: usize,
        call: &Call,
    ) {
        push(events, process, client, EventType::Ok, call);
        let Some(event) = events.last_mut() else { return };
        let image = rng.random_bool(self.images);
        match call.f {
            "read" => event.value = call.met.clone().unwrap_or_default(),
            "cas" if call.argument.get(0) != call.met.as_ref() => {
                event.kind = EventType::Fail;
                event.error = Some(json!("condition-failed").into());
                event.observed = call.met.clone().filter(|_| image && !self.opaque);
            }
            _ => event.observed = call.met.clone().filter(|_| image),
        }
    }
}

impl Call {
    fn take_effect(&mut self, state: &mut [Value]) {
        if self.met.is_some() {
            return;
        }
        let state = &mut state[self.key];
        self.met = Some(state.clone());
        match self.f {
            "write" => *state = self.argument.clone(),
            "cas" if self.argument.get(0) == Some(state) => *state = self.argument[1].clone(),
            _ => {}
        }
    }
}

fn push(events: &mut Vec<Event>, process: u64, client: usize, kind: EventType, call: &Call) {
    let mut event = Event::new(Process::Client(process), kind, call.f, call.argument.clone());
    event.index = events.len() as u64;
    event.time = event.index * 50_000;
    event.client = Some(client as u64);
    event.key = Some(Key::from(format!("k{}", call.key)));
    events.push(event);
}
