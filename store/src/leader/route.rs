//! Finding the leader of a group, and giving it an operation at most once.
//!
//! An operation goes to the node that this node believes to lead the group. A refusal names, perhaps,
//! another; where nobody leads, the search goes on until [`PATIENCE`] has passed. A read may be asked
//! any number of times. A command is given away again only after an answer that says that it was
//! certainly not appended, or when it certainly was not sent: after everything else its outcome is
//! unknown, and stays so.

use std::time::Duration;

use super::command::Command;
use super::group::{ProposeError, ReplicaGroup};
use super::raft_group::RaftGroup;
use super::state::NoSuchTable;
use super::store::LeaderStore;
use super::types::NodeId;
use super::wire::{Answer, GroupId, Operation, Outcome, Refusal, Request, encode};
use crate::api::BackendError;
use crate::peer::CallError;
use crate::world::{Clock, Mono};

/// How long an operation may take, the search for a leader included. Clients wait a little longer.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long to wait before a node is asked again that could not say who leads.
const PAUSE: Duration = Duration::from_millis(25);

impl Operation {
    /// Whether it may be asked a second time, whatever became of the first.
    fn is_read(&self) -> bool {
        !matches!(self, Self::Propose(_))
    }
}

impl LeaderStore {
    /// Has an operation done by the leader of a group, wherever that is.
    pub(super) async fn route(&self, group: GroupId, operation: Operation) -> Result<Outcome, BackendError> {
        let clock = &self.inner.world.clock;
        let deadline = clock.now() + PATIENCE;
        let mut hint = None;
        let mut why = String::from("no node leads its partition");
        loop {
            let target = hint.take().or_else(|| self.inner.groups[group as usize].status().leader);
            let refusal = match target {
                Some(node) => match self.ask(node, group, &operation, deadline).await {
                    Ok(outcome) => return Ok(outcome),
                    Err(refusal) => refusal,
                },
                None => Refusal::NotLeader { hint: None },
            };
            match refusal {
                Refusal::NotLeader { hint: found } => hint = found.filter(|found| Some(*found) != target),
                Refusal::Unavailable(reason) => why = reason,
                Refusal::Unknown(reason) if operation.is_read() => why = reason,
                Refusal::Unknown(reason) => return Err(BackendError::Unknown(reason)),
            }
            if clock.now() + PAUSE >= deadline {
                return Err(BackendError::Unavailable(why));
            }
            if hint.is_none() {
                clock.sleep(PAUSE).await;
            }
        }
    }

    /// Gives an operation to one node.
    async fn ask(
        &self,
        node: NodeId,
        group: GroupId,
        operation: &Operation,
        deadline: Mono,
    ) -> Result<Outcome, Refusal> {
        let within = deadline - self.inner.world.clock.now();
        if node == self.inner.me {
            return self.serve(group, operation.clone(), within).await;
        }
        let Some(links) = self.inner.peers.get(&node) else {
            return Err(Refusal::Unavailable(format!(
                "node {node} leads and is not among this node's peers"
            )));
        };
        let within_ms = u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
        let request = encode(&Request::Forward { group, within_ms, operation: operation.clone() });
        let request = request.map_err(|error| Refusal::Unavailable(error.to_string()))?;
        match links.main.call(request, within).await {
            Err(error @ CallError::NotSent { .. }) => Err(Refusal::Unavailable(error.to_string())),
            Err(error @ CallError::Lost { .. }) => Err(Refusal::Unknown(error.to_string())),
            Ok(body) => match postcard::from_bytes(&body) {
                Ok(Answer::Forwarded(outcome)) => outcome,
                Ok(other) => Err(Refusal::Unknown(format!("an answer that does not fit: {other:?}"))),
                Err(error) => Err(Refusal::Unknown(format!("an answer that cannot be read: {error}"))),
            },
        }
    }

    /// Does an operation on this node's member of a group, as its leader.
    pub(super) async fn serve(
        &self,
        group: GroupId,
        operation: Operation,
        within: Duration,
    ) -> Result<Outcome, Refusal> {
        let Some(member) = self.inner.groups.get(group as usize) else {
            return Err(Refusal::Unavailable(format!("this node has no group {group}")));
        };
        let clock = self.inner.world.clock.as_ref();
        match operation {
            Operation::Propose(command) => propose(member, clock, command, within).await,
            read => tokio::select! {
                biased;
                outcome = read_strongly(member, &read) => outcome,
                () = clock.sleep(within) => Err(Refusal::Unavailable(String::from("no quorum answered in time"))),
            },
        }
    }
}

async fn propose(
    member: &RaftGroup,
    clock: &dyn Clock,
    command: Command,
    within: Duration,
) -> Result<Outcome, Refusal> {
    tokio::select! {
        biased;
        reply = member.propose(command) => match reply {
            Ok(reply) => Ok(Outcome::Applied(reply)),
            Err(ProposeError::NotLeader(not_leader)) => Err(Refusal::NotLeader { hint: not_leader.hint }),
            Err(ProposeError::Unknown(reason)) => Err(Refusal::Unknown(reason)),
        },
        () = clock.sleep(within) => Err(Refusal::Unknown(String::from("it was not committed in time"))),
    }
}

/// Reads between a barrier and its confirmation.
async fn read_strongly(member: &RaftGroup, read: &Operation) -> Result<Outcome, Refusal> {
    if let Err(not_leader) = member.read_barrier().await {
        return Err(Refusal::NotLeader { hint: not_leader.hint });
    }
    let found = match read {
        Operation::Get { table, key } => {
            member.item(*table, key).map(|found| found.map_or_else(no_such_table, Outcome::Item))
        }
        Operation::Range(range) => {
            let found = member.state().page(range);
            found.map(|found| found.map_or_else(no_such_table, |(items, more)| Outcome::Page(items, more)))
        }
        Operation::Tables => Ok(Outcome::Tables(member.state().tables())),
        Operation::Propose(_) => return Err(Refusal::Unavailable(String::from("a command is not a read"))),
    };
    let found = found.map_err(|error| Refusal::Unavailable(error.to_string()))?;
    if member.confirm().await { Ok(found) } else { Err(Refusal::NotLeader { hint: None }) }
}

fn no_such_table(_: NoSuchTable) -> Outcome {
    Outcome::NoSuchTable
}
