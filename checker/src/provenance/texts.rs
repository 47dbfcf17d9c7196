//! Which strings can have come of puts and appends.
//!
//! A string that is read begins with one that was put (or with nothing), and goes on with strings that were appended,
//! all invoked before the answer came. How often each was appended is not counted: that is a question for a search.
//! Where the beginning was read before, the walk starts behind it. Time: the length of a string times the number of
//! different lengths of appends.

use std::collections::HashMap;

use super::sources::NEVER;
use crate::history::hash::Fast;

/// Which operations count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Those that were invoked in time and did not certainly fail.
    Effect,
    /// Those too that failed.
    Attempt,
    /// Those too that were invoked later.
    Ever,
}

/// Pieces of one sort, by their text.
#[derive(Debug, Default)]
struct Pieces<'h> {
    known: HashMap<&'h [u8], (u32, u32), Fast>,
    lengths: Vec<usize>,
}

impl<'h> Pieces<'h> {
    fn add(&mut self, piece: &'h str, call: u32, failed: bool) {
        let (happened, tried) = self.known.entry(piece.as_bytes()).or_insert((NEVER, NEVER));
        let first = if failed { tried } else { happened };
        *first = call.min(*first);
        if let Err(at) = self.lengths.binary_search(&piece.len()) {
            self.lengths.insert(at, piece.len());
        }
    }

    /// The lengths of the pieces that stand at the beginning of a text.
    fn at<'t>(&'t self, text: &'t [u8], end: u32, by: By) -> impl Iterator<Item = usize> + 't {
        let fitting = self.lengths.iter().copied().take_while(|&length| length <= text.len());
        fitting.filter(move |&length| {
            let Some(&(call, failed)) = self.known.get(&text[..length]) else { return false };
            match by {
                By::Effect => call < end,
                By::Attempt => call.min(failed) < end,
                By::Ever => call != NEVER,
            }
        })
    }
}

/// The strings that were put and appended to one key.
#[derive(Debug, Default)]
pub(crate) struct Texts<'h> {
    puts: Pieces<'h>,
    appends: Pieces<'h>,
    /// A string that was explained, and where its answer came.
    last: Option<(&'h str, u32)>,
}

impl<'h> Texts<'h> {
    /// Takes in an operation.
    pub(crate) fn add(&mut self, is_put: bool, piece: &'h str, call: u32, failed: bool) {
        let pieces = if is_put { &mut self.puts } else { &mut self.appends };
        pieces.add(piece, call, failed);
    }

    /// Whether an answer that came at this position may show this string; it is kept if so.
    pub(crate) fn explain(&mut self, text: &'h str, end: u32) -> bool {
        let known = self.last.filter(|&(last, came)| came <= end && text.starts_with(last));
        let goes_on = known.is_some_and(|(last, _)| self.leads(text, vec![last.len()], end, By::Effect));
        let explained = goes_on || self.can_be(text, end, By::Effect);
        if explained {
            self.last = Some((text, end));
        }
        explained
    }

    /// Whether operations of this sort explain a string.
    pub(crate) fn can_be(&self, text: &str, end: u32, by: By) -> bool {
        let puts = self.puts.at(text.as_bytes(), end, by);
        self.leads(text, std::iter::once(0).chain(puts).collect(), end, by)
    }

    /// Whether appends lead from one of these places to the end of a string.
    fn leads(&self, text: &str, mut open: Vec<usize>, end: u32, by: By) -> bool {
        let text = text.as_bytes();
        let mut reached = vec![false; text.len() + 1];
        while let Some(at) = open.pop() {
            if at == text.len() {
                return true;
            }
            if !std::mem::replace(&mut reached[at], true) {
                open.extend(self.appends.at(&text[at..], end, by).map(|length| at + length));
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_made_of_what_was_put_and_appended() {
        let mut texts = Texts::default();
        texts.add(false, "ab", 0, false);
        texts.add(true, "x", 2, false);
        texts.add(false, "abc", 4, false);
        texts.add(false, "z", 5, true);
        for (text, end, expected) in [
            ("", 1, true),
            ("ab", 1, true),
            ("x", 1, false),
            ("xab", 3, true),
            ("abx", 9, false),
            ("xabcab", 9, true),
            ("xabcabz", 9, false),
            ("xabcababc", 4, false),
        ] {
            assert_eq!(texts.explain(text, end), expected, "{text} at {end}");
        }
        assert!(texts.can_be("xabcabz", 9, By::Attempt) && !texts.can_be("xabcabz", 9, By::Ever));
        assert!(texts.can_be("xabc", 3, By::Ever));
    }
}
