//! What the model is shown of a mail: hashed words and pairs of words, concepts, and a few figures, unit by unit.

use std::sync::LazyLock;

use super::blind::{Blind, HARDLY_A_WORD, Tongues};
use super::concepts::{KNOWN_TONGUE, LEXICON, OTHER_TONGUE};
use super::html;
use super::parts;
use super::sketch::{Sketch, draw};
use super::words::{Unit, Words};

/// Buckets that words are hashed into.
pub(super) const BUCKETS: usize = 1 << 15;
/// Marks that count as concepts beside those of the lexicon.
const MARKS: &[&str] = &["price", "percentage", "link", "exclamation", "question", "sign", "number or code"];
/// The bits of the marks for a price, and for a number or code.
pub(super) static PRICE: LazyLock<usize> = LazyLock::new(|| LEXICON.count());
pub(super) static NUMBER: LazyLock<usize> = LazyLock::new(|| LEXICON.count() + 6);
/// No mail has more concepts than bits.
pub const CONCEPTS: usize = 56;
/// What is longer than this is not read to its end (and told so).
const LONGEST_TEXT: usize = 1 << 20;

/// The name of a concept.
pub fn concept_name(at: usize) -> &'static str {
    if at < LEXICON.count() { LEXICON.name(at) } else { MARKS.get(at - LEXICON.count()).copied().unwrap_or("") }
}

/// One unit: a sentence, a line, a button.
#[derive(Debug, Clone, Copy)]
pub struct UnitFeatures {
    /// Its first bucket in [`Features::grams`].
    pub from: u32,
    /// Behind its last.
    pub to: u32,
    /// Concepts, one bit each.
    pub mask: u64,
    /// How many words.
    pub words: u32,
}

/// What the model is shown of a mail.
pub struct Features {
    /// Buckets, unit by unit.
    pub grams: Vec<u16>,
    /// The units; those of the subject first.
    pub units: Vec<UnitFeatures>,
    /// How many units are the subject's.
    pub subject: usize,
    /// Links, in text and as targets.
    pub links: usize,
    /// Pictures that are drawn.
    pub pictures: usize,
    /// Words written so that a program does not read them as a person does.
    pub disguised: usize,
    /// Links that count who came by which campaign.
    pub campaign_links: usize,
    /// Why it cannot be judged, where it cannot.
    pub blind: Option<Blind>,
    /// What the same text has in common.
    pub sketch: Sketch,
    words: Words,
}

impl Features {
    /// The words of units, for people.
    pub fn phrase(&self, from: usize, to: usize) -> String {
        self.words.units[from..to].iter().map(|unit| self.words.phrase(*unit)).collect::<Vec<_>>().join(" / ")
    }

    /// How many words.
    pub fn word_count(&self) -> usize {
        self.words.count()
    }
}

/// Shows a raw message to the model.
pub fn extract(raw: &[u8]) -> Features {
    let shown = parts::shown(raw);
    let mut words = Words::default();
    words.read(&shown.subject, true);
    let subject = words.units.len();
    let (mut campaign_links, mut pictures, mut links, mut read) = (0, shown.pictures, 0, 0);
    let mut blind = shown.blind;
    for (text, is_html) in &shown.texts {
        let left = LONGEST_TEXT - read;
        if text.len() > left {
            blind.get_or_insert(Blind::Long);
        }
        let text = &text[..text.floor_char_boundary(left)];
        read += text.len();
        if *is_html {
            let seen = html::see(text);
            words.read(&seen.preview, true);
            words.read(&seen.text, true);
            links += seen.targets.len();
            campaign_links += seen.targets.iter().filter(|target| target.contains("utm_") || target.contains("campaign")).count();
        } else {
            words.read(text, false);
            campaign_links += usize::from(text.contains("utm_"));
        }
    }
    pictures += words.pictures;
    links = links.max(words.links);
    let (grams, units, tongues) = hash(&words);
    if pictures > 0 && body_words(&words, subject) < HARDLY_A_WORD {
        blind.get_or_insert(Blind::Pictures);
    } else if tongues.is_foreign() {
        blind.get_or_insert(Blind::Language);
    }
    let disguised = words.disguised;
    let sketch = draw(&words, units.iter().map(|unit| unit.mask));
    Features { grams, units, subject, links, pictures, disguised, campaign_links, blind, sketch, words }
}

/// Words of the body that are words.
fn body_words(words: &Words, subject: usize) -> usize {
    let first = subject.checked_sub(1).map_or(0, |last| words.units[last].to);
    (first..words.count()).filter(|at| words.word(*at) != "<link>").count()
}

fn hash(words: &Words) -> (Vec<u16>, Vec<UnitFeatures>, Tongues) {
    let lexicon = &*LEXICON;
    let first_mark = lexicon.count();
    let mut tongues = Tongues::default();
    let mut grams = Vec::with_capacity(words.count() * 3);
    let units = words
        .units
        .iter()
        .map(|Unit { from, to }| {
            let start = grams.len() as u32;
            let (mut mask, mut before) = (0, 0x9e37_79b9u64);
            for at in *from..*to {
                let word = words.word(at);
                let own = hash_of(word.as_bytes());
                grams.push(bucket(own));
                grams.push(bucket(before.rotate_left(5) ^ own.wrapping_mul(31)));
                before = own;
                if word.len() > 7 && word.as_bytes()[0].is_ascii_alphabetic() {
                    grams.push(bucket(hash_of(&word.as_bytes()[..5]) ^ 0x51ed));
                    grams.push(bucket(hash_of(&word.as_bytes()[word.len() - 5..]) ^ 0xa3b1));
                }
                let known = lexicon.concepts(word);
                let is_other_script = !word.is_ascii() && word.chars().next().is_some_and(char::is_alphabetic);
                tongues.known += usize::from(known & KNOWN_TONGUE != 0);
                tongues.other += usize::from(known & OTHER_TONGUE != 0 || is_other_script);
                mask |= (known & !(KNOWN_TONGUE | OTHER_TONGUE)) | mark(word).map_or(0, |mark| 1 << (first_mark + mark));
            }
            UnitFeatures { from: start, to: grams.len() as u32, mask, words: (to - from) as u32 }
        })
        .collect();
    (grams, units, tongues)
}

fn mark(word: &str) -> Option<usize> {
    match word {
        "#$" => Some(0),
        "#%" => Some(1),
        "<link>" => Some(2),
        "!" => Some(3),
        "?" => Some(4),
        "#id" => Some(6),
        _ if !word.is_ascii() || word == "<sign>" => word.chars().next().is_some_and(|c| !c.is_alphabetic()).then_some(5),
        _ => None,
    }
}

fn bucket(hash: u64) -> u16 {
    (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 49) as u16
}

/// Not keyed: an adversary who aims at collisions finds a score, and the rest of the evidence untouched.
pub(super) fn hash_of(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    hash ^ (hash >> 29)
}
