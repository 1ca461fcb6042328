//! Integration tests: one binary, one module per room or scenario.

mod dialogues;
mod smtp_server;
