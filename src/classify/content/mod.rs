//! What a mail says, judged as its reader sees it: whether anything in it advertises, and where. Pure and deterministic; the
//! weights are made by `cargo run --release --example train` and described in `model.md`.

mod concepts;
mod features;
mod html;
pub mod model;
mod parts;
mod words;

pub use self::features::{CONCEPTS, Features, concept_name, extract};
pub use self::model::{Judgement, Model, Reason, WINDOW};
