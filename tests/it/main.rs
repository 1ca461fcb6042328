//! Integration tests, one binary.

mod http;
mod templates;
