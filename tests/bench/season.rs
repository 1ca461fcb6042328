//! A season of decisions, made up but shaped like a real one: six streams, twenty topics, three hundred campaigns that
//! each run for some days, a million people, and reasons of which some are rare. The same number gives the same decision.

use consentry::consent::{CopyKey, Decision, DecisionId, LookupKey, Reason, SubjectId, Topic};
use consentry::mail::{Class, Classification, Step, Trust};
use jiff::{SignedDuration, Timestamp};

/// How many days the season has by the calendar of its campaigns.
const DAYS: u64 = 90;
/// How many campaigns run in it, about every thirteenth at a time. The last one is only ever tried out.
pub(crate) const CAMPAIGNS: u64 = 300;
/// Every so many marketing decisions are of the campaign that is tried out.
const TRIAL: u64 = 100_000;
/// Every so many decisions are about person 0: an address that the senders send a copy of everything to.
const COPIES: u64 = 500;
/// How many topics the campaigns are about.
pub(crate) const TOPICS: u64 = 20;
/// Who sends, and for whom.
pub(crate) const STREAMS: [(&str, &str); 6] =
    [("shop", "acme"), ("crm", "acme"), ("app", "acme"), ("billing", "acme"), ("press", "other"), ("support", "other")];

/// Of a hundred thousand marketing decisions, so many.
const REASONS: [(Reason, u64); 9] = [
    (Reason::DoiConsent, 78_000),
    (Reason::NoConsent, 12_000),
    (Reason::Withdrawn, 5_000),
    (Reason::OptInPending, 3_000),
    (Reason::Objected, 1_600),
    (Reason::UnknownTopic, 335),
    (Reason::OtherController, 50),
    (Reason::FromNotAllowed, 10),
    (Reason::LedgerUnavailable, 5),
];

/// A season of `total` decisions that ends at `end`.
pub(crate) struct Season {
    /// Its last moment.
    pub(crate) end: Timestamp,
    /// How many decisions it has.
    pub(crate) total: u64,
    /// How long it is: ninety days, or shorter than a season lasts.
    pub(crate) length: SignedDuration,
    /// How many people they are about.
    pub(crate) people: u64,
}

impl Season {
    /// Decision number `n`; later numbers come later.
    pub(crate) fn decision(&self, n: u64) -> Decision {
        let mut dice = Dice(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let since = i128::from(self.total - n) * self.length.as_millis() / i128::from(self.total);
        let since = i64::try_from(since).expect("within the season");
        let at = self.end - SignedDuration::from_millis(since);
        let day = n * DAYS / self.total;
        let mut random = [0; 10];
        random[..8].copy_from_slice(&dice.roll(u64::MAX).to_be_bytes());
        let marketing = dice.roll(100) < 65;
        let (stream, topic, campaign, reason) = if marketing {
            let campaign = if dice.roll(TRIAL) == 0 { CAMPAIGNS - 1 } else { campaign(day, &mut dice) };
            (campaign % 5, Some(format!("topic{}", campaign % TOPICS)), Some(format!("campaign-{campaign}")), reason(dice.roll(100_000)))
        } else {
            (2 + dice.roll(4), None, None, Reason::Transactional)
        };
        let (stream, controller) = STREAMS[usize::try_from(stream).expect("small")];
        let class = if marketing { Class::Marketing } else { Class::Transactional };
        let person = if dice.roll(COPIES) == 0 { 0 } else { dice.roll(self.people) };
        let decided = reason != Reason::UnknownTopic;
        Decision {
            id: DecisionId::new(at, random),
            at,
            stream: stream.into(),
            controller: controller.into(),
            recipient: LookupKey(octets(person)),
            subject: subject(person),
            topic: topic.as_deref().filter(|_| decided).map(|name| Topic::parse(name).expect("a topic")),
            classification: Classification {
                class,
                topic,
                campaign,
                steps: vec![
                    Step { trust: Trust::Credential, says: class, why: format!("stream \"{stream}\"") },
                    Step { trust: Trust::List, says: class, why: "header List-Unsubscribe".into() },
                ],
            },
            reason,
            folded_from: 0,
            event: None,
            profile: None,
            shadowed: None,
            rules: None,
            footer: None,
            is_contact: false,
            message: Some(LookupKey(octets(dice.roll(u64::MAX)))),
            copy: Some(CopyKey(octets(dice.roll(u64::MAX)))),
            size: 2_000 + dice.roll(60_000),
        }
    }
}

/// One of the campaigns that run on that day: each begins on a day of its own and runs for two to twelve days.
fn campaign(day: u64, dice: &mut Dice) -> u64 {
    let running = |campaign: &u64| {
        let mut own = Dice(campaign + 1);
        let (begin, length) = (own.roll(DAYS), 2 + own.roll(11));
        (begin..begin + length).contains(&day)
    };
    let running: Vec<u64> = (0..CAMPAIGNS - 1).filter(running).collect();
    let choice = dice.roll(running.len().max(1) as u64);
    running.get(usize::try_from(choice).expect("small")).copied().unwrap_or(0)
}

/// The subject id of a person.
pub(crate) fn subject(person: u64) -> SubjectId {
    SubjectId(octets(person ^ 0x5bd1_e995))
}

fn reason(roll: u64) -> Reason {
    let mut below = 0;
    let found = REASONS.into_iter().find(|(_, share)| {
        below += share;
        roll < below
    });
    found.map_or(Reason::NoConsent, |(reason, _)| reason)
}

fn octets<const N: usize>(seed: u64) -> [u8; N] {
    let mut dice = Dice(seed);
    let mut octets = [0; N];
    octets.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&dice.roll(u64::MAX).to_be_bytes()[..chunk.len()]));
    octets
}

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides.max(1)
    }
}
