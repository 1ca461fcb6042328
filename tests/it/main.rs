//! Tests of the whole, in one binary.

mod dkim;
mod messages;
