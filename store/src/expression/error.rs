//! What can be wrong with an expression, in DynamoDB's words.

use super::ast::Path;
use crate::item::AttributeValue;

/// An expression that DynamoDB would refuse.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("Invalid {parameter}: {reason}")]
pub struct ExpressionError {
    /// The request parameter that carried it, such as `ConditionExpression`.
    pub parameter: &'static str,
    /// What is wrong.
    pub reason: Box<Reason>,
}

/// What is wrong with an expression, most urgent first: of several mistakes the first in this order
/// is the one that is told.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Reason {
    /// Nothing in it.
    #[error("The expression can not be empty;")]
    Empty,
    /// More than 4 KB.
    #[error("Expression size has exceeded the maximum allowed size; expression size: {0}")]
    TooLong(usize),
    /// Not in the grammar.
    #[error("Syntax error; token: \"{token}\", near: \"{near}\"")]
    Syntax {
        /// The first token that does not fit.
        token: String,
        /// It and its neighbours.
        near: String,
    },
    /// Parentheses, functions or `NOT`s nest too deep.
    #[error("The expression has too many levels of nesting; maximum: {0}")]
    TooDeep(usize),
    /// More than 300 operators.
    #[error("The expression contains too many operators; operator count: {0}, maximum: 300")]
    TooManyOperators(usize),
    /// `IN` with more than 100 operands.
    #[error("The IN operator is provided with too many operands; number of operands: {0}")]
    TooManyOperands(usize),
    /// `((…))`.
    #[error("The expression has redundant parentheses;")]
    RedundantParentheses,
    /// No function of this name.
    #[error("Invalid function name; function: {0}")]
    UnknownFunction(String),
    /// A function where it cannot be.
    #[error("The function is not allowed to be used this way in an expression; function: {0}")]
    MisusedFunction(String),
    /// A function of update expressions in a condition.
    #[error("The function is not allowed in a condition expression; function: {0}")]
    NotInCondition(String),
    /// A function of conditions in an update expression.
    #[error("The function is not allowed in an update expression; function: {0}")]
    NotInUpdate(String),
    /// A reserved word as an attribute's name.
    #[error("Attribute name is a reserved keyword; reserved keyword: {0}")]
    Reserved(String),
    /// A section twice.
    #[error("The \"{0}\" section can only be used once in an update expression;")]
    RepeatedSection(&'static str),
    /// A `#` placeholder without a name.
    #[error("An expression attribute name used in the document path is not defined; attribute name: {0}")]
    UndefinedName(String),
    /// A `:` placeholder without a value.
    #[error("An expression attribute value used in expression is not defined; attribute value: {0}")]
    UndefinedValue(String),
    /// A function with too few or too many operands.
    #[error(
        "Incorrect number of operands for operator or function; operator or function: {name}, number of operands: {count}"
    )]
    OperandCount {
        /// The function.
        name: String,
        /// How many it got.
        count: usize,
    },
    /// One of two paths leads through or to the other.
    #[error(
        "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: {0}, path two: {1}"
    )]
    Overlap(Path, Path),
    /// Two paths take the same value for a map and for a list.
    #[error(
        "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: {0}, path two: {1}"
    )]
    Conflict(Path, Path),
    /// The same path twice.
    #[error(
        "The first operand must be distinct from the remaining operands for this operator or function; operator: {name}, first operand: {path}"
    )]
    NotDistinct {
        /// The operator or function.
        name: String,
        /// The path.
        path: Path,
    },
    /// A function that needs a path has a value.
    #[error("Operator or function requires a document path; operator or function: {0}")]
    NeedsPath(String),
    /// A constant of a type that the operator or function does not take.
    #[error(
        "Incorrect operand type for operator or function; operator or function: {name}, operand type: {found}"
    )]
    OperandType {
        /// The operator or function.
        name: String,
        /// The type that came.
        found: &'static str,
    },
    /// A constant of a type that `ADD` or `DELETE` does not take.
    #[error(
        "Incorrect operand type for operator or function; operator: {name}, operand type: {found}, typeSet: ALLOWED_FOR_{name}_OPERAND"
    )]
    SectionOperandType {
        /// `ADD` or `DELETE`.
        name: &'static str,
        /// The type that came, spelt out.
        found: &'static str,
    },
    /// `attribute_type` with something that is no type's name.
    #[error("Invalid attribute type name found; type: {0}, valid types: {{B,NULL,SS,BOOL,L,BS,N,NS,S,M}}")]
    UnknownType(String),
    /// `BETWEEN` with constants of two types.
    #[error("The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {}, upper bound operand: AttributeValue: {}", shown(.0), shown(.1))]
    BoundTypes(AttributeValue, AttributeValue),
    /// `BETWEEN` with its bounds the wrong way round.
    #[error("The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {}, upper bound operand: AttributeValue: {}", shown(.0), shown(.1))]
    BoundOrder(AttributeValue, AttributeValue),
}

impl Reason {
    /// The place in the order of urgency; the lower is told first.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Empty | Self::TooLong(_) | Self::Syntax { .. } | Self::TooDeep(_) => 0,
            Self::TooManyOperators(_) | Self::TooManyOperands(_) => 1,
            Self::RedundantParentheses => 2,
            Self::UnknownFunction(_) => 3,
            Self::MisusedFunction(_) | Self::NotInCondition(_) | Self::NotInUpdate(_) => 4,
            Self::Reserved(_) => 5,
            Self::RepeatedSection(_) => 6,
            Self::UndefinedName(_) | Self::UndefinedValue(_) => 7,
            Self::Overlap(..) => 8,
            Self::Conflict(..) => 9,
            Self::OperandCount { .. } => 10,
            Self::NotDistinct { .. } => 11,
            Self::NeedsPath(_)
            | Self::OperandType { .. }
            | Self::SectionOperandType { .. }
            | Self::UnknownType(_)
            | Self::BoundTypes(..)
            | Self::BoundOrder(..) => 12,
        }
    }
}

/// A constant as DynamoDB's messages show it: `{N:5}`.
fn shown(value: &AttributeValue) -> String {
    let text = match value {
        AttributeValue::S(text) => text.clone(),
        AttributeValue::N(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    format!("{{{}:{text}}}", value.type_name())
}
