//! Extensible data notation (EDN), as Clojure's tools write it.
//!
//! [`Reader`] takes bytes from a stream and gives one form after the other, so a file of any length needs
//! the memory of its longest form. Every form knows where it began, because whoever meets a malformed one
//! wants to be sent to its line. Beyond the notation's own document it reads what Clojure's printer writes:
//! `#:ns{…}` for maps of qualified keywords, hexadecimal and octal numbers, `##Inf`.
//!
//! It must never panic and never recurse without limit, whatever the bytes are. It must never guess: what
//! is no EDN is refused with its line, its column and what was expected there.

mod reader;
mod token;

use std::fmt;

pub(super) use reader::Reader;

/// Forms may be nested this deep; deeper ones are refused, before the stack ends.
pub(super) const DEEPEST: usize = 100;

/// A place in a file, both counted from 1; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: u64,
    pub(super) column: u64,
}

impl Position {
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

/// A form, and where it began.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Form {
    pub(super) at: Position,
    pub(super) node: Node,
}

/// What a form is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Nil,
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    Float(f64),
    /// A number that neither holds: a greater integer, a ratio, an exact decimal, an infinity. In its text
    /// as Clojure prints it.
    Number(String),
    Text(String),
    Char(char),
    /// Without its colon.
    Keyword(String),
    Symbol(String),
    List(Vec<Form>),
    Vector(Vec<Form>),
    Set(Vec<Form>),
    /// No key comes twice, as far as keys are keywords.
    Map(Vec<(Form, Form)>),
    /// The tag without its hash, and what it is on.
    Tagged(String, Box<Form>),
}

impl Node {
    /// What it is, for messages.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Nil => "nil".to_owned(),
            Self::Bool(b) => b.to_string(),
            Self::Int(n) => n.to_string(),
            Self::Float(n) => n.to_string(),
            Self::Number(n) => n.clone(),
            Self::Text(s) => format!("the text {s:?}"),
            Self::Char(c) => format!("the character {c:?}"),
            Self::Keyword(k) => format!(":{k}"),
            Self::Symbol(s) => format!("the symbol {s}"),
            Self::List(_) => "a list".to_owned(),
            Self::Vector(_) => "a vector".to_owned(),
            Self::Set(_) => "a set".to_owned(),
            Self::Map(_) => "a map".to_owned(),
            Self::Tagged(tag, _) => format!("a value tagged #{tag}"),
        }
    }
}

/// What is wrong with the input, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) at: Position,
    pub(super) reason: String,
    /// Nothing is wrong but that the input ends here: its writer was killed, or it was copied in part.
    pub(super) cut: bool,
}

impl Flaw {
    pub(super) fn new(at: Position, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into(), cut: false }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (column {})", self.reason, self.at.column)
    }
}
