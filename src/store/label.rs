//! What people said that mails were whose class was in doubt (L-AD-07): appended, never changed, and no decision with it.

use jiff::Timestamp;

use super::audit::NewAuditLine;
use super::column::{json, ms, octets, timestamp};
use super::db::{query, query_as};
use super::decision_log::{read_class, read_steps};
use super::{Store, StoreError, begin};
use crate::consent::DecisionId;
use crate::mail::{Class, Step};

/// One mail, and what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The decision on it.
    pub decision: DecisionId,
    /// When it was said.
    pub at: Timestamp,
    /// By which stream it came.
    pub stream: String,
    /// What it was.
    pub class: Class,
    /// What was found in it.
    pub steps: Vec<Step>,
    /// What the model made of it (JSON), where the mail was still there.
    pub figures: Option<String>,
}

impl Store {
    /// Keeps a label with its line of the audit log, in one commit; `None` when it is kept, or what was said before: the first word stays.
    pub async fn keep_label(&self, label: &Label, line: NewAuditLine) -> Result<Option<Class>, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let steps: Vec<_> = label.steps.iter().map(|step| (step.trust.as_str(), step.says.as_str(), &step.why)).collect();
        let kept = query(
            "INSERT INTO label (decision, at, stream, class, steps, figures) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (decision) DO NOTHING",
        )
        .bind(&label.decision.0[..])
        .bind(ms(label.at))
        .bind(&label.stream)
        .bind(label.class.as_str())
        .bind(json(steps))
        .bind(label.figures.as_deref())
        .execute(&mut tx)
        .await?;
        if kept.rows_affected() == 0 {
            let (class,): (String,) =
                query_as("SELECT class FROM label WHERE decision = $1").bind(&label.decision.0[..]).fetch_one(&mut tx).await?;
            return read_class(&class).map(Some);
        }
        self.append_audit(&mut tx, line).await?;
        tx.commit().await?;
        Ok(None)
    }

    /// The label of a decision.
    pub async fn label_of(&self, decision: DecisionId) -> Result<Option<Class>, StoreError> {
        let mut reader = self.inner.reader.lock().await;
        let row: Option<(String,)> =
            query_as("SELECT class FROM label WHERE decision = $1").bind(&decision.0[..]).fetch_optional(&mut reader).await?;
        row.map(|(class,)| read_class(&class)).transpose()
    }

    /// All labels, the oldest decision first.
    pub async fn labels(&self) -> Result<Vec<Label>, StoreError> {
        type Row = (Vec<u8>, i64, String, String, String, Option<String>);
        let mut reader = self.inner.admin.lock().await;
        let rows: Vec<Row> =
            query_as("SELECT decision, at, stream, class, steps, figures FROM label ORDER BY decision").fetch_all(&mut reader).await?;
        drop(reader);
        rows.into_iter()
            .map(|(decision, at, stream, class, steps, figures)| {
                let (decision, at) = (DecisionId(octets(&decision)?), timestamp(at)?);
                Ok(Label { decision, at, stream, class: read_class(&class)?, steps: read_steps(&steps)?, figures })
            })
            .collect()
    }
}
