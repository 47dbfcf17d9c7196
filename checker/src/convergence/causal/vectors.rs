//! Of each session, how much of every other one is in its past.

use super::NONE;
use crate::convergence::order::{Book, Place};

/// The vector clocks of all sessions, and those that writes carry to their readers.
#[derive(Debug)]
pub(super) struct Vectors {
    sessions: usize,
    /// Of each session a row of all sessions: how many of their operations are in its past.
    rows: Vec<u32>,
    /// The row of each write in [`Vectors::carried`], or [`NONE`] if no other session reads it.
    carriers: Vec<u32>,
    carried: Vec<u32>,
}

impl Vectors {
    /// Room for the vectors of a history, if it fits.
    pub(super) fn new(book: &Book<'_>, causes: &[Place], bytes: u64) -> Result<Self, String> {
        let sessions = book.sessions.len();
        let mut carriers = vec![NONE; book.entries.len()];
        let mut count = 0;
        for (read, &cause) in causes.iter().enumerate().filter(|&(_, &cause)| cause != NONE) {
            let carrier = &mut carriers[cause as usize];
            if *carrier == NONE && book.entry_at(cause).session != book.entries[read].session {
                *carrier = count;
                count += 1;
            }
        }
        let needed = (sessions as u64 + u64::from(count)) * sessions as u64 * 4;
        if needed > bytes {
            return Err(format!(
                "nothing was judged: the vector clocks of {sessions} sessions need {needed} bytes, and the budget \
                 is {bytes}"
            ));
        }
        let carried = vec![0; count as usize * sessions];
        Ok(Self { sessions, rows: vec![0; sessions * sessions], carriers, carried })
    }

    /// How many operations of `other` are in the past of `session`.
    pub(super) fn of(&self, session: u32, other: u32) -> u32 {
        self.rows[session as usize * self.sessions + other as usize]
    }

    /// A session has so many answered operations now.
    pub(super) fn advance(&mut self, session: u32, operations: u32) {
        self.rows[session as usize * self.sessions + session as usize] = operations;
    }

    /// A write of a session begins: it carries what the session knows, if another session reads it.
    pub(super) fn keep(&mut self, session: u32, write: Place) {
        let carrier = self.carriers[write as usize];
        if carrier != NONE {
            let from = session as usize * self.sessions;
            let row = &self.rows[from..from + self.sessions];
            self.carried[carrier as usize * self.sessions..][..self.sessions].copy_from_slice(row);
        }
    }

    /// A session reads a write of another: what it carries, and the write itself if it was answered, as the
    /// last of so many operations of its session.
    pub(super) fn learn(&mut self, session: u32, write: Place, writer: u32, answered: Option<u32>) {
        let from = session as usize * self.sessions;
        let row = &mut self.rows[from..from + self.sessions];
        let carrier = self.carriers[write as usize] as usize;
        let carried = &self.carried[carrier * self.sessions..][..self.sessions];
        for (known, &news) in row.iter_mut().zip(carried) {
            *known = news.max(*known);
        }
        let known = &mut row[writer as usize];
        *known = (*known).max(answered.unwrap_or(0));
    }
}
