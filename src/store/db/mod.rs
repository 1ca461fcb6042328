//! One layer under both databases: a connection to either, statements with their values, transactions. Knows no table.
//!
//! The builder is shaped as sqlx's own. Parameters are written `$1`, which both databases take; where the dialects
//! disagree, a statement has two texts ([`Sql`]). Both are static: no statement is ever put together at run time.

mod connection;
mod pool;
mod query;
mod repeat;
mod value;

pub(super) use connection::{Connection, Transaction, is_broken};
pub(super) use pool::{Lent, Pool};
pub(super) use query::{query, query_as};
pub(super) use repeat::{Attempts, repeated};

/// A statement in both dialects.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sql {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

impl From<&'static str> for Sql {
    /// One text that means the same to both.
    fn from(both: &'static str) -> Self {
        Self { sqlite: both, postgres: both }
    }
}
