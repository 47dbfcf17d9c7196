//! The grammar of update expressions.
//!
//! ```text
//! update   := section+                       each section at most once
//! section  := SET set, … | REMOVE path, … | ADD path :value, … | DELETE path :value, …
//! set      := path = sum
//! sum      := operand [ (+ | -) operand ]
//! operand  := ( sum ) | if_not_exists(path, operand) | list_append(operand, operand) | :value | path
//! ```

use super::ast::{Path, SetOperand, SetValue, Update};
use super::error::{ExpressionError, Reason};
use super::lexer::Kind;
use super::parser::{Parsed, Parser, parse_whole};
use super::placeholders::Placeholders;
use crate::item::AttributeValue;

/// Parses an update expression.
///
/// # Errors
/// What DynamoDB would say of it.
pub fn parse_update(source: &str, placeholders: &mut Placeholders) -> Result<Update, ExpressionError> {
    parse_whole("UpdateExpression", source, placeholders, |parser| {
        let update = parser.update()?;
        parser.check_overlap(&update.targets().collect::<Vec<_>>());
        Ok(update)
    })
}

impl Parser<'_> {
    fn update(&mut self) -> Parsed<Update> {
        let mut update = Update::default();
        loop {
            if self.take_word("SET") {
                self.check_section("SET", update.set.is_empty());
                update.set = self.list(Self::assignment)?;
            } else if self.take_word("REMOVE") {
                self.check_section("REMOVE", update.remove.is_empty());
                update.remove = self.list(Self::path)?;
            } else if self.take_word("ADD") {
                self.check_section("ADD", update.add.is_empty());
                update.add = self.list(|parser| parser.path_and_value("ADD"))?;
            } else if self.take_word("DELETE") {
                self.check_section("DELETE", update.delete.is_empty());
                update.delete = self.list(|parser| parser.path_and_value("DELETE"))?;
            } else {
                return Err(self.syntax_error());
            }
            if self.peek().kind == Kind::End {
                return Ok(update);
            }
        }
    }

    fn check_section(&mut self, name: &'static str, first: bool) {
        if !first {
            self.note(Reason::RepeatedSection(name));
        }
    }

    fn path_and_value(&mut self, section: &'static str) -> Parsed<(Path, AttributeValue)> {
        use AttributeValue::{B, Bool, Bs, L, M, N, Ns, Null, S, Ss};
        self.count_operator();
        let path = self.path()?;
        let value = self.value().ok_or_else(|| self.syntax_error())?;
        let found = match &value {
            N(_) if section == "ADD" => None,
            Ss(_) | Ns(_) | Bs(_) => None,
            S(_) => Some("STRING"),
            N(_) => Some("NUMBER"),
            B(_) => Some("BINARY"),
            Bool(_) => Some("BOOLEAN"),
            Null => Some("NULL"),
            L(_) => Some("LIST"),
            M(_) => Some("MAP"),
        };
        if let Some(found) = found {
            self.note(Reason::SectionOperandType { name: section, found });
        }
        Ok((path, value))
    }

    fn assignment(&mut self) -> Parsed<(Path, SetValue)> {
        let path = self.path()?;
        self.count_operator();
        self.expect_symbol("=")?;
        Ok((path, self.sum()?))
    }

    fn sum(&mut self) -> Parsed<SetValue> {
        // a parenthesis around the whole sum, as in `SET a = (b + :c)`
        if self.peek().is_symbol("(") {
            return self.nested(|parser| {
                parser.advance();
                let sum = parser.sum()?;
                parser.expect_symbol(")")?;
                match sum {
                    SetValue::Operand(operand) => parser.rest_of_sum(operand),
                    sum => Ok(sum),
                }
            });
        }
        let first = self.set_operand()?;
        self.rest_of_sum(first)
    }

    fn rest_of_sum(&mut self, first: SetOperand) -> Parsed<SetValue> {
        let plus = self.peek().is_symbol("+");
        if !plus && !self.peek().is_symbol("-") {
            return Ok(SetValue::Operand(first));
        }
        let symbol = self.advance().text;
        self.count_operator();
        let second = self.set_operand()?;
        for operand in [&first, &second] {
            if let Some(found) = constant_type(operand).filter(|found| *found != "N") {
                self.note(Reason::OperandType { name: symbol.to_owned(), found });
            }
        }
        Ok(if plus { SetValue::Plus(first, second) } else { SetValue::Minus(first, second) })
    }

    fn set_operand(&mut self) -> Parsed<SetOperand> {
        let token = self.peek();
        if token.is_symbol("(") {
            return self.nested(|parser| {
                parser.advance();
                let operand = parser.set_operand()?;
                parser.expect_symbol(")")?;
                Ok(operand)
            });
        }
        if let Some(value) = self.value() {
            return Ok(SetOperand::Value(value));
        }
        if token.kind == Kind::Word && self.peek_second().is_symbol("(") {
            return self.nested(Self::set_function);
        }
        Ok(SetOperand::Path(self.path()?))
    }

    fn set_function(&mut self) -> Parsed<SetOperand> {
        self.count_operator();
        let name = self.advance().text;
        self.expect_symbol("(")?;
        let mut operands = self.list(Self::set_operand)?;
        self.expect_symbol(")")?;
        let unusable = SetOperand::Value(AttributeValue::Null);
        match name {
            "if_not_exists" | "list_append" => {}
            "attribute_exists"
            | "attribute_not_exists"
            | "attribute_type"
            | "begins_with"
            | "contains"
            | "size" => {
                self.note(Reason::NotInUpdate(name.to_owned()));
                return Ok(unusable);
            }
            _ => {
                self.note(Reason::UnknownFunction(name.to_owned()));
                return Ok(unusable);
            }
        }
        let count = operands.len();
        let (Some(second), Some(first), 2) = (operands.pop(), operands.pop(), count) else {
            self.note(Reason::OperandCount { name: name.to_owned(), count });
            return Ok(unusable);
        };
        if name == "list_append" {
            for operand in [&first, &second] {
                if let Some(found) = constant_type(operand).filter(|found| *found != "L") {
                    self.note(Reason::OperandType { name: name.to_owned(), found });
                }
            }
            return Ok(SetOperand::ListAppend(Box::new(first), Box::new(second)));
        }
        let SetOperand::Path(path) = first else {
            self.note(Reason::NeedsPath(name.to_owned()));
            return Ok(unusable);
        };
        Ok(SetOperand::IfNotExists(path, Box::new(second)))
    }
}

/// The type of an operand as far as it is known without an item.
fn constant_type(operand: &SetOperand) -> Option<&'static str> {
    match operand {
        SetOperand::Value(value) => Some(value.type_name()),
        SetOperand::ListAppend(..) => Some("L"),
        SetOperand::Path(_) | SetOperand::IfNotExists(..) => None,
    }
}
