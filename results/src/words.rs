//! Numbers and lists as people read them. Pure, and the same everywhere: reasons, summary, report.

/// A time or a length in seconds, to the millisecond: `12.031 s`.
pub(crate) fn seconds(ns: u64) -> String {
    let ms = (ns + 500_000) / 1_000_000;
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

/// A length in the unit that suits it, to three digits: `340 µs`, `3.41 ms`, `12.0 s`.
pub(crate) fn duration(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000_000 => (ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let digits = if value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    if ns == 0 { "0 s".to_owned() } else { format!("{value:.digits$} {unit}") }
}

/// A count with a thin space between thousands: `61 233`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A share as a percentage that never rounds up to 100: `99.97 %`.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    if part == whole {
        return "100 %".to_owned();
    }
    let hundredths = (u128::from(part) * 10_000 / u128::from(whole)) as u64;
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn join_and<S: AsRef<str>>(words: &[S], and: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} {and} {}", first.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(seconds(12_031_499_999), "12.031 s");
        let lengths = [0, 340_000, 3_412_000, 99_960_000, 12_000_000_000].map(duration);
        assert_eq!(lengths, ["0 s", "340 µs", "3.41 ms", "100 ms", "12.0 s"]);
        assert_eq!(count(1_061_233), "1\u{202f}061\u{202f}233");
        assert_eq!([share(2, 2), share(99_999, 100_000), share(0, 0)], ["100 %", "99.99 %", "–"]);
        assert_eq!(join_and(&["a", "b", "c"], "and"), "a, b and c");
    }
}
