//! Finding decisions: newest first, by any combination of filters, without counting all of them and without an index that
//! every decision would pay for. The newest rows are read as they are; beyond them the tally tells in which minutes there
//! are any that match, and only those are read. A person's decisions are `search_subject`'s business.
//!
//! A search ends in time: what it has not come to is left for the next page.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::column::{json, octets, timestamp};
use super::db::{Lent, Sql, query_as};
use super::decision_log::{DecisionRow, Row, rows};
use super::stride::{Ids, Strides, first_id, hour_id, minute_id};
use super::tally::{ANY, id_ms};
use super::volume::hour;
use super::{Store, StoreError};
use crate::consent::{DecisionId, Reason, SubjectId};
use crate::mail::Class;

/// How long a search goes on before it returns what it has.
const PATIENCE: Duration = Duration::from_secs(2);

/// Rows that are read before the tally is asked: what is common is found among them.
const GLANCE: i64 = 2_000;

/// Minutes read in one go: the deadline is looked at in between.
const GO: usize = 10;

/// Names offered for choice, of each kind.
const CHOICES: i64 = 500;

/// Which decisions. What is not given does not matter; the default is all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DecisionFilter {
    /// Of one of these reasons; empty for any.
    pub reasons: Vec<Reason>,
    /// Of this class.
    pub class: Option<Class>,
    /// Of this stream.
    pub stream: Option<String>,
    /// Decided on for this topic.
    pub topic: Option<String>,
    /// Of this campaign.
    pub campaign: Option<String>,
    /// About this person.
    pub subject: Option<SubjectId>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DecisionPage {
    /// Newest first.
    pub rows: Vec<DecisionRow>,
    /// Where the next page begins; `None` when there is nothing more.
    pub next: Option<DecisionId>,
    /// The time back to which was searched, where the search ended before it had a full page.
    pub searched_back_to: Option<Timestamp>,
}

/// What occurs in the log, for choice: of each the newest, in alphabetical order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// Names of streams.
    pub streams: Vec<String>,
    /// Topics decided on.
    pub topics: Vec<String>,
    /// Campaigns.
    pub campaigns: Vec<String>,
}

/// A search under way.
pub(super) struct Search<'a> {
    store: &'a Store,
    pub(super) filter: &'a DecisionFilter,
    /// The filter's reasons as JSON.
    reasons: Option<String>,
    /// One more than the page has: it tells whether there is a next page.
    wanted: usize,
    rows: Vec<DecisionRow>,
    deadline: Instant,
}

/// Thrown to end a search before its end: where it came to.
pub(super) enum Halt {
    Full,
    Late(DecisionId),
    Error(StoreError),
}

impl<E: Into<StoreError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// What a row of `decision` must be like. Parameters from the fourth on; see [`Search::rows`].
macro_rules! matching {
    ($where:literal) => {
        matching!($where, "SELECT value FROM json_each($5)")
    };
    ($where:literal, $reasons:literal) => {
        concat!(
            "WHERE ",
            $where,
            " AND d.id >= $1 AND d.id < $2
             AND ($5 IS NULL OR d.reason IN (",
            $reasons,
            ")) AND ($6 IS NULL OR d.class = $6)
             AND ($7 IS NULL OR d.stream = $7) AND ($8 IS NULL OR d.topic = $8) AND ($9 IS NULL OR d.campaign = $9)
             ORDER BY d.id DESC LIMIT $3"
        )
    };
}

/// The same on PostgreSQL.
macro_rules! matching_there {
    ($where:literal) => {
        matching!($where, "SELECT json_array_elements_text($5::json)")
    };
}

pub(super) use matching;
pub(super) use matching_there;

impl Store {
    /// Decisions that match, before that one or the newest; newest first, at most `limit`.
    pub async fn search_decisions(
        &self,
        filter: &DecisionFilter,
        before: Option<DecisionId>,
        limit: u32,
    ) -> Result<DecisionPage, StoreError> {
        let from = filter.from.map_or(DecisionId([0; 16]), first_id);
        let to = filter.to.map_or(DecisionId([u8::MAX; 16]), first_id);
        self.search(filter, from..before.map_or(to, |before| before.min(to)), limit, Instant::now() + PATIENCE).await
    }

    /// The newest decisions that match and are newer than that one; newest first, at most `limit`. Ids are made before
    /// their commit, so an older one may still come: who follows the log asks from some seconds back.
    pub async fn newer_decisions(&self, filter: &DecisionFilter, after: DecisionId, limit: u32) -> Result<Vec<DecisionRow>, StoreError> {
        let least = DecisionId(u128::from_be_bytes(after.0).saturating_add(1).to_be_bytes());
        let from = filter.from.map_or(least, |from| first_id(from).max(least));
        let to = filter.to.map_or(DecisionId([u8::MAX; 16]), first_id);
        Ok(self.search(filter, from..to, limit, Instant::now() + PATIENCE).await?.rows)
    }

    /// What occurs in the log, bounded.
    pub async fn decision_names(&self) -> Result<Names, StoreError> {
        let mut connection = self.inner.admin.lock().await;
        let mut names = Names::default();
        // The newest have the highest ids.
        for (list, query) in [
            (&mut names.streams, "SELECT stream FROM mix GROUP BY stream ORDER BY max(id) DESC LIMIT $1"),
            (&mut names.topics, "SELECT topic FROM mix WHERE topic NOT IN ('', $2) GROUP BY topic ORDER BY max(id) DESC LIMIT $1"),
            (
                &mut names.campaigns,
                "SELECT campaign FROM mix WHERE campaign NOT IN ('', $2) GROUP BY campaign ORDER BY max(id) DESC LIMIT $1",
            ),
        ] {
            let rows: Vec<(String,)> = query_as(query).bind(CHOICES).bind(ANY).fetch_all(&mut connection).await?;
            list.extend(rows.into_iter().map(|(name,)| name));
            list.sort();
        }
        Ok(names)
    }

    async fn search(&self, filter: &DecisionFilter, ids: Ids, limit: u32, deadline: Instant) -> Result<DecisionPage, StoreError> {
        let words: Vec<&str> = filter.reasons.iter().map(|reason| reason.as_str()).collect();
        let mut search = Search {
            store: self,
            filter,
            reasons: (!words.is_empty()).then(|| serde_json::to_string(&words).expect("words serialise")),
            wanted: (limit as usize).saturating_add(1),
            rows: Vec::new(),
            deadline,
        };
        let halt = match filter.subject {
            Some(subject) => search.by_subject(subject, ids).await,
            None => search.by_time(ids).await,
        };
        let late = match halt {
            Ok(()) | Err(Halt::Full) => None,
            Err(Halt::Late(id)) => Some(id),
            Err(Halt::Error(error)) => return Err(error),
        };
        let mut page = DecisionPage { rows: search.rows, ..DecisionPage::default() };
        if page.rows.len() > limit as usize {
            page.rows.truncate(limit as usize);
            page.next = page.rows.last().map(|row| row.decision.id);
        } else if let Some(id) = late {
            (page.next, page.searched_back_to) = (Some(id), Some(timestamp(id_ms(id))?));
        }
        Ok(page)
    }
}

impl Search<'_> {
    /// The newest rows as they come, then what the tally points at.
    async fn by_time(&mut self, ids: Ids) -> Result<(), Halt> {
        let boundary: Option<(Vec<u8>,)> =
            query_as("SELECT id FROM decision WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT 1 OFFSET $3")
                .bind(&ids.start.0[..])
                .bind(&ids.end.0[..])
                .bind(GLANCE.max(i64::try_from(self.wanted).unwrap_or(GLANCE)))
                .fetch_optional(&mut *self.connection().await)
                .await?;
        let Some((boundary,)) = boundary else { return self.range(ids).await };
        let boundary = DecisionId(octets(&boundary)?);
        self.range(boundary..ids.end).await?;
        let mixes = self.mixes().await?;
        if mixes.is_empty() {
            return Ok(());
        }
        let oldest: (Option<i64>,) = query_as("SELECT min(hour) FROM tally").fetch_one(&mut *self.connection().await).await?;
        let oldest = oldest.0.unwrap_or(i64::MAX).max(hour(id_ms(ids.start)));
        let strides = Strides::new(hour(id_ms(boundary)), oldest, mixes.len());
        let mixes = json(&mixes);
        for (begin, end) in strides {
            for minutes in self.minutes(&mixes, begin, end).await? {
                let (start, end) = (minutes.start.max(ids.start), minutes.end.min(boundary));
                self.look_at_the_clock(end)?;
                self.range(start..end).await?;
            }
            self.look_at_the_clock(hour_id(begin).max(ids.start))?;
        }
        Ok(())
    }

    /// The combinations that match.
    pub(super) async fn mixes(&self) -> Result<Vec<i64>, StoreError> {
        let rows: Vec<(i64,)> = query_as(
            Sql { sqlite: "SELECT id FROM mix WHERE ($1 IS NULL OR reason IN (SELECT value FROM json_each($1))) AND ($2 IS NULL OR class = $2)
             AND ($3 IS NULL OR stream = $3) AND ($4 IS NULL OR topic IN ($4, $6)) AND ($5 IS NULL OR campaign IN ($5, $6))",
            postgres: "SELECT id FROM mix WHERE ($1 IS NULL OR reason IN (SELECT json_array_elements_text($1::json))) AND ($2 IS NULL OR class = $2)
             AND ($3 IS NULL OR stream = $3) AND ($4 IS NULL OR topic IN ($4, $6)) AND ($5 IS NULL OR campaign IN ($5, $6))" },
        )
        .bind(&self.reasons)
        .bind(self.filter.class.map(Class::as_str))
        .bind(&self.filter.stream)
        .bind(&self.filter.topic)
        .bind(&self.filter.campaign)
        .bind(ANY)
        .fetch_all(&mut *self.connection().await)
        .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// The minutes of these hours in which one of these combinations occurs, as ids; newest first, neighbours together.
    pub(super) async fn minutes(&self, mixes: &str, first: i64, last: i64) -> Result<Vec<Ids>, StoreError> {
        let rows: Vec<(i64, i64)> = query_as(Sql {
            sqlite: "SELECT tally.hour, tally.minutes FROM json_each($1) AS wanted
             CROSS JOIN tally INDEXED BY tally_of_mix ON mix = wanted.value AND hour BETWEEN $2 AND $3",
            postgres: "SELECT hour, minutes FROM tally
                WHERE mix = ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text($1::json))) AND hour BETWEEN $2 AND $3",
        })
        .bind(mixes)
        .bind(first)
        .bind(last)
        .fetch_all(&mut *self.connection().await)
        .await?;
        let mut hours = BTreeMap::new();
        rows.into_iter().for_each(|(hour, minutes)| *hours.entry(hour).or_insert(0) |= minutes);
        let each = |(hour, minutes): (i64, i64)| (0..60).rev().filter(move |n| minutes >> n & 1 == 1).map(move |n| hour * 60 + n);
        let minutes: Vec<i64> = hours.into_iter().rev().flat_map(each).collect();
        let neighbours = minutes.chunk_by(|later, minute| *minute == later - 1).flat_map(|some| some.chunks(GO));
        Ok(neighbours.map(|some| minute_id(some[some.len() - 1])..minute_id(some[0] + 1)).collect())
    }

    /// What matches among these ids.
    async fn range(&mut self, ids: Ids) -> Result<(), Halt> {
        let statement = Sql {
            sqlite: rows!("decision AS d", matching!("$4 IS NULL")).sqlite,
            postgres: rows!("decision AS d", matching_there!("$4 IS NULL")).postgres,
        };
        self.rows(statement, ids, None).await
    }

    /// Adds what the statement finds. Parameters: ids from, below, how many, ids as JSON, then the filter.
    pub(super) async fn rows(&mut self, statement: Sql, ids: Ids, listed: Option<String>) -> Result<(), Halt> {
        let found: Vec<Row> = query_as(statement)
            .bind(&ids.start.0[..])
            .bind(&ids.end.0[..])
            .bind(i64::try_from(self.wanted - self.rows.len()).unwrap_or(i64::MAX))
            .bind(listed)
            .bind(&self.reasons)
            .bind(self.filter.class.map(Class::as_str))
            .bind(&self.filter.stream)
            .bind(&self.filter.topic)
            .bind(&self.filter.campaign)
            .fetch_all(&mut *self.connection().await)
            .await?;
        for row in found {
            self.rows.push(row.read()?);
        }
        if self.rows.len() < self.wanted { Ok(()) } else { Err(Halt::Full) }
    }

    pub(super) fn look_at_the_clock(&self, reached: DecisionId) -> Result<(), Halt> {
        if Instant::now() < self.deadline { Ok(()) } else { Err(Halt::Late(reached)) }
    }

    /// For one statement: others get theirs in between.
    pub(super) async fn connection(&self) -> Lent<'_> {
        self.store.inner.admin.lock().await
    }
}

#[cfg(test)]
mod tests {
    use super::super::column::ms;
    use super::*;
    use crate::consent::{Decision, LookupKey};
    use crate::mail::Classification;

    /// Decision number `n` of a stream, one a second; every hundredth is of another class.
    fn decision(n: i64) -> Decision {
        let at = timestamp(1_800_000_000_000 + n * 1000).expect("a time");
        let class = if n % 100 == 0 { Class::Transactional } else { Class::Marketing };
        Decision {
            id: DecisionId::new(at, [0; 10]),
            at,
            stream: "shop".into(),
            controller: "acme".into(),
            recipient: LookupKey([1; 32]),
            subject: SubjectId([1; 16]),
            classification: Classification { class, topic: None, campaign: None, steps: vec![] },
            topic: None,
            reason: Reason::NoConsent,
            folded_from: 0,
            event: None,
            profile: None,
            shadowed: None,
            rules: None,
            footer: None,
            is_contact: false,
            message: None,
            copy: None,
            size: 1,
        }
    }

    #[tokio::test]
    async fn a_search_that_is_out_of_time_says_how_far_it_came_and_goes_on_from_there() {
        const TOTAL: i64 = 3 * GLANCE;
        let dir = tempfile::TempDir::new().expect("temporary directory");
        let store = Store::open(dir.path()).await.expect("opens");
        let recorded: Vec<_> = (0..TOTAL).map(|n| store.record(decision(n), None)).collect();
        for durable in recorded {
            durable.await.expect("records");
        }
        for subject in [None, Some(SubjectId([1; 16]))] {
            let filter = DecisionFilter { class: Some(Class::Transactional), subject, ..DecisionFilter::default() };
            let (mut ids, mut found, mut pages) = (DecisionId([0; 16])..DecisionId([u8::MAX; 16]), Vec::new(), 0);
            loop {
                let page = store.search(&filter, ids.clone(), 1000, Instant::now()).await.expect("searches");
                found.extend(page.rows.iter().map(|row| row.decision.id));
                pages += 1;
                let Some(next) = page.next else { break };
                assert_eq!(page.searched_back_to.map(ms), Some(id_ms(next)));
                assert!(next < ids.end, "it goes on");
                ids.end = next;
            }
            let expected: Vec<_> = (0..TOTAL).rev().filter(|n| n % 100 == 0).map(|n| decision(n).id).collect();
            assert_eq!(found, expected);
            assert!(pages > 2, "{pages}");
            let patient = store.search_decisions(&filter, None, 1000).await.expect("searches");
            assert_eq!((patient.rows.len(), patient.next), (expected.len(), None));
        }
    }
}
