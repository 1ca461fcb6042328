//! Joiner: what the ledger must not keep for ever goes when its time has come. The table below is the whole of it; how
//! each kind is erased is `store`'s business.
//!
//! | what | kept | why |
//! |---|---|---|
//! | address and evidence of a sign-up that was never confirmed | 30 days | GDPR Art. 5(1)(c), (e); the longest limit on mails counts it (L-DOI-04, L-DOI-05) |
//! | evidence of consents and of every no, and the address they justified | until so many years after the end of the year of the last use, by channel (`policy`): three; five for calls in Germany | GDPR Art. 17(3)(e), BGB §§195, 199 (L-PRV-02, L-PRV-04); then a consent cannot be proven and blocks |
//! | requests of persons that are closed | three years after the end of that year | BGB §§195, 199: to show that they were answered |
//! | link to one's own data | 1 day | works for an hour; the limit on such mails counts it |

use std::time::Duration;

use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::consent::OptIn;
use crate::policy::EvidenceRule;
use crate::store::{EvidenceAge, EvidenceRun, Store, StoreError};

/// How often the table is gone through.
const PAUSE: Duration = Duration::from_secs(3_600);
/// How long a link to one's own data is kept.
pub const ACCESS_LINKS: SignedDuration = SignedDuration::from_hours(24);

/// Whole years that a closed request is kept, counted from the end of the year.
pub const REQUEST_YEARS: i16 = 3;

/// Goes through the table at once and then every hour, until `shutdown`.
pub async fn run(store: Store, evidence: EvidenceRule, shutdown: impl Future<Output = ()>) {
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            done = erase_due(&store, &evidence, Timestamp::now()) => match done {
                Ok(0) => {}
                Ok(erased) => tracing::info!(erased, "retention ended"),
                Err(error) => tracing::error!(%error, "what is due was not erased; the next try is in an hour"),
            },
        }
        tokio::select! {
            () = &mut shutdown => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Erases all that is due at `now`, in small steps; how many rows.
pub async fn erase_due(store: &Store, evidence: &EvidenceRule, now: Timestamp) -> Result<u64, StoreError> {
    let before = |kept: SignedDuration| now.saturating_sub(kept).unwrap_or(Timestamp::MIN);
    let mut erased = store.drop_access_links(before(ACCESS_LINKS)).await?;
    loop {
        match store.erase_unconfirmed(before(OptIn::KEPT), now).await? {
            0 => break,
            step => erased += step,
        }
    }
    loop {
        match store.drop_requests(first_kept(now)).await? {
            0 => break,
            step => erased += step,
        }
    }
    Ok(erased + end_evidence(store, evidence, now).await?)
}

/// The beginning of the first year whose closed requests are still kept.
fn first_kept(now: Timestamp) -> Timestamp {
    let year = now.to_zoned(TimeZone::UTC).year() - REQUEST_YEARS;
    date(year, 1, 1).to_zoned(TimeZone::UTC).map_or(Timestamp::MIN, |begin| begin.timestamp())
}

/// People looked at in one step: nobody waits long for the ledger.
const STEP: u32 = 100;
/// Steps of one run. What is left is the next run's; of ten million people each is looked at within a year.
const STEPS: u32 = 20;

/// Goes on where the last run ended, and puts this one on record (E-15); how many people's evidence went.
async fn end_evidence(store: &Store, rule: &EvidenceRule, now: Timestamp) -> Result<u64, StoreError> {
    let mut cursor = store.evidence_runs(1).await?.pop().and_then(|run| run.cursor);
    let (mut looked_at, mut destroyed) = (0, 0);
    for _ in 0..STEPS {
        let ages = store.evidence_ages(cursor, STEP).await?;
        cursor = ages.last().map(|age| age.subject);
        if cursor.is_none() {
            break;
        }
        looked_at += ages.len() as u64;
        for age in ages.iter().filter(|age| is_over(age, rule, now)) {
            destroyed += u64::from(store.destroy_evidence(age, now).await?);
        }
    }
    if looked_at > 0 {
        store.record_evidence_run(&EvidenceRun { at: now, looked_at, destroyed, cursor }).await?;
    }
    Ok(destroyed)
}

/// True when nothing of it may be kept any more: one key seals the evidence of all channels.
fn is_over(age: &EvidenceAge, rule: &EvidenceRule, now: Timestamp) -> bool {
    !age.last.is_empty() && age.last.iter().all(|(channel, last)| rule.ends(*channel, *last) <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_kept_for_three_whole_years_behind_the_one_they_were_closed_in() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        for (now, first) in [("2029-12-31T23:59:59Z", "2026-01-01T00:00:00Z"), ("2030-01-01T00:00:00Z", "2027-01-01T00:00:00Z")] {
            assert_eq!(first_kept(at(now)), at(first), "what was closed in 2026 goes with 2030");
        }
    }
}
