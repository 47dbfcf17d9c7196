//! A queue, empty at first: what went in first comes out first.

use super::Model;
use super::register::Symbol;

/// A call on a queue with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueOp {
    /// It put this element at the end.
    Enqueue(Symbol),
    /// It took this element from the front.
    Dequeue(Symbol),
    /// It took whatever was at the front; nobody knows what.
    DequeueAny,
    /// It found nothing.
    Empty,
}

/// The model of one queue.
#[derive(Debug, Clone, Copy, Default)]
pub struct Queue;

impl Model for Queue {
    type State = Vec<Symbol>;
    type Op = QueueOp;

    fn initial(&self) -> Vec<Symbol> {
        Vec::new()
    }

    fn step(&self, state: &Vec<Symbol>, op: &QueueOp) -> impl Iterator<Item = Vec<Symbol>> {
        let next = match (op, state.as_slice()) {
            (QueueOp::Enqueue(element), all) => Some([all, &[*element]].concat()),
            (QueueOp::Dequeue(element), [first, rest @ ..]) if first == element => Some(rest.to_vec()),
            (QueueOp::DequeueAny, [_, rest @ ..]) => Some(rest.to_vec()),
            (QueueOp::DequeueAny | QueueOp::Empty, []) => Some(Vec::new()),
            (QueueOp::Dequeue(_) | QueueOp::Empty, _) => None,
        };
        next.into_iter()
    }

    fn is_read(&self, op: &QueueOp) -> bool {
        matches!(op, QueueOp::Empty)
    }

    fn bytes(&self, state: &Vec<Symbol>) -> usize {
        size_of::<Vec<Symbol>>() + state.capacity() * size_of::<Symbol>()
    }
}
