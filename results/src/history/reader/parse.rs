//! Parses blocks of lines on all processors, and gives the results out in the order of the file.
//!
//! Block number *n* goes to worker number *n* modulo their number, and results are taken in the same turn.
//! So the order never depends on who was faster, and nothing has to be sorted. Only a few blocks are under
//! way at a time: the reader waits for the workers, not the memory for the reader. Each worker shares text
//! among the events that it parsed; events of two workers that say the same are equal all the same.

use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope};

use growler_checker::history::{Event, Names};
use memchr::memchr;

use super::blocks::{Blocks, End};

/// Blocks that wait for one worker or for being taken from it.
const AHEAD: usize = 2;

/// A block and what was found in it.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    text: Vec<u8>,
    /// The events up to the end, or up to the first line that is none.
    pub(super) events: Vec<Event>,
    /// Lines in the block.
    pub(super) lines: u64,
    /// The first line that is no event.
    pub(super) bad: Option<Bad>,
}

/// A line that is no event.
#[derive(Debug)]
pub(super) struct Bad {
    /// Its place in the block, from 0.
    pub(super) line: u64,
    /// What is wrong with it.
    pub(super) error: serde_json::Error,
    /// Whether nothing is wrong but that it was not written to its end: it ends too early, or holds a byte that
    /// no JSON has and that a file system puts where nothing was written.
    pub(super) cut: bool,
    /// Whether only white space follows in the block.
    last: bool,
}

impl Parsed {
    /// Parses the text.
    fn parse(&mut self, names: &mut Names) {
        self.events.clear();
        (self.lines, self.bad) = (0, None);
        let mut rest = &self.text[..];
        while !rest.is_empty() {
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let line = rest[..end].trim_ascii_end();
            rest = rest.get(end + 1..).unwrap_or_default();
            if !line.is_empty() {
                match names.event(line) {
                    Ok(event) => self.events.push(event),
                    Err(error) => {
                        let last = rest.trim_ascii().is_empty();
                        let cut = error.is_eof() || line.contains(&0);
                        self.bad = Some(Bad { line: self.lines, error, cut, last });
                        return;
                    }
                }
            }
            self.lines += 1;
        }
    }

    /// How many events there are in so many bytes, if they are like those of this block.
    pub(super) fn events_in(&self, bytes: u64) -> usize {
        let events = u128::from(bytes) * self.events.len() as u128 / (self.text.len() as u128).max(1);
        usize::try_from(events).unwrap_or(usize::MAX)
    }

    /// The place in the block, from 0, of the line of an event, given its place among the events.
    pub(super) fn line_of(&self, event: usize) -> u64 {
        let lines = self.text.split(|&byte| byte == b'\n').zip(0..);
        let mut filled = lines.filter(|(line, _)| !line.trim_ascii_end().is_empty());
        filled.nth(event).map_or(0, |(_, number)| number)
    }
}

/// A thread that parses.
struct Worker {
    blocks: SyncSender<Parsed>,
    results: Receiver<Parsed>,
}

impl Worker {
    fn start<'scope>(scope: &'scope Scope<'scope, '_>) -> Self {
        let (blocks, inbox) = sync_channel::<Parsed>(AHEAD);
        let (outbox, results) = sync_channel(AHEAD);
        scope.spawn(move || {
            let mut names = Names::default();
            for mut block in inbox {
                block.parse(&mut names);
                if outbox.send(block).is_err() {
                    return;
                }
            }
        });
        Self { blocks, results }
    }
}

/// The parsed blocks of a file, in its order.
pub(super) struct Pipeline<'scope, 'env, R> {
    scope: &'scope Scope<'scope, 'env>,
    blocks: Blocks<R>,
    workers: Vec<Worker>,
    /// As many as there are processors; each is started when there is a block for it.
    workers_max: usize,
    sent: usize,
    taken: usize,
    /// Blocks to be filled again.
    spare: Vec<Parsed>,
}

impl<'scope, 'env, R: Read> Pipeline<'scope, 'env, R> {
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>, input: R) -> Self {
        let workers_max = thread::available_parallelism().map_or(1, usize::from);
        let blocks = Blocks::new(input);
        Self { scope, blocks, workers: Vec::new(), workers_max, sent: 0, taken: 0, spare: Vec::new() }
    }

    /// The next block; none at the end.
    pub(super) fn next(&mut self) -> Option<Parsed> {
        while self.sent - self.taken < AHEAD * self.workers_max {
            let mut block = self.spare.pop().unwrap_or_default();
            if !self.blocks.fill(&mut block.text) {
                break;
            }
            let turn = self.sent % self.workers_max;
            if turn == self.workers.len() {
                self.workers.push(Worker::start(self.scope));
            }
            self.workers[turn].blocks.send(block).ok()?;
            self.sent += 1;
        }
        // Nothing comes from a worker that panicked: the scope passes its panic on.
        let turn = self.taken % self.workers_max;
        let block = if self.taken < self.sent { self.workers[turn].results.recv().ok() } else { None };
        self.taken += usize::from(block.is_some());
        block
    }

    /// Takes a block back whose events were taken.
    pub(super) fn reuse(&mut self, block: Parsed) {
        self.spare.push(block);
    }

    /// Whether only white space comes after a bad line. Reads on to know.
    pub(super) fn nothing_follows(&mut self, bad: &Bad) -> bool {
        if !bad.last {
            return false;
        }
        while let Some(block) = self.next() {
            if !block.text.trim_ascii().is_empty() {
                return false;
            }
        }
        self.blocks.nothing_left()
    }

    /// How the file ended, after its last block.
    pub(super) fn end(&mut self) -> End {
        self.blocks.end()
    }
}
