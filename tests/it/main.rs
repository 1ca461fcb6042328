//! Everything that needs more than one room: one binary, one module a subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod architecture;
mod authenticator;
mod browser;
mod canary;
mod classify;
mod client;
mod config;
mod corpus;
mod decisions;
mod dialogues;
mod dkim;
mod document;
mod environment;
mod evidence;
mod fake_mta;
mod http;
mod licences;
mod limits;
mod listeners;
mod load;
mod messages;
mod office;
mod peers;
mod postgres;
mod relay;
mod requirements;
mod residency;
#[path = "../bench/season.rs"]
mod season;
mod sink;
mod smtp_server;
mod smuggling;
mod store;
mod templates;
mod tracking;
mod tricks;
mod trips;
mod visitor;
mod wild;
mod world;
