//! A simulated history as the recorder would have kept it: the JSON lines of the contract, section 4.
//!
//! Written by hand, since a file of two million lines takes seconds so, and a test holds every line against
//! the recorder's own types.

use std::io::{self, Write};

use growler_checker::model::register::{ABSENT, Symbol};

use crate::simulation::{Answer, Ask, History, Operation};

/// Nanoseconds from one event to the next.
const STEP_NS: u64 = 20_011;

/// A value as JSON has it.
struct Json(Symbol);

impl std::fmt::Display for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == ABSENT { f.write_str("null") } else { write!(f, "{}", self.0) }
    }
}

/// Writes the history, one event a line.
///
/// # Errors
///
/// Those of the writer.
pub fn write(history: &History, to: &mut impl Write) -> io::Result<()> {
    let mut events = vec![0_u32; history.events as usize];
    for (place, operation) in history.operations.iter().enumerate() {
        events[operation.call as usize] = place as u32;
        events[operation.ret as usize] = place as u32;
    }
    for (position, place) in events.into_iter().enumerate() {
        let operation = &history.operations[place as usize];
        event(operation, position, to)?;
    }
    Ok(())
}

fn event(operation: &Operation, position: usize, to: &mut impl Write) -> io::Result<()> {
    let Operation { key, client, process, call, ask, answer, met, .. } = *operation;
    let kind = match answer {
        _ if position == call as usize => "invoke",
        Answer::Done => "ok",
        Answer::Refused => "fail",
        Answer::Missing => "info",
    };
    let f = match ask {
        Ask::Read => "read",
        Ask::Write { .. } => "write",
        Ask::Cas { .. } => "cas",
    };
    let time = 700_000_000 + position as u64 * STEP_NS;
    write!(to, r#"{{"index":{position},"time":{time},"process":{process},"client":{client},"#)?;
    write!(to, r#""type":"{kind}","f":"{f}","key":"k{key}","value":"#)?;
    match ask {
        Ask::Read if kind == "ok" => write!(to, "{}", Json(met))?,
        Ask::Read => write!(to, "null")?,
        Ask::Write { new, .. } => write!(to, "{}", Json(new))?,
        Ask::Cas { old, new } => write!(to, "[{},{}]", Json(old), Json(new))?,
    }
    match (kind, ask) {
        ("ok", Ask::Write { image: true, .. }) | ("fail", _) => write!(to, r#","observed":{}"#, Json(met))?,
        _ => {}
    }
    match kind {
        "fail" => write!(to, r#","error":"condition-failed""#)?,
        "info" => write!(to, r#","error":"timeout""#)?,
        _ => {}
    }
    writeln!(to, r#","node":"n{}"}}"#, client % 3 + 1)
}

#[cfg(test)]
mod tests {
    use growler_checker::history::Event;
    use growler_checker::linearizability::Linearizable;
    use growler_checker::verdict::{Budget, Check, Validity};

    use super::*;
    use crate::simulation::{Mix, Simulation};

    fn events(history: &History) -> Vec<Event> {
        let mut text = Vec::new();
        write(history, &mut text).unwrap_or_else(|error| panic!("{error}"));
        let text = String::from_utf8(text).unwrap_or_else(|error| panic!("{error}"));
        let event = |line| -> Event { serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}")) };
        let events: Vec<Event> = text.lines().map(event).collect();
        for (event, line) in events.iter().zip(text.lines()) {
            assert_eq!(serde_json::to_string(event).ok().as_deref(), Some(line));
        }
        events
    }

    #[test]
    fn lines_are_as_the_recorder_writes_them_and_honest() {
        let plan = Simulation {
            operations: 400,
            keys: 2,
            clients: 4,
            mix: Mix::ITEM,
            unanswered: 0.1,
            bursts: None,
        };
        for seed in 0..20 {
            let mut history = plan.run(seed);
            let check = |history: &History| {
                Linearizable::cas_register().check(&events(history), &Budget::default()).valid
            };
            assert_eq!(check(&history), Validity::Valid, "seed {seed}");
            if history.stale_read(0.6).is_some() {
                assert_eq!(check(&history), Validity::Invalid, "seed {seed}");
            }
        }
    }
}
