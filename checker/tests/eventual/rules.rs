//! The rules of the checks, stated as quantifiers over the operations of one key and evaluated by trying
//! everything. Each function counts the violations that its check must count.

use std::collections::BTreeSet;

use growler_checker::convergence::order::Rules;
use serde_json::Value;

use crate::reading::{Clock, Dot, NEVER, Op, Out, Stamp, covers};

/// What is there in the end.
pub(crate) struct End<'o> {
    pub(crate) answers: Vec<&'o Op>,
    pub(crate) since: usize,
}

pub(crate) enum Ending<'o> {
    Seen(End<'o>),
    Unwritten,
    Unread,
    /// A replica was not asked, or a fault was in force.
    Blind,
}

/// The end of a key. `faults`: where each partition began and was healed (position and time).
pub(crate) fn ending<'o>(
    ops: &'o [Op],
    faults: &[(usize, Option<(usize, u64)>)],
    settle_ns: u64,
) -> Ending<'o> {
    let writes = ops.iter().filter(|op| (op.is_write() || op.is_delete()) && op.out != Out::Fail);
    let Some(written) = writes.map(|op| op.end_ns).max() else { return Ending::Unwritten };
    let replica_reads: Vec<&Op> = ops.iter().filter(|op| op.f == "replica-read").collect();
    let mut answers = Vec::new();
    if replica_reads.is_empty() {
        let healed = faults.iter().filter_map(|(_, healed)| healed.map(|(_, time)| time)).max().unwrap_or(0);
        let late = |op: &&Op| op.is_read() && op.is_ok() && op.call_ns >= written.max(healed) + settle_ns;
        answers = ops.iter().filter(late).collect();
    } else {
        let nodes: BTreeSet<&str> = replica_reads.iter().map(|op| op.node.as_str()).collect();
        let of = |node: &str| replica_reads.iter().filter(|op| op.node == node).copied().collect::<Vec<_>>();
        for node in &nodes {
            let asked = of(node);
            let last = asked[asked.len() - 1];
            if last.out == Out::Fail && last.error == Some("not-a-replica".into()) {
                continue;
            }
            // No other node was asked twice since.
            let left_out = nodes.iter().map(|other| of(other)).any(|other| {
                other.iter().filter(|op| op.call > last.call).count() > 1
                    && !other
                        .last()
                        .is_some_and(|op| op.out == Out::Fail && op.error == Some("not-a-replica".into()))
            });
            if !last.is_ok() || left_out {
                return Ending::Blind;
            }
            answers.push(last);
        }
        answers.sort_by_key(|op| op.call);
    }
    let Some(since) = answers.iter().map(|op| op.call).min() else { return Ending::Unread };
    let in_force = |(begun, healed): &(usize, Option<(usize, u64)>)| {
        *begun < since && healed.is_none_or(|(position, _)| position > since)
    };
    if faults.iter().any(in_force) { Ending::Blind } else { Ending::Seen(End { answers, since }) }
}

fn same_value(one: &Value, other: &Value) -> bool {
    match (one.as_array(), other.as_array()) {
        (Some(one), Some(other)) => {
            let sorted = |values: &[Value]| {
                let mut texts: Vec<String> = values.iter().map(Value::to_string).collect();
                texts.sort();
                texts
            };
            sorted(one) == sorted(other)
        }
        _ => one == other,
    }
}

fn is_empty(op: &Op) -> bool {
    op.result.is_null() && op.number.is_none() && op.dots.as_ref().is_none_or(Vec::is_empty)
}

fn agree(one: &Op, other: &Op) -> bool {
    let dots = one.dots.is_none() || other.dots.is_none() || one.dots == other.dots;
    let numbers = one.number.is_none() || other.number.is_none() || one.number == other.number;
    let forgotten = one.result.is_null() && (is_empty(one) || is_empty(other));
    same_value(&one.result, &other.result) && (forgotten || (dots && numbers))
}

/// `diverged`: Some(true) where two answers differ for certain, None where they may.
pub(crate) fn diverged(ops: &[Op], end: &End<'_>, lww: bool) -> Option<bool> {
    let pairs = || end.answers.iter().flat_map(|one| end.answers.iter().map(move |other| (*one, *other)));
    if pairs().all(|(one, other)| agree(one, other)) {
        return Some(false);
    }
    let open: Vec<&Op> = ops
        .iter()
        .filter(|op| (op.is_write() || op.is_delete()) && op.out != Out::Fail && op.end > end.since)
        .collect();
    if open.is_empty() {
        return Some(true);
    }
    let seen =
        |shows: &dyn Fn(&Op) -> bool| ops.iter().any(|op| op.shows() && op.end < end.since && shows(op));
    let settled_dot = |dot: &Dot| {
        ops.iter().any(|op| op.own_dot().as_ref() == Some(dot) && op.end < end.since)
            || seen(&|op| op.dots.as_ref().is_some_and(|dots| dots.contains(dot)))
    };
    let deleting = open.iter().any(|op| op.is_delete());
    let removing = open.iter().any(|op| op.f == "remove");
    // How many operations may have brought a value, or an element of a list.
    let bringers = |value: &Value| {
        let brings =
            |op: &&Op| op.written().as_ref() == Some(value) || (op.f == "add" && op.argument == *value);
        ops.iter().filter(|op| op.out != Out::Fail).filter(brings).count()
    };
    let may_shrink = lww || ops.iter().any(|op| op.f == "remove");
    let has_come = |element: &Value| {
        seen(&|held| held.elements().contains(element)) && (!may_shrink || bringers(element) == 1)
    };
    let only_adds =
        open.iter().all(|op| op.f == "add") && (!may_shrink || open.iter().all(|op| has_come(&op.argument)));
    let settled_element =
        |element: &Value| !open.iter().any(|op| op.argument == *element) || has_come(element);
    let settled = |op: &Op| match &op.dots {
        Some(dots) if dots.is_empty() => !deleting && !removing,
        Some(dots) => dots.iter().all(settled_dot),
        None if op.number.is_some() => false,
        None if op.result.is_null() => !deleting && !removing,
        None if op.result.is_array() => only_adds && op.elements().iter().all(settled_element),
        None => {
            !open.iter().any(|write| write.written().as_ref() == Some(&op.result))
                || (seen(&|other| other.result == op.result) && bringers(&op.result) == 1)
        }
    };
    let lists =
        end.answers.iter().all(|op| {
            op.dots.is_none() && op.number.is_none() && (op.result.is_null() || op.result.is_array())
        }) && end.answers.iter().any(|op| op.result.is_array());
    let certain = pairs().any(|(one, other)| {
        let torn = one.dots.is_some() && one.dots == other.dots && !same_value(&one.result, &other.result);
        let differ = if lists {
            let lacks = |held: &Op, element: &Value| !held.elements().contains(element);
            only_adds
                && (one.elements().iter().any(|element| settled_element(element) && lacks(other, element))
                    || other.elements().iter().any(|element| settled_element(element) && lacks(one, element)))
        } else {
            settled(one) && settled(other) && !agree(one, other)
        };
        torn || differ
    });
    if certain { Some(true) } else { None }
}

pub(crate) fn writer<'o>(ops: &'o [Op], dot: &Dot) -> Option<&'o Op> {
    ops.iter().find(|op| op.own_dot().as_ref() == Some(dot))
}

/// `lost-write`.
pub(crate) fn lost_writes(ops: &[Op], end: &End<'_>, told: Rules) -> u64 {
    let lww = told.lww;
    let victims = ops.iter().filter(|op| op.is_write() && op.is_ok() && op.end < end.since);
    let deletes: Vec<&Op> = ops.iter().filter(|op| op.is_delete() && op.out != Out::Fail).collect();
    if end.answers.iter().all(|op| op.dots.is_some()) {
        let held = |dot: &Dot| end.answers.iter().any(|op| op.dots.as_ref().expect("dots").contains(dot));
        let excused_by = |answer: &Op, dot: &Dot| {
            answer.dots.as_ref().expect("dots").iter().any(|version| {
                let clock = match writer(ops, version) {
                    Some(writer) => writer.at_most(),
                    None => answer.clock.clone(),
                };
                clock.is_none_or(|clock| covers(&clock, dot))
            })
        };
        let newer = |stamp: Option<&Stamp>, than: Option<&Stamp>| match (stamp, than) {
            (Some(stamp), Some(than)) => stamp >= than,
            _ => true,
        };
        let lost = |op: &&Op| {
            let Some(dot) = op.own_dot() else { return false };
            let by_rule = lww
                && (end.answers.iter().any(|answer| {
                    !answer.dots.as_ref().expect("dots").is_empty()
                        && newer(answer.stamp.as_ref(), op.stamp.as_ref())
                }) || deletes.iter().any(|delete| newer(delete.stamp.as_ref(), op.stamp.as_ref())));
            let by_context = ops.iter().any(|op| {
                (op.is_write() || op.is_delete())
                    && op.out != Out::Fail
                    && op.sent.as_ref().is_some_and(|sent| covers(sent, &dot))
            });
            let by_context = by_context || outdone(ops, op.stamp.as_ref(), NEVER);
            let by_version = end.answers.iter().any(|answer| excused_by(answer, &dot));
            let by_delete =
                deletes.iter().any(|delete| delete.at_most().is_none_or(|clock| covers(&clock, &dot)));
            let excused = by_version || by_delete || by_rule || (lww && by_context);
            !held(&dot) && !excused
        };
        return victims.filter(lost).count() as u64;
    }
    let bare = |op: &&Op| op.dots.is_none() && op.number.is_none();
    let writers = |answer: &Op| -> Vec<&Op> {
        ops.iter().filter(|op| op.out != Out::Fail && op.written().as_ref() == Some(&answer.result)).collect()
    };
    let is_told = |answer: &&Op| match writers(answer).len() {
        0 => false,
        1 => true,
        _ => answer.result.is_null(),
    };
    if told.ordered_writes && !lww && end.answers.iter().all(|op| bare(op) && is_told(op)) {
        let is_older = |victim: &Op, answer: &Op| writers(answer).iter().all(|op| op.end < victim.call);
        return victims.filter(|op| end.answers.iter().all(|answer| is_older(op, answer))).count() as u64;
    }
    if !deletes.is_empty() {
        return 0;
    }
    if end.answers.iter().all(|op| op.number.is_some()) {
        let last = end.answers.iter().map(|op| op.number).max().flatten();
        return victims.filter(|op| op.number.is_some() && op.number > last).count() as u64;
    }
    if !end.answers.iter().all(|op| op.result.is_null()) {
        return 0;
    }
    let emptied = ops.iter().any(|op| op.f == "remove" && op.out != Out::Fail);
    victims.filter(|op| op.written().is_some() || (op.f == "add" && !emptied)).count() as u64
}

fn is_value(ops: &[Op], answer: &Op, dot: &Dot) -> bool {
    match writer(ops, dot) {
        Some(writer) => writer.is_write(),
        None => answer.dots.as_ref().is_some_and(|dots| dots.len() == 1) && !answer.result.is_null(),
    }
}

/// `resurrected`: by clocks, and in the end.
pub(crate) fn resurrected(ops: &[Op], end: Option<&End<'_>>, told: Rules) -> u64 {
    let deletes: Vec<&Op> = ops.iter().filter(|op| op.is_delete() && op.is_ok()).collect();
    let mut found = 0;
    for answer in ops.iter().filter(|op| op.shows()) {
        let (Some(clock), Some(dots)) = (&answer.clock, &answer.dots) else { continue };
        for dot in dots.iter().filter(|dot| is_value(ops, answer, dot)) {
            found += u64::from(deletes.iter().any(|delete| {
                delete.own_dot().is_some_and(|own| covers(clock, &own)) && delete.replaced(dot)
            }));
        }
    }
    let Some(end) = end else { return found };
    let deletes: Vec<&&Op> = deletes.iter().filter(|delete| delete.end < end.since).collect();
    let last = end.answers[end.answers.len() - 1];
    if end.answers.iter().all(|op| op.dots.is_some()) {
        for dot in last.dots.as_ref().expect("dots") {
            let shared = end.answers.iter().all(|op| op.dots.as_ref().expect("dots").contains(dot));
            let again =
                shared && is_value(ops, last, dot) && deletes.iter().any(|delete| delete.replaced(dot));
            found += u64::from(again);
        }
        return found;
    }
    let shown = &last.result;
    let writers: Vec<&Op> =
        ops.iter().filter(|op| op.out != Out::Fail && op.written().as_ref() == Some(shown)).collect();
    if shown.is_null() || diverged(ops, end, told.lww) != Some(false) || writers.len() != 1 {
        return found;
    }
    let wrote = writers[0];
    let stamps = told.lww && ops.iter().any(|op| op.stamp.is_some());
    let clocks = ops.iter().any(|op| op.clock.is_some());
    let by_delete = deletes.iter().any(|delete| {
        let after = wrote.is_ok() && wrote.end < delete.call;
        let outdid = if stamps {
            wrote.stamp.is_some() && delete.stamp.is_some() && wrote.stamp < delete.stamp
        } else {
            told.ordered_writes && !clocks
        };
        delete.observed.as_ref() == Some(shown) || (after && outdid)
    });
    found + u64::from(by_delete)
}

/// Whether a version whose timestamp is not less, or unknown, is covered by a context that a write was sent with before
/// a position.
fn outdone(ops: &[Op], stamp: Option<&Stamp>, came: usize) -> bool {
    let nameless = ops
        .iter()
        .any(|op| (op.is_write() || op.is_delete()) && op.out != Out::Fail && op.own_dot().is_none());
    let is_not_less =
        |dot: &Dot| match ops.iter().filter(|op| op.own_dot().as_ref() == Some(dot)).collect::<Vec<_>>() {
            known if known.is_empty() => nameless,
            known => {
                known.iter().any(|op| op.stamp.is_none() || stamp.is_none() || op.stamp.as_ref() >= stamp)
            }
        };
    ops.iter().any(|op| {
        let sends = (op.is_write() || op.is_delete()) && op.out != Out::Fail && op.call < came;
        let covered =
            op.sent.iter().flatten().flat_map(|(actor, &upto)| (1..=upto).map(move |at| (actor.clone(), at)));
        sends && covered.into_iter().any(|dot| is_not_less(&dot))
    })
}

/// `lost-against-lww`.
pub(crate) fn lost_against_lww(ops: &[Op], end: Option<&End<'_>>) -> u64 {
    let hidden = |stamp: &Stamp, came: usize, answer: &Op| {
        let shown = match answer.dots.as_deref() {
            Some([dot]) => writer(ops, dot).map_or(NEVER, |writer| writer.end),
            _ => NEVER,
        };
        ops.iter().any(|delete| {
            delete.is_delete()
                && delete.out != Out::Fail
                && delete.call < came
                && delete.call < shown
                && delete.stamp.as_ref().is_none_or(|deleted| deleted >= stamp)
        })
    };
    let replaced = |write: &Op, came: usize| {
        outdone(ops, write.stamp.as_ref(), came)
            || ops.iter().any(|op| {
                let covers_it =
                    op.sent.as_ref().is_some_and(|sent| write.own_dot().is_none_or(|dot| covers(sent, &dot)));
                (op.is_write() || op.is_delete()) && op.out != Out::Fail && op.call < came && covers_it
            })
    };
    let tells = |op: &Op| op.stamp.is_some() || is_empty_or_bare(op);
    let victims: Vec<&Op> =
        ops.iter().filter(|op| op.is_write() && op.is_ok() && op.stamp.is_some()).collect();
    let mut found = 0;
    for answer in ops.iter().filter(|op| op.shows() && tells(op)) {
        let Some(clock) = &answer.clock else { continue };
        let lost = victims.iter().any(|write| {
            write.own_dot().is_some_and(|dot| covers(clock, &dot))
                && write.stamp > answer.stamp
                && !replaced(write, answer.end)
                && !hidden(write.stamp.as_ref().expect("a stamp"), answer.end, answer)
        });
        found += u64::from(lost);
    }
    let Some(end) = end.filter(|end| end.answers.iter().all(|op| tells(op))) else { return found };
    let newest = end.answers.iter().max_by_key(|op| (op.stamp.clone(), op.call)).expect("an answer");
    let came = end.answers.iter().map(|op| op.end).max().expect("an answer");
    found
        + victims
            .iter()
            .filter(|op| {
                op.end < end.since
                    && op.stamp > newest.stamp
                    && !replaced(op, came)
                    && !hidden(op.stamp.as_ref().expect("a stamp"), came, newest)
            })
            .count() as u64
}

fn is_empty_or_bare(op: &Op) -> bool {
    op.result.is_null() && op.dots.as_ref().is_none_or(Vec::is_empty)
}

/// How many acknowledged writes were lost by the rule, and how many of them by skew.
pub(crate) fn lww_losses(ops: &[Op], end: Option<&End<'_>>) -> (u64, u64) {
    let writes: Vec<(&Op, Dot, Clock)> = ops
        .iter()
        .filter(|op| op.is_ok() && op.stamp.is_some())
        .filter_map(|op| Some((op, op.own_dot()?, op.at_most()?)))
        .collect();
    let saw = |(_, dot, clock): &(&Op, Dot, Clock), other: &Dot| {
        dot != other && covers(clock, other) && (dot.0 != other.0 || dot.1 > other.1)
    };
    let (mut losses, mut skewed) = (0, 0);
    for lost in writes.iter().filter(|(op, ..)| op.is_write()) {
        let actors: BTreeSet<&String> = writes.iter().map(|(_, dot, _)| &dot.0).collect();
        // Of each actor the first write that covers it.
        let first = |actor: &String| {
            let covering = writes.iter().filter(|write| write.1.0 == *actor && saw(write, &lost.1));
            covering.min_by_key(|write| write.1.1)
        };
        let coverers: Vec<_> = actors.iter().filter_map(|actor| first(actor)).collect();
        let had_seen_newer = |coverer: &(&Op, Dot, Clock)| {
            writes.iter().any(|other| {
                let before_first = first(&other.1.0).is_none_or(|first| other.1.1 < first.1.1);
                other.1 != lost.1
                    && saw(coverer, &other.1)
                    && !saw(lost, &other.1)
                    && !(other.1.0 == lost.1.0 && other.1.1 < lost.1.1)
                    && before_first
                    && other.0.stamp > lost.0.stamp
            })
        };
        let is_lost = if coverers.is_empty() {
            end.is_some_and(|end| {
                let all = end.answers.iter().all(|op| op.dots.is_some());
                let held =
                    all && end.answers.iter().any(|op| op.dots.as_ref().expect("dots").contains(&lost.1));
                !held && end.answers.iter().any(|op| op.stamp > lost.0.stamp)
            })
        } else {
            coverers.iter().all(|coverer| had_seen_newer(coverer))
        };
        let late = writes.iter().any(|other| other.0.end < lost.0.call && other.0.stamp > lost.0.stamp);
        losses += u64::from(is_lost);
        skewed += u64::from(is_lost && late);
    }
    (losses, skewed)
}
