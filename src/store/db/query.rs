//! Statements with their values, run on either database. Rows are read by sqlx's `FromRow`, which tuples have.

use std::marker::PhantomData;

use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::value::{self, Value};
use super::{Connection, Sql};

/// A statement whose rows do not matter.
#[must_use = "it runs when it is executed"]
pub(in crate::store) struct Query<'q> {
    sql: Sql,
    values: Vec<Value<'q>>,
}

/// A statement whose rows are read as `T`.
#[must_use = "it runs when it is fetched"]
pub(in crate::store) struct QueryAs<'q, T> {
    query: Query<'q>,
    rows: PhantomData<fn() -> T>,
}

/// What a statement did.
pub(in crate::store) struct Done(u64);

/// A row that both databases can fill.
pub(in crate::store) trait Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}
impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin> Row for T {}

/// A statement, or several where the dialect takes them at once.
pub(in crate::store) fn query<'q>(sql: impl Into<Sql>) -> Query<'q> {
    Query { sql: sql.into(), values: Vec::with_capacity(8) }
}

/// A statement that answers with rows.
pub(in crate::store) fn query_as<'q, T: Row>(sql: impl Into<Sql>) -> QueryAs<'q, T> {
    QueryAs { query: query(sql), rows: PhantomData }
}

impl Done {
    pub(in crate::store) fn rows_affected(&self) -> u64 {
        self.0
    }
}

impl<'q> Query<'q> {
    /// The next parameter's value.
    pub(in crate::store) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    pub(in crate::store) async fn execute(self, connection: &mut Connection) -> Result<Done, sqlx::Error> {
        match connection {
            Connection::Sqlite(sqlite) => {
                let query = sqlx::query_with(self.sql.sqlite, value::sqlite(self.values)?);
                Ok(Done(query.execute(&mut sqlite.connection).await?.rows_affected()))
            }
            Connection::Postgres(postgres) => {
                let query = sqlx::query_with(self.sql.postgres, value::postgres(self.values)?);
                let done = query.execute(postgres.live().await?).await;
                Ok(Done(postgres.seen(done)?.rows_affected()))
            }
        }
    }
}

macro_rules! fetch {
    ($name:ident, $answer:ty) => {
        pub(in crate::store) async fn $name(self, connection: &mut Connection) -> Result<$answer, sqlx::Error> {
            let Query { sql, values } = self.query;
            match connection {
                Connection::Sqlite(sqlite) => {
                    sqlx::query_as_with::<_, T, _>(sql.sqlite, value::sqlite(values)?).$name(&mut sqlite.connection).await
                }
                Connection::Postgres(postgres) => {
                    let query = sqlx::query_as_with::<_, T, _>(sql.postgres, value::postgres(values)?);
                    let answer = query.$name(postgres.live().await?).await;
                    postgres.seen(answer)
                }
            }
        }
    };
}

impl<'q, T: Row> QueryAs<'q, T> {
    /// The next parameter's value.
    pub(in crate::store) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.query = self.query.bind(value);
        self
    }

    fetch!(fetch_one, T);
    fetch!(fetch_optional, Option<T>);
    fetch!(fetch_all, Vec<T>);
}
