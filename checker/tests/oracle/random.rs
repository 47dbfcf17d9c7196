//! Random small histories of a register, honest and not.
//!
//! Half of them come from a real register whose operations take effect at random moments, with an answer
//! changed now and then; the other half answer anything. Values come from a small domain or are unique.

use growler_checker::history::{Event, EventType, Process};
use rand::{Rng, RngExt};
use serde_json::{Value, json};

/// An operation that is open.
struct Open {
    process: u64,
    f: &'static str,
    argument: Value,
    /// What it met when it took effect, if it has.
    met: Option<Value>,
}

struct Generator<'r, R> {
    rng: &'r mut R,
    unique: bool,
    honest: bool,
    /// The share of answers that say what was in force.
    images: f64,
    state: Value,
    fresh: i64,
    open: Vec<Open>,
    events: Vec<Event>,
}

/// A history of `ops` operations.
pub(crate) fn history(rng: &mut impl Rng, ops: usize) -> Vec<Event> {
    let unique = rng.random_bool(0.5);
    let honest = rng.random_bool(0.5);
    let images = [0.0, 0.5, 1.0][rng.random_range(0..3)];
    let mut generator = Generator {
        rng,
        unique,
        honest,
        images,
        state: Value::Null,
        fresh: 0,
        open: Vec::new(),
        events: Vec::new(),
    };
    generator.run(ops);
    generator.events
}

impl<R: Rng> Generator<'_, R> {
    fn run(&mut self, ops: usize) {
        let concurrency = self.rng.random_range(1..=4);
        let patience = self.rng.random_range(0.2..0.8);
        let mut invoked = 0;
        while invoked < ops || !self.open.is_empty() {
            let may_invoke = invoked < ops && self.open.len() < concurrency;
            if may_invoke && (self.open.is_empty() || self.rng.random_bool(patience)) {
                self.invoke(invoked as u64);
                invoked += 1;
            } else if self.rng.random_bool(0.5) {
                let at = self.rng.random_range(0..self.open.len());
                self.take_effect(at);
            } else {
                let at = self.rng.random_range(0..self.open.len());
                self.complete(at);
            }
        }
    }

    fn invoke(&mut self, process: u64) {
        let (f, argument) = match self.rng.random_range(0..10) {
            0..=3 => ("read", Value::Null),
            4..=6 => ("write", self.new_value()),
            _ => ("cas", json!([self.old_value(), self.new_value()])),
        };
        let mut event = Event::new(Process::Client(process), EventType::Invoke, f, argument.clone());
        event.index = self.events.len() as u64;
        self.events.push(event);
        self.open.push(Open { process, f, argument, met: None });
    }

    fn new_value(&mut self) -> Value {
        if self.rng.random_bool(0.2) {
            return Value::Null;
        }
        self.fresh += 1;
        if self.unique { json!(self.fresh) } else { json!(self.rng.random_range(1..=2)) }
    }

    fn old_value(&mut self) -> Value {
        if self.honest && self.rng.random_bool(0.6) {
            return self.state.clone();
        }
        // Mostly one that was invoked, now and then one that was not (yet).
        let beyond = i64::from(self.rng.random_bool(0.05));
        let most = if self.unique { self.fresh } else { self.fresh.min(2) };
        match self.rng.random_range(0..=most + beyond) {
            0 => Value::Null,
            value => json!(value),
        }
    }

    fn take_effect(&mut self, at: usize) {
        let open = &mut self.open[at];
        if open.met.is_some() {
            return;
        }
        open.met = Some(self.state.clone());
        match open.f {
            "write" => self.state = open.argument.clone(),
            "cas" if open.argument[0] == self.state => self.state = open.argument[1].clone(),
            _ => {}
        }
    }

    fn complete(&mut self, at: usize) {
        let fate = self.rng.random_range(0..10);
        if fate == 0 {
            // Left open: its process is never heard of again.
            self.open.swap_remove(at);
            return;
        }
        if fate > 2 {
            self.take_effect(at);
        }
        let open = self.open.swap_remove(at);
        let mut event =
            Event::new(Process::Client(open.process), EventType::Info, open.f, open.argument.clone());
        event.index = self.events.len() as u64;
        match &open.met {
            Some(met) if fate > 2 => {
                let lies = !self.honest || self.rng.random_bool(0.1);
                let met = if lies { self.old_value() } else { met.clone() };
                self.answer(&open, met, lies, &mut event);
            }
            Some(_) => {}
            None if self.rng.random_bool(0.5) => event.kind = EventType::Fail,
            None => {}
        }
        if event.kind == EventType::Info {
            event.error = Some(json!("timeout").into());
        }
        self.events.push(event);
    }

    fn answer(&mut self, open: &Open, met: Value, lies: bool, event: &mut Event) {
        let image = self.rng.random_bool(self.images);
        event.kind = EventType::Ok;
        let holds = open.argument.get(0) == Some(&met);
        match open.f {
            "read" => event.value = met,
            "cas" if !(holds || lies && self.rng.random_bool(0.5)) => {
                event.kind = EventType::Fail;
                event.error = Some(json!("condition-failed").into());
                event.observed = image.then_some(met);
            }
            _ => event.observed = image.then_some(met),
        }
        if open.f == "cas" && lies && self.rng.random_bool(0.2) {
            event.kind = EventType::Fail;
            event.error = Some(["condition-failed", "throttled"][self.rng.random_range(0..2)].into());
        }
    }
}
