//! The structure of EDN: collections, tags, comments and discarded forms, read from a stream.
//!
//! Bytes come in chunks; at most one chunk and the form being read are in memory. A history is either a
//! row of forms or one collection of them, and [`Reader::next`] makes no difference between the two: the
//! brackets around the whole are taken off, so that a vector of a million maps is never held as one form.

use std::io::{ErrorKind, Read};

use super::{DEEPEST, Flaw, Form, Node, Position};

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Reads forms from bytes.
pub(in crate::formats) struct Reader<R> {
    input: R,
    chunk: Box<[u8]>,
    /// What of the chunk is taken, and what of it is filled.
    taken: usize,
    filled: usize,
    at: Position,
    /// The line of the last byte that was not blank.
    last_ink: u64,
    /// The bracket around the whole, while it is open.
    around: Option<Bracket>,
    /// Where the form began that is being read at the top.
    form_began: Position,
    around_closed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Bracket {
    at: Position,
    open: u8,
}

impl<R: Read> Reader<R> {
    /// Reads from the start of a file.
    pub(in crate::formats) fn new(input: R) -> Self {
        Self::starting_at(input, Position::START, CHUNK_BYTES)
    }

    /// Reads from the middle of a file: of one line, say.
    pub(in crate::formats) fn starting_at(input: R, at: Position, chunk_bytes: usize) -> Self {
        Self {
            input,
            chunk: vec![0; chunk_bytes.max(16)].into_boxed_slice(),
            taken: 0,
            filled: 0,
            at,
            last_ink: at.line,
            around: None,
            form_began: at,
            around_closed: false,
        }
    }

    /// The next form at the top, or inside the one collection around the whole; `None` at the end.
    pub(in crate::formats) fn next(&mut self) -> Result<Option<Form>, Flaw> {
        loop {
            self.skip_blank(0)?;
            self.form_began = self.at;
            let Some(byte) = self.peek()? else {
                return match self.around {
                    None => Ok(None),
                    Some(bracket) => Err(self.cut(bracket.at, "this collection is never closed")),
                };
            };
            match (byte, self.around) {
                (b']' | b')', Some(bracket)) if byte == closing(bracket.open) => {
                    self.bump()?;
                    self.around = None;
                    self.around_closed = true;
                }
                (b'[' | b'(', None) if !self.around_closed => {
                    self.around = Some(Bracket { at: self.at, open: byte });
                    self.bump()?;
                }
                _ if self.around_closed => {
                    return Err(Flaw::new(
                        self.at,
                        "something follows the end of the collection of operations",
                    ));
                }
                (b'#', None) => {
                    if let Some(form) = self.tagged_at_the_top()? {
                        return Ok(Some(form));
                    }
                }
                _ => return self.form(0).map(Some),
            }
        }
    }

    /// The next form, with no brackets taken off; `None` at the end.
    pub(in crate::formats) fn next_within(&mut self) -> Result<Option<Form>, Flaw> {
        self.skip_blank(0)?;
        self.form_began = self.at;
        if self.peek()?.is_some() { self.form(0).map(Some) } else { Ok(None) }
    }

    /// Whether a flaw is only that the last line of the file was not written to its end.
    pub(in crate::formats) fn only_the_last_line_is_cut(&self, flaw: &Flaw) -> bool {
        flaw.cut && (self.form_began.line >= self.last_ink)
    }

    /// A tag may stand before the collection around the whole.
    fn tagged_at_the_top(&mut self) -> Result<Option<Form>, Flaw> {
        let at = self.at;
        let form_follows = matches!(self.peek_second()?, Some(b'{' | b':' | b'#'));
        if form_follows {
            return self.form(0).map(Some);
        }
        self.bump()?;
        let tag = self.tag(at)?;
        self.skip_blank(0)?;
        if let Some(b'[' | b'(') = self.peek()? {
            return Ok(None);
        }
        let form = self.form(1)?;
        Ok(Some(Form { at, node: Node::Tagged(tag, Box::new(form)) }))
    }

    /// One form of whatever kind. What is blank before it has been skipped.
    fn form(&mut self, depth: usize) -> Result<Form, Flaw> {
        let at = self.at;
        if depth > DEEPEST {
            return Err(Flaw::new(at, format!("forms are nested more than {DEEPEST} deep")));
        }
        let Some(byte) = self.peek()? else {
            return Err(self.cut(at, "a form should follow, but the file ends"));
        };
        let node = match byte {
            b'[' => Node::Vector(self.items(depth)?),
            b'(' => Node::List(self.items(depth)?),
            b'{' => Node::Map(self.entries(depth)?),
            b'"' => Node::Text(self.text()?),
            b'\\' => Node::Char(self.character()?),
            b'#' => self.dispatch(depth)?,
            b']' | b')' | b'}' => {
                let found = char::from(byte);
                return Err(Flaw::new(at, format!("`{found}` closes nothing that is open here")));
            }
            b'@' | b'^' | b'`' | b'~' | b'\'' => {
                let found = char::from(byte);
                return Err(Flaw::new(at, format!("`{found}` begins no form of EDN")));
            }
            _ => self.atom()?,
        };
        Ok(Form { at, node })
    }

    /// What follows a hash: a set, a map of qualified keywords, a number's name, or a tag.
    fn dispatch(&mut self, depth: usize) -> Result<Node, Flaw> {
        let at = self.at;
        self.bump()?;
        match self.peek()? {
            Some(b'{') => Ok(Node::Set(self.items(depth)?)),
            Some(b':') => {
                let Node::Keyword(space) = self.atom()? else {
                    return Err(Flaw::new(at, "`#:` needs a namespace and a map"));
                };
                self.skip_blank(depth)?;
                if self.peek()? != Some(b'{') {
                    return Err(self.cut_or(at, "a map should follow `#:` and its namespace"));
                }
                Ok(Node::Map(qualified(&space, self.entries(depth)?)))
            }
            Some(b'#') => {
                self.bump()?;
                match self.atom()? {
                    Node::Symbol(name) if ["Inf", "-Inf", "NaN"].contains(&name.as_str()) => {
                        Ok(Node::Number(format!("##{name}")))
                    }
                    _ => Err(self.cut_or(at, "`##` needs Inf, -Inf or NaN")),
                }
            }
            _ => {
                let tag = self.tag(at)?;
                self.skip_blank(depth)?;
                Ok(Node::Tagged(tag, Box::new(self.form(depth + 1)?)))
            }
        }
    }

    /// The name of a tag; its hash has been taken.
    fn tag(&mut self, at: Position) -> Result<String, Flaw> {
        match self.peek()? {
            Some(byte) if byte.is_ascii_alphabetic() || byte >= 0x80 => {}
            _ => return Err(self.cut_or(at, "a tag's name should follow `#`")),
        }
        match self.atom()? {
            Node::Symbol(name) => Ok(name),
            node => Err(Flaw::new(at, format!("{} cannot be a tag", node.describe()))),
        }
    }

    /// The forms up to the closing bracket of the one that comes next.
    fn items(&mut self, depth: usize) -> Result<Vec<Form>, Flaw> {
        let bracket = self.open()?;
        let mut items = Vec::new();
        loop {
            self.skip_blank(depth)?;
            match self.peek()? {
                None => return Err(self.cut(bracket.at, "this collection is never closed")),
                Some(byte) if byte == closing(bracket.open) => {
                    self.bump()?;
                    return Ok(items);
                }
                Some(_) => items.push(self.form(depth + 1)?),
            }
        }
    }

    /// A map's keys and values.
    fn entries(&mut self, depth: usize) -> Result<Vec<(Form, Form)>, Flaw> {
        let at = self.at;
        let mut entries: Vec<(Form, Form)> = Vec::new();
        let mut items = self.items(depth)?.into_iter();
        while let Some(key) = items.next() {
            let Some(value) = items.next() else {
                return Err(Flaw::new(key.at, format!("{} has no value in this map", key.node.describe())));
            };
            // A map that is used as an operation has a handful of keys, all of them keywords.
            let is_keyword = matches!(key.node, Node::Keyword(_));
            if is_keyword && entries.len() < 64 && entries.iter().any(|(other, _)| other.node == key.node) {
                let name = key.node.describe();
                return Err(Flaw::new(key.at, format!("{name} comes twice in the map of line {}", at.line)));
            }
            entries.push((key, value));
        }
        Ok(entries)
    }

    fn open(&mut self) -> Result<Bracket, Flaw> {
        let bracket = Bracket { at: self.at, open: self.peek()?.unwrap_or(b'[') };
        self.bump()?;
        Ok(bracket)
    }

    /// Skips white space, commas, comments, and forms that `#_` discards.
    pub(super) fn skip_blank(&mut self, depth: usize) -> Result<(), Flaw> {
        while let Some(byte) = self.peek()? {
            match byte {
                b',' => self.bump()?,
                _ if byte.is_ascii_whitespace() || byte == 0x0b => self.bump()?,
                b';' => {
                    while self.peek()?.is_some_and(|byte| byte != b'\n') {
                        self.bump()?;
                    }
                }
                b'#' if self.peek_second()? == Some(b'_') => {
                    self.bump()?;
                    self.bump()?;
                    if depth >= DEEPEST {
                        return Err(Flaw::new(self.at, format!("forms are nested more than {DEEPEST} deep")));
                    }
                    self.skip_blank(depth + 1)?;
                    self.form(depth + 1)?;
                }
                0xef if self.at == Position::START => self.skip_mark()?,
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Some editors put the mark EF BB BF before the first byte of a file.
    fn skip_mark(&mut self) -> Result<(), Flaw> {
        let at = self.at;
        for expected in [0xef, 0xbb, 0xbf] {
            if self.peek()? != Some(expected) {
                return Err(Flaw::new(at, "this is no text in UTF-8"));
            }
            self.bump()?;
        }
        self.at = at;
        Ok(())
    }

    /// The next byte, which stays.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<Option<u8>, Flaw> {
        if self.taken == self.filled {
            self.taken = 0;
            self.filled = 0;
            self.fill()?;
        }
        Ok(self.chunk[..self.filled].get(self.taken).copied())
    }

    /// The byte after the next one; both stay.
    fn peek_second(&mut self) -> Result<Option<u8>, Flaw> {
        if self.taken + 1 >= self.filled {
            self.chunk.copy_within(self.taken..self.filled, 0);
            self.filled -= self.taken;
            self.taken = 0;
            self.fill()?;
        }
        Ok(self.chunk[..self.filled].get(self.taken + 1).copied())
    }

    /// Reads more bytes behind those that are there. There is room for one at least.
    fn fill(&mut self) -> Result<(), Flaw> {
        loop {
            match self.input.read(&mut self.chunk[self.filled..]) {
                Ok(bytes) => {
                    self.filled += bytes;
                    return Ok(());
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(Flaw::new(self.at, format!("cannot read on: {e}"))),
            }
        }
    }

    /// Takes the next byte.
    #[inline]
    pub(super) fn bump(&mut self) -> Result<(), Flaw> {
        let Some(byte) = self.peek()? else { return Ok(()) };
        self.taken += 1;
        if byte == b'\n' {
            self.at = Position { line: self.at.line + 1, column: 1 };
        } else {
            // Bytes that continue a letter add nothing to the column.
            self.at.column += u64::from(byte & 0xc0 != 0x80);
            if !byte.is_ascii_whitespace() {
                self.last_ink = self.at.line;
            }
        }
        Ok(())
    }

    /// Where the next byte is.
    pub(in crate::formats) fn position(&self) -> Position {
        self.at
    }

    /// The input ends where it must not.
    pub(super) fn cut(&self, at: Position, reason: &str) -> Flaw {
        Flaw { at, reason: reason.to_owned(), cut: true }
    }

    /// Something is wrong, perhaps only because the input ends.
    pub(super) fn cut_or(&mut self, at: Position, reason: impl Into<String>) -> Flaw {
        let cut = matches!(self.peek(), Ok(None));
        Flaw { at, reason: reason.into(), cut }
    }
}

fn closing(open: u8) -> u8 {
    match open {
        b'(' => b')',
        b'{' => b'}',
        _ => b']',
    }
}

/// The entries of `#:space{…}`: keywords without a namespace get this one, and `:_/name` gets none.
fn qualified(space: &str, mut entries: Vec<(Form, Form)>) -> Vec<(Form, Form)> {
    for (key, _) in &mut entries {
        if let Node::Keyword(name) = &mut key.node {
            if let Some(bare) = name.strip_prefix("_/") {
                *name = bare.to_owned();
            } else if !name.contains('/') {
                *name = format!("{space}/{name}");
            }
        }
    }
    entries
}
