//! What growler says to whoever started it: results on standard output, everything else on standard error.
//!
//! Either may go away while a test runs (`growler test 2>&1 | head -1`). Then growler goes on in silence: a test
//! is there for its verdict and its report, and they do not depend on who is listening. The print macros of the
//! standard library panic there, so that nothing but these two functions may write to the streams
//! (`harness/tests/tidy.rs`).

use std::io::Write;

/// A line of results, or several, to standard output.
pub(crate) fn print(text: &str) {
    write_line(std::io::stdout().lock(), text);
}

/// A line for people, to standard error.
pub(crate) fn say(text: &str) {
    write_line(std::io::stderr().lock(), text);
}

fn write_line(mut stream: impl Write, text: &str) {
    // In one piece: what other processes write to the same stream does not get in between.
    let _ = stream.write_all(format!("{text}\n").as_bytes());
    let _ = stream.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        write_line(writer, "nobody hears this");
    }
}
