//! Erasure on a person's wish (GDPR Art. 17), for one controller at a time; a mailbox that turns out to be somebody else's
//! (`rectification`) goes the same way. What nobody asked for and lies unused is
//! `retention`'s business.
//!
//! | what | becomes of it |
//! |---|---|
//! | sign-ups that wait, their mails; links to one's own data; the tool's List-Unsubscribe values | deleted |
//! | address; mails that wait | deleted with the contact key, when no other controller has a sign-up of the person |
//! | evidence | its key is destroyed, unless there is a consent to prove (Art. 17(3)(e)), or another controller's |
//! | events, decisions, outcomes | stay; they name a random id, and no MTA's words with an address |
//! | the keyed hash, with the objection's suppression | stays, so that nobody writes again (Art. 21(3), L-OBJ-07) |
//! | lines of the audit log | stay; they name the random id, and what staff wrote is sealed |
//! | the mail that already waits in the spool | is blocked at its next attempt if it is advertising, and gone within days |

use jiff::Timestamp;

use super::column::int;
use super::db::{Connection, Sql, query, query_as, repeated};
use super::ledger::Place;
use super::request::{Exercised, door, exercise};
use super::subject_keys::DataKeys;
use super::withdrawal::{Stop, is_in_force, record_stop};
use super::{NewAuditLine, Store, StoreError, begin};
use crate::consent::{ChoiceEvidence, Event, EventKind, Evidence, Right, Source, SubjectId};

/// A wish to be erased.
#[derive(Clone)]
pub struct NewErasure {
    /// Whose.
    pub subject: SubjectId,
    /// Key of the controller that shall forget the person.
    pub controller: String,
    /// Through which door it came.
    pub source: Source,
    /// When.
    pub at: Timestamp,
    /// The proof of the wish; kept as long as other evidence is.
    pub evidence: ChoiceEvidence,
    /// What goes into the audit log with it.
    pub line: Option<NewAuditLine>,
}

/// What an erasure did, for the answer to the person (GDPR Art. 12(3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// When it was done.
    pub at: Timestamp,
    /// Address and mails are gone for good; false where another controller still needs them.
    pub contact_gone: bool,
    /// What became of the evidence.
    pub evidence: EvidenceFate,
}

/// What became of a person's evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvidenceFate {
    /// Its key was destroyed, or there was none.
    Destroyed,
    /// There is a consent to prove: for the role `legal`, until its retention ends (GDPR Art. 17(3)(e)).
    KeptAsProof,
    /// Another controller's is sealed with the same key.
    KeptForOthers,
}

impl EvidenceFate {
    /// The word in texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Destroyed => "destroyed",
            Self::KeptAsProof => "kept_as_proof",
            Self::KeptForOthers => "kept_for_others",
        }
    }
}

/// What else there is of a person.
struct Remains {
    /// A sign-up with another controller, which needs the address.
    sign_up_elsewhere: bool,
    /// A consent, whatever became of it, with any controller.
    consent: bool,
    /// Evidence of another controller.
    evidence_elsewhere: bool,
}

impl Store {
    /// Erases what `controller` has of a person; `None` for an unknown one. Done again, it does no harm and finishes what a
    /// crash cut off.
    pub async fn erase_person(&self, erasure: NewErasure) -> Result<Option<Erasure>, StoreError> {
        repeated!(self.erase_person_once(erasure.clone()))
    }

    async fn erase_person_once(&self, erasure: NewErasure) -> Result<Option<Erasure>, StoreError> {
        let NewErasure { subject, controller, source, at, evidence, line } = erasure;
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let Some(mut place) = Place::of_subject(&mut tx, subject).await? else { return Ok(None) };
        if let Some(line) = line {
            self.append_audit(&mut tx, line).await?;
        }
        let by = evidence.handler();
        exercise(
            &mut tx,
            Exercised { subject, controller: &controller, rights: &[Right::Erasure], door: door(source), at, by, repeated: false },
        )
        .await?;
        let parting = self.parting(&mut tx, &place, &controller).await?;
        let Parting { contact_gone, evidence: fate, keys } = &parting;
        if !is_in_force(&place.standing, &controller, &Stop::Advertising) {
            let event = Event { evidence: parting.sealable(evidence), ..Event::new(EventKind::Objected, &controller, vec![], source, at) };
            record_stop(&mut tx, &mut place, keys, &Stop::Advertising, event).await?;
        }
        place.append(&mut tx, keys, Event::new(EventKind::Erased, &controller, vec![], source, at)).await?;
        self.part(&mut tx, subject, &controller, &parting).await?;
        tx.commit().await?;
        tracing::info!(%subject, evidence = fate.as_str(), contact_gone, "person erased");
        Ok(Some(Erasure { at, contact_gone: *contact_gone, evidence: *fate }))
    }

    /// What goes and what stays when `controller` lets go of a person.
    pub(super) async fn parting(&self, tx: &mut Connection, place: &Place, controller: &str) -> Result<Parting, StoreError> {
        let held = self.inner.subject_keys.of(place.subject).await?;
        // The seq from which on evidence can be read at all.
        let readable = held.evidence.as_ref().map_or(u64::MAX, |_| held.since);
        let remains = remains(tx, place.subject, controller, readable).await?;
        let evidence = match remains {
            Remains { consent: true, .. } => EvidenceFate::KeptAsProof,
            Remains { evidence_elsewhere: true, .. } => EvidenceFate::KeptForOthers,
            _ => EvidenceFate::Destroyed,
        };
        // What would be sealed only to be unreadable at once is not sealed at all.
        let keys = if evidence == EvidenceFate::Destroyed { DataKeys::NONE } else { self.keys_of(tx, place).await? };
        Ok(Parting { contact_gone: !remains.sign_up_elsewhere, evidence, keys })
    }

    /// Lets go; the last step before the commit: a crash in between leaves rows that nobody can read.
    pub(super) async fn part(
        &self,
        tx: &mut Connection,
        subject: SubjectId,
        controller: &str,
        parting: &Parting,
    ) -> Result<(), StoreError> {
        forget(tx, subject, controller).await?;
        if parting.contact_gone {
            forget_contact(tx, subject).await?;
            self.inner.subject_keys.shred(subject, parting.evidence == EvidenceFate::Destroyed).await?;
        }
        Ok(())
    }
}

/// How a controller lets go of a person.
pub(super) struct Parting {
    /// Address and mails go.
    pub(super) contact_gone: bool,
    /// What becomes of the evidence.
    pub(super) evidence: EvidenceFate,
    /// What seals the last events.
    pub(super) keys: DataKeys,
}

impl Parting {
    /// The proof of the wish, unless nobody could read it.
    pub(super) fn sealable(&self, evidence: ChoiceEvidence) -> Option<Evidence> {
        (self.evidence != EvidenceFate::Destroyed).then_some(Evidence::Choice(evidence))
    }
}

async fn remains(tx: &mut Connection, subject: SubjectId, controller: &str, readable: u64) -> Result<Remains, StoreError> {
    // What a controller had before it erased the person counts no more.
    let (sign_up_elsewhere, consent, evidence_elsewhere): (bool, bool, bool) = query_as(
        "SELECT
             EXISTS (SELECT 1 FROM event AS e WHERE e.subject = $1 AND e.controller <> $2 AND e.kind = 'requested' AND NOT EXISTS
                 (SELECT 1 FROM event AS x WHERE x.subject = e.subject AND x.controller = e.controller AND x.kind IN ('erased', 'rectified') AND x.seq > e.seq)),
             EXISTS (SELECT 1 FROM event AS e WHERE e.subject = $1 AND e.kind = 'given' AND e.seq >= $3),
             EXISTS (SELECT 1 FROM event AS e WHERE e.subject = $1 AND e.controller <> $2 AND e.evidence IS NOT NULL AND e.seq >= $3 AND NOT EXISTS
                 (SELECT 1 FROM event AS x WHERE x.subject = e.subject AND x.controller = e.controller AND x.kind IN ('erased', 'rectified') AND x.seq > e.seq))",
    )
    .bind(&subject.0[..])
    .bind(controller)
    .bind(int(readable))
    .fetch_one(tx)
    .await?;
    Ok(Remains { sign_up_elsewhere, consent, evidence_elsewhere })
}

/// Deletes what the controller alone had, and what can be asked of it no more.
async fn forget(tx: &mut Connection, subject: SubjectId, controller: &str) -> Result<(), StoreError> {
    // A file finds a person's decisions run by run: see `decision_of_subject`.
    let tool_unsubscribes = Sql {
        sqlite: "DELETE FROM tool_unsubscribe WHERE decision IN (
             WITH RECURSIVE runs (run) AS (
                 SELECT max(run) FROM decision_of_subject UNION ALL SELECT run - 1 FROM runs WHERE run > 0
             )
             SELECT s.decision FROM decision_of_subject AS s WHERE s.run IN (SELECT run FROM runs) AND s.subject = $1
         ) AND EXISTS (SELECT 1 FROM decision AS d WHERE d.id = tool_unsubscribe.decision AND d.controller = $2)",
        postgres: "DELETE FROM tool_unsubscribe WHERE decision IN (SELECT id FROM decision WHERE subject = $1 AND controller = $2)",
    };
    for statement in [
        "DELETE FROM letter WHERE opt_in IN (SELECT id FROM opt_in WHERE subject = $1 AND controller = $2 AND stage = 'pending')",
        "DELETE FROM opt_in WHERE subject = $1 AND controller = $2 AND stage = 'pending'",
        "DELETE FROM access_link WHERE subject = $1 AND controller = $2",
    ] {
        query(statement).bind(&subject.0[..]).bind(controller).execute(&mut *tx).await?;
    }
    query(tool_unsubscribes).bind(&subject.0[..]).bind(controller).execute(tx).await?;
    Ok(())
}

/// Deletes what was sealed under the contact key.
pub(super) async fn forget_contact(tx: &mut Connection, subject: SubjectId) -> Result<(), StoreError> {
    for statement in ["DELETE FROM letter WHERE subject = $1", "DELETE FROM subject WHERE id = $1"] {
        query(statement).bind(&subject.0[..]).execute(&mut *tx).await?;
    }
    Ok(())
}
