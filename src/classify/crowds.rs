//! The same text to many people: counted per stream, in a memory that does not grow. Pure: time and recipients' hashes are
//! arguments. What is kept says of no word and of no person (I8): sketches of texts, and sets of bits that thousands of people share.
//!
//! A text of which everybody gets the same, numbers and codes included, is what a campaign is and a receipt is not. It is a sign, no
//! proof: a notice to all customers is one as well. Alone it counts only where the content is not clearly a transaction's.

use std::collections::HashMap;

use super::content::{Judgement, Sketch};
use crate::mail::{Bulk, CrowdRow};

/// Texts of a stream that are counted at the same time; of more, the rarest is forgotten.
const TEXTS: usize = 256;
/// A person is one bit of so many.
const BITS: usize = 1_024;
/// The content is not clearly a transaction's above this.
const UNSURE: f32 = -1.5;
/// The content is beyond doubt above this: then a text counts whose numbers and codes differ.
const BEYOND_DOUBT: f32 = 2.0;

/// A set of people: how many, not who.
type People = [u64; BITS / 64];

/// One text of one span of time.
#[derive(Debug, Clone)]
struct Text {
    sketch: Sketch,
    people: People,
    mails: u32,
    /// A vote among their numbers and codes: `sketch.own` leads by so many. What nine of ten have leads by eight, whoever came first.
    alike: u32,
    changed: bool,
}

/// What is counted of a stream.
#[derive(Debug, Default)]
struct Counted {
    bulk: Bulk,
    /// Which span of time `now` is.
    span: i64,
    now: Vec<Text>,
    before: Vec<Text>,
    /// Of other gateways, this span's and the last one's.
    others: Vec<Text>,
}

/// All that is counted.
#[derive(Debug, Default)]
pub struct Crowds {
    streams: HashMap<String, Counted>,
}

/// A mail that is counted.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// By which stream.
    pub stream: &'a str,
    /// What counts as many there.
    pub bulk: Bulk,
    /// What it says.
    pub sketch: &'a Sketch,
    /// Keyed hashes of its recipients; none for a mail that was counted before.
    pub recipients: &'a [u64],
    /// Seconds since 1970.
    pub now: i64,
}

/// Very many get the same text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    /// So many or more.
    pub threshold: u32,
    /// Numbers and codes are the same, too.
    pub is_one_text: bool,
}

impl Crowd {
    /// True where it speaks for advertising. A receipt of a template whose content was misread must not lose its way because there
    /// are many of them: where numbers and codes are each recipient's own, they are no second witness, unless there is no doubt.
    pub(super) fn speaks(self, judgement: &Judgement) -> bool {
        match judgement.score {
            score if score > BEYOND_DOUBT => true,
            score if score > 0.0 => self.is_one_text,
            // nobody knows what it says: then that many get it says no more
            score => self.is_one_text && judgement.blind.is_none() && score > UNSURE,
        }
    }
}

impl Crowds {
    /// Counts a mail, and tells whether its text goes to very many.
    pub fn count(&mut self, seen: Seen<'_>) -> Option<Crowd> {
        let Seen { stream, bulk, sketch, recipients, now } = seen;
        if bulk.recipients == 0 || bulk.seconds == 0 {
            return None;
        }
        if !self.streams.contains_key(stream) {
            self.streams.insert(stream.to_owned(), Counted::default());
        }
        let counted = self.streams.get_mut(stream)?;
        counted.turn(bulk, now);
        if !recipients.is_empty() {
            counted.add(sketch, recipients);
        }
        counted.crowd(sketch)
    }

    /// What changed since the last time, to be kept and shared.
    pub fn changed(&mut self) -> Vec<CrowdRow> {
        let mut rows = Vec::new();
        for (stream, counted) in &mut self.streams {
            for (back, texts) in [(0, &mut counted.now), (1, &mut counted.before)] {
                for text in texts.iter_mut().filter(|text| text.changed) {
                    text.changed = false;
                    rows.push(CrowdRow {
                        stream: stream.clone(),
                        span: counted.span - back,
                        seconds: counted.bulk.seconds,
                        sketch: text.sketch.words.to_vec(),
                        people: text.people.iter().flat_map(|word| word.to_le_bytes()).collect(),
                        mails: text.mails,
                        own: text.sketch.own,
                        alike: text.alike,
                    });
                }
            }
        }
        rows
    }

    /// What other gateways counted, or this one before it was started anew; in place of what they told before. `bulk` is what
    /// counts on a stream, `now` seconds since 1970.
    pub fn tell(&mut self, rows: Vec<CrowdRow>, bulk: impl Fn(&str) -> Option<Bulk>, now: i64) {
        self.streams.values_mut().for_each(|counted| counted.others.clear());
        for row in rows {
            let Some(bulk) = bulk(&row.stream).filter(|bulk| bulk.seconds == row.seconds && bulk.seconds > 0) else { continue };
            let Some((people, words)) = people(&row.people).zip(row.sketch.try_into().ok()) else { continue };
            let counted = self.streams.entry(row.stream).or_default();
            counted.turn(bulk, now);
            if (0..=1).contains(&(counted.span - row.span)) && counted.others.len() < 2 * TEXTS {
                let sketch = Sketch { words, own: row.own };
                counted.others.push(Text { sketch, people, mails: row.mails, alike: row.alike, changed: false });
            }
        }
    }
}

impl Counted {
    /// Forgets what is older than the last span.
    fn turn(&mut self, bulk: Bulk, now: i64) {
        let span = now.div_euclid(i64::from(bulk.seconds.max(1)));
        if bulk.seconds != self.bulk.seconds || span > self.span + 1 {
            *self = Self { bulk, span, ..Self::default() };
        } else if span == self.span + 1 {
            self.before = std::mem::take(&mut self.now);
            self.span = span;
        }
        self.bulk = bulk;
    }

    fn add(&mut self, sketch: &Sketch, recipients: &[u64]) {
        let at = self.now.iter().position(|text| text.sketch.is_near(sketch)).unwrap_or_else(|| {
            if self.now.len() >= TEXTS
                && let Some(rarest) = (0..self.now.len()).min_by_key(|at| self.now[*at].mails)
            {
                self.now.swap_remove(rarest);
            }
            self.now.push(Text { sketch: *sketch, people: [0; BITS / 64], mails: 0, alike: 0, changed: true });
            self.now.len() - 1
        });
        let text = &mut self.now[at];
        text.changed = true;
        text.mails = text.mails.saturating_add(1);
        match text.alike {
            0 => (text.sketch.own, text.alike) = (sketch.own, 1),
            lead if text.sketch.own == sketch.own => text.alike = lead.saturating_add(1),
            lead => text.alike = lead - 1,
        }
        for recipient in recipients {
            let bit = (recipient % BITS as u64) as usize;
            text.people[bit / 64] |= 1 << (bit % 64);
        }
    }

    fn crowd(&self, sketch: &Sketch) -> Option<Crowd> {
        let (mut all, mut mails) = ([0; BITS / 64], 0);
        let texts = self.now.iter().chain(&self.before).chain(&self.others);
        let near: Vec<&Text> = texts.filter(|text| text.sketch.is_near(sketch)).collect();
        let leads = near.iter().max_by_key(|text| text.alike).map(|text| text.sketch.own);
        let mut lead = 0;
        for text in near {
            all.iter_mut().zip(&text.people).for_each(|(own, more)| *own |= more);
            mails += i64::from(text.mails);
            lead += if Some(text.sketch.own) == leads { i64::from(text.alike) } else { -i64::from(text.alike) };
        }
        let threshold = self.bulk.recipients;
        (number(&all) >= f64::from(threshold)).then_some(Crowd { threshold, is_one_text: lead * 10 >= mails * 8 })
    }
}

/// How many people are in a set: of those who share a bit, as many as chance lets expect.
fn number(people: &People) -> f64 {
    let empty = BITS as u32 - people.iter().map(|word| word.count_ones()).sum::<u32>();
    let bits = BITS as f64;
    -bits * (f64::from(empty.max(1)) / bits).ln()
}

fn people(octets: &[u8]) -> Option<People> {
    let (words, []) = octets.as_chunks::<8>() else { return None };
    words.iter().map(|word| u64::from_le_bytes(*word)).collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BULK: Bulk = Bulk { recipients: 50, seconds: 3_600 };

    fn sketch(n: u8, own: u64) -> Sketch {
        Sketch { words: std::array::from_fn(|at| (at as u8).wrapping_mul(7).wrapping_add(n.wrapping_mul(31)) | 1), own }
    }

    fn count(crowds: &mut Crowds, sketch: &Sketch, recipient: u64, now: i64) -> Option<Crowd> {
        let recipient = recipient.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        crowds.count(Seen { stream: "shop", bulk: BULK, sketch, recipients: &[recipient], now })
    }

    fn first_told(crowds: &mut Crowds, own: impl Fn(u64) -> u64, person: impl Fn(u64) -> u64, now: impl Fn(u64) -> i64) -> Option<u64> {
        (1..=200).find(|n| count(crowds, &sketch(1, own(*n)), person(*n), now(*n)).is_some_and(|crowd| crowd.is_one_text))
    }

    #[test]
    fn one_text_to_many_people_within_the_time_is_a_crowd() {
        let at = |_| 10;
        let told = first_told(&mut Crowds::default(), |_| 7, |n| n, at).expect("a crowd");
        assert!((45..=56).contains(&told), "{told}");
        assert_eq!(first_told(&mut Crowds::default(), |_| 7, |_| 1, at), None, "one person, however often");
        assert_eq!(first_told(&mut Crowds::default(), |n| n, |n| n, at), None, "each with numbers of their own");
        assert_eq!(first_told(&mut Crowds::default(), |_| 7, |n| n, |n| n as i64 * 200), None, "a few in the time, day and night");
        let other = |n: u64| if n.is_multiple_of(20) { n } else { 7 };
        assert!(first_told(&mut Crowds::default(), other, |n| n, at).is_some(), "one of twenty is no excuse");
        let other_first = |n: u64| if n <= 3 { n } else { 7 };
        assert!(first_told(&mut Crowds::default(), other_first, |n| n, at).is_some(), "nor are the first few");
    }

    #[test]
    fn what_is_counted_outlives_the_process_and_is_shared() {
        let mut first = Crowds::default();
        let mut second = Crowds::default();
        for n in 0..40 {
            assert_eq!(count(&mut first, &sketch(1, 7), n, 10), None);
            assert_eq!(count(&mut second, &sketch(1, 7), 100 + n, 10), None);
        }
        let rows = first.changed();
        assert_eq!((rows.len(), first.changed().len()), (1, 0), "only what changed");
        second.tell(rows.clone(), |_| Some(BULK), 10);
        second.tell(rows.clone(), |_| Some(BULK), 10);
        assert!(count(&mut second, &sketch(1, 7), 200, 20).is_some());
        let mut later = Crowds::default();
        later.tell(rows.clone(), |_| Some(BULK), 3 * 3_600);
        assert!(later.streams["shop"].others.is_empty(), "too old");
        later.tell(rows, |_| Some(Bulk { seconds: 60, ..BULK }), 10);
        assert!(later.streams["shop"].others.is_empty(), "of another span");
    }

    #[test]
    fn memory_is_bounded_and_the_frequent_stay() {
        let mut crowds = Crowds::default();
        for n in 0..49 {
            count(&mut crowds, &sketch(1, 7), n, 10);
        }
        let random = |n: u64| Sketch {
            words: std::array::from_fn(|at| ((n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(at as u32 * 5) >> 40) as u8 | 1),
            own: n,
        };
        for n in 0..2_000 {
            count(&mut crowds, &random(n), n, 10);
        }
        let counted = &crowds.streams["shop"];
        assert!(counted.now.len() <= TEXTS && counted.now.iter().any(|text| text.mails >= 49));
    }
}
