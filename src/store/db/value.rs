//! Values of parameters, as both databases take them. NULL keeps its type, which PostgreSQL asks for.

use std::borrow::Cow;

use sqlx::Arguments;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;

/// A parameter's value.
pub(in crate::store) enum Value<'q> {
    Int(Option<i64>),
    Flag(bool),
    Text(Option<Cow<'q, str>>),
    Octets(Option<Cow<'q, [u8]>>),
}

macro_rules! add_all {
    ($name:ident, $arguments:ty) => {
        pub(super) fn $name(values: Vec<Value<'_>>) -> Result<$arguments, sqlx::Error> {
            let mut arguments = <$arguments>::default();
            for value in values {
                match value {
                    Value::Int(value) => arguments.add(value),
                    Value::Flag(value) => arguments.add(value),
                    Value::Text(None) => arguments.add(None::<String>),
                    Value::Text(Some(Cow::Borrowed(value))) => arguments.add(value),
                    Value::Text(Some(Cow::Owned(value))) => arguments.add(value),
                    Value::Octets(None) => arguments.add(None::<Vec<u8>>),
                    Value::Octets(Some(Cow::Borrowed(value))) => arguments.add(value),
                    Value::Octets(Some(Cow::Owned(value))) => arguments.add(value),
                }
                .map_err(sqlx::Error::Encode)?;
            }
            Ok(arguments)
        }
    };
}
add_all!(sqlite, SqliteArguments);
add_all!(encoded, PgArguments);

/// PostgreSQL's texts have no NUL, plain or in JSON, and one of them must not make a whole group commit fail.
pub(super) fn postgres(mut values: Vec<Value<'_>>) -> Result<PgArguments, sqlx::Error> {
    for value in &mut values {
        if let Value::Text(Some(text)) = value
            && (text.contains('\0') || text.contains("\\u0000"))
        {
            *text = Cow::Owned(text.replace('\0', "\u{fffd}").replace("\\u0000", "\\ufffd"));
        }
    }
    encoded(values)
}

macro_rules! from {
    ($($type:ty, $value:ident => $made:expr;)*) => {
        $(impl<'q> From<$type> for Value<'q> {
            fn from($value: $type) -> Self {
                $made
            }
        })*
    };
}
from! {
    i64, value => Self::Int(Some(value));
    u32, value => Self::Int(Some(value.into()));
    Option<i64>, value => Self::Int(value);
    bool, value => Self::Flag(value);
    &'q str, value => Self::Text(Some(Cow::Borrowed(value)));
    &'q String, value => Self::Text(Some(Cow::Borrowed(value)));
    String, value => Self::Text(Some(Cow::Owned(value)));
    Option<&'q str>, value => Self::Text(value.map(Cow::Borrowed));
    Option<String>, value => Self::Text(value.map(Cow::Owned));
    &'q Option<String>, value => Self::Text(value.as_deref().map(Cow::Borrowed));
    &'q [u8], value => Self::Octets(Some(Cow::Borrowed(value)));
    &'q Vec<u8>, value => Self::Octets(Some(Cow::Borrowed(value)));
    Vec<u8>, value => Self::Octets(Some(Cow::Owned(value)));
    Option<Vec<u8>>, value => Self::Octets(value.map(Cow::Owned));
}
