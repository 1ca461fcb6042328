//! What a mail says, judged as its reader sees it: whether anything in it advertises, and where. Pure and deterministic; the
//! weights are made by `cargo run --release --example train` and described in `model.md`.

mod blind;
mod concepts;
mod features;
mod html;
mod letters;
pub mod model;
mod parts;
mod sketch;
mod words;

use std::sync::LazyLock;

pub use self::blind::Blind;
pub use self::features::{CONCEPTS, Features, concept_name, extract};
pub use self::model::{Judgement, Model, Reason, WINDOW};
pub use self::sketch::Sketch;

static MODEL: LazyLock<Model> =
    LazyLock::new(|| Model::from_bytes(include_bytes!("weights.bin")).expect("the weights are of this program"));

/// What the built-in model says of a raw message.
pub fn judge(raw: &[u8]) -> Judgement {
    MODEL.judge(&extract(raw))
}

/// Counts up whenever mails are read otherwise than before, so that the same weights may judge otherwise. A test holds it.
const READING: u32 = 2;

static VERSION: LazyLock<u32> = LazyLock::new(|| {
    let data: [&[u8]; 3] = [include_bytes!("weights.bin"), include_bytes!("concepts.txt"), include_bytes!("languages.txt")];
    data.into_iter().flatten().fold(READING, |sum, octet| (sum ^ u32::from(*octet)).wrapping_mul(16_777_619))
});

/// The name of the built-in model, its lexicon and its way of reading: stands in records, and in the id of the rules (L-AD-07).
pub fn model_version() -> u32 {
    *VERSION
}

/// What the built-in model makes of a message, in figures (JSON): to measure it by, and to learn from. No words of the message (I8).
pub fn figures(raw: &[u8]) -> String {
    let features = extract(raw);
    let (figures, ..) = MODEL.figures_of(&features);
    let judgement = MODEL.judge(&features);
    let reasons: Vec<_> = judgement.reasons.iter().map(|reason| (reason.name.as_str(), reason.weight)).collect();
    serde_json::json!({
        "model": format!("{:08x}", model_version()),
        "score": judgement.score,
        "window_score": judgement.window_score,
        "units": judgement.units,
        "words": features.word_count(),
        "blind": judgement.blind.map(Blind::as_str),
        "figures": figures,
        "reasons": reasons,
    })
    .to_string()
}

/// The subject and the text as its reader sees it, line by line; and what of it advertises most, as the model reads it.
pub fn shown(raw: &[u8]) -> (Vec<String>, String) {
    let judgement = judge(raw);
    let advertises = if judgement.score > 0.0 { extract(raw).phrase(judgement.window.0, judgement.window.1) } else { String::new() };
    (parts::lines(raw), advertises)
}

/// The subject, decoded.
pub fn subject(raw: &[u8]) -> String {
    mail_parser::MessageParser::new().parse_headers(raw).and_then(|message| message.subject().map(str::to_owned)).unwrap_or_default()
}
