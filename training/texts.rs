//! Our own texts: lines with choices and slots, from which any number of blocks and mails are made. The same seed gives the
//! same mails.

use std::collections::HashMap;

/// A small generator (xorshift64*): training must be repeatable, and needs no better one.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % bound.max(1)
    }

    pub(crate) fn one<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A line of the text files.
pub(crate) struct Line {
    text: String,
}

/// One language.
pub(crate) struct Language {
    pub ads: Vec<Line>,
    pub transactions: Vec<Line>,
    pub neutral: Vec<Line>,
}

pub(crate) struct Texts {
    pub languages: Vec<Language>,
    slots: HashMap<String, Vec<String>>,
}

impl Texts {
    pub(crate) fn read() -> Self {
        let lines = |text: &str, kinds: bool| {
            text.lines()
                .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
                .map(|line| match line.split_once(':').filter(|_| kinds) {
                    Some((_, text)) => Line { text: text.trim().to_owned() },
                    None => Line { text: line.to_owned() },
                })
                .collect()
        };
        let language = |ads: &[&str], transactions: &[&str], neutral: &str| Language {
            ads: lines(&ads.concat(), true),
            transactions: lines(&transactions.concat(), true),
            neutral: lines(neutral, false),
        };
        let slots = include_str!("texts/slots.txt").lines().filter_map(|line| line.split_once(':'));
        Self {
            languages: vec![
                language(
                    &[include_str!("texts/ad.en.txt"), include_str!("texts/ad.en.2.txt")],
                    &[include_str!("texts/tx.en.txt"), include_str!("texts/tx.en.2.txt")],
                    include_str!("texts/neutral.en.txt"),
                ),
                language(
                    &[include_str!("texts/ad.de.txt"), include_str!("texts/ad.de.2.txt"), include_str!("texts/ad.de.3.txt")],
                    &[include_str!("texts/tx.de.txt"), include_str!("texts/tx.de.2.txt"), include_str!("texts/tx.de.3.txt")],
                    include_str!("texts/neutral.de.txt"),
                ),
            ],
            slots: slots
                .map(|(name, values)| (name.to_owned(), values.split('|').map(|value| value.trim().to_owned()).collect()))
                .collect(),
        }
    }

    /// A line, filled.
    pub(crate) fn fill(&self, line: &Line, dice: &mut Dice) -> String {
        let mut text = String::new();
        let mut rest = line.text.as_str();
        while let Some(at) = rest.find('[') {
            text.push_str(&rest[..at]);
            let (choices, after) = rest[at + 1..].split_once(']').expect("choices are closed");
            let choices: Vec<&str> = choices.split('|').collect();
            text.push_str(choices[dice.below(choices.len())]);
            rest = after;
        }
        text.push_str(rest);
        while let Some(at) = text.find('{') {
            let end = at + text[at..].find('}').expect("slots are closed");
            let value = self.slot(&text[at + 1..end], dice);
            text.replace_range(at..=end, &value);
        }
        text.replace(" / ", "\n\n")
    }

    fn slot(&self, name: &str, dice: &mut Dice) -> String {
        let number = dice.below(90) + 1;
        let cents = dice.below(100);
        match name {
            "pct" => {
                dice.one(&[format!("{number} %"), format!("{number}%"), format!("{} percent", number), format!("{number} Prozent")]).clone()
            }
            "price" => dice
                .one(&[
                    format!("{number},{cents:02} €"),
                    format!("{number} Euro"),
                    format!("€{number}.{cents:02}"),
                    format!("${number}"),
                    format!("£{number}.{cents:02}"),
                    format!("EUR {number}"),
                    format!("${}.00", number * 10),
                ])
                .clone(),
            "n" => number.to_string(),
            "id" => dice
                .one(&[
                    format!("{}", 100_000 + number * 7_919),
                    format!("RX{number}KQ{cents}"),
                    format!("{}-{}", 2020 + number % 9, 1000 + cents),
                    format!("#{}", number * 977),
                ])
                .clone(),
            "code" => dice.one(&["WELCOME10", "SPRING", "DANKE15", "SAVE20", "VIP-2024", "HERBST5", "THANKYOU", "FRIENDS"]).to_string(),
            "date" => dice
                .one(&[
                    format!("{}.0{}.2026", number % 28 + 1, number % 9 + 1),
                    format!("{} May 2026", number % 28 + 1),
                    format!("June {}, 2026", number % 28 + 1),
                    format!("{}. Oktober", number % 28 + 1),
                    format!("2026-1{}-1{}", number % 3, number % 10),
                ])
                .clone(),
            "time" => dice.one(&[format!("{}:{:02}", number % 24, cents % 60), format!("{} am", number % 12 + 1)]).clone(),
            "link" => {
                let host = ["shop", "www", "click", "news", "go"][number % 5];
                dice.one(&[
                    format!("https://{host}.example/{number}a{cents}"),
                    format!("https://{host}.example.com/"),
                    String::new(),
                    format!("\nhttps://{host}.example/x/{cents}"),
                    "\u{1}".to_owned(),
                ])
                .clone()
            }
            "mail" => "service@shop.example".to_owned(),
            "phone" => format!("+49 30 555 {number}{cents}"),
            name => dice.one(self.slots.get(name).unwrap_or_else(|| panic!("no slot {name}"))).clone(),
        }
    }
}

/// A mail of these blocks: plain, html, or both.
pub(crate) fn mail(subject: &str, blocks: &[String], dice: &mut Dice) -> Vec<u8> {
    let plain = || blocks.iter().map(|block| block.replace('\u{1}', "https://www.example.org/")).collect::<Vec<_>>().join("\n\n");
    let html = |dice: &mut Dice| {
        let tag = *dice.one(&["p", "div", "td"]);
        let block = |block: &String| {
            let lines: Vec<String> = block
                .split('\n')
                .filter(|line| !line.trim().is_empty())
                .map(|line| {
                    if let Some(words) = line.strip_suffix('\u{1}') {
                        // the last sentence is what is clicked
                        let at = words.trim_end().trim_end_matches(['.', '!', ':']).rfind(['.', '!', '?', ':']).map_or(0, |at| at + 1);
                        return format!("{} <a href=\"https://www.example.org/\">{}</a>", &words[..at], words[at..].trim());
                    }
                    match line.find("https://") {
                        Some(at) => format!("{}<a href=\"{}\">{}</a>", &line[..at], line[at..].trim(), line[at..].trim()),
                        None => line.to_owned(),
                    }
                })
                .collect();
            format!("<{tag}>{}</{tag}>", lines.join("<br>"))
        };
        format!("<html><body>{}</body></html>", blocks.iter().map(block).collect::<String>())
    };
    let (kind, body) = if dice.chance(50) { ("plain", plain()) } else { ("html", html(dice)) };
    format!("From: a@shop.example\r\nSubject: {}\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}\r\n", subject.replace(['\n', '\r', '\u{1}'], " "))
        .into_bytes()
}
