//! Integers that 64 bits cannot hold.
//!
//! The JSON parser would take the nearest double for them, and two that differ for one. So they are put into
//! quotes before the parser sees them, as `18446744073709551617N`: with the letter that Clojure prints behind
//! such a number, so that none is taken for a text with the same digits. They can be compared, and that is all
//! that most checks ask of a value.
//!
//! Most lines have no such number, and to know that costs a look at one byte in twenty.

/// So many digits an integer of 64 bits may have and not fit.
const DIGITS: usize = 19;

/// The line with its great integers in quotes; none where it has none.
pub(super) fn exact(line: &[u8]) -> Option<Vec<u8>> {
    if !has_long_digits(line) {
        return None;
    }
    let mut out: Vec<u8> = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            b'"' => at = end_of_text(line, at),
            b'-' | b'0'..=b'9' => {
                let end = end_of_number(line, at);
                if is_great(&line[at..end]) {
                    out.extend_from_slice(&line[copied..at]);
                    out.push(b'"');
                    out.extend_from_slice(&line[at..end]);
                    out.extend_from_slice(b"N\"");
                    copied = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    (copied > 0).then(|| {
        out.extend_from_slice(&line[copied..]);
        out
    })
}

/// Whether so many digits follow one another anywhere: of each row of them one stands at a multiple.
fn has_long_digits(line: &[u8]) -> bool {
    let digit = |at: &usize| line.get(*at).is_some_and(u8::is_ascii_digit);
    (DIGITS - 1..line.len()).step_by(DIGITS).filter(digit).any(|at| {
        let before = (0..at).rev().take_while(digit).take(DIGITS).count();
        let after = (at..line.len()).take_while(digit).take(DIGITS).count();
        before + after >= DIGITS
    })
}

/// Behind the text that begins here.
fn end_of_text(line: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < line.len() {
        match line[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    line.len()
}

fn end_of_number(line: &[u8], start: usize) -> usize {
    let of_number = |byte: &&u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    start + line[start..].iter().take_while(of_number).count()
}

/// Whether it is a whole number of JSON that needs more than 64 bits.
fn is_great(number: &[u8]) -> bool {
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    let whole = digits.len() >= DIGITS && digits[0] != b'0' && digits.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(number).unwrap_or_default();
    whole && text.parse::<i64>().is_err() && text.parse::<u64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exactly(line: &str) -> String {
        exact(line.as_bytes()).map_or_else(|| line.to_owned(), |line| String::from_utf8(line).unwrap())
    }

    #[test]
    fn integers_beyond_64_bits_are_quoted_wherever_they_stand() {
        let great = "18446744073709551616";
        for (line, expected) in [
            (great.to_owned(), format!("\"{great}N\"")),
            (format!("-{great}"), format!("\"-{great}N\"")),
            (format!("{{\"a\":[1,{great}, {great}]}}"), format!("{{\"a\":[1,\"{great}N\", \"{great}N\"]}}")),
            ("-9223372036854775809".to_owned(), "\"-9223372036854775809N\"".to_owned()),
            ("9".repeat(400), format!("\"{}N\"", "9".repeat(400))),
        ] {
            assert_eq!(exactly(&line), expected);
        }
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for line in [
            "18446744073709551615",
            "-9223372036854775808",
            "9223372036854775808",
            "18446744073709551616.0",
            "1844674407370955161600e2",
            "0.18446744073709551616",
            "018446744073709551616",
            "\"18446744073709551616\"",
            "\"a\\\"18446744073709551616\"",
            "{\"18446744073709551616\":1}",
            "",
            "\"18446744073709551616",
        ] {
            assert_eq!(exactly(line), line);
        }
    }

    #[test]
    fn a_row_of_digits_is_found_at_every_place() {
        for before in 0..60 {
            let line =
                |digits: usize| format!("{}{}{}", " ".repeat(before), "1".repeat(digits), " ".repeat(7));
            assert!(has_long_digits(line(DIGITS).as_bytes()), "{before}");
            assert!(!has_long_digits(line(DIGITS - 1).as_bytes()), "{before}");
        }
    }
}
