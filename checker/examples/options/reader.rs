//! The options of the commands that compare histories: those that all have, and a way to take the rest.
//!
//! What is not understood ends the reading, so that no command runs with other options than were meant.

/// What every comparison can be told.
pub(crate) struct Common {
    /// On how many threads: `--threads N`, 1 if not given.
    pub(crate) threads: u64,
    /// Whether to end at the first mismatch: `--stop`.
    pub(crate) stop: bool,
}

/// Reads the command's arguments. What is not common goes to `take`, a name with its text; none if it is not
/// understood there either.
pub(crate) fn read(mut take: impl FnMut(&str, &str) -> Option<()>) -> Option<Common> {
    let mut common = Common { threads: 1, stop: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--stop" {
            common.stop = true;
            continue;
        }
        let text = arguments.next()?;
        match name.as_str() {
            "--threads" => common.threads = text.parse().ok().filter(|&threads| threads > 0)?,
            other => take(other, &text)?,
        }
    }
    Some(common)
}
