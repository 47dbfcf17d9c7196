//! What the grammars of all expressions share: the walk over tokens, document paths, placeholders,
//! limits, and how mistakes are told.
//!
//! A syntax error ends the parse at once. Every other mistake is noted, and the parse goes on, since
//! DynamoDB tells a syntax error rather than a mistake in meaning that stands before it; in the end
//! the most urgent of the noted ones is told.

use super::ast::{Path, Step};
use super::error::{ExpressionError, Reason};
use super::lexer::{Kind, Token, tokens};
use super::placeholders::Placeholders;
use super::reserved::is_reserved;
use crate::item::AttributeValue;

/// The longest expression, in bytes.
const MAX_LENGTH: usize = 4096;
/// The most operators and functions in an expression.
const MAX_OPERATORS: usize = 300;
/// How deep parentheses, functions and `NOT` may nest: a bound on the parser's own recursion, and on
/// that of whatever walks its trees.
const MAX_DEPTH: usize = 40;

/// A syntax error or a breached limit: the parse cannot go on. Boxed, as are the trees on their way
/// up, to keep the frames of the recursion small.
pub(super) type Parsed<T> = Result<T, Box<Reason>>;

/// A walk over the tokens of one expression.
pub(super) struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token<'a>>,
    position: usize,
    depth: usize,
    operators: usize,
    placeholders: &'a mut Placeholders,
    noted: Option<Reason>,
}

/// Parses one whole expression with the given grammar.
pub(super) fn parse_whole<'a, T>(
    parameter: &'static str,
    source: &'a str,
    placeholders: &'a mut Placeholders,
    grammar: impl FnOnce(&mut Parser<'a>) -> Parsed<T>,
) -> Result<T, ExpressionError> {
    let fail = |reason| ExpressionError { parameter, reason };
    if source.is_empty() {
        return Err(fail(Box::new(Reason::Empty)));
    }
    if source.len() > MAX_LENGTH {
        return Err(fail(Box::new(Reason::TooLong(source.len()))));
    }
    let tokens = tokens(source);
    let mut parser =
        Parser { source, tokens, position: 0, depth: 0, operators: 0, placeholders, noted: None };
    let tree = grammar(&mut parser).map_err(fail)?;
    if parser.peek().kind != Kind::End {
        return Err(fail(parser.syntax_error()));
    }
    if parser.operators > MAX_OPERATORS {
        let count = parser.operators;
        parser.note(Reason::TooManyOperators(count));
    }
    match parser.noted {
        Some(reason) => Err(fail(Box::new(reason))),
        None => Ok(tree),
    }
}

impl<'a> Parser<'a> {
    /// The next token, which stays.
    pub(super) fn peek(&self) -> Token<'a> {
        self.tokens[self.position]
    }

    /// The token after the next one.
    pub(super) fn peek_second(&self) -> Token<'a> {
        self.tokens[(self.position + 1).min(self.tokens.len() - 1)]
    }

    /// Where the walk is, to tell places apart.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The position of the parenthesis that closes the one at `open`; of the end when none does.
    pub(super) fn matching(&self, open: usize) -> usize {
        let mut depth = 0;
        for (position, token) in self.tokens.iter().enumerate().skip(open) {
            if token.is_symbol("(") {
                depth += 1;
            } else if token.is_symbol(")") {
                depth -= 1;
                if depth == 0 {
                    return position;
                }
            }
        }
        self.tokens.len()
    }

    /// Takes the next token; the end stays.
    pub(super) fn advance(&mut self) -> Token<'a> {
        let token = self.peek();
        if token.kind != Kind::End {
            self.position += 1;
        }
        token
    }

    /// Takes this symbol if it is next.
    pub(super) fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.peek().is_symbol(symbol);
        if found {
            self.position += 1;
        }
        found
    }

    /// Takes this keyword if it is next.
    pub(super) fn take_word(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_word(keyword);
        if found {
            self.position += 1;
        }
        found
    }

    /// Takes this symbol, which must be next.
    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Parsed<()> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.syntax_error()) }
    }

    /// Takes this keyword, which must be next.
    pub(super) fn expect_word(&mut self, keyword: &str) -> Parsed<()> {
        if self.take_word(keyword) { Ok(()) } else { Err(self.syntax_error()) }
    }

    /// That the next token does not fit.
    pub(super) fn syntax_error(&self) -> Box<Reason> {
        let token = self.peek();
        let from = self.tokens[self.position.saturating_sub(1)].start;
        let to = self.tokens[(self.position + 1).min(self.tokens.len() - 1)].end();
        let shown = if token.kind == Kind::End { "<EOF>" } else { token.text };
        let near = self.source[from..to].trim_end().to_owned();
        Box::new(Reason::Syntax { token: shown.to_owned(), near })
    }

    /// Notes a mistake that does not end the parse; the most urgent one is kept.
    pub(super) fn note(&mut self, reason: Reason) {
        if self.noted.as_ref().is_none_or(|noted| reason.rank() < noted.rank()) {
            self.noted = Some(reason);
        }
    }

    /// Counts an operator or function.
    pub(super) fn count_operator(&mut self) {
        self.operators += 1;
    }

    /// Parses one level deeper.
    pub(super) fn nested<T>(&mut self, grammar: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            return Err(Box::new(Reason::TooDeep(MAX_DEPTH)));
        }
        self.depth += 1;
        let result = grammar(self);
        self.depth -= 1;
        result
    }

    /// One or more of something, with commas between.
    pub(super) fn list<T>(&mut self, mut grammar: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut list = vec![grammar(self)?];
        while self.take_symbol(",") {
            list.push(grammar(self)?);
        }
        Ok(list)
    }

    /// A document path.
    pub(super) fn path(&mut self) -> Parsed<Path> {
        let root = self.attribute_name()?;
        let mut steps = Vec::new();
        loop {
            if self.take_symbol(".") {
                steps.push(Step::Name(self.attribute_name()?));
            } else if self.take_symbol("[") {
                let token = self.peek();
                match token.text.parse() {
                    Ok(index) if token.kind == Kind::Digits => steps.push(Step::Index(index)),
                    _ => return Err(self.syntax_error()),
                }
                self.advance();
                self.expect_symbol("]")?;
            } else {
                return Ok(Path { root, steps });
            }
        }
    }

    fn attribute_name(&mut self) -> Parsed<String> {
        let token = self.peek();
        let name = match token.kind {
            Kind::Word => {
                if is_reserved(token.text) {
                    self.note(Reason::Reserved(token.text.to_owned()));
                }
                token.text.to_owned()
            }
            Kind::Name => match self.placeholders.name(token.text) {
                Some(name) => name,
                None => {
                    self.note(Reason::UndefinedName(token.text.to_owned()));
                    token.text.to_owned()
                }
            },
            _ => return Err(self.syntax_error()),
        };
        self.advance();
        Ok(name)
    }

    /// The value of a `:` placeholder, if one is next.
    pub(super) fn value(&mut self) -> Option<AttributeValue> {
        let token = self.peek();
        if token.kind != Kind::Value {
            return None;
        }
        self.advance();
        let value = self.placeholders.value(token.text);
        if value.is_none() {
            self.note(Reason::UndefinedValue(token.text.to_owned()));
        }
        Some(value.unwrap_or(AttributeValue::Null))
    }

    /// Notes the first two paths of which one leads to or through the other.
    pub(super) fn check_overlap(&mut self, paths: &[&Path]) {
        for (index, second) in paths.iter().enumerate() {
            for first in &paths[..index] {
                if let Some(reason) = overlap(first, second) {
                    self.note(reason);
                    return;
                }
            }
        }
    }
}

fn overlap(first: &Path, second: &Path) -> Option<Reason> {
    if first.root != second.root {
        return None;
    }
    for (left, right) in first.steps.iter().zip(&second.steps) {
        if std::mem::discriminant(left) != std::mem::discriminant(right) {
            return Some(Reason::Conflict(first.clone(), second.clone()));
        }
        if left != right {
            return None;
        }
    }
    Some(Reason::Overlap(first.clone(), second.clone()))
}
