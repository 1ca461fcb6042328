//! Finding one person's decisions: their ids run by run, then what else is asked for. The rest of finding is `search`'s
//! business.

use super::StoreError;
use super::column::{json, octets};
use super::db::{Sql, query_as};
use super::decision_log::rows;
use super::search::{DecisionFilter, Halt, Search, matching, matching_there};
use super::stride::{Ids, Strides, hour_id};
use super::tally::id_ms;
use super::volume::hour;
use crate::consent::{DecisionId, SubjectId};

/// A person's decisions read in one go.
const IDS: usize = 256;

/// Ids of a person's decisions asked for in one go, once the newest did not do: asking goes through all runs.
const MANY_IDS: usize = 20_000;

impl Search<'_> {
    /// The person's newest decisions as they are, then those in the minutes that the tally points at.
    pub(super) async fn by_subject(&mut self, subject: SubjectId, mut ids: Ids) -> Result<(), Halt> {
        let newest = self.of_subject(subject, &ids, IDS).await?;
        self.listed(&newest).await?;
        let (Some(mut last), IDS) = (newest.last().copied(), newest.len()) else { return Ok(()) };
        let bare = DecisionFilter { subject: None, from: None, to: None, ..self.filter.clone() } == DecisionFilter::default();
        let mixes = if bare { None } else { Some(self.mixes().await?) };
        if mixes.as_ref().is_some_and(Vec::is_empty) {
            return Ok(());
        }
        loop {
            self.look_at_the_clock(last)?;
            ids.end = last;
            let theirs = self.of_subject(subject, &ids, MANY_IDS).await?;
            match &mixes {
                // Where there are more combinations than decisions, to look is quicker than to ask.
                Some(mixes) if mixes.len() < theirs.len() => self.pointed_at(mixes, &theirs).await?,
                _ => self.each(&theirs).await?,
            }
            match theirs.last() {
                Some(id) if theirs.len() == MANY_IDS => last = *id,
                _ => return Ok(()),
            }
        }
    }

    /// A person's decisions; newest first, at most `limit`.
    async fn of_subject(&self, subject: SubjectId, ids: &Ids, limit: usize) -> Result<Vec<DecisionId>, StoreError> {
        let found: Vec<(Vec<u8>,)> = query_as(Sql {
            sqlite: "WITH RECURSIVE runs (run) AS (
                 SELECT max(run) FROM decision_of_subject UNION ALL SELECT run - 1 FROM runs WHERE run > 0
             )
             SELECT decision FROM runs CROSS JOIN decision_of_subject AS s ON s.run = runs.run
             WHERE subject = $1 AND decision >= $2 AND decision < $3 ORDER BY decision DESC LIMIT $4",
            postgres: "SELECT id FROM decision WHERE subject = $1 AND id >= $2 AND id < $3 ORDER BY id DESC LIMIT $4",
        })
        .bind(&subject.0[..])
        .bind(&ids.start.0[..])
        .bind(&ids.end.0[..])
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&mut *self.connection().await)
        .await?;
        found.iter().map(|(id,)| octets(id).map(DecisionId)).collect()
    }

    /// What matches among these, newest first, as far as the tally says that there may be any.
    async fn pointed_at(&mut self, mixes: &[i64], theirs: &[DecisionId]) -> Result<(), Halt> {
        let (Some(newest), Some(oldest)) = (theirs.first(), theirs.last()) else { return Ok(()) };
        let strides = Strides::new(hour(id_ms(*newest)), hour(id_ms(*oldest)), mixes.len());
        let mixes = json(mixes);
        for (begin, end) in strides {
            let minutes = self.minutes(&mixes, begin, end).await?;
            let before = |id: DecisionId| theirs.partition_point(|own| *own >= id);
            let some: Vec<DecisionId> =
                minutes.iter().flat_map(|minutes| &theirs[before(minutes.end)..before(minutes.start)]).copied().collect();
            self.each(&some).await?;
            self.look_at_the_clock(hour_id(begin).max(*oldest))?;
        }
        Ok(())
    }

    /// What matches among these, newest first.
    async fn each(&mut self, ids: &[DecisionId]) -> Result<(), Halt> {
        for some in ids.chunks(IDS) {
            self.listed(some).await?;
            self.look_at_the_clock(some[some.len() - 1])?;
        }
        Ok(())
    }

    /// What matches among these few.
    async fn listed(&mut self, ids: &[DecisionId]) -> Result<(), Halt> {
        let listed: Vec<String> = ids.iter().map(|id| hex::encode(id.0)).collect();
        let all = DecisionId([0; 16])..DecisionId([u8::MAX; 16]);
        let statement = Sql {
            sqlite: rows!("json_each($4) AS one CROSS JOIN decision AS d", matching!("d.id = unhex(one.value)")).sqlite,
            postgres: rows!(
                "decision AS d",
                matching_there!("d.id = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($4::json)))")
            )
            .postgres,
        };
        self.rows(statement, all, Some(json(&listed))).await
    }
}
