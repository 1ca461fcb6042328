//! How many mails of a kind one mailbox gets for one controller. Whoever asks for them; by which network is the desk's
//! business.

use jiff::{SignedDuration, Timestamp};

use super::StoreError;
use super::column::ms;
use super::db::{Connection, query_as};
use crate::consent::SubjectId;

/// So many within that time, and not one more.
pub(super) type Limit = (i64, SignedDuration);

/// True when one of the limits is reached. `counted` counts those for subject $1 and controller $2 after $3.
pub(super) async fn is_too_soon(
    tx: &mut Connection,
    counted: &'static str,
    limits: &[Limit],
    subject: SubjectId,
    controller: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    for (most, within) in limits {
        let (mails,): (i64,) = query_as(counted)
            .bind(&subject.0[..])
            .bind(controller)
            .bind(ms(at.saturating_sub(*within).unwrap_or(Timestamp::MIN)))
            .fetch_one(&mut *tx)
            .await?;
        if mails >= *most {
            return Ok(true);
        }
    }
    Ok(false)
}
