//! The trees that expressions are parsed into.
//!
//! Placeholders are gone: names and values are in place, so a tree means the same wherever it is
//! evaluated. Trees are part of the log's format; changing one is a change of that format.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::item::AttributeValue;

/// A document path: `a.b[3].c`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Path {
    /// The top-level attribute.
    pub root: String,
    /// The steps below it.
    pub steps: Vec<Step>,
}

/// One step of a document path below the top level.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// A map's member.
    Name(String),
    /// A list's element, from 0.
    Index(u32),
}

/// Something with a value, in a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operand {
    /// What the item has at this path.
    Path(Path),
    /// A constant.
    Value(AttributeValue),
    /// The size of what the item has at this path.
    Size(Path),
}

/// The six comparators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparator {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A condition or filter expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// All hold.
    And(Vec<Self>),
    /// At least one holds.
    Or(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// Two operands compare so.
    Compare(Comparator, Operand, Operand),
    /// The first is between the other two, both included.
    Between(Operand, Operand, Operand),
    /// The first equals one of the others.
    In(Operand, Vec<Operand>),
    /// The path has a value.
    AttributeExists(Path),
    /// The path has no value.
    AttributeNotExists(Path),
    /// The path has a value of the type with this name.
    AttributeType(Path, String),
    /// The first starts with the second.
    BeginsWith(Operand, Operand),
    /// The first, a string, set or list, contains the second.
    Contains(Operand, Operand),
}

/// An update expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// `SET path = value`.
    pub set: Vec<(Path, SetValue)>,
    /// `REMOVE path`.
    pub remove: Vec<Path>,
    /// `ADD path value`: a number is added, a set united.
    pub add: Vec<(Path, AttributeValue)>,
    /// `DELETE path set`: the set's members are taken out.
    pub delete: Vec<(Path, AttributeValue)>,
}

/// The right-hand side of a `SET`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetValue {
    /// One operand.
    Operand(SetOperand),
    /// `a + b`.
    Plus(SetOperand, SetOperand),
    /// `a - b`.
    Minus(SetOperand, SetOperand),
}

/// An operand of a `SET`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetOperand {
    /// What the item had at this path.
    Path(Path),
    /// A constant.
    Value(AttributeValue),
    /// What the item had at this path, or else the operand.
    IfNotExists(Path, Box<Self>),
    /// The two lists, one after the other.
    ListAppend(Box<Self>, Box<Self>),
}

/// A projection expression: the paths to return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Projection(pub Vec<Path>);

impl Path {
    /// A top-level attribute.
    #[must_use]
    pub fn attribute(name: &str) -> Self {
        Self { root: name.to_owned(), steps: Vec::new() }
    }
}

impl fmt::Display for Path {
    /// The way DynamoDB writes paths in its messages: `[a, b, [3]]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}", self.root)?;
        for step in &self.steps {
            match step {
                Step::Name(name) => write!(f, ", {name}")?,
                Step::Index(index) => write!(f, ", [{index}]")?,
            }
        }
        f.write_str("]")
    }
}

impl Condition {
    /// Collects every path that the condition reads.
    pub fn paths<'a>(&'a self, out: &mut Vec<&'a Path>) {
        match self {
            Self::And(all) | Self::Or(all) => all.iter().for_each(|condition| condition.paths(out)),
            Self::Not(condition) => condition.paths(out),
            Self::Compare(_, left, right) | Self::BeginsWith(left, right) | Self::Contains(left, right) => {
                out.extend(left.path().into_iter().chain(right.path()));
            }
            Self::Between(value, low, high) => {
                out.extend([value, low, high].into_iter().filter_map(Operand::path));
            }
            Self::In(value, among) => {
                out.extend(std::iter::once(value).chain(among).filter_map(Operand::path));
            }
            Self::AttributeExists(path) | Self::AttributeNotExists(path) | Self::AttributeType(path, _) => {
                out.push(path);
            }
        }
    }
}

impl Operand {
    /// The path that it reads, if it reads one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) | Self::Size(path) => Some(path),
            Self::Value(_) => None,
        }
    }
}

impl Update {
    /// Every path that the update writes, section by section.
    pub fn targets(&self) -> impl Iterator<Item = &Path> {
        let set = self.set.iter().map(|(path, _)| path);
        let add = self.add.iter().map(|(path, _)| path);
        let delete = self.delete.iter().map(|(path, _)| path);
        set.chain(&self.remove).chain(add).chain(delete)
    }
}
