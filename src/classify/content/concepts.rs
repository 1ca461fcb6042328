//! The lexicon: words that stand for a concept, in German and English. Data; what a concept weighs is learned.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The lexicon, ready for look-ups.
pub(super) struct Lexicon {
    names: Vec<&'static str>,
    exact: HashMap<&'static str, u64>,
    prefixes: HashMap<[u8; 3], Vec<(&'static str, u64)>>,
    suffixes: HashMap<[u8; 3], Vec<(&'static str, u64)>>,
    starts: Box<[bool; 65536]>,
    ends: Box<[bool; 65536]>,
}

/// One for the process.
pub(super) static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::read(include_str!("concepts.txt"), include_str!("languages.txt")));

/// The bit of a word that tells a language the model knows; above those of concepts.
pub(super) const KNOWN_TONGUE: u64 = 1 << 62;
/// The bit of a word that tells another language.
pub(super) const OTHER_TONGUE: u64 = 1 << 63;

impl Lexicon {
    fn read(text: &'static str, languages: &'static str) -> Self {
        let mut lexicon = Self {
            names: Vec::new(),
            exact: HashMap::new(),
            prefixes: HashMap::new(),
            suffixes: HashMap::new(),
            starts: Box::new([false; 65536]),
            ends: Box::new([false; 65536]),
        };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, words)) = line.split_once(':') else { continue };
            let bit = 1 << lexicon.names.len();
            lexicon.names.push(name);
            for word in words.split_whitespace() {
                lexicon.add(word, bit);
            }
        }
        for line in languages.lines().filter(|line| !line.starts_with('#')) {
            let Some((kind, words)) = line.split_once(':') else { continue };
            let bit = if kind == "known" { KNOWN_TONGUE } else { OTHER_TONGUE };
            words.split_whitespace().for_each(|word| lexicon.add(word, bit));
        }
        lexicon
    }

    fn add(&mut self, word: &'static str, bit: u64) {
        if let Some(stem) = word.strip_suffix('*') {
            if let Some(key) = stem.as_bytes().first_chunk::<3>() {
                self.starts[place(key[0], key[1]) as usize] = true;
                self.prefixes.entry(*key).or_default().push((stem, bit));
            }
        } else if let Some(stem) = word.strip_prefix('*') {
            if let Some(key) = stem.as_bytes().last_chunk::<3>() {
                self.ends[place(key[1], key[2]) as usize] = true;
                self.suffixes.entry(*key).or_default().push((stem, bit));
            }
        } else {
            *self.exact.entry(word).or_default() |= bit;
        }
    }

    /// The concepts that a word stands for, one bit each.
    pub(super) fn concepts(&self, word: &str) -> u64 {
        let bytes = word.as_bytes();
        let mut mask = if bytes.len() <= 14 { self.exact.get(word).copied().unwrap_or(0) } else { 0 };
        if let Some(key) = bytes.first_chunk::<3>()
            && self.starts[place(key[0], key[1]) as usize]
            && let Some(stems) = self.prefixes.get(key)
        {
            mask |= stems.iter().filter(|(stem, _)| word.starts_with(stem)).fold(0, |all, (_, bit)| all | bit);
        }
        if let Some(key) = bytes.last_chunk::<3>()
            && self.ends[place(key[1], key[2]) as usize]
            && let Some(stems) = self.suffixes.get(key)
        {
            mask |= stems.iter().filter(|(stem, _)| word.ends_with(stem)).fold(0, |all, (_, bit)| all | bit);
        }
        mask
    }

    /// How many.
    pub(super) fn count(&self) -> usize {
        self.names.len()
    }

    /// The name of a bit.
    pub(super) fn name(&self, at: usize) -> &'static str {
        self.names[at]
    }
}

fn place(first: u8, second: u8) -> u16 {
    u16::from(first) << 8 | u16::from(second)
}
