//! The grammar of projection expressions: paths with commas between, none of which leads to or
//! through another.

use super::ast::Projection;
use super::error::ExpressionError;
use super::parser::{Parser, parse_whole};
use super::placeholders::Placeholders;

/// Parses a projection expression.
///
/// # Errors
/// What DynamoDB would say of it.
pub fn parse_projection(
    source: &str,
    placeholders: &mut Placeholders,
) -> Result<Projection, ExpressionError> {
    parse_whole("ProjectionExpression", source, placeholders, |parser| {
        let paths = parser.list(Parser::path)?;
        parser.check_overlap(&paths.iter().collect::<Vec<_>>());
        Ok(Projection(paths))
    })
}
