//! Reading the register: who waits for an answer, and what was done about one person's requests.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Pressing, RequestFilter, context};
use crate::consent::{RequestDoor, RequestId, RequestStep, Right, RightsRequest, StepTaken, SubjectId, Urgency};
use crate::store::column::{octets, timestamp};
use crate::store::db::{Connection, query_as};
use crate::store::subject_keys::DataKeys;
use crate::store::{Store, StoreError};

/// Open requests that are read at most.
const MOST_OPEN: u32 = 1_000;

type Row = (Vec<u8>, Option<Vec<u8>>, String, String, String, i64);
type StepRow = (Vec<u8>, i64, i64, String, Option<String>, Option<Vec<u8>>);

impl Store {
    /// Open requests that match, the next to be answered first.
    pub async fn open_requests(&self, filter: &RequestFilter) -> Result<Vec<RightsRequest>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let rows: Vec<Row> = query_as(
            "SELECT id, subject, controller, kind, door, received FROM request
             WHERE state = 'open' AND ($1 = '' OR controller = $1) AND ($2 = '' OR kind = $2) ORDER BY due, id LIMIT $3",
        )
        .bind(&filter.controller)
        .bind(filter.right.map_or("", Right::as_str))
        .bind(MOST_OPEN)
        .fetch_all(&mut reader)
        .await?;
        self.with_steps(&mut reader, rows).await
    }

    /// Closed requests that match, before that one or the newest; newest first.
    pub async fn closed_requests(
        &self,
        filter: &RequestFilter,
        before: Option<RequestId>,
        limit: u32,
    ) -> Result<Vec<RightsRequest>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let rows: Vec<Row> = query_as(
            "SELECT id, subject, controller, kind, door, received FROM request
             WHERE state <> 'open' AND ($1 = '' OR controller = $1) AND ($2 = '' OR kind = $2) AND id < $3 ORDER BY id DESC LIMIT $4",
        )
        .bind(&filter.controller)
        .bind(filter.right.map_or("", Right::as_str))
        .bind(before.map_or([0xff; 16], |id| id.0).to_vec())
        .bind(limit)
        .fetch_all(&mut reader)
        .await?;
        self.with_steps(&mut reader, rows).await
    }

    /// One request.
    pub async fn request_of(&self, id: RequestId) -> Result<Option<RightsRequest>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        self.read_request(&mut reader, id).await
    }

    /// A person's requests to one controller, oldest first: part of what is stored about them (GDPR Art. 15).
    pub async fn requests_of(&self, subject: SubjectId, controller: &str) -> Result<Vec<RightsRequest>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let rows: Vec<Row> = query_as(
            "SELECT id, subject, controller, kind, door, received FROM request WHERE subject = $1 AND controller = $2 ORDER BY id",
        )
        .bind(&subject.0[..])
        .bind(controller)
        .fetch_all(&mut reader)
        .await?;
        self.with_steps(&mut reader, rows).await
    }

    /// How many must be answered within days, or should have been.
    pub async fn pressing(&self, now: Timestamp) -> Result<Pressing, StoreError> {
        let open = self.open_requests(&RequestFilter::default()).await?;
        let many = |urgency| open.iter().filter(|request| request.urgency(now) == urgency).count() as u64;
        Ok(Pressing { overdue: many(Urgency::Overdue), soon: many(Urgency::Soon) })
    }

    /// One request, within the transaction of that connection.
    pub(super) async fn read_request(&self, connection: &mut Connection, id: RequestId) -> Result<Option<RightsRequest>, StoreError> {
        let row: Option<Row> = query_as("SELECT id, subject, controller, kind, door, received FROM request WHERE id = $1")
            .bind(&id.0[..])
            .fetch_optional(&mut *connection)
            .await?;
        Ok(self.with_steps(connection, row.into_iter().collect()).await?.pop())
    }

    async fn with_steps(&self, connection: &mut Connection, rows: Vec<Row>) -> Result<Vec<RightsRequest>, StoreError> {
        let mut keys: BTreeMap<SubjectId, DataKeys> = BTreeMap::new();
        let mut requests = Vec::with_capacity(rows.len());
        for (id, subject, controller, kind, door, received) in rows {
            let subject = subject.map(|id| octets(&id).map(SubjectId)).transpose()?;
            if let Some(subject) = subject
                && !keys.contains_key(&subject)
            {
                keys.insert(subject, self.inner.subject_keys.of(subject).await?);
            }
            let steps: Vec<StepRow> =
                query_as("SELECT request, seq, at, step, handler, note FROM request_step WHERE request = $1 ORDER BY seq")
                    .bind(&id)
                    .fetch_all(&mut *connection)
                    .await?;
            let keys = subject.and_then(|subject| keys.get(&subject)).unwrap_or(&DataKeys::NONE);
            let id = RequestId(octets(&id)?);
            requests.push(RightsRequest {
                id,
                subject,
                controller,
                right: Right::parse(&kind).ok_or(StoreError::Damaged("a request's right"))?,
                door: RequestDoor::parse(&door).ok_or(StoreError::Damaged("a request's door"))?,
                received: timestamp(received)?,
                steps: steps.into_iter().map(|row| self.read_step(keys, subject, id, row)).collect::<Result<_, StoreError>>()?,
            });
        }
        Ok(requests)
    }

    fn read_step(
        &self,
        keys: &DataKeys,
        subject: Option<SubjectId>,
        id: RequestId,
        (_, seq, at, step, by, note): StepRow,
    ) -> Result<StepTaken, StoreError> {
        let seq = u64::try_from(seq).unwrap_or_default();
        let open = |sealed: Vec<u8>| {
            let key = if subject.is_some() { keys.evidence.as_ref()? } else { self.keyring().ledger_key() };
            // Another key than the one that sealed it: that one was destroyed since, and the note with it.
            String::from_utf8(key.open(&context(id, seq), &sealed)?.to_vec()).ok()
        };
        Ok(StepTaken {
            at: timestamp(at)?,
            step: RequestStep::parse(&step).ok_or(StoreError::Damaged("a request's step"))?,
            by,
            note: note.and_then(open),
        })
    }
}
