//! Links that prove who reads a mailbox: mailed on request, good for an hour. What they open is the desk's business.

use jiff::{SignedDuration, Timestamp};

use super::column::{ms, octets, timestamp, topic};
use super::db::{query, query_as, repeated};
use super::ledger::Place;
use super::letter::{LetterId, Mail};
use super::limit::{Limit, is_too_soon};
use super::request::{Exercised, exercise};
use super::{Store, StoreError, begin};
use crate::consent::{DecisionId, RequestDoor, Right, SubjectId, Topic};
use crate::entropy::random;
use crate::mail::{Address, ReversePath};

/// A request for such a link.
#[derive(Clone)]
pub struct NewAccess {
    /// Whose mailbox.
    pub subject: SubjectId,
    /// Key of the controller whose mail it is about.
    pub controller: String,
    /// What that mail was about.
    pub topic: Topic,
    /// The decision that let it pass.
    pub decision: DecisionId,
    /// `Keyring::secret_key` of the link's token.
    pub token: [u8; 32],
    /// When.
    pub at: Timestamp,
    /// The address of the subject, as [`Store::address`] gave it.
    pub to: Address,
    /// Where bounces go.
    pub reverse_path: ReversePath,
    /// With angle brackets.
    pub message_id: String,
    /// The mail that carries the link.
    pub mail: String,
}

/// What a link of this kind stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLink {
    /// Whose mailbox was proven.
    pub subject: SubjectId,
    /// Key of the controller.
    pub controller: String,
    /// What the mail was about whose link was used to ask.
    pub topic: Topic,
    /// The decision that let that mail pass.
    pub decision: DecisionId,
    /// When it was asked for.
    pub created: Timestamp,
}

impl AccessLink {
    /// How long a link works.
    pub const LIFETIME: SignedDuration = SignedDuration::from_hours(1);
}

/// So many mails to one mailbox for one controller within that time, whoever asks for them.
const LIMITS: [Limit; 2] = [(1, SignedDuration::from_mins(5)), (3, SignedDuration::from_hours(24))];

const COUNTED: &str = "SELECT count(*) FROM access_link WHERE subject = $1 AND controller = $2 AND created > $3";

type Row = (Vec<u8>, String, String, Vec<u8>, i64);

impl Store {
    /// Commits a link and its mail together. False when nothing was done: the mailbox had its share of mails.
    pub async fn request_access(&self, access: NewAccess) -> Result<bool, StoreError> {
        repeated!(self.request_access_once(access.clone()))
    }

    async fn request_access_once(&self, access: NewAccess) -> Result<bool, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let Some(place) = Place::of_subject(&mut tx, access.subject).await? else { return Ok(false) };
        if is_too_soon(&mut tx, COUNTED, &LIMITS, access.subject, &access.controller, access.at).await? {
            return Ok(false);
        }
        let (subject, controller, rights, at) = (access.subject, access.controller.as_str(), &[Right::Access], access.at);
        exercise(&mut tx, Exercised { subject, controller, rights, door: RequestDoor::Page, at, by: None, repeated: false }).await?;
        let keys = self.keys_of(&mut tx, &place).await?;
        query("INSERT INTO access_link (token, subject, controller, topic, decision, created) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(&access.token[..])
            .bind(&access.subject.0[..])
            .bind(&access.controller)
            .bind(access.topic.as_str())
            .bind(&access.decision.0[..])
            .bind(ms(access.at))
            .execute(&mut tx)
            .await?;
        let mail = Mail::plain(&access.reverse_path, &access.to, access.message_id, access.mail);
        mail.post(&mut tx, &keys, LetterId(random()), access.subject, None, access.at).await?;
        tx.commit().await?;
        self.inner.letters.notify_one();
        Ok(true)
    }

    /// The link of that token (`Keyring::secret_key` of its octets), also one that is too old by now.
    pub async fn access_link(&self, token: &[u8; 32]) -> Result<Option<AccessLink>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let row: Option<Row> = query_as("SELECT subject, controller, topic, decision, created FROM access_link WHERE token = $1")
            .bind(&token[..])
            .fetch_optional(&mut reader)
            .await?;
        let read = |(subject, controller, name, decision, created): Row| {
            Ok(AccessLink {
                subject: SubjectId(octets(&subject)?),
                controller,
                topic: topic(&name)?,
                decision: DecisionId(octets(&decision)?),
                created: timestamp(created)?,
            })
        };
        row.map(read).transpose()
    }
}
