//! The mails of the load, and to whom: by dice, so that a seed makes them again.

use super::super::trips::{newsletter, receipt};

/// They confirm a double opt-in for `news` before the load begins.
pub(crate) const WITH: [&str; 6] = [
    "ada@people.example",
    "ben@people.example",
    "cleo@people.example",
    "dora@people.example",
    "emil@people.example",
    "finn@people.example",
];

/// Nobody asked them.
pub(crate) const WITHOUT: [&str; 4] = ["greta@people.example", "hugo@people.example", "ines@people.example", "jona@people.example"];

/// One mail to send.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// Without angle brackets; known to no other mail.
    pub(crate) id: String,
    pub(crate) stream: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: Vec<String>,
    /// Those of `to` who may get it.
    pub(crate) pass: Vec<String>,
    pub(crate) message: Vec<u8>,
}

/// SplitMix64: small, and the same on every machine.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 to before `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    pub(crate) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

impl Job {
    /// The `number`th mail of that tool.
    pub(crate) fn new(tool: u64, number: u64, dice: &mut Dice) -> Self {
        let stream = dice.pick(&["news", "news", "shop", "shop", "mixed", "patient", "early"]);
        let several = dice.one_in(4);
        let mut to: Vec<String> = Vec::new();
        for _ in 0..if several { 2 + dice.below(4) } else { 1 } {
            let group: &[&str] = if dice.one_in(3) { &WITHOUT } else { &WITH };
            let one = dice.pick(group).to_owned();
            if !to.contains(&one) {
                to.push(one);
            }
        }
        // What a mixed stream declares decides.
        let transactional = stream == "shop" || (stream == "mixed" && dice.one_in(2));
        let name = format!("load.{tool}.{number}");
        let (mut message, from) =
            if transactional { (receipt(&name, 1), "shop@acme.example") } else { (newsletter(&name, 1), "newsletter@acme.example") };
        let id = String::from_utf8_lossy(&message).split("Message-ID: <").nth(1).and_then(|rest| rest.split('>').next()).map(str::to_owned);
        if stream == "mixed" && transactional {
            message.splice(0..0, *b"Consentry-Class: transactional\r\n");
        }
        // Some fill more than a page of the database.
        if dice.one_in(8) {
            let line = b"This line is there to make the mail longer, and says nothing else.\r\n";
            message.extend(line.repeat(1 + dice.below(600) as usize));
        }
        let pass = to.iter().filter(|to| transactional || WITH.contains(&to.as_str())).cloned().collect();
        Self { id: id.expect("a Message-ID"), stream, from, to, pass, message }
    }
}
