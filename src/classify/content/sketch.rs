//! What one text has in common with itself when it goes to many people: a sketch of its words, without what is each recipient's
//! own. Names, codes, numbers and links are left out or change it little; no word can be read from it (I8).

use super::features::{NUMBER, PRICE, hash_of};
use super::words::Words;

/// Places that words are drawn into.
const PLACES: usize = 32;
/// A line with a number and no more words than these is an item of a table.
const ITEM: usize = 8;

/// A sketch: the least hash of the words of each place, and a hash of what may be each recipient's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sketch {
    /// One octet a place; 0 where no word fell.
    pub words: [u8; PLACES],
    /// Of numbers, codes and prices, and of the lines that list what they are for.
    pub own: u64,
}

impl Sketch {
    /// With fewer words there is nothing to compare.
    const FEWEST: usize = 5;

    /// True when seven of eight words are the same, about; and a name may be another's.
    pub fn is_near(&self, other: &Self) -> bool {
        let (mut same, mut any) = (0, 0);
        for (own, other) in self.words.iter().zip(&other.words) {
            same += usize::from(own == other && *own != 0);
            any += usize::from((own | other) != 0);
        }
        any >= Self::FEWEST && any - same <= any / 8 + 1
    }
}

/// Draws the units into a sketch; `masks` are their concepts.
pub(super) fn draw(words: &Words, masks: impl Iterator<Item = u64>) -> Sketch {
    let mut least = [u64::MAX; PLACES];
    let mut own = words.values;
    for (unit, mask) in words.units.iter().zip(masks) {
        let is_item = mask & (1 << *PRICE) != 0 || (mask & (1 << *NUMBER) != 0 && unit.to - unit.from <= ITEM);
        for at in unit.from..unit.to {
            let word = words.word(at);
            let hash = hash_of(word.as_bytes()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            if is_item {
                own = own.rotate_left(7) ^ hash;
            } else if !word.starts_with(['#', '<']) {
                let place = (hash >> 59) as usize;
                least[place] = least[place].min(hash << 5);
            }
        }
    }
    let octet = |hash: u64| if hash == u64::MAX { 0 } else { (hash >> 56) as u8 | 1 };
    Sketch { words: least.map(octet), own }
}

#[cfg(test)]
mod tests {
    use crate::classify::content::extract;

    fn sketch(body: &str) -> super::Sketch {
        let head = "From: a@shop.example\r\nSubject: News of the shop\r\nContent-Type: text/html; charset=utf-8\r\n\r\n";
        extract(format!("{head}<p>{body}</p>").as_bytes()).sketch
    }

    #[test]
    fn names_links_and_codes_do_not_matter_and_order_lines_do() {
        let campaign = |name: &str, link: &str| {
            sketch(&format!(
                "Hello {name},</p><p>the leaves are falling, and our autumn collection has arrived in all our stores. Come in and see \
                 what the designers have been working on since spring.</p><p>Warm jumpers, long coats, sturdy boots. \
                 <a href=\"https://shop.example/{link}\">Look around</a>"
            ))
        };
        let first = campaign("Olivia", "a1");
        for (name, link) in [("Ben", "b2"), ("Maximiliane", "c3"), ("Mrs Abernathy", "d4")] {
            let other = campaign(name, link);
            assert!(first.is_near(&other) && first.own == other.own, "{name}: {first:?} {other:?}");
        }
        let receipt = |order: u32, lines: &str| {
            sketch(&format!("Thank you for your order {order}.</p><p>{lines}</p><p>Your parcel leaves our house within two working days."))
        };
        let one = receipt(483_920, "Desk lamp 1 39.90 EUR<br>Total 39.90 EUR");
        for other in [
            receipt(483_921, "Coffee grinder 2 19.90 EUR<br>Total 39.80 EUR"),
            receipt(483_922, "Desk lamp 1 39.90 EUR<br>Total 39.90 EUR"),
        ] {
            assert!(one.own != other.own);
        }
        assert!(!first.is_near(&one) && !sketch("").is_near(&sketch("")));
    }
}
