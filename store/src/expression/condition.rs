//! The grammar of condition and filter expressions.
//!
//! ```text
//! or         := and (OR and)*
//! and        := not (AND not)*
//! not        := NOT not | comparison
//! comparison := atom [ comparator atom | BETWEEN atom AND atom | IN ( atom, … ) ]
//! atom       := ( or ) | function ( atom, … ) | :value | path
//! ```
//!
//! A parenthesis may hold a condition or an operand, so both come back from an atom as a [`Node`],
//! and the place that uses it says which it needs.

use super::ast::{Comparator, Condition, Operand, Path};
use super::error::{ExpressionError, Reason};
use super::evaluate::order;
use super::lexer::Kind;
use super::parser::{Parsed, Parser, parse_whole};
use super::placeholders::Placeholders;
use crate::item::AttributeValue;

/// The most operands of `IN`.
const MAX_IN: usize = 100;

/// Parses a condition or filter expression; `parameter` names it in messages.
///
/// # Errors
/// What DynamoDB would say of it.
pub fn parse_condition(
    parameter: &'static str,
    source: &str,
    placeholders: &mut Placeholders,
) -> Result<Condition, ExpressionError> {
    parse_whole(parameter, source, placeholders, |parser| {
        let node = parser.or()?;
        parser.condition(node)
    })
}

/// What an atom turned out to be.
enum Node {
    Condition(Box<Condition>),
    Operand(Box<Operand>),
    /// A function that is a condition, which is no operand of another.
    Function(String, Box<Condition>),
    /// Stands where a mistake was noted, so that no second one follows from the first; it is never
    /// evaluated.
    Mistake,
}

impl From<Condition> for Node {
    fn from(condition: Condition) -> Self {
        Self::Condition(Box::new(condition))
    }
}

impl From<Operand> for Node {
    fn from(operand: Operand) -> Self {
        Self::Operand(Box::new(operand))
    }
}

impl Parser<'_> {
    fn condition(&mut self, node: Node) -> Parsed<Condition> {
        match node {
            Node::Condition(condition) | Node::Function(_, condition) => Ok(*condition),
            Node::Operand(operand) => match *operand {
                Operand::Size(path) => {
                    self.note(Reason::MisusedFunction("size".to_owned()));
                    Ok(Condition::AttributeExists(path))
                }
                Operand::Path(_) | Operand::Value(_) => Err(self.syntax_error()),
            },
            Node::Mistake => Ok(Condition::And(Vec::new())),
        }
    }

    fn operand(&mut self, node: Node) -> Parsed<Operand> {
        match node {
            Node::Operand(operand) => Ok(*operand),
            Node::Function(name, _) => {
                self.note(Reason::MisusedFunction(name));
                Ok(Operand::Value(AttributeValue::Null))
            }
            Node::Mistake => Ok(Operand::Value(AttributeValue::Null)),
            Node::Condition(_) => Err(self.syntax_error()),
        }
    }

    fn or(&mut self) -> Parsed<Node> {
        let first = self.and()?;
        self.rest_of_chain(first, "OR", Self::and, Condition::Or)
    }

    fn and(&mut self) -> Parsed<Node> {
        let first = self.not()?;
        self.rest_of_chain(first, "AND", Self::not, Condition::And)
    }

    fn rest_of_chain(
        &mut self,
        first: Node,
        word: &str,
        part: fn(&mut Self) -> Parsed<Node>,
        join: fn(Vec<Condition>) -> Condition,
    ) -> Parsed<Node> {
        if !self.peek().is_word(word) {
            return Ok(first);
        }
        let mut all = vec![self.condition(first)?];
        while self.take_word(word) {
            self.count_operator();
            let next = part(self)?;
            all.push(self.condition(next)?);
        }
        Ok(join(all).into())
    }

    fn not(&mut self) -> Parsed<Node> {
        if !self.take_word("NOT") {
            let left = self.atom()?;
            return self.rest_of_comparison(left);
        }
        self.count_operator();
        let node = self.nested(Self::not)?;
        let condition = self.condition(node)?;
        Ok(Condition::Not(Box::new(condition)).into())
    }

    fn rest_of_comparison(&mut self, left: Node) -> Parsed<Node> {
        let token = self.peek();
        let comparator = comparator(token.text);
        if comparator.is_none() && !token.is_word("BETWEEN") && !token.is_word("IN") {
            return Ok(left);
        }
        self.count_operator();
        let left = self.operand(left)?;
        self.advance();
        let condition = match comparator {
            Some(comparator) => {
                let right = self.next_operand()?;
                self.check_distinct(token.text, &left, &right);
                Condition::Compare(comparator, left, right)
            }
            None if token.is_word("BETWEEN") => {
                let low = self.next_operand()?;
                self.expect_word("AND")?;
                let high = self.next_operand()?;
                self.check_bounds(&low, &high);
                Condition::Between(left, low, high)
            }
            None => {
                self.expect_symbol("(")?;
                let among = self.list(Self::next_operand)?;
                self.expect_symbol(")")?;
                if among.len() > MAX_IN {
                    self.note(Reason::TooManyOperands(among.len()));
                }
                Condition::In(left, among)
            }
        };
        Ok(condition.into())
    }

    fn next_operand(&mut self) -> Parsed<Operand> {
        let node = self.atom()?;
        self.operand(node)
    }

    fn atom(&mut self) -> Parsed<Node> {
        let token = self.peek();
        if token.is_symbol("(") {
            return self.nested(Self::parenthesis);
        }
        if let Some(value) = self.value() {
            return Ok(Operand::Value(value).into());
        }
        if token.kind == Kind::Word {
            if self.peek_second().is_symbol("(") {
                return self.nested(Self::function);
            }
            if ["AND", "OR", "NOT", "BETWEEN", "IN"].iter().any(|word| token.is_word(word)) {
                return Err(self.syntax_error());
            }
        }
        Ok(Operand::Path(self.path()?).into())
    }

    fn parenthesis(&mut self) -> Parsed<Node> {
        self.expect_symbol("(")?;
        let inner = self.position();
        let doubled = self.peek().is_symbol("(");
        let node = self.or()?;
        // the inner parenthesis was all there was when its end is the end of the whole
        if doubled && self.matching(inner) + 1 == self.position() {
            self.note(Reason::RedundantParentheses);
        }
        self.expect_symbol(")")?;
        Ok(node)
    }

    fn function(&mut self) -> Parsed<Node> {
        self.count_operator();
        let name = self.advance().text;
        self.expect_symbol("(")?;
        let operands = self.list(Self::next_operand)?;
        self.expect_symbol(")")?;
        let wanted = match name {
            "attribute_exists" | "attribute_not_exists" | "size" => 1,
            "attribute_type" | "begins_with" | "contains" => 2,
            "if_not_exists" | "list_append" => {
                self.note(Reason::NotInCondition(name.to_owned()));
                return Ok(Node::Mistake);
            }
            _ => {
                self.note(Reason::UnknownFunction(name.to_owned()));
                return Ok(Node::Mistake);
            }
        };
        if operands.len() != wanted {
            self.note(Reason::OperandCount { name: name.to_owned(), count: operands.len() });
            return Ok(Node::Mistake);
        }
        let mut operands = operands.into_iter();
        match (operands.next(), operands.next()) {
            (Some(only), None) => Ok(self.unary(name, only)),
            (Some(first), Some(second)) => Ok(self.binary(name, first, second)),
            (None, _) => Err(self.syntax_error()),
        }
    }

    fn unary(&mut self, name: &str, operand: Operand) -> Node {
        let path = match operand {
            Operand::Path(path) => path,
            Operand::Value(value) if name == "size" => return self.size_of_constant(&value),
            _ => {
                self.note(Reason::NeedsPath(name.to_owned()));
                return Node::Mistake;
            }
        };
        match name {
            "size" => Operand::Size(path).into(),
            "attribute_exists" => Node::Function(name.to_owned(), Box::new(Condition::AttributeExists(path))),
            _ => Node::Function(name.to_owned(), Box::new(Condition::AttributeNotExists(path))),
        }
    }

    /// `size(:v)`: DynamoDB takes it for types that have a size; it is a constant.
    fn size_of_constant(&mut self, value: &AttributeValue) -> Node {
        match super::evaluate::size_of(value) {
            Some(size) => Operand::Value(AttributeValue::N((size as u64).into())).into(),
            None => {
                self.note(Reason::OperandType { name: "size".to_owned(), found: value.type_name() });
                Node::Mistake
            }
        }
    }

    fn binary(&mut self, name: &str, first: Operand, second: Operand) -> Node {
        self.check_distinct(name, &first, &second);
        let condition = match name {
            "attribute_type" => match (self.path_operand(name, first), self.type_operand(&second)) {
                (Some(path), Some(kind)) => Condition::AttributeType(path, kind),
                _ => return Node::Mistake,
            },
            "begins_with" => {
                for operand in [&first, &second] {
                    let found = static_type(operand);
                    if let Some(found) = found.filter(|found| !matches!(*found, "S" | "B")) {
                        self.note(Reason::OperandType { name: name.to_owned(), found });
                    }
                }
                Condition::BeginsWith(first, second)
            }
            _ => Condition::Contains(first, second),
        };
        Node::Function(name.to_owned(), Box::new(condition))
    }

    fn path_operand(&mut self, name: &str, operand: Operand) -> Option<Path> {
        if let Operand::Path(path) = operand {
            return Some(path);
        }
        self.note(Reason::NeedsPath(name.to_owned()));
        None
    }

    fn type_operand(&mut self, operand: &Operand) -> Option<String> {
        const TYPES: [&str; 10] = ["S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"];
        match operand {
            Operand::Value(AttributeValue::S(name)) if TYPES.contains(&name.as_str()) => Some(name.clone()),
            Operand::Value(AttributeValue::S(name)) => {
                self.note(Reason::UnknownType(name.clone()));
                None
            }
            other => {
                let found = static_type(other).unwrap_or("{NS,SS,L,BS,N,M,B,BOOL,NULL,S}");
                self.note(Reason::OperandType { name: "attribute_type".to_owned(), found });
                None
            }
        }
    }

    fn check_distinct(&mut self, name: &str, first: &Operand, second: &Operand) {
        if let (Operand::Path(path), true) = (first, first == second) {
            self.note(Reason::NotDistinct { name: name.to_owned(), path: path.clone() });
        }
    }

    fn check_bounds(&mut self, low: &Operand, high: &Operand) {
        let (Operand::Value(low), Operand::Value(high)) = (low, high) else { return };
        if low.type_name() != high.type_name() {
            self.note(Reason::BoundTypes(low.clone(), high.clone()));
        } else if order(low, high).is_some_and(std::cmp::Ordering::is_gt) {
            self.note(Reason::BoundOrder(low.clone(), high.clone()));
        }
    }
}

fn comparator(symbol: &str) -> Option<Comparator> {
    match symbol {
        "=" => Some(Comparator::Equal),
        "<>" => Some(Comparator::NotEqual),
        "<" => Some(Comparator::Less),
        "<=" => Some(Comparator::LessOrEqual),
        ">" => Some(Comparator::Greater),
        ">=" => Some(Comparator::GreaterOrEqual),
        _ => None,
    }
}

/// The type of an operand as far as it is known without an item.
fn static_type(operand: &Operand) -> Option<&'static str> {
    match operand {
        Operand::Path(_) => None,
        Operand::Value(value) => Some(value.type_name()),
        Operand::Size(_) => Some("N"),
    }
}
