//! A file as blocks of whole lines.
//!
//! Every block but the last ends with a line end, so blocks can be parsed each by itself. A block is about
//! [`SIZE`] bytes, more only where one line is longer than that: memory does not grow with the file. A file
//! that breaks off (a compressed one whose writer was killed) ends before the line that is not whole.

use std::io::{self, Read};

use memchr::memrchr;

/// Bytes read at once. Large enough that handing a block over costs nothing; small enough that a block is
/// still in the cache when it is parsed.
const SIZE: u64 = 1 << 18;

/// How the input ended.
#[derive(Debug)]
pub(super) enum End {
    /// With the last byte of the file.
    Whole,
    /// A compressed file ended in the middle.
    CutShort,
    /// It could not be read on.
    Broken(io::Error),
}

/// Reads blocks.
#[derive(Debug)]
pub(super) struct Blocks<R> {
    input: R,
    /// The beginning of a line whose end has not been read.
    rest: Vec<u8>,
    end: Option<End>,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, rest: Vec::new(), end: None }
    }

    /// Replaces what is in `block` by the next lines. False after the last one.
    pub(super) fn fill(&mut self, block: &mut Vec<u8>) -> bool {
        block.clear();
        block.append(&mut self.rest);
        while self.end.is_none() {
            let old = block.len();
            match (&mut self.input).take(SIZE).read_to_end(block) {
                Ok(0) => self.end = Some(End::Whole),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => self.end = Some(End::CutShort),
                Err(e) => self.end = Some(End::Broken(e)),
            }
            if let Some(at) = memrchr(b'\n', &block[old..]) {
                let whole = old + at + 1;
                self.rest.extend_from_slice(&block[whole..]);
                block.truncate(whole);
                return true;
            }
        }
        if !matches!(self.end, Some(End::Whole)) {
            // Half a line: not to be parsed, but not forgotten by `nothing_left` either.
            self.rest.append(block);
        }
        !block.is_empty()
    }

    /// How the input ended, once [`Self::fill`] found the end.
    pub(super) fn end(&mut self) -> End {
        self.end.take().unwrap_or(End::Whole)
    }

    /// Whether all was given out that was in the file, but for white space.
    pub(super) fn nothing_left(&self) -> bool {
        !matches!(self.end, Some(End::Broken(_))) && self.rest.trim_ascii().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(input: impl Read) -> (Vec<Vec<u8>>, End, bool) {
        let mut blocks = Blocks::new(input);
        let (mut block, mut all) = (Vec::new(), Vec::new());
        while blocks.fill(&mut block) {
            all.push(block.clone());
        }
        let clean = blocks.nothing_left();
        (all, blocks.end(), clean)
    }

    /// An input that fails after its last byte.
    struct Fails<'a>(&'a [u8], io::ErrorKind);

    impl Read for Fails<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer) {
                Ok(0) => Err(self.1.into()),
                other => other,
            }
        }
    }

    #[test]
    fn blocks_end_with_lines_and_together_are_the_file() {
        let mut text = Vec::new();
        for n in 0..9 {
            text.extend(vec![b'a' + n; 100_000]);
            text.push(b'\n');
        }
        // A line longer than a block, and one without an end.
        text.extend(vec![b'x'; 3 << 18]);
        text.extend(b"\nlast");
        let (all, end, clean) = blocks(&text[..]);
        assert!(all.len() > 4 && matches!(end, End::Whole) && clean);
        assert_eq!(all.concat(), text);
        let (last, whole) = all.split_last().unwrap();
        assert!(whole.iter().all(|block| block.ends_with(b"\n")) && last == b"last");
    }

    #[test]
    fn an_empty_file_has_no_block() {
        assert!(matches!(blocks(&b""[..]), (all, End::Whole, true) if all.is_empty()));
    }

    #[test]
    fn what_breaks_off_ends_before_the_half_line() {
        let (all, end, clean) = blocks(Fails(b"one\ntw", io::ErrorKind::UnexpectedEof));
        assert_eq!(all, [b"one\n"]);
        assert!(matches!(end, End::CutShort) && !clean);
        let (all, end, clean) = blocks(Fails(b"one\n", io::ErrorKind::UnexpectedEof));
        assert!(all.len() == 1 && matches!(end, End::CutShort) && clean);
        let (_, end, clean) = blocks(Fails(b"one\n", io::ErrorKind::PermissionDenied));
        assert!(matches!(end, End::Broken(_)) && !clean);
    }
}
