//! Text as words: numbers and codes as what they stand for, sentences as units. How letters are spelt is `letters`'.

use super::features::hash_of;
use super::html::{LINK, PICTURE};
use super::letters::{fold, is_invisible, is_picture_sign, is_wide, look_alike, push_folded};

/// A sentence, a line of a table, a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    /// First word.
    pub(super) from: usize,
    /// Behind its last word.
    pub(super) to: usize,
}

/// Text as units of words.
#[derive(Default)]
pub(super) struct Words {
    buffer: String,
    ends: Vec<u32>,
    /// Sentences.
    pub(super) units: Vec<Unit>,
    /// Words that were written so that a program does not read them as a person does.
    pub(super) disguised: usize,
    /// Pictures.
    pub(super) pictures: usize,
    /// Links.
    pub(super) links: usize,
    /// A hash of the numbers and codes as they stand.
    pub(super) values: u64,
    open: usize,
}

/// No unit has more words: what has no full stop is cut.
const LONGEST_UNIT: usize = 36;
/// A unit begins at a full stop only when the one before has this many words: abbreviations end no sentence.
const SHORTEST_SENTENCE: usize = 4;

impl Words {
    /// The word at that place.
    pub(super) fn word(&self, at: usize) -> &str {
        let from = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.buffer[from..self.ends[at] as usize]
    }

    /// How many words.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// The words of a unit, readable.
    pub(super) fn phrase(&self, unit: Unit) -> String {
        (unit.from..unit.to).map(|at| self.word(at)).collect::<Vec<_>>().join(" ")
    }

    /// Adds a text; a line end in it ends a unit where `lines`, an empty line always.
    pub(super) fn read(&mut self, text: &str, lines: bool) {
        // wide letters, digits and signs are the narrow ones
        let narrow: String;
        let text = if text.chars().any(is_wide) {
            narrow = text
                .chars()
                .map(|letter| if is_wide(letter) { char::from_u32(letter as u32 - 0xfee0).unwrap_or(letter) } else { letter })
                .collect();
            self.disguised += 1;
            &narrow
        } else {
            text
        };
        let text = text.trim_start_matches('\u{feff}');
        let mut rest = text;
        let mut single = 0; // letters that stand alone, one after the other: written so as not to be read
        while let Some(first) = rest.chars().next() {
            if first == '\n' {
                let after = rest[1..].trim_start_matches([' ', '\t', '\r', '>', '|', '\u{a0}']);
                let mark = after.chars().next();
                let is_list =
                    mark.is_some_and(|c| matches!(c, '-' | '*' | '•' | '·' | '–' | '=' | '#') || c.is_ascii_digit() || is_picture_sign(c));
                if lines || is_list || mark == Some('\n') || mark.is_none() {
                    self.end();
                }
                rest = &rest[1..];
                single = 0;
                continue;
            }
            if first.is_whitespace() || first == '\r' {
                rest = &rest[first.len_utf8()..];
                continue;
            }
            if first == LINK {
                self.links += 1;
                self.push("<link>");
                rest = &rest[first.len_utf8()..];
                continue;
            }
            if first == PICTURE {
                self.pictures += 1;
                rest = &rest[first.len_utf8()..];
                continue;
            }
            let length =
                rest.find(|c: char| c.is_whitespace() || c == LINK || c == PICTURE || c == '|').unwrap_or(rest.len()).max(first.len_utf8());
            let chunk = &rest[..length];
            rest = &rest[length..];
            let stands_alone = chunk.chars().count() == 1 && first.is_alphabetic();
            single = if stands_alone { single + 1 } else { 0 };
            if stands_alone && single > 1 {
                self.join(first, single);
                continue;
            }
            self.chunk(chunk);
        }
        self.end();
    }

    /// Letters that stand alone become one word from the third on.
    fn join(&mut self, letter: char, single: usize) {
        let last = self.ends.len();
        if single == 2 || last < 2 {
            let mut bytes = [0; 4];
            self.push(fold(letter).encode_utf8(&mut bytes));
            return;
        }
        if single == 3 {
            // the two before it and this one
            let from = if last >= 3 { self.ends[last - 3] } else { 0 };
            let joined: String = self.buffer[from as usize..].to_owned();
            self.ends.truncate(last - 2);
            self.buffer.truncate(from as usize);
            self.buffer.push_str(&joined);
            self.ends.push(self.buffer.len() as u32);
            self.open = self.open.min(self.ends.len() - 1);
        }
        self.buffer.push(fold(letter));
        if let Some(end) = self.ends.last_mut() {
            *end = self.buffer.len() as u32;
        }
        self.disguised += usize::from(single == 5);
    }

    /// What stands between two blanks.
    fn chunk(&mut self, chunk: &str) {
        let bytes = chunk.as_bytes();
        let bare = chunk.trim_matches(|c: char| matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | '"' | '\'' | ',' | ';'));
        if starts_like(bare, "http://") || starts_like(bare, "https://") || starts_like(bare, "www.") || starts_like(bare, "mailto:") {
            self.links += 1;
            self.push("<link>");
            return;
        }
        if bytes.contains(&b'@') && bare.contains('.') {
            self.push("<mail>");
            return;
        }
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            if byte.is_ascii_digit() {
                at = self.number(chunk, at);
            } else if byte.is_ascii_alphabetic() || byte >= 0x80 {
                at = self.letters(chunk, at);
            } else {
                match byte {
                    b'!' => self.push("!"),
                    b'?' => self.push("?"),
                    b'%' => self.last_becomes("#", "#%"),
                    b'$' => self.money(),
                    _ => {}
                }
                at += 1;
                let ends_sentence = matches!(byte, b'.' | b'!' | b'?' | b':') && at == bytes.len();
                if ends_sentence && self.ends.len() - self.open >= SHORTEST_SENTENCE && byte != b':' {
                    self.end();
                }
            }
        }
        if self.ends.len() - self.open >= LONGEST_UNIT {
            self.end();
        }
    }

    /// A number, or a code that begins with a digit.
    fn number(&mut self, chunk: &str, from: usize) -> usize {
        let bytes = chunk.as_bytes();
        let mut at = from;
        while at < bytes.len()
            && (bytes[at].is_ascii_digit()
                || (matches!(bytes[at], b'.' | b',' | b'/' | b':' | b'-') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)))
        {
            at += 1;
        }
        let run = at;
        while at < bytes.len() && bytes[at].is_ascii_alphanumeric() {
            at += 1;
        }
        self.keep_value(&bytes[from..at]);
        let tail = &chunk[run..at];
        let is_unit =
            tail.len() <= 2 || ["eur", "usd", "gbp", "chf", "min", "tage", "days", "uhr"].contains(&tail.to_ascii_lowercase().as_str());
        if !tail.is_empty() && !is_unit {
            self.push("#id");
            return at;
        }
        let after_money = self.last() == "$";
        if after_money {
            self.last_becomes("$", "#$");
        } else if chunk[..from].contains("Nr") || bytes[from..run].iter().filter(|byte| byte.is_ascii_digit()).count() > 5 {
            self.push("#id");
        } else {
            self.push("#");
        }
        if !tail.is_empty() {
            match tail.to_ascii_lowercase().as_str() {
                "eur" | "usd" | "gbp" | "chf" => self.money(),
                _ => {}
            }
        }
        at
    }

    /// Letters, with what only looks like them.
    fn letters(&mut self, chunk: &str, from: usize) -> usize {
        let start = self.buffer.len();
        let (mut latin, mut like, mut torn, mut digits, mut seen, mut upper) = (0, 0, false, 0, 0, 0);
        let mut end = from;
        for (at, character) in chunk[from..].char_indices() {
            end = from + at + character.len_utf8();
            if character.is_ascii_alphabetic() {
                upper += usize::from(character.is_ascii_uppercase());
                self.buffer.push(character.to_ascii_lowercase());
                latin += 1;
                seen += 1;
            } else if character.is_ascii_digit() {
                digits += 1;
                seen += 1;
                self.buffer.push(character);
            } else if is_invisible(character) {
                torn |= seen > 0 && from + at + character.len_utf8() < chunk.len() && !matches!(character, '\u{ad}');
            } else if matches!(character, '\'' | '’' | '-' | '_') && seen > 0 {
                if character == '-' || character == '_' {
                    end = from + at;
                    break;
                }
            } else if character.is_ascii() {
                end = from + at;
                break;
            } else if matches!(character, '€' | '£') {
                if seen > 0 {
                    end = from + at;
                } else {
                    self.money();
                    return end;
                }
                break;
            } else if is_picture_sign(character) {
                if seen > 0 {
                    end = from + at;
                } else {
                    let known = ["🎁", "⏰", "👉", "🔥", "🎉", "💸", "🛒", "💥", "🚀", "⭐", "✨", "👇", "💛", "❤", "🏷", "🛍", "⚡"];
                    let name = known.iter().find(|own| own.starts_with(character)).copied().unwrap_or("<sign>");
                    self.push(name);
                    return end;
                }
                break;
            } else if character.is_alphabetic() || unicode_normalization::char::is_combining_mark(character) {
                let alike = look_alike(character);
                like += usize::from(alike.is_some());
                latin += usize::from(alike.is_none() && (character as u32) < 0x250);
                seen += 1;
                match alike {
                    Some(own) => self.buffer.push(own),
                    None => push_folded(&mut self.buffer, character, &mut like),
                }
            } else {
                // other signs and quotes divide
                if seen > 0 {
                    end = from + at;
                }
                break;
            }
        }
        if seen == 0 {
            self.buffer.truncate(start);
            return end.max(from + 1);
        }
        let is_disguised = torn || (like > 0 && latin > 0);
        if is_disguised {
            self.disguised += 1;
        }
        let codelike = digits > 0 || (upper >= 7 && !self.buffer[start..].bytes().any(|byte| b"aeiou".contains(&byte)));
        if codelike && seen >= 4 {
            self.keep_value(&chunk.as_bytes()[from..end]);
            self.buffer.truncate(start);
            self.buffer.push_str("#id");
        }
        if ["eur", "euro", "usd", "chf", "gbp"].contains(&&self.buffer[start..]) {
            self.buffer.truncate(start);
            self.money();
            return end;
        }
        self.ends.push(self.buffer.len() as u32);
        end
    }

    fn keep_value(&mut self, octets: &[u8]) {
        self.values = self.values.rotate_left(5) ^ hash_of(octets);
    }

    /// A currency beside a number makes it a price.
    fn money(&mut self) {
        if self.last() == "#" && self.ends.len() > self.open { self.last_becomes("#", "#$") } else { self.push("$") }
    }

    fn last(&self) -> &str {
        self.ends.len().checked_sub(1).map_or("", |at| self.word(at))
    }

    fn last_becomes(&mut self, old: &str, new: &str) {
        if self.last() == old && self.ends.len() > self.open {
            self.ends.pop();
            self.buffer.truncate(self.ends.last().map_or(0, |end| *end as usize));
            self.push(new);
        }
    }

    fn push(&mut self, word: &str) {
        self.buffer.push_str(word);
        self.ends.push(self.buffer.len() as u32);
    }

    /// Ends the unit that is open.
    fn end(&mut self) {
        let to = self.ends.len();
        if to > self.open {
            // a link that stands alone belongs to what it is about
            let is_link = to - self.open == 1 && self.word(self.open) == "<link>";
            match self.units.last_mut() {
                Some(last) if is_link && last.to == self.open => last.to = to,
                _ => self.units.push(Unit { from: self.open, to }),
            }
            self.open = to;
        }
    }
}

fn starts_like(text: &str, start: &str) -> bool {
    text.len() >= start.len() && text.as_bytes()[..start.len()].eq_ignore_ascii_case(start.as_bytes())
}
