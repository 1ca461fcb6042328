//! How many people get the same text: what each gateway counted, for itself after a restart and for the others.

use jiff::Timestamp;

use super::column::{int, octets};
use super::db::{query, query_as};
use super::{Store, StoreError, begin};
use crate::mail::CrowdRow;

impl Store {
    /// True where other gateways work on the same ledger.
    pub fn is_shared(&self) -> bool {
        self.inner.is_shared
    }

    /// Keeps what this gateway counted, in place of what it counted of the same text before; and forgets what nobody asks for any more.
    pub async fn keep_crowds(&self, rows: &[CrowdRow], now: Timestamp) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        for row in rows {
            query(
                "INSERT INTO crowd (gateway, stream, span, seconds, sketch, people, mails, own, alike, ends)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (gateway, stream, span, seconds, sketch)
                 DO UPDATE SET people = excluded.people, mails = excluded.mails, own = excluded.own, alike = excluded.alike",
            )
            .bind(&self.inner.gateway[..])
            .bind(&row.stream)
            .bind(row.span)
            .bind(i64::from(row.seconds))
            .bind(&row.sketch)
            .bind(&row.people)
            .bind(i64::from(row.mails))
            .bind(row.own.cast_signed())
            .bind(i64::from(row.alike))
            .bind(row.ends())
            .execute(&mut tx)
            .await?;
        }
        query("DELETE FROM crowd WHERE ends <= $1").bind(now.as_second()).execute(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// What other gateways counted, or this one before it was started anew.
    pub async fn crowds_of_others(&self, now: Timestamp) -> Result<Vec<CrowdRow>, StoreError> {
        /// So many texts are enough to know by.
        const MOST: u64 = 10_000;
        type Row = (String, i64, i64, Vec<u8>, Vec<u8>, i64, i64, i64);
        let mut reader = self.inner.reader.lock().await;
        let rows: Vec<Row> = query_as(
            "SELECT stream, span, seconds, sketch, people, mails, own, alike FROM crowd
             WHERE gateway <> $1 AND ends > $2 ORDER BY mails DESC LIMIT $3",
        )
        .bind(&self.inner.gateway[..])
        .bind(now.as_second())
        .bind(int(MOST))
        .fetch_all(&mut reader)
        .await?;
        drop(reader);
        let number = |value: i64| u32::try_from(value).map_err(|_| StoreError::Damaged("a count of people"));
        rows.into_iter()
            .map(|(stream, span, seconds, sketch, people, mails, own, alike)| {
                octets::<32>(&sketch)?;
                let (seconds, mails, alike) = (number(seconds)?, number(mails)?, number(alike)?);
                Ok(CrowdRow { stream, span, seconds, sketch, people, mails, own: own.cast_unsigned(), alike })
            })
            .collect()
    }
}
