//! What a mail says, judged as its reader sees it: whether anything in it advertises, and where. Pure and deterministic; the
//! weights are made by `cargo run --release --example train` and described in `model.md`.

mod blind;
mod concepts;
mod features;
mod html;
pub mod model;
mod parts;
mod words;

use std::sync::LazyLock;

pub use self::blind::Blind;
pub use self::features::{CONCEPTS, Features, concept_name, extract};
pub use self::model::{Judgement, Model, Reason, WINDOW};

static MODEL: LazyLock<Model> =
    LazyLock::new(|| Model::from_bytes(include_bytes!("weights.bin")).expect("the weights are of this program"));

/// What the built-in model says of a raw message.
pub fn judge(raw: &[u8]) -> Judgement {
    MODEL.judge(&extract(raw))
}

/// The name of the built-in model: stands in records (L-AD-07).
pub fn model_version() -> u32 {
    MODEL.version
}

/// The subject, decoded.
pub fn subject(raw: &[u8]) -> String {
    mail_parser::MessageParser::new().parse_headers(raw).and_then(|message| message.subject().map(str::to_owned)).unwrap_or_default()
}
