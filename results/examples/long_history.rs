//! Writes a long history as a run would have recorded it, to measure what reading and judging one costs.
//!
//! ```text
//! cargo run --release -p growler-results --example long_history -- /tmp/long.jsonl 1000000 10000
//! ```
//!
//! The arguments are the file, the number of operations (default 1,000,000) and of keys (default 1), and
//! `opaque` if every other failed condition shall not say what it met (which makes the question hard). A
//! hundred clients read, put, delete and put on condition, in equal parts but for the deletes; every tenth
//! write ends with `info`, and half of those took effect. The registers are real, so the history is
//! linearizable. The same arguments give the same bytes.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use growler_checker::history::{Event, EventType, Key, Name, Process};
use growler_results::history::Recorder;
use serde_json::{Value, json};

const CLIENTS: u64 = 100;
const SEED: u64 = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let path: PathBuf = arguments.next().ok_or("name the file to write")?.into();
    let mut number = |otherwise| match arguments.next() {
        None => Ok(otherwise),
        Some(text) => text.to_string_lossy().parse().map_err(|e| format!("{}: {e}", text.display())),
    };
    let (operations, keys) = (number(1_000_000)?, number(1)?);
    let opaque = std::env::args().nth(4).is_some_and(|word| word == "opaque");
    let now = AtomicU64::new(0);
    let recorder = Recorder::create(&path, move || now.fetch_add(47_311, Ordering::Relaxed))?;
    World::new(keys, opaque).run(operations, &recorder);
    let written = recorder.finish()?;
    println!("{}: {} events, {} bytes", path.display(), written.events, written.bytes);
    Ok(())
}

/// The registers and who uses them.
struct World {
    random: u64,
    registers: Vec<Value>,
    keys: Vec<Key>,
    opaque: bool,
    next_value: u64,
    /// What was last written or seen of each key: a good guess for a condition.
    seen: Vec<Value>,
}

/// An operation between its call and its return.
struct Open {
    invocation: Event,
    key: usize,
    /// What it met, once it took effect.
    met: Option<Value>,
    /// How it will end.
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    /// It takes effect, and its client never hears of it.
    Unheard,
    /// It never takes effect, and its client does not know.
    Lost,
}

impl World {
    fn new(keys: u64, opaque: bool) -> Self {
        Self {
            random: SEED,
            registers: (0..keys).map(|_| Value::Null).collect(),
            keys: (0..keys).map(|key| Key::from(format!("k{key}"))).collect(),
            opaque,
            next_value: 0,
            seen: (0..keys).map(|_| Value::Null).collect(),
        }
    }

    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    /// Every turn some client does the next thing: it invokes, its operation takes effect, or it returns.
    fn run(&mut self, operations: u64, recorder: &Recorder) {
        let mut open: Vec<Option<Open>> = (0..CLIENTS).map(|_| None).collect();
        let mut processes: Vec<u64> = (0..CLIENTS).collect();
        let (mut begun, mut ended) = (0, 0);
        while ended < operations {
            let client = self.below(CLIENTS);
            let slot = usize::try_from(client).unwrap_or_default();
            match open[slot].take() {
                None if begun < operations => {
                    begun += 1;
                    open[slot] = Some(self.invoke(client, processes[slot], recorder));
                }
                None => {}
                Some(mut call) if call.met.is_none() => {
                    self.take_effect(&mut call);
                    open[slot] = Some(call);
                }
                Some(call) => {
                    ended += 1;
                    if recorder.record(self.completion(call)).kind == EventType::Info {
                        processes[slot] += CLIENTS;
                    }
                }
            }
        }
    }

    fn invoke(&mut self, client: u64, process: u64, recorder: &Recorder) -> Open {
        let key = usize::try_from(self.below(self.keys.len() as u64)).unwrap_or_default();
        self.next_value += 1;
        let (f, value) = match self.below(20) {
            0..7 => ("read", Value::Null),
            7..13 => ("write", json!(self.next_value)),
            13 => ("write", Value::Null),
            _ => ("cas", json!([self.seen[key], self.next_value])),
        };
        let mut event = Event::new(Process::Client(process), EventType::Invoke, f, value);
        event.client = Some(client);
        event.key = Some(self.keys[key].clone());
        event.node = Some(Name::from(format!("n{}", 1 + self.below(3))));
        let fate = match self.below(20) {
            _ if f == "read" => Fate::Answered,
            0 => Fate::Unheard,
            1 => Fate::Lost,
            _ => Fate::Answered,
        };
        Open { invocation: recorder.record(event), key, met: None, fate }
    }

    fn take_effect(&mut self, call: &mut Open) {
        let (register, argument) = (&mut self.registers[call.key], &call.invocation.value);
        call.met = Some(register.clone());
        if call.fate == Fate::Lost {
            return;
        }
        match &*call.invocation.f {
            "write" => *register = argument.clone(),
            "cas" if argument[0] == *register => *register = argument[1].clone(),
            _ => {}
        }
        self.seen[call.key].clone_from(register);
    }

    fn completion(&mut self, call: Open) -> Event {
        let image = self.below(2) == 0;
        let met = call.met.unwrap_or_default();
        let mut event = Event { kind: EventType::Ok, ..call.invocation };
        if call.fate != Fate::Answered {
            event.kind = EventType::Info;
            event.error = Some(json!(["timeout", "no answer within 1000 ms"]).into());
            return event;
        }
        event.partition = Some(Name::from(format!("p{}", call.key % 3)));
        match &*event.f {
            "read" => event.value = met,
            "cas" if event.value[0] != met => {
                event.kind = EventType::Fail;
                event.error = Some("condition-failed".into());
                event.observed = (image || !self.opaque).then_some(met);
            }
            _ => event.observed = image.then_some(met),
        }
        event
    }
}
