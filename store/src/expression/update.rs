//! Applying an update expression to an item.
//!
//! Every right-hand side reads the item as it was; only then are the results written, so
//! `SET a = b, b = a` swaps. Positions in lists mean those of the old list too: elements are removed
//! from the back, and what is set beyond a list's end is appended in the order of its positions.

use std::collections::BTreeSet;

use super::ast::{Path, SetOperand, SetValue, Step, Update};
use crate::item::value::MAX_DEPTH;
use crate::item::{AttributeValue, Item, NumberError};

/// Why an update does not fit the item as it is. The texts are DynamoDB's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// A right-hand side names something that the item does not have.
    #[error("The provided expression refers to an attribute that does not exist in the item")]
    MissingAttribute,
    /// An operand's type does not fit its operator or function.
    #[error("An operand in the update expression has an incorrect data type")]
    WrongType,
    /// A path leads through something that is not there, or not a map or list.
    #[error("The document path provided in the update expression is invalid for update")]
    InvalidPath,
    /// Arithmetic left the range or the precision of numbers.
    #[error(transparent)]
    Number(#[from] NumberError),
    /// Lists and maps nest deeper than 32 levels.
    #[error(
        "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
    )]
    TooDeep,
}

impl Update {
    /// The item after this update of `old`.
    ///
    /// # Errors
    /// When the update does not fit the item; nothing is to be changed then.
    pub fn apply(&self, old: &Item) -> Result<Item, UpdateError> {
        let mut writes = Vec::with_capacity(self.set.len() + self.add.len());
        for (path, value) in &self.set {
            writes.push((path, value.evaluate(old)?));
        }
        let mut removals: Vec<&Path> = self.remove.iter().collect();
        for (path, value) in &self.add {
            writes.push((path, added(path.get(old), value)?));
        }
        for (path, value) in &self.delete {
            match path.get(old) {
                Some(before) => match subtracted(before, value)? {
                    Some(after) => writes.push((path, after)),
                    None => removals.push(path),
                },
                None => path.require_parent(old)?,
            }
        }
        let mut new = old.clone();
        writes.sort_by_key(|(path, _)| *path);
        for (path, value) in writes {
            if path.steps.len() + value.depth() > MAX_DEPTH {
                return Err(UpdateError::TooDeep);
            }
            path.set(&mut new, value)?;
        }
        removals.sort();
        for path in removals.into_iter().rev() {
            path.remove(&mut new)?;
        }
        Ok(new)
    }
}

impl SetValue {
    fn evaluate(&self, old: &Item) -> Result<AttributeValue, UpdateError> {
        let (left, right, plus) = match self {
            Self::Operand(operand) => return operand.evaluate(old),
            Self::Plus(left, right) => (left, right, true),
            Self::Minus(left, right) => (left, right, false),
        };
        match (left.evaluate(old)?, right.evaluate(old)?) {
            (AttributeValue::N(left), AttributeValue::N(right)) => {
                let result = if plus { left.checked_add(&right) } else { left.checked_sub(&right) };
                Ok(AttributeValue::N(result?))
            }
            _ => Err(UpdateError::WrongType),
        }
    }
}

impl SetOperand {
    fn evaluate(&self, old: &Item) -> Result<AttributeValue, UpdateError> {
        match self {
            Self::Path(path) => path.get(old).cloned().ok_or(UpdateError::MissingAttribute),
            Self::Value(value) => Ok(value.clone()),
            Self::IfNotExists(path, default) => match path.get(old) {
                Some(value) => Ok(value.clone()),
                None => default.evaluate(old),
            },
            Self::ListAppend(first, second) => match (first.evaluate(old)?, second.evaluate(old)?) {
                (AttributeValue::L(mut list), AttributeValue::L(more)) => {
                    list.extend(more);
                    Ok(AttributeValue::L(list))
                }
                _ => Err(UpdateError::WrongType),
            },
        }
    }
}

/// `ADD`: what `value` makes of what was there.
fn added(before: Option<&AttributeValue>, value: &AttributeValue) -> Result<AttributeValue, UpdateError> {
    use AttributeValue::{Bs, N, Ns, Ss};
    match (before, value) {
        (None, value) => Ok(value.clone()),
        (Some(N(before)), N(value)) => Ok(N(before.checked_add(value)?)),
        (Some(Ss(before)), Ss(value)) => Ok(Ss(before.union(value).cloned().collect())),
        (Some(Ns(before)), Ns(value)) => Ok(Ns(before.union(value).copied().collect())),
        (Some(Bs(before)), Bs(value)) => Ok(Bs(before.union(value).cloned().collect())),
        _ => Err(UpdateError::WrongType),
    }
}

/// `DELETE`: what is left of a set; `None` when nothing is, since there is no empty set.
fn subtracted(
    before: &AttributeValue,
    value: &AttributeValue,
) -> Result<Option<AttributeValue>, UpdateError> {
    use AttributeValue::{Bs, Ns, Ss};
    fn minus<T: Ord + Clone>(before: &BTreeSet<T>, value: &BTreeSet<T>) -> Option<BTreeSet<T>> {
        let left: BTreeSet<T> = before.difference(value).cloned().collect();
        (!left.is_empty()).then_some(left)
    }
    match (before, value) {
        (Ss(before), Ss(value)) => Ok(minus(before, value).map(Ss)),
        (Ns(before), Ns(value)) => Ok(minus(before, value).map(Ns)),
        (Bs(before), Bs(value)) => Ok(minus(before, value).map(Bs)),
        _ => Err(UpdateError::WrongType),
    }
}

impl Path {
    /// The map or list that holds the last step, which must be there.
    fn parent<'a>(&self, item: &'a mut Item) -> Result<Option<(&'a mut AttributeValue, &Step)>, UpdateError> {
        let Some((last, before)) = self.steps.split_last() else { return Ok(None) };
        let mut value = item.get_mut(&self.root).ok_or(UpdateError::InvalidPath)?;
        for step in before {
            value = match (value, step) {
                (AttributeValue::M(map), Step::Name(name)) => map.get_mut(name),
                (AttributeValue::L(list), Step::Index(index)) => list.get_mut(*index as usize),
                _ => None,
            }
            .ok_or(UpdateError::InvalidPath)?;
        }
        Ok(Some((value, last)))
    }

    fn set(&self, item: &mut Item, new: AttributeValue) -> Result<(), UpdateError> {
        match self.parent(item)? {
            None => {
                item.insert(self.root.clone(), new);
            }
            Some((AttributeValue::M(map), Step::Name(name))) => {
                map.insert(name.clone(), new);
            }
            Some((AttributeValue::L(list), Step::Index(index))) => match list.get_mut(*index as usize) {
                Some(element) => *element = new,
                None => list.push(new),
            },
            Some(_) => return Err(UpdateError::InvalidPath),
        }
        Ok(())
    }

    fn remove(&self, item: &mut Item) -> Result<(), UpdateError> {
        match self.parent(item)? {
            None => {
                item.remove(&self.root);
            }
            Some((AttributeValue::M(map), Step::Name(name))) => {
                map.remove(name);
            }
            Some((AttributeValue::L(list), Step::Index(index))) => {
                let index = *index as usize;
                if index < list.len() {
                    list.remove(index);
                }
            }
            Some(_) => return Err(UpdateError::InvalidPath),
        }
        Ok(())
    }

    fn require_parent(&self, item: &Item) -> Result<(), UpdateError> {
        let Some((last, before)) = self.steps.split_last() else { return Ok(()) };
        let parent = Self { root: self.root.clone(), steps: before.to_vec() };
        match (parent.get(item), last) {
            (Some(AttributeValue::M(_)), Step::Name(_)) | (Some(AttributeValue::L(_)), Step::Index(_)) => {
                Ok(())
            }
            _ => Err(UpdateError::InvalidPath),
        }
    }
}
