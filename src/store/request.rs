//! The register of requests by persons (GDPR Art. 12): entered, and each step until they are closed. Whoever carries a right out
//! closes its request with it, so that there is one book. What the terms are is `consent`'s business.

mod read;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::column::{int, ms, octets, whole_ms};
use super::db::{Connection, query, query_as};
use super::ledger::Place;
use super::subject_keys::DataKeys;
use super::{NewAuditLine, Store, StoreError, begin};
use crate::consent::{RequestDoor, RequestId, RequestStep, Right, RightsRequest, Source, StepFault, SubjectId, ordered_id};
use crate::entropy::random;

/// Closed requests that go in one step.
const STEP: u32 = 100;

/// A request to be entered.
pub struct NewRequest {
    /// Whose; `None` for somebody nothing is on record about.
    pub subject: Option<SubjectId>,
    /// Key of the controller that must answer.
    pub controller: String,
    /// Which right.
    pub right: Right,
    /// How it came in.
    pub door: RequestDoor,
    /// When the controller received it.
    pub received: Timestamp,
    /// When it is entered.
    pub at: Timestamp,
    /// Who enters it: a login name, or the name of an API token; `None` for the person.
    pub by: Option<String>,
    /// In their words.
    pub note: Option<String>,
}

/// A step to be taken.
pub struct NewStep<'a> {
    /// Of which request.
    pub request: RequestId,
    /// Which.
    pub step: RequestStep,
    /// When.
    pub at: Timestamp,
    /// Login name of who takes it.
    pub by: &'a str,
    /// In their words.
    pub note: &'a str,
}

/// A right that was carried out.
pub struct Exercised<'a> {
    /// Whose.
    pub subject: SubjectId,
    /// Key of the controller.
    pub controller: &'a str,
    /// The rights that are satisfied with it; the first one is entered where none of them was asked for before.
    pub rights: &'a [Right],
    /// How it came in, where it was not asked for before.
    pub door: RequestDoor,
    /// When.
    pub at: Timestamp,
    /// Who did it; `None` for the person.
    pub by: Option<&'a str>,
    /// True for what changed nothing: it closes what is open, and is no new request.
    pub repeated: bool,
}

/// Which requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestFilter {
    /// Of which controller; all where it is empty.
    pub controller: String,
    /// About which right.
    pub right: Option<Right>,
}

/// Requests whose term ends, by number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pressing {
    /// The term is over.
    pub overdue: u64,
    /// It ends within some days.
    pub soon: u64,
}

impl Store {
    /// Enters a request, with its line of the audit log.
    pub async fn open_request(&self, new: NewRequest, line: Option<NewAuditLine>) -> Result<RequestId, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let keys = match new.subject {
            Some(subject) => {
                let place = Place::of_subject(&mut tx, subject).await?.ok_or(StoreError::Damaged("a standing"))?;
                self.keys_of(&mut tx, &place).await?
            }
            None => DataKeys::NONE,
        };
        let id = RequestId(ordered_id(new.at, random()));
        enter(&mut tx, id, &new).await?;
        let note = new.note.as_deref().map(|note| self.seal_note(&keys, new.subject, id, 1, note));
        append(&mut tx, id, 1, RequestStep::Received, new.at, new.by.as_deref(), note).await?;
        if let Some(line) = line {
            self.append_audit(&mut tx, line).await?;
        }
        tx.commit().await?;
        Ok(id)
    }

    /// Takes a step, with its line of the audit log. `None` for an unknown request.
    pub async fn step_request(&self, new: NewStep<'_>, line: NewAuditLine) -> Result<Option<Result<(), StepFault>>, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        if tx.is_shared() {
            let lock = "SELECT 1 FROM request WHERE id = $1 FOR UPDATE";
            query_as::<(i32,)>(lock).bind(&new.request.0[..]).fetch_optional(&mut tx).await?;
        }
        let Some(request) = self.read_request(&mut tx, new.request).await? else { return Ok(None) };
        if let Err(fault) = request.may(new.step, new.at) {
            return Ok(Some(Err(fault)));
        }
        let keys = match request.subject {
            Some(subject) => self.inner.subject_keys.of(subject).await?,
            None => DataKeys::NONE,
        };
        let seq = request.steps.len() as u64 + 1;
        let note = self.seal_note(&keys, request.subject, new.request, seq, new.note);
        append(&mut tx, new.request, seq, new.step, new.at, Some(new.by), Some(note)).await?;
        if new.step == RequestStep::Extended {
            let due = due_ms(RightsRequest::due(request.received, true));
            query("UPDATE request SET due = $2 WHERE id = $1").bind(&new.request.0[..]).bind(due).execute(&mut tx).await?;
        }
        self.append_audit(&mut tx, line).await?;
        tx.commit().await?;
        Ok(Some(Ok(())))
    }

    /// Enters that a right was carried out, with its line of the audit log.
    pub async fn exercise(&self, exercised: Exercised<'_>, line: NewAuditLine) -> Result<(), StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        self.append_audit(&mut tx, line).await?;
        exercise(&mut tx, exercised).await?;
        Ok(tx.commit().await?)
    }

    /// Deletes some of the requests that were closed before `before`; how many.
    pub async fn drop_requests(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let rows: Vec<(Vec<u8>,)> = query_as("SELECT id FROM request WHERE closed < $1 ORDER BY closed LIMIT $2")
            .bind(ms(before))
            .bind(STEP)
            .fetch_all(&mut tx)
            .await?;
        for (id,) in &rows {
            query("DELETE FROM request_step WHERE request = $1").bind(id).execute(&mut tx).await?;
            query("DELETE FROM request WHERE id = $1").bind(id).execute(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(rows.len() as u64)
    }

    /// Nothing where the person's key was destroyed: what would be unreadable at once is not written.
    fn seal_note(&self, keys: &DataKeys, subject: Option<SubjectId>, id: RequestId, seq: u64, note: &str) -> Vec<u8> {
        let seal = |key: &crate::crypto::DataKey| key.seal(random(), &context(id, seq), note.as_bytes());
        match subject {
            Some(_) => keys.evidence.as_ref().map(seal).unwrap_or_default(),
            None => seal(self.keyring().ledger_key()),
        }
    }
}

/// Closes the open requests that are satisfied, or enters one as closed.
pub(super) async fn exercise(tx: &mut Connection, done: Exercised<'_>) -> Result<(), StoreError> {
    let mut closed = 0;
    for right in done.rights {
        let open: Vec<(Vec<u8>, i64)> = query_as(
            "SELECT id, (SELECT max(seq) FROM request_step WHERE request = id) FROM request
             WHERE subject = $1 AND controller = $2 AND kind = $3 AND state = 'open'",
        )
        .bind(&done.subject.0[..])
        .bind(done.controller)
        .bind(right.as_str())
        .fetch_all(&mut *tx)
        .await?;
        for (id, seq) in open {
            let seq = u64::try_from(seq).unwrap_or_default() + 1;
            append(tx, RequestId(octets(&id)?), seq, RequestStep::Answered, done.at, done.by, None).await?;
            closed += 1;
        }
    }
    let Some(right) = done.rights.first().filter(|_| closed == 0 && !done.repeated) else { return Ok(()) };
    let id = RequestId(ordered_id(done.at, random()));
    let new = NewRequest {
        subject: Some(done.subject),
        controller: done.controller.to_owned(),
        right: *right,
        door: done.door,
        received: done.at,
        at: done.at,
        by: done.by.map(str::to_owned),
        note: None,
    };
    enter(tx, id, &new).await?;
    append(tx, id, 1, RequestStep::Received, done.at, done.by, None).await?;
    append(tx, id, 2, RequestStep::Answered, done.at, done.by, None).await
}

/// How a right came in that is carried out at once.
pub(super) fn door(source: Source) -> RequestDoor {
    match source {
        Source::Staff => RequestDoor::Staff,
        Source::Mail => RequestDoor::Email,
        Source::Api | Source::System => RequestDoor::Api,
        Source::Form | Source::Page | Source::OneClick | Source::Gateway => RequestDoor::Page,
    }
}

async fn enter(tx: &mut Connection, id: RequestId, new: &NewRequest) -> Result<(), StoreError> {
    query(
        "INSERT INTO request (id, subject, controller, kind, door, received, due, state, closed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', NULL)",
    )
    .bind(&id.0[..])
    .bind(new.subject.map(|subject| subject.0.to_vec()))
    .bind(&new.controller)
    .bind(new.right.as_str())
    .bind(new.door.as_str())
    .bind(ms(whole_ms(new.received)))
    .bind(due_ms(RightsRequest::due(new.received, false)))
    .execute(tx)
    .await?;
    Ok(())
}

async fn append(
    tx: &mut Connection,
    id: RequestId,
    seq: u64,
    step: RequestStep,
    at: Timestamp,
    by: Option<&str>,
    note: Option<Vec<u8>>,
) -> Result<(), StoreError> {
    query("INSERT INTO request_step (request, seq, at, step, handler, note) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(&id.0[..])
        .bind(int(seq))
        .bind(ms(at))
        .bind(step.as_str())
        .bind(by)
        .bind(note.filter(|sealed| !sealed.is_empty()))
        .execute(&mut *tx)
        .await?;
    if step.closes() {
        query("UPDATE request SET state = $2, closed = $3 WHERE id = $1")
            .bind(&id.0[..])
            .bind(step.as_str())
            .bind(ms(at))
            .execute(tx)
            .await?;
    }
    Ok(())
}

fn due_ms(due: Date) -> i64 {
    due.to_zoned(TimeZone::UTC).map_or(i64::MAX, |zoned| ms(zoned.timestamp()))
}

/// Where a sealed note belongs.
fn context(id: RequestId, seq: u64) -> Vec<u8> {
    [b"request\0", &id.0[..], &seq.to_be_bytes()].concat()
}
