//! The model: every window of one to three neighbouring units is asked whether it advertises, and whether it is what a
//! transaction says; a few figures over all windows make the answer for the mail.

use super::blind::Blind;
use super::features::{BUCKETS, CONCEPTS, Features, concept_name};
use super::sketch::Sketch;

/// Units that are judged together.
pub const WINDOW: usize = 3;
/// Pairs of concepts.
pub const PAIRS: usize = CONCEPTS * (CONCEPTS - 1) / 2;
/// Figures of a whole mail.
pub const FIGURES: usize = 16;
/// More units make a mail no less suspicious: an advert could stand in a long text.
const MANY: f32 = 24.0;
/// Windows say no more than this either way.
const CLIP: f32 = 5.0;

/// Weights; index 0 asks for advertising, 1 for a transaction.
#[derive(Debug, Clone)]
pub struct Model {
    /// Of words and pairs of words, in steps of `step`.
    pub grams: Vec<[i8; 2]>,
    /// What one step is worth.
    pub step: [f32; 2],
    /// Of concepts.
    pub concepts: Vec<[f32; 2]>,
    /// Of pairs of concepts.
    pub pairs: Vec<[f32; 2]>,
    /// Of a window with nothing in it.
    pub bias: [f32; 2],
    /// Of the figures, and last the bias.
    pub figures: Vec<f32>,
}

/// Why a mail was judged so.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The concept's name, or two.
    pub name: String,
    /// What it added.
    pub weight: f32,
}

/// What the model says of a mail.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// Above 0: it advertises. Natural logarithm of the odds.
    pub score: f32,
    /// The window that advertises most: first unit, and behind the last.
    pub window: (usize, usize),
    /// Its score.
    pub window_score: f32,
    /// How many units the mail has.
    pub units: usize,
    /// What of the window counts most, strongest first.
    pub reasons: Vec<Reason>,
    /// Why it is not to be relied on that nothing was found.
    pub blind: Option<Blind>,
    /// What the same text has in common, whoever gets it.
    pub sketch: Sketch,
}

impl Judgement {
    /// True when it advertises, or when nobody can tell: what was not read is not known to be transactional (L-AD-06).
    pub fn raises(&self) -> bool {
        self.score > 0.0 || self.blind.is_some()
    }
}

/// Place of a pair; `low < high`.
pub fn pair(low: usize, high: usize) -> usize {
    high * (high - 1) / 2 + low
}

/// The set bits.
pub fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (mask != 0).then(|| {
            let bit = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            bit
        })
    })
}

/// What the number of words in a window divides their weights by.
pub fn damping(grams: usize) -> f32 {
    1.0 / (grams as f32 + 6.0).sqrt()
}

/// The answer for a mail: its figures weighed. A window that is beyond doubt is not outvoted by however much else.
pub fn score(weights: &[f32], figures: &[f32; FIGURES]) -> f32 {
    let weighed = weights[FIGURES] + figures.iter().zip(weights).map(|(figure, weight)| figure * weight).sum::<f32>();
    let beyond_doubt = figures[FIRST] >= CERTAIN && figures[OWN_TX] <= -1.0;
    if beyond_doubt { weighed.max(0.1) } else { weighed }
}

/// Places of figures.
const FIRST: usize = 0;
const OWN_TX: usize = 10;
/// Beyond doubt.
const CERTAIN: f32 = 4.5;

impl Model {
    /// One that knows nothing.
    pub fn empty() -> Self {
        Self {
            grams: vec![[0; 2]; BUCKETS],
            step: [0.0; 2],
            concepts: vec![[0.0; 2]; CONCEPTS],
            pairs: vec![[0.0; 2]; PAIRS],
            bias: [0.0; 2],
            figures: vec![0.0; FIGURES + 1],
        }
    }

    /// Scores of all windows: `[unit][length - 1]`.
    fn windows(&self, mail: &Features) -> Vec<[[f32; 2]; WINDOW]> {
        let sums: Vec<[f32; 2]> = mail
            .units
            .iter()
            .map(|unit| {
                let (mut first, mut second) = (0i32, 0i32);
                for gram in &mail.grams[unit.from as usize..unit.to as usize] {
                    let [ad, tx] = self.grams[*gram as usize];
                    first += i32::from(ad);
                    second += i32::from(tx);
                }
                [first as f32 * self.step[0], second as f32 * self.step[1]]
            })
            .collect();
        let mut all = vec![[[f32::NEG_INFINITY; 2]; WINDOW]; mail.units.len()];
        for from in 0..mail.units.len() {
            let (mut mask, mut sum, mut grams) = (0, [0.0; 2], 0);
            let end = if from < mail.subject { mail.subject } else { mail.units.len() };
            for to in from + 1..=(from + WINDOW).min(end) {
                let unit = &mail.units[to - 1];
                mask |= unit.mask;
                grams += (unit.to - unit.from) as usize;
                let concepts = self.concepts_of(mask);
                for side in 0..2 {
                    sum[side] += sums[to - 1][side];
                    all[from][to - from - 1][side] = (self.bias[side] + sum[side] * damping(grams) + concepts[side]).clamp(-CLIP, CLIP);
                }
            }
        }
        all
    }

    fn concepts_of(&self, mask: u64) -> [f32; 2] {
        let mut sum = [0.0; 2];
        let mut before = [0usize; CONCEPTS];
        for (count, bit) in bits(mask).enumerate() {
            let mut add = |weights: [f32; 2]| {
                sum[0] += weights[0];
                sum[1] += weights[1];
            };
            add(self.concepts[bit]);
            for low in &before[..count] {
                add(self.pairs[pair(*low, bit)]);
            }
            before[count] = bit;
        }
        sum
    }

    /// The figures of a mail, and its strongest window.
    pub fn figures_of(&self, mail: &Features) -> ([f32; FIGURES], (usize, usize), f32) {
        let windows = self.windows(mail);
        let best = |range: std::ops::Range<usize>, side: usize, not: Option<(usize, usize)>| {
            let (mut score, mut place) = (-CLIP, (range.start, range.start));
            for from in range {
                for (more, scores) in windows[from].iter().enumerate() {
                    let to = from + more + 1;
                    let apart = not.is_none_or(|(a, b)| to <= a || from >= b);
                    if apart && scores[side] > score {
                        (score, place) = (scores[side], (from, to));
                    }
                }
            }
            (score, place)
        };
        let (body, subject) = (mail.subject..windows.len(), 0..mail.subject);
        let (first, place) = best(body.clone(), 0, None);
        let (second, next) = best(body.clone(), 0, Some(place));
        let (tx, _) = best(body.clone(), 1, None);
        let (subject_ad, subject_place) = best(subject.clone(), 0, None);
        let (subject_tx, _) = best(subject, 1, None);
        let units = body.len().max(1) as f32;
        let mean = |side: usize| windows[body.clone()].iter().map(|scores| scores[0][side]).sum::<f32>() / units;
        let raised = windows[body.clone()].iter().filter(|scores| scores[0][0] > 0.0).count() as f32 / units;
        let settled = windows[body.clone()].iter().filter(|scores| scores[0][1] > 0.0).count() as f32 / units;
        let third = best(body.clone(), 0, Some((place.0.min(next.0), place.1.max(next.1)))).0;
        let strongest = if subject_ad > first { subject_place } else { place };
        let own_tx = if strongest.0 < strongest.1 { windows[strongest.0][strongest.1 - strongest.0 - 1][1] } else { 0.0 };
        let figures = [
            first.max(subject_ad),
            second,
            third,
            mean(0),
            raised,
            subject_ad,
            tx,
            mean(1),
            settled,
            subject_tx,
            own_tx,
            units.min(MANY).ln(),
            (1.0 + mail.links as f32).ln() / units.ln().max(1.0),
            (1.0 + mail.pictures as f32).ln(),
            f32::from(u8::from(mail.disguised > 1)),
            f32::from(u8::from(mail.campaign_links > 0)),
        ];
        (figures, strongest, first.max(subject_ad))
    }

    /// Judges a mail.
    pub fn judge(&self, mail: &Features) -> Judgement {
        let (figures, window, window_score) = self.figures_of(mail);
        let score = score(&self.figures, &figures);
        Judgement {
            score,
            window,
            window_score,
            units: mail.units.len(),
            reasons: self.reasons(mail, window),
            blind: mail.blind,
            sketch: mail.sketch,
        }
    }

    /// What in the window speaks for advertising: concepts with half of their pairs.
    fn reasons(&self, mail: &Features, (from, to): (usize, usize)) -> Vec<Reason> {
        let mask = mail.units[from..to].iter().fold(0, |all, unit| all | unit.mask);
        let mut reasons: Vec<Reason> = bits(mask)
            .map(|bit| {
                let pairs: f32 = bits(mask & !(1 << bit)).map(|other| self.pairs[pair(bit.min(other), bit.max(other))][0]).sum();
                Reason { name: concept_name(bit).to_owned(), weight: self.concepts[bit][0] + pairs / 2.0 }
            })
            .filter(|reason| reason.weight > 0.1)
            .collect();
        let grams: Vec<u16> =
            mail.units[from..to].iter().flat_map(|unit| &mail.grams[unit.from as usize..unit.to as usize]).copied().collect();
        let wording = grams.iter().map(|gram| f32::from(self.grams[*gram as usize][0])).sum::<f32>() * self.step[0] * damping(grams.len());
        if wording > 0.1 {
            reasons.push(Reason { name: "wording".to_owned(), weight: wording });
        }
        reasons.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        reasons
    }

    /// The weights as octets.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let floats = self
            .step
            .iter()
            .chain(&self.bias)
            .chain(self.concepts.iter().flatten())
            .chain(self.pairs.iter().flatten())
            .chain(&self.figures);
        for float in floats {
            bytes.extend(float.to_le_bytes());
        }
        bytes.extend(self.grams.iter().flatten().map(|weight| *weight as u8));
        bytes
    }

    /// The inverse of [`Model::to_bytes`]; `None` for octets of another shape.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut model = Self::empty();
        let mut rest = bytes;
        let mut float = || {
            let (own, left) = rest.split_first_chunk::<4>()?;
            rest = left;
            Some(f32::from_le_bytes(*own))
        };
        for slot in
            model.step.iter_mut().chain(&mut model.bias).chain(model.concepts.iter_mut().flatten()).chain(model.pairs.iter_mut().flatten())
        {
            *slot = float()?;
        }
        for slot in &mut model.figures {
            *slot = float()?;
        }
        (rest.len() == BUCKETS * 2).then_some(())?;
        for (slot, byte) in model.grams.iter_mut().flatten().zip(rest) {
            *slot = *byte as i8;
        }
        Some(model)
    }
}
