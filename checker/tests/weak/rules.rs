//! The rules of the checks, stated by brute force over all operations.

use std::collections::{BTreeMap, BTreeSet};

use super::statement::{NEVER, Order, Statement};

/// Of each guarantee, the operations that violate it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sessions {
    pub(crate) violated: BTreeMap<&'static str, BTreeSet<u64>>,
}

/// Judges all sessions.
pub(crate) fn sessions(statement: &Statement) -> Sessions {
    let mut found = Sessions::default();
    for (at, op) in statement.ops.iter().enumerate().filter(|(_, op)| op.ok) {
        let mut violated = |name| {
            found.violated.entry(name).or_default().insert(op.index);
        };
        let before = |reads: bool, session: u64, ends_before: usize| -> Vec<usize> {
            let of = |&earlier: &usize| {
                let one = &statement.ops[earlier];
                one.ok
                    && one.key == op.key
                    && one.reads == reads
                    && one.session == session
                    && one.end < ends_before
            };
            (0..statement.ops.len()).filter(of).collect()
        };
        let lacks = |earlier: &[usize]| statement.lacks_some(at, earlier, |one| statement.all_dots(one));
        let (of_writes, of_reads) = if op.reads {
            ("read-your-writes", "monotonic-reads")
        } else {
            ("monotonic-writes", "writes-follow-reads")
        };
        if lacks(&before(false, op.session, op.call)) {
            violated(of_writes);
        }
        if lacks(&before(true, op.session, op.call)) {
            violated(of_reads);
        }
        if !op.reads {
            continue;
        }
        for (write, bound) in seen_by(statement, at) {
            let session = statement.ops[write].session;
            if lacks(&before(false, session, bound)) {
                violated("monotonic-writes");
            }
            if lacks(&before(true, session, bound)) {
                violated("writes-follow-reads");
            }
        }
    }
    found
}

/// Writes of other sessions that a read's session has seen, with where each began: of each session only the
/// last, which stands for the others.
fn seen_by(statement: &Statement, read: usize) -> Vec<(usize, usize)> {
    let mut last: BTreeMap<u64, usize> = BTreeMap::new();
    for (look, op) in statement.ops.iter().enumerate() {
        if !op.reads || !op.ok || !(look == read || statement.in_session(look, read)) {
            continue;
        }
        for (write, other) in statement.ops.iter().enumerate() {
            if other.reads
                || other.session == op.session
                || other.call > op.end
                || !sees(statement, look, write)
            {
                continue;
            }
            let best = last.entry(other.session).or_insert(write);
            if statement.ops[*best].call < other.call {
                *best = write;
            }
        }
    }
    last.into_values().map(|write| (write, statement.ops[write].call)).collect()
}

/// Whether a read has taken a write in.
fn sees(statement: &Statement, read: usize, write: usize) -> bool {
    let (look, made) = (&statement.ops[read], &statement.ops[write]);
    if made.failed || look.key != made.key {
        return false;
    }
    if statement.cause(read) == Some(write) {
        return true;
    }
    if let Some(clock) = &look.clock {
        return clock.iter().any(|(actor, &counter)| {
            (1..=counter).any(|n| statement.writer(&look.key, &(actor.clone(), n)) == Some(write))
        });
    }
    let numbered = statement.order(read) == Order::Integer && !statement.ever_deleted(&look.key);
    numbered && look.number.zip(made.number).is_some_and(|(look, made)| made <= look)
}

/// What is wrong with the causes in a history.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Causes {
    /// Reads of what nobody had written.
    pub(crate) baseless: BTreeSet<u64>,
    /// Operations that lack something of their past.
    pub(crate) lacking: BTreeSet<u64>,
    /// Circles that are not part of one another.
    pub(crate) circles: usize,
}

/// Judges causes.
pub(crate) fn causes(statement: &Statement) -> Causes {
    let n = statement.ops.len();
    let mut found = Causes::default();
    let mut past = vec![vec![false; n]; n];
    for (at, op) in statement.ops.iter().enumerate() {
        for (earlier, row) in past.iter_mut().enumerate() {
            row[at] |= earlier != at && statement.in_session(earlier, at);
        }
        if !op.reads || !op.ok {
            continue;
        }
        let cause = statement.cause(at);
        let written =
            statement.ops.iter().any(|w| !w.reads && !w.failed && w.key == op.key && w.written == op.value);
        match cause {
            Some(write) if statement.ops[write].call > op.end => {
                found.baseless.insert(op.index);
            }
            Some(write) => past[write][at] = true,
            None if !op.value.is_null() && !written => {
                found.baseless.insert(op.index);
            }
            None => {}
        }
    }
    let mut with_versions = past.clone();
    close(&mut past);
    for (at, op) in statement.ops.iter().enumerate().filter(|(_, op)| op.ok) {
        let sessions: BTreeSet<u64> = statement.ops.iter().map(|op| op.session).collect();
        let lacks = sessions.into_iter().any(|session| {
            let of = |&earlier: &usize| {
                let one = &statement.ops[earlier];
                one.ok && past[earlier][at] && one.key == op.key && one.session == session && one.end < op.end
            };
            let earlier: Vec<usize> = (0..n).filter(of).collect();
            statement.lacks_some(at, &earlier, |one| statement.shown_dot(one))
        });
        if lacks {
            found.lacking.insert(op.index);
        }
    }
    for (earlier, row) in with_versions.iter_mut().enumerate() {
        for (later, before) in row.iter_mut().enumerate() {
            *before |= earlier != later && superseded(statement, earlier, later);
        }
    }
    close(&mut with_versions);
    let on_one: Vec<usize> = (0..n).filter(|&at| with_versions[at][at]).collect();
    let first_of_its = |&&at: &&usize| {
        on_one.iter().all(|&other| other >= at || !with_versions[at][other] || !with_versions[other][at])
    };
    found.circles = on_one.iter().filter(first_of_its).count();
    found
}

/// Whether the version of one write comes before that of another.
fn superseded(statement: &Statement, earlier: usize, later: usize) -> bool {
    let (one, two) = (&statement.ops[earlier], &statement.ops[later]);
    if one.reads || two.reads || one.key != two.key || one.failed || two.failed {
        return false;
    }
    match statement.order(earlier) {
        Order::Clock => {
            let dot = |at: usize| {
                let key = &statement.ops[at].key;
                let dots = all_dots(statement, key);
                dots.into_iter().find(|dot| statement.writer(key, dot) == Some(at))
            };
            let Some((actor, counter)) = dot(earlier) else { return false };
            let of_actor = dot(later).is_some_and(|(other, after)| other == actor && after > counter);
            let covers =
                two.clock.as_ref().and_then(|clock| clock.get(&actor)).is_some_and(|&n| n >= counter);
            of_actor || covers
        }
        order @ (Order::Timestamp | Order::Integer) => {
            let place = |at: usize| {
                let op = &statement.ops[at];
                let place = if order == Order::Timestamp {
                    op.stamp.clone()
                } else {
                    op.number.map(|n| (n, String::new()))
                };
                place.filter(|_| op.ok)
            };
            let alone = |at: usize| {
                let same = |other: usize| {
                    other != at
                        && statement.ops[other].key == one.key
                        && !statement.ops[other].reads
                        && place(other) == place(at)
                };
                !(0..statement.ops.len()).any(same)
            };
            let ordered = place(earlier).zip(place(later)).is_some_and(|(one, two)| one < two);
            ordered && alone(earlier) && alone(later) && !statement.ever_deleted(&one.key)
        }
        Order::RealTime => false,
    }
}

/// Every dot of a key that any answer carries.
fn all_dots(statement: &Statement, key: &str) -> BTreeSet<(String, u64)> {
    statement.ops.iter().filter(|op| op.key == key).flat_map(|op| op.dots.iter().flatten().cloned()).collect()
}

fn close(before: &mut [Vec<bool>]) {
    for middle in 0..before.len() {
        let after = before[middle].clone();
        for row in before.iter_mut().filter(|row| row[middle]) {
            row.iter_mut().zip(&after).for_each(|(one, &two)| *one |= two);
        }
    }
}

/// How far one read is behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Behind {
    pub(crate) index: u64,
    pub(crate) eventual: bool,
    pub(crate) versions: u64,
    pub(crate) time_ns: u64,
    /// How long ago the last write was answered, and whether the read lacks it.
    pub(crate) age: Option<(u64, bool)>,
}

/// How far all reads are behind.
pub(crate) fn staleness(statement: &Statement) -> Vec<Behind> {
    let mut all = Vec::new();
    for (at, op) in statement.ops.iter().enumerate().filter(|(_, op)| op.reads && op.ok) {
        if statement.order(at) == Order::Clock && op.clock.is_none() {
            continue;
        }
        let mut writes: Vec<usize> = (0..statement.ops.len())
            .filter(|&w| {
                let write = &statement.ops[w];
                write.ok && !write.reads && write.key == op.key && write.end < op.call && write.end != NEVER
            })
            .collect();
        writes.sort_by_key(|&w| statement.ops[w].end);
        let since = |w: usize| op.called_ns.saturating_sub(statement.ops[w].answered_ns);
        let lacks = |w: usize| statement.lacks_some(at, &[w], |one| statement.all_dots(one));
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for &w in &writes {
            let group = match statement.order(at) {
                Order::Clock => statement.ops[w].own_dot().map(|(actor, _)| actor),
                _ => Some(String::new()),
            };
            groups.entry(group.unwrap_or_default()).or_default().push(w);
        }
        let (mut versions, mut first) = (0, None);
        for group in groups.values() {
            // Those before the newest are counted without a second look.
            if !statement.lacks_some(at, group, |one| statement.all_dots(one)) {
                continue;
            }
            versions += group.iter().filter(|&&w| beyond(statement, at, w)).count() as u64;
            let lacked = group.iter().copied().find(|&w| lacks(w));
            first = [first, lacked].into_iter().flatten().min_by_key(|&w| statement.ops[w].end);
        }
        let (versions, time_ns) = first.map_or((0, 0), |w| (versions, since(w)));
        let age = writes.last().map(|&w| (since(w), first.is_some() && lacks(w)));
        all.push(Behind { index: op.index, eventual: op.eventual, versions, time_ns, age });
    }
    all
}

/// Whether a read is behind a write, whatever may have been forgotten.
fn beyond(statement: &Statement, read: usize, write: usize) -> bool {
    let (look, made) = (&statement.ops[read], &statement.ops[write]);
    match statement.order(read) {
        Order::Clock => {
            let covered = |(actor, counter): (String, u64)| {
                look.clock.as_ref().and_then(|clock| clock.get(&actor)).is_some_and(|&n| n >= counter)
            };
            made.own_dot().is_some_and(|dot| !covered(dot))
        }
        _ => statement.behind(read, write),
    }
}
