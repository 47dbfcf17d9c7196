//! What the two events of an operation say of its value, and whether they can both be true.
//!
//! An invocation carries the argument, a completion repeats it or carries the answer. Where the invocation had
//! none, the value of an `ok` counts, as in Jepsen, whose clients may choose it as they go. Where both say one,
//! they must not contradict each other: of two different arguments one was never sent, and nobody can tell
//! which. `fail` and `info` may carry what they like, for instance a reason.

use serde_json::Value;

/// Functions that change something, by what their value says.
const UPDATES: [&str; 8] = ["write", "cas", "add", "remove", "enqueue", "put", "append", "transfer"];

/// Whether a function's value is its argument, also in an `ok`; that of any other `ok` is an answer.
pub(super) fn is_argument(f: &str) -> bool {
    f == "txn" || UPDATES.contains(&f)
}

/// Whether an `ok` of `f` says something else than what was invoked. A null on either side says nothing, and
/// neither does one inside a list, where a read has yet to be answered.
#[must_use]
pub fn contradicts(f: &str, invoked: &Value, completed: &Value) -> bool {
    match (invoked, completed) {
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Array(invoked), Value::Array(completed)) if f == "txn" => {
            let steps = invoked.iter().zip(completed);
            invoked.len() != completed.len()
                || steps.into_iter().any(|(one, other)| contradicts_step(one, other))
        }
        _ if is_argument(f) => invoked != completed,
        // A list may be the answer to any list: what was asked is part of it, or is not said.
        (Value::Array(_), Value::Array(_)) => false,
        _ => invoked != completed,
    }
}

/// The same for a step of a transaction, `[f, key, value]`. What a write writes is said from the beginning.
fn contradicts_step(invoked: &Value, completed: &Value) -> bool {
    let is_read = invoked.get(0).and_then(Value::as_str).is_some_and(|f| matches!(f, "r" | "read"));
    if is_read { !fills_in(invoked, completed) } else { invoked != completed }
}

/// Whether a value is another one, but for what was null in that.
fn fills_in(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Null, _) | (_, Value::Null) => true,
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len()
                && before.iter().zip(after).all(|(before, after)| fills_in(before, after))
        }
        (before, after) => before == after,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_argument_is_said_once_or_twice_the_same() {
        for (f, invoked, completed, wrong) in [
            ("write", json!(1), json!(1), false),
            ("write", json!(1), json!(2), true),
            ("write", json!(1), json!("1"), true),
            ("write", json!(1), json!(null), false),
            ("write", json!(null), json!(1), false),
            ("cas", json!([null, 1]), json!([3, 1]), true),
            ("cas", json!([3, 1]), json!([3, 1]), false),
            ("transfer", json!({"amount": 1}), json!({"amount": 2}), true),
            ("enqueue", json!([1]), json!([null]), true),
        ] {
            assert_eq!(contradicts(f, &invoked, &completed), wrong, "{f} {invoked} {completed}");
        }
    }

    #[test]
    fn an_answer_fills_in_what_was_asked() {
        for (f, invoked, completed, wrong) in [
            ("read", json!(null), json!([1, 2]), false),
            ("read", json!(["k", null]), json!(["k", 3]), false),
            ("read", json!(5), json!(3), true),
            ("read", json!(["k", null]), json!([1, 2, 3]), false),
            ("txn", json!([["r", "k", null], ["w", "l", 2]]), json!([["r", "k", 1], ["w", "l", 2]]), false),
            ("txn", json!([["r", "k", null]]), json!([["r", "k", [1, 2]]]), false),
            ("txn", json!([["r", "k", null]]), json!([["r", "l", 1]]), true),
            ("txn", json!([["w", "k", 1]]), json!([["w", "k", 2]]), true),
            ("txn", json!([["w", "k", null]]), json!([["w", "k", 2]]), true),
            ("txn", json!([["r", "k", null]]), json!([]), true),
        ] {
            assert_eq!(contradicts(f, &invoked, &completed), wrong, "{f} {invoked} {completed}");
        }
    }
}
