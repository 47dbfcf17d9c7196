//! What an operation's events say, as numbers.

use serde_json::Value;

use super::{ANYTHING, Act, Book, Dot, Entry, NO_LIFE, NOTHING, OPEN, Piece, Stamp};
use crate::history::{CausalContext, Event, Operation, Outcome};

impl<'h> Book<'h> {
    /// The entry of an operation, but for what only the whole history tells.
    pub(super) fn entry(&mut self, operation: &Operation<'h>, key: u32, session: u32) -> Entry<'h> {
        let (outcome, act) = (operation.outcome(), Act::of(operation));
        let place = |position: Option<usize>| position.and_then(|at| u32::try_from(at).ok()).unwrap_or(OPEN);
        let mut entry = Entry {
            key,
            session,
            before: 0,
            call: place(Some(operation.call)),
            end: if outcome == Outcome::Info { OPEN } else { place(operation.ret) },
            act,
            outcome,
            kind: self.kinds.of(operation, act),
            clock: Piece::NONE,
            sent: Piece::NONE,
            dots: Piece::NONE,
            life: NO_LIFE,
            stamp: None,
            number: None,
            has: ANYTHING,
            needs: NOTHING,
        };
        let found_out = || operation.completion.and_then(|event| event.extra().sent.as_ref());
        let sent = operation.invocation.extra().context.as_ref().or_else(found_out);
        entry.sent = sent.map_or(Piece::NONE, |context| self.read_clock(key, context));
        if let Some(extra) = operation.completion.filter(|_| outcome == Outcome::Ok).map(Event::extra) {
            entry.clock = extra.context.as_ref().map_or(Piece::NONE, |context| self.read_clock(key, context));
            entry.dots = extra.version.as_ref().map_or(Piece::NONE, |version| self.read_dots(key, version));
            entry.stamp = extra.timestamp.as_ref().and_then(Stamp::read);
            entry.number = extra.version.as_ref().and_then(Value::as_i64);
        }
        entry
    }

    /// Reads `{"n1/3": 5, …}`; none where it is anything else.
    fn read_clock(&mut self, key: u32, context: &'h CausalContext) -> Piece {
        let Some(clock) = context.clock() else { return Piece::NONE };
        let start = self.dots.len();
        for &(ref name, counter) in clock {
            if counter > 0 {
                let actor = self.actors.named(key, name);
                self.dots.push(Dot { actor, counter });
            }
        }
        self.dots[start..].sort_unstable();
        self.piece(start)
    }

    /// Reads `n1/3:5|n2/1:2`, or nothing in it; none where it is anything else.
    fn read_dots(&mut self, key: u32, version: &'h Value) -> Piece {
        let Some(text) = version.as_str() else { return Piece::NONE };
        let start = self.dots.len();
        for dot in text.split('|').filter(|_| !text.is_empty()) {
            let read = dot.rsplit_once(':').and_then(|(name, counter)| Some((name, counter.parse().ok()?)));
            let Some((name, counter)) = read else {
                self.dots.truncate(start);
                return Piece::NONE;
            };
            let actor = self.actors.number(key, name, None);
            self.dots.push(Dot { actor, counter });
        }
        self.dots[start..].sort_unstable();
        self.piece(start)
    }

    fn piece(&self, start: usize) -> Piece {
        let length = u32::try_from(self.dots.len() - start);
        match (u32::try_from(start), length) {
            (Ok(start), Ok(length)) => Piece { start, length },
            _ => Piece::NONE,
        }
    }
}
