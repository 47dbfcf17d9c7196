//! What a node of the leader style answers its peers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::raft_group::{NotServed, RaftGroup};
use super::store::LeaderStore;
use super::wire::{Answer, GroupId, Request, encode};
use crate::peer::Service;

/// A snapshot that is being received.
pub(super) struct Incoming {
    transfer: u64,
    pieces: Vec<Bytes>,
}

#[async_trait]
impl Service for LeaderStore {
    async fn answer(&self, from: &str, request: Bytes) -> Option<Bytes> {
        let answer = match postcard::from_bytes(&request) {
            Ok(request) => self.answer_request(from, request).await,
            Err(error) => Answer::Refused(format!("a request that cannot be read: {error}")),
        };
        match encode(&answer) {
            Ok(answer) => Some(answer),
            Err(error) => {
                tracing::error!(%error, "an answer that cannot be written");
                None
            }
        }
    }
}

impl LeaderStore {
    async fn answer_request(&self, from: &str, request: Request) -> Answer {
        let outcome = match request {
            Request::Append(group, rpc) => match self.member(group) {
                Ok(member) => member.append(rpc).await.map(Answer::Append),
                Err(refused) => return refused,
            },
            Request::Vote(group, rpc) => match self.member(group) {
                Ok(member) => member.vote(rpc).await.map(Answer::Vote),
                Err(refused) => return refused,
            },
            Request::PreVote(group, rpc) => match self.member(group) {
                Ok(member) => member.pre_vote(rpc).await.map(Answer::Vote),
                Err(refused) => return refused,
            },
            Request::Transfer(group, rpc) => match self.member(group) {
                Ok(member) => member.transferred(rpc).await.map(Answer::Transfer),
                Err(refused) => return refused,
            },
            Request::SnapshotPiece { group, transfer, piece, bytes } => {
                return self.take_piece((from.to_owned(), group), transfer, piece, bytes);
            }
            Request::SnapshotEnd { group, transfer, pieces, vote, meta } => {
                let member = match self.member(group) {
                    Ok(member) => member,
                    Err(refused) => return refused,
                };
                let incoming = self.inner.incoming.lock().remove(&(from.to_owned(), group));
                match incoming {
                    Some(Incoming { transfer: received, pieces: chunks })
                        if received == transfer && chunks.len() == pieces as usize =>
                    {
                        member.install(vote, *meta, chunks).await.map(Answer::Snapshot)
                    }
                    _ => return Answer::Refused(String::from("pieces of the snapshot are missing")),
                }
            }
            Request::Forward { group, within_ms, operation } => {
                let within = Duration::from_millis(u64::from(within_ms));
                return Answer::Forwarded(self.serve(group, operation, within).await);
            }
        };
        outcome.unwrap_or_else(|error: NotServed| Answer::Refused(error.to_string()))
    }

    fn member(&self, group: GroupId) -> Result<&Arc<RaftGroup>, Answer> {
        let unknown = || Answer::Refused(format!("this node has no group {group}"));
        self.inner.groups.get(group as usize).ok_or_else(unknown)
    }

    fn take_piece(&self, key: (String, GroupId), transfer: u64, piece: u32, bytes: Bytes) -> Answer {
        let mut incoming = self.inner.incoming.lock();
        if piece == 0 {
            incoming.insert(key, Incoming { transfer, pieces: vec![bytes] });
            return Answer::PieceTaken;
        }
        match incoming.get_mut(&key) {
            Some(known) if known.transfer == transfer && known.pieces.len() == piece as usize => {
                known.pieces.push(bytes);
                Answer::PieceTaken
            }
            _ => Answer::Refused(String::from("pieces of the snapshot are missing")),
        }
    }
}
