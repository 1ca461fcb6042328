//! Writing what waits: what goes in, what changes, what an operator says.

use jiff::Timestamp;

use super::sealed::{self, Head, SealedCopy};
use super::state;
use super::task::{self, Task};
use super::{CopyId, CopyState, NewCopy, NewSpooled, Spool, SpoolId, SpooledCopy};
use crate::entropy::random;
use crate::store::column::ms;
use crate::store::{Store, StoreError};

/// Who says something about a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    /// This gateway, which tried it.
    Gateway,
    /// An operator, whoever is trying it.
    Operator,
}

/// An operator's word on copies. It says nothing but this, so that it takes nothing back of what the gateway wrote meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// They wait for a person until then.
    Hold(Timestamp),
    /// Those that are held are due then.
    Release(Timestamp),
    /// Those that are not held are due then.
    Retry(Timestamp),
}

impl Store {
    /// Puts messages in; they are durable when this returns. On an error none of them is there.
    pub async fn spool(&self, messages: &[NewSpooled]) -> Result<(), StoreError> {
        let spool = &self.inner.spool;
        let task = Task { messages: spool.rows(messages), ..Task::default() };
        spool.writer.run(task).await?;
        spool.arrived.notify_one();
        Ok(())
    }

    /// Takes a copy out, and its message with the last copy; puts in what reports on it, in one commit. False, and nothing is
    /// done, when it is gone, or when another gateway has taken it over: its word counts.
    pub async fn spool_settled(&self, id: CopyId, reports: &[NewSpooled], hand: Hand) -> Result<bool, StoreError> {
        let spool = &self.inner.spool;
        let task = Task { messages: spool.rows(reports), settled: Some(id), by: self.by(hand), ..Task::default() };
        let done = spool.writer.run(task).await?;
        if !reports.is_empty() {
            spool.arrived.notify_one();
        }
        Ok(done)
    }

    /// Writes a copy's state, next time, attempts, decision and last words as `copy` has them now, if its state is still
    /// `was`: what was held meanwhile stays held. Whose copy is another gateway's by now says nothing about it.
    pub async fn spool_changed(&self, copy: &SpooledCopy, was: CopyState, hand: Hand) -> Result<(), StoreError> {
        let spool = &self.inner.spool;
        let task = Task { changed: Some((spool.change(copy), was.as_str())), by: self.by(hand), ..Task::default() };
        spool.writer.run(task).await?;
        spool.arrived.notify_one();
        Ok(())
    }

    /// Judges copies, in one commit.
    pub async fn spool_judge(&self, copies: &[CopyId], judgement: Judgement) -> Result<(), StoreError> {
        let spool = &self.inner.spool;
        spool.writer.run(Task { judged: Some((copies.to_vec(), judgement)), ..Task::default() }).await?;
        spool.arrived.notify_one();
        Ok(())
    }

    fn by(&self, hand: Hand) -> Option<[u8; 16]> {
        (hand == Hand::Gateway).then_some(self.inner.gateway)
    }
}

impl Spool {
    fn rows(&self, messages: &[NewSpooled]) -> Vec<task::MessageRow> {
        messages
            .iter()
            .map(|message| task::MessageRow {
                id: message.id,
                stream: message.stream.clone(),
                queued_at: ms(message.queued_at),
                size: message.original.len() as u64,
                head: Head::of(message).seal(&self.key, message.id),
                original: self.key.seal(random(), &sealed::place("original", message.id, 0), &message.original),
                copies: message.copies.iter().zip(0..).map(|(copy, number)| self.copy_row(message.id, number, copy)).collect(),
            })
            .collect()
    }

    fn copy_row(&self, message: SpoolId, number: u32, copy: &NewCopy) -> task::CopyRow {
        let id = CopyId { message, number };
        task::CopyRow {
            id,
            lane: state::number(copy.lane),
            state: copy.state.as_str(),
            next_at: ms(copy.next_at),
            attempts: copy.attempts,
            decision: copy.ground.as_ref().map(|ground| ground.decision),
            fingerprint: copy.fingerprint,
            sealed: SealedCopy::of(&copy.recipient, copy.ground.as_ref(), copy.last.as_deref(), None).seal(&self.key, id),
        }
    }

    fn change(&self, copy: &SpooledCopy) -> task::CopyRow {
        task::CopyRow {
            id: copy.id,
            lane: state::number(copy.lane),
            state: copy.state.as_str(),
            next_at: ms(copy.next_at),
            attempts: copy.attempts,
            decision: copy.ground.as_ref().map(|ground| ground.decision),
            fingerprint: copy.fingerprint,
            sealed: SealedCopy::of(&copy.recipient, copy.ground.as_ref(), copy.last.as_deref(), copy.ruling).seal(&self.key, copy.id),
        }
    }
}
