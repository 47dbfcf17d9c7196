//! Operations as a checker is given them: parsed, values interned, times left out but for their order.
//!
//! And a plain text of them, in which histories are handed to other programs (`examples/porcupine`) and to
//! the processes whose memory is measured. The first line is a head, each other line an operation, in order
//! of invocation:
//!
//! ```text
//! registers 1 <operations> <values of key 0> <values of key 1> …
//! <key> <call> <return> <need> <set>
//! ```
//!
//! `return` is `?` for an operation that was never answered: it may take effect at any moment after its call,
//! or never. `need` is what must have been in force: `*` anything, `=4` the value 4, `!4` any other, `x` it
//! cannot have happened. `set` is the value in force afterwards, `-` if nothing changes. Value 0 is *absent*,
//! and in force at first. Every key counts its values from 0. No two moments are equal.

use std::io::{self, BufRead, Write};

use growler_checker::linearizability::{END, Job};
use growler_checker::model::register::{Need, RegisterOp, Symbol};

use crate::simulation::History;

/// The operations of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operations {
    /// In order of invocation.
    pub jobs: Vec<Job<RegisterOp>>,
    /// The key of each job; empty if there is but one.
    pub keys: Vec<u32>,
    /// Per key, the number of its values.
    pub values: Vec<u32>,
}

/// Why a text is none of operations.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be read.
    #[error("cannot read the operations: {0}")]
    Io(#[from] io::Error),
    /// A line that says nothing known.
    #[error("line {line}: expected {expected}, found {found:?}; write the file with the program `histories`")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What belongs there.
        expected: &'static str,
        /// What was there.
        found: String,
    },
}

const HEAD: &str = "`registers 1 <operations> <values per key>…`";
const BODY: &str = "`<key> <call> <return> <need> <set>`";

impl From<&History> for Operations {
    fn from(history: &History) -> Self {
        let told = || history.operations.iter().filter_map(|op| Some((op.key, op.job()?)));
        let many = history.values.len() > 1;
        // Two passes instead of growing lists: what is measured beside them must not see their leftovers.
        let count = told().count();
        let mut operations = Self {
            jobs: Vec::with_capacity(count),
            keys: Vec::with_capacity(if many { count } else { 0 }),
            values: history.values.clone(),
        };
        for (key, job) in told() {
            operations.jobs.push(job);
            if many {
                operations.keys.push(key);
            }
        }
        operations
    }
}

impl Operations {
    /// The bytes that they occupy.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(self.jobs.as_slice())
            + size_of_val(self.keys.as_slice())
            + size_of_val(self.values.as_slice())
    }

    /// Writes them as text.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        write!(to, "registers 1 {}", self.jobs.len())?;
        for count in &self.values {
            write!(to, " {count}")?;
        }
        writeln!(to)?;
        for (place, job) in self.jobs.iter().enumerate() {
            write!(to, "{} {} ", self.keys.get(place).unwrap_or(&0), job.call)?;
            if job.must {
                write!(to, "{} ", job.ret)?;
            } else {
                write!(to, "? ")?;
            }
            match job.op.need {
                Need::Any => write!(to, "* ")?,
                Need::Is(value) => write!(to, "={value} ")?,
                Need::Not(value) => write!(to, "!{value} ")?,
                Need::Never => write!(to, "x ")?,
            }
            match job.op.set {
                Some(value) => writeln!(to, "{value}")?,
                None => writeln!(to, "-")?,
            }
        }
        Ok(())
    }

    /// Reads what [`Operations::write`] wrote.
    ///
    /// # Errors
    ///
    /// The reader's, and lines of another shape.
    pub fn read(from: &mut impl BufRead) -> Result<Self, ReadError> {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let wrong = |number: usize, expected, line: &str| ReadError::Line {
            line: number,
            expected,
            found: line.trim_end().chars().take(80).collect(),
        };
        let (count, values) = head(&line).ok_or_else(|| wrong(1, HEAD, &line))?;
        let many = values.len() > 1;
        let mut operations = Self {
            jobs: Vec::with_capacity(count),
            keys: Vec::with_capacity(if many { count } else { 0 }),
            values,
        };
        for number in 2..count + 2 {
            line.clear();
            from.read_line(&mut line)?;
            let (key, job) = body(&line).ok_or_else(|| wrong(number, BODY, &line))?;
            if key as usize >= operations.values.len() {
                return Err(wrong(number, "a key that the head counts", &line));
            }
            operations.jobs.push(job);
            if many {
                operations.keys.push(key);
            }
        }
        Ok(operations)
    }
}

fn head(line: &str) -> Option<(usize, Vec<u32>)> {
    let mut words = line.strip_prefix("registers 1 ")?.split_ascii_whitespace();
    let count = words.next()?.parse().ok()?;
    let values: Option<Vec<u32>> = words.map(|word| word.parse().ok()).collect();
    Some((count, values.filter(|values| !values.is_empty())?))
}

fn body(line: &str) -> Option<(u32, Job<RegisterOp>)> {
    let mut words = line.split_ascii_whitespace();
    let mut next = || words.next();
    let key = next()?.parse().ok()?;
    let call = next()?.parse().ok()?;
    let (ret, must) = match next()? {
        "?" => (END, false),
        ret => (ret.parse().ok()?, true),
    };
    let need = match next()?.split_at_checked(1)? {
        ("*", "") => Need::Any,
        ("=", value) => Need::Is(value.parse().ok()?),
        ("!", value) => Need::Not(value.parse().ok()?),
        ("x", "") => Need::Never,
        _ => return None,
    };
    let set = match next()? {
        "-" => None,
        value => Some(value.parse::<Symbol>().ok()?),
    };
    Some((key, Job { op: RegisterOp { need, set }, call, ret, must }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{Mix, Simulation};

    #[test]
    fn what_is_written_is_read() -> Result<(), ReadError> {
        let plan = Simulation {
            operations: 500,
            keys: 3,
            clients: 7,
            mix: Mix::ITEM,
            unanswered: 0.1,
            bursts: None,
        };
        for keys in [1, 3] {
            let operations = Operations::from(&Simulation { keys, ..plan }.run(1));
            let mut text = Vec::new();
            operations.write(&mut text)?;
            assert_eq!(Operations::read(&mut text.as_slice())?, operations);
        }
        Ok(())
    }

    #[test]
    fn other_text_is_refused_by_its_line() {
        let read = |text: &str| Operations::read(&mut text.as_bytes()).map_err(|error| error.to_string());
        assert!(read("").is_err_and(|error| error.starts_with("line 1: expected `registers 1")));
        assert!(read("registers 1 2 4\n0 1 2 * 3\n").is_err_and(|error| error.starts_with("line 3")));
        assert!(read("registers 1 1 4\n0 1 2 =? 3\n").is_err_and(|error| error.starts_with("line 2")));
        assert!(read("registers 1 1 4\n1 1 2 * 3\n").is_err_and(|error| error.contains("a key that")));
    }
}
