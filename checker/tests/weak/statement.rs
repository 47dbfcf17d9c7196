//! What an answer includes, said again from the start: slowly, and with nothing of the checker's own.

use std::collections::BTreeMap;

use growler_checker::convergence::order::Rules;
use growler_checker::history::{CausalContext, Consistency, Event, EventType, Process};
use serde_json::Value;

/// Past the end of all histories.
pub(crate) const NEVER: usize = usize::MAX;

pub(crate) type Dot = (String, u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Clock,
    Timestamp,
    Integer,
    RealTime,
}

/// One operation, as its events say.
#[derive(Debug, Clone)]
pub(crate) struct Op {
    pub(crate) index: u64,
    pub(crate) key: String,
    pub(crate) session: u64,
    pub(crate) call: usize,
    pub(crate) end: usize,
    pub(crate) called_ns: u64,
    pub(crate) answered_ns: u64,
    pub(crate) ok: bool,
    pub(crate) failed: bool,
    pub(crate) reads: bool,
    /// What it writes, null to delete.
    pub(crate) written: Value,
    /// What it was answered.
    pub(crate) value: Value,
    pub(crate) eventual: bool,
    pub(crate) clock: Option<BTreeMap<String, u64>>,
    pub(crate) dots: Option<Vec<Dot>>,
    pub(crate) stamp: Option<(i64, String)>,
    pub(crate) number: Option<i64>,
}

impl Op {
    pub(crate) fn own_dot(&self) -> Option<Dot> {
        match self.dots.as_deref() {
            Some([dot]) if !self.reads => Some(dot.clone()),
            _ => None,
        }
    }

    fn deletes(&self) -> bool {
        !self.reads && self.written.is_null()
    }
}

/// A history of reads and writes.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) ops: Vec<Op>,
    orders: BTreeMap<String, Order>,
}

impl Statement {
    pub(crate) fn new(events: &[Event], rules: Rules) -> Self {
        let mut ops: Vec<Op> = Vec::new();
        for (at, event) in events.iter().enumerate() {
            let Process::Client(process) = event.process else { continue };
            if event.kind == EventType::Invoke {
                ops.push(begun(at, event));
                continue;
            }
            let open = |op: &&mut Op| {
                let Process::Client(own) = events[op.call].process else { return false };
                own == process
            };
            let op = ops.iter_mut().rev().find(open).expect("an open operation");
            op.failed = event.kind == EventType::Fail;
            if event.kind != EventType::Info {
                op.end = at;
            }
            if event.kind == EventType::Ok {
                answered(op, event);
            }
        }
        let mut orders = BTreeMap::new();
        for op in &ops {
            let order = orders.entry(op.key.clone()).or_insert(Order::RealTime);
            if rules.lww && op.stamp.is_some() {
                *order = Order::Timestamp;
            } else if op.clock.is_some() && *order != Order::Timestamp {
                *order = Order::Clock;
            } else if op.number.is_some() && *order == Order::RealTime {
                *order = Order::Integer;
            }
        }
        Self { ops, orders }
    }

    pub(crate) fn order(&self, op: usize) -> Order {
        self.orders[&self.ops[op].key]
    }

    /// The answered write that made a dot of a key: the first that claims it.
    pub(crate) fn claims(&self, key: &str, dot: &Dot) -> Option<usize> {
        self.ops.iter().position(|op| op.key == key && op.own_dot().as_ref() == Some(dot))
    }

    /// The only write that may have written a value.
    pub(crate) fn by_value(&self, key: &str, value: &Value) -> Option<usize> {
        let writes =
            |op: &Op| !op.reads && !op.failed && op.key == key && !value.is_null() && op.written == *value;
        let mut found = self.ops.iter().enumerate().filter(|(_, op)| writes(op)).map(|(at, _)| at);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// The write that made a dot, answered or not: a write without an answer made the dot under which its value
    /// was first read.
    pub(crate) fn writer(&self, key: &str, dot: &Dot) -> Option<usize> {
        if let Some(answered) = self.claims(key, dot) {
            return Some(answered);
        }
        let shows =
            |op: &&Op| op.key == key && op.reads && op.dots.as_deref() == Some(std::slice::from_ref(dot));
        let unanswered =
            |op: &Op| self.by_value(key, &op.value).filter(|&write| self.ops[write].end == NEVER);
        self.ops.iter().filter(shows).find_map(unanswered)
    }

    /// The write that a read shows.
    pub(crate) fn cause(&self, read: usize) -> Option<usize> {
        let op = &self.ops[read];
        if !op.reads || !op.ok {
            return None;
        }
        let by_dot = match op.dots.as_deref() {
            Some([dot]) => self.writer(&op.key, dot),
            _ => None,
        };
        by_dot.or_else(|| self.by_value(&op.key, &op.value))
    }

    /// Whether a delete of the key began before `until`, and had not ended before `since`.
    fn deleted(&self, key: &str, since: usize, until: usize) -> bool {
        self.ops
            .iter()
            .any(|op| op.key == key && op.deletes() && !op.failed && op.call < until && op.end > since)
    }

    pub(crate) fn ever_deleted(&self, key: &str) -> bool {
        self.deleted(key, 0, NEVER)
    }

    fn forgotten(&self, later: usize, dot: &Dot) -> bool {
        let later = &self.ops[later];
        let Some(clock) = &later.clock else { return true };
        if clock.contains_key(&dot.0) {
            return false;
        }
        let writer = self.claims(&later.key, dot).map(|at| &self.ops[at]);
        let knows_an_old_actor = writer
            .and_then(|writer| writer.clock.as_ref())
            .is_some_and(|known| known.keys().any(|actor| clock.contains_key(actor)));
        !knows_an_old_actor && self.deleted(&later.key, writer.map_or(0, |writer| writer.call), later.end)
    }

    pub(crate) fn lacks_dot(&self, later: usize, dot: &Dot) -> bool {
        let Some(clock) = &self.ops[later].clock else { return false };
        clock.get(&dot.0).is_none_or(|&counter| counter < dot.1) && !self.forgotten(later, dot)
    }

    /// In a line of versions: whether the answer at `later` is behind that at `earlier`.
    pub(crate) fn behind(&self, later: usize, earlier: usize) -> bool {
        let (one, two) = (&self.ops[later], &self.ops[earlier]);
        let absent = one.reads && one.value.is_null();
        match self.order(later) {
            Order::Clock => false,
            Order::Timestamp => match (&one.stamp, &two.stamp) {
                (Some(one), Some(two)) => one < two,
                (None, Some(_)) => absent,
                (_, None) => false,
            },
            Order::Integer => match (one.number, two.number) {
                (Some(one), Some(two)) => one < two,
                (None, Some(_)) => absent,
                (_, None) => false,
            },
            Order::RealTime => {
                let older_than = |call: usize| {
                    self.sources(later).is_some_and(|all| all.iter().all(|&(_, end)| end < call))
                };
                if !one.reads {
                    false
                } else if !two.reads {
                    older_than(two.call)
                } else {
                    let born = self.sources(earlier).filter(|_| !two.value.is_null());
                    born.and_then(|all| all.iter().map(|&(call, _)| call).min()).is_some_and(older_than)
                }
            }
        }
    }

    /// When the operations began and ended that may have written what a read shows; of an absent item, those
    /// that began before the read ended. None if nobody wrote it.
    fn sources(&self, read: usize) -> Option<Vec<(usize, usize)>> {
        let op = &self.ops[read];
        let writes = |one: &&Op| {
            one.key == op.key
                && !one.reads
                && !one.failed
                && one.written == op.value
                && (!op.value.is_null() || one.call < op.end)
        };
        let found: Vec<_> = self.ops.iter().filter(writes).map(|one| (one.call, one.end)).collect();
        (op.value.is_null() || !found.is_empty()).then_some(found)
    }

    /// The place of an operation in a line of versions, to find the one that asks most.
    fn place(&self, at: usize) -> Option<(i64, String)> {
        let op = &self.ops[at];
        match self.order(at) {
            Order::Clock => None,
            Order::Timestamp => op.stamp.clone(),
            Order::Integer => op.number.map(|number| (number, String::new())),
            Order::RealTime if op.reads => {
                let born = self.sources(at).filter(|_| !op.value.is_null())?;
                born.iter().map(|&(call, _)| (call as i64, String::new())).min()
            }
            Order::RealTime => Some((op.call as i64, String::new())),
        }
    }

    fn restarted(&self, later: usize, earlier: usize) -> bool {
        if self.order(later) == Order::RealTime {
            return false;
        }
        let (one, two) = (&self.ops[later], &self.ops[earlier]);
        match (&one.clock, two.dots.as_deref()) {
            (Some(_), Some([dot])) => self.forgotten(later, dot),
            _ => self.deleted(&one.key, if two.reads { 0 } else { two.call }, one.end),
        }
    }

    /// Whether the answer at `later` lacks what some operations (of one session, in order) wrote or showed; of
    /// each actor the greatest dot speaks for all, and in a line of versions the first that asks most.
    pub(crate) fn lacks_some(
        &self,
        later: usize,
        earlier: &[usize],
        dots: impl Fn(usize) -> Vec<Dot>,
    ) -> bool {
        if self.order(later) == Order::Clock {
            let mut greatest: BTreeMap<String, u64> = BTreeMap::new();
            for (actor, counter) in earlier.iter().flat_map(|&at| dots(at)) {
                let known = greatest.entry(actor).or_default();
                *known = counter.max(*known);
            }
            return greatest.into_iter().any(|dot| self.lacks_dot(later, &dot));
        }
        let asks = |&at: &usize| Some((self.place(at)?, std::cmp::Reverse(at)));
        // Later operations of the list win only if they ask for more.
        let top = earlier
            .iter()
            .enumerate()
            .filter_map(|(n, at)| Some((asks(at)?.0, std::cmp::Reverse(n), *at)))
            .max();
        top.is_some_and(|(_, _, top)| self.behind(later, top) && !self.restarted(later, top))
    }

    /// All dots that a read's clock stands for, or the own dot of a write.
    pub(crate) fn all_dots(&self, at: usize) -> Vec<Dot> {
        let op = &self.ops[at];
        if op.reads {
            op.clock.iter().flatten().map(|(a, &n)| (a.clone(), n)).collect()
        } else {
            op.own_dot().into_iter().collect()
        }
    }

    /// The dot of the version that was written or shown.
    pub(crate) fn shown_dot(&self, at: usize) -> Vec<Dot> {
        let op = &self.ops[at];
        match op.dots.as_deref() {
            _ if !op.reads => op.own_dot().into_iter().collect(),
            Some([dot]) => vec![dot.clone()],
            _ => self.cause(at).and_then(|write| self.ops[write].own_dot()).into_iter().collect(),
        }
    }

    /// Whether `a` was answered before `b` of the same session was invoked.
    pub(crate) fn in_session(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.ops[a], &self.ops[b]);
        a.ok && a.session == b.session && a.end < b.call
    }
}

fn begun(at: usize, event: &Event) -> Op {
    Op {
        index: event.index,
        key: event.key.as_ref().map(ToString::to_string).unwrap_or_default(),
        session: event.session().expect("a client"),
        call: at,
        end: NEVER,
        called_ns: event.time,
        answered_ns: 0,
        ok: false,
        failed: false,
        reads: event.f == "read",
        written: event.value.clone(),
        value: Value::Null,
        eventual: event.consistency == Some(Consistency::Eventual),
        clock: None,
        dots: None,
        stamp: None,
        number: None,
    }
}

fn answered(op: &mut Op, event: &Event) {
    op.ok = true;
    op.answered_ns = event.time;
    op.value = event.value.clone();
    let extra = event.extra();
    let clock = extra.context.as_ref().and_then(CausalContext::clock);
    op.clock = clock.map(|clock| {
        let counters = clock.iter().map(|(actor, counter)| (actor.to_string(), *counter));
        counters.filter(|&(_, counter)| counter > 0).collect()
    });
    op.dots = extra.version.as_ref().and_then(Value::as_str).map(|text| {
        let dots = text.split('|').filter(|dot| !dot.is_empty());
        dots.map(|dot| dot.rsplit_once(':').expect("a dot"))
            .map(|(a, n)| (a.to_owned(), n.parse().expect("a counter")))
            .collect()
    });
    op.stamp = extra.timestamp.as_ref().map(|stamp| {
        let (ns, node) = stamp.parts().expect("nanoseconds and a node");
        (ns, node.to_owned())
    });
    op.number = extra.version.as_ref().and_then(Value::as_i64);
}
