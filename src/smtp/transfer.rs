//! A connection's way of taking messages: after DATA up to the final dot, after BDAT as many octets as announced. Every
//! wait has a deadline, every octet is paid from the budget. What is a flaw is the readers' business.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::budget::Lease;
use super::chunk::ChunkReader;
use super::connection::{Connection, End};
use super::data::DataReader;
use super::draft::Draft;
use super::handler::Handler;
use super::reply;
use super::server::Server;
use super::transaction::Transaction;
use crate::wire::Reply;

/// Enough for most messages in one read.
const INPUT: usize = 16 * 1024;
/// For peers that fill the above: larger messages in fewer reads.
const LARGE_INPUT: usize = 64 * 1024;
/// First allocation for a message that promised a large SIZE: a promise takes no memory from others.
const FIRST_ROOM: usize = 64 * 1024;

/// A message that is arriving in chunks.
pub(super) struct Chunks {
    reader: ChunkReader,
    lease: Lease,
    until: Instant,
}

impl Chunks {
    /// By when the whole message must have arrived.
    pub(super) fn until(&self) -> Instant {
        self.until
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// From DATA to the replies to the final dot.
    pub(super) async fn transact<H: Handler>(&mut self, transaction: Transaction, server: &Server<H>) -> Result<Vec<Reply>, End> {
        let mut lease = server.budget.lease();
        let mut reader = DataReader::new(self.largest);
        let first = first_room(transaction.size, self.largest);
        if !lease.resize(first) {
            return Ok(vec![reply::OUT_OF_MEMORY]);
        }
        reader.draft.make_room(first);
        self.queue(&reply::START_DATA);
        self.flush(server.settings.command_timeout()).await?;
        let until = Instant::now() + server.settings.message_timeout();
        loop {
            self.refill(until, server).await?;
            let octets = &self.input[self.start..];
            grow(&mut reader.draft, &mut lease, octets.len());
            let end = reader.feed(octets);
            self.start = end.map_or(self.input.len(), |end| self.start + end);
            if end.is_some() {
                break;
            }
        }
        Ok(Box::pin(hand_over(reader.draft, transaction, server)).await)
    }

    /// One chunk that is not the last: why it is refused, if it is. Refused or not, all its octets are consumed.
    pub(super) async fn take_chunk<H>(&mut self, octets: u64, size: Option<u64>, server: &Server<H>) -> Result<Option<Reply>, End> {
        let mut chunks = self.chunks.take().unwrap_or_else(|| open(size, self.largest, server));
        self.count(octets, Some(&mut chunks), server).await?;
        let refusal = chunks.reader.draft.refusal().cloned();
        self.chunks = Some(chunks);
        Ok(refusal)
    }

    /// The last chunk, and the replies to the message.
    pub(super) async fn take_last_chunk<H: Handler>(
        &mut self,
        octets: u64,
        transaction: Transaction,
        server: &Server<H>,
    ) -> Result<Vec<Reply>, End> {
        let mut chunks = self.chunks.take().unwrap_or_else(|| open(transaction.size, self.largest, server));
        self.count(octets, Some(&mut chunks), server).await?;
        grow(&mut chunks.reader.draft, &mut chunks.lease, b"\r\n".len());
        chunks.reader.end();
        Ok(Box::pin(hand_over(chunks.reader.draft, transaction, server)).await)
    }

    /// Reads past a chunk that nobody wants.
    pub(super) async fn skip<H>(&mut self, octets: u64, server: &Server<H>) -> Result<(), End> {
        self.count(octets, None, server).await
    }

    /// Consumes exactly that many octets; what comes behind them stays in the buffer.
    async fn count<H>(&mut self, mut octets: u64, mut chunks: Option<&mut Chunks>, server: &Server<H>) -> Result<(), End> {
        let until = chunks.as_ref().map_or_else(|| Instant::now() + server.settings.message_timeout(), |chunks| chunks.until);
        loop {
            let arrived = &self.input[self.start..];
            let piece = &arrived[..usize::try_from(octets).unwrap_or(usize::MAX).min(arrived.len())];
            if let Some(Chunks { reader, lease, .. }) = &mut chunks {
                grow(&mut reader.draft, lease, piece.len());
                reader.feed(piece);
            }
            self.start += piece.len();
            octets -= piece.len() as u64;
            if octets == 0 {
                return Ok(());
            }
            // A client may wait for the replies to earlier commands before it sends the rest.
            self.flush(server.settings.command_timeout()).await?;
            self.refill(until, server).await?;
        }
    }

    /// Waits for more of a message; the buffer holds nothing yet, or what the last call brought and nobody wanted.
    async fn refill<H>(&mut self, until: Instant, server: &Server<H>) -> Result<(), End> {
        let now = Instant::now();
        if now >= until {
            return Err(End::HangUp(reply::TIMED_OUT)); // also for a peer that never lets us wait
        }
        if self.start == self.input.len() {
            let full = self.input.capacity() >= INPUT && self.input.len() == self.input.capacity();
            self.input.clear();
            self.start = 0;
            self.input.reserve_exact(if full { LARGE_INPUT } else { INPUT });
        }
        self.fill(until.min(now + server.settings.data_timeout()), false).await
    }
}

/// The way of a message through the handler is long, and its future is kilobytes: callers box it, so that connections
/// which wait for a command do not each keep room for it.
///
/// I2: from here on nothing looks at the connection until the handler has answered. The mail may be passing
/// on to the outbound MTA, so a client that hangs up must not cancel it half way. The lease lives as long.
async fn hand_over<H: Handler>(draft: Draft, transaction: Transaction, server: &Server<H>) -> Vec<Reply> {
    let (ending, recipients) = (transaction.ending, transaction.recipients.len());
    let replies = match draft.finish() {
        Ok(data) => server.handler.submit(transaction.with(data)).await,
        Err(refusal) => vec![refusal],
    };
    ending.answer(recipients, replies)
}

/// A new message in chunks. Where the budget is used up it is refused, and its octets are read past.
fn open<H>(size: Option<u64>, largest: usize, server: &Server<H>) -> Chunks {
    let mut reader = ChunkReader::new(largest);
    let mut lease = server.budget.lease();
    let first = first_room(size, largest);
    if lease.resize(first) {
        reader.draft.make_room(first);
    } else {
        reader.draft.refuse(reply::OUT_OF_MEMORY);
    }
    Chunks { reader, lease, until: Instant::now() + server.settings.message_timeout() }
}

fn first_room(size: Option<u64>, largest: usize) -> usize {
    let promised = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(INPUT);
    promised.min(FIRST_ROOM).min(largest)
}

/// Makes room for `more` octets, if the budget has it.
fn grow(draft: &mut Draft, lease: &mut Lease, more: usize) {
    let wanted = draft.room_with(more);
    if lease.resize(wanted) {
        draft.make_room(wanted);
    } else {
        draft.refuse(reply::OUT_OF_MEMORY);
    }
}
