//! Values as EDN, so that reading them back gives the same values.

use serde_json::Value;

/// A name: a keyword where it can be one, else a text.
pub(super) fn name(out: &mut String, word: &str) {
    if can_be_keyword(word) {
        out.push(':');
        out.push_str(word);
    } else {
        text(out, word);
    }
}

/// A value of the function `f`, whose transactions are lists of steps such as `[:append 1 2]`.
pub(super) fn value(out: &mut String, f: &str, value: &Value) {
    match value {
        Value::Array(steps) if f == "txn" => sequence(out, steps, |out, step| match step.as_array() {
            Some(parts) => sequence(out, parts, |out, part| match part {
                Value::String(head) if std::ptr::eq(part, &raw const parts[0]) => name(out, head),
                part => plain(out, part),
            }),
            None => plain(out, step),
        }),
        other => plain(out, other),
    }
}

fn plain(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("nil"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => {
            out.push_str(&n.to_string());
            // Clojure's integers have 64 bits with a sign, unless they say so.
            if n.is_u64() && !n.is_i64() {
                out.push('N');
            }
        }
        Value::String(word) => text(out, word),
        Value::Array(items) => sequence(out, items, plain),
        Value::Object(entries) => {
            out.push('{');
            for (place, (key, value)) in entries.iter().enumerate() {
                if place > 0 {
                    out.push_str(", ");
                }
                // A number as a key comes back as the same text.
                match key.parse::<i64>() {
                    Ok(n) if n.to_string() == *key => out.push_str(key),
                    _ => name(out, key),
                }
                out.push(' ');
                plain(out, value);
            }
            out.push('}');
        }
    }
}

fn sequence(out: &mut String, items: &[Value], mut each: impl FnMut(&mut String, &Value)) {
    out.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(' ');
        }
        each(out, item);
    }
    out.push(']');
}

fn text(out: &mut String, word: &str) {
    out.push('"');
    for letter in word.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() => {
                // All control characters have at most four digits.
                out.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Whether a keyword of this name reads back as itself everywhere.
fn can_be_keyword(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.?!".contains(c))
}
