//! Learns the weights. A mail is a bag of windows: one that advertises has a window that does, in one that does not no window
//! does. Stochastic gradient descent on the logistic loss (AdaGrad), first for windows, then for the figures of whole mails.

use consentry::classify::content::model::{FIGURES, Model, PAIRS, bits, damping, pair};
use consentry::classify::content::{CONCEPTS, Features, WINDOW};

use crate::texts::Dice;

/// A mail or a piece of one.
pub(crate) struct Bag {
    pub features: Features,
    /// It advertises; it is what a transaction says; `None` says nothing of the kind.
    pub says: [Option<bool>; 2],
    pub weight: f32,
}

/// How often each bag is learned from.
const ROUNDS: usize = 8;
/// Orders whose mean counts.
const ORDERS: u64 = 4;

struct Table {
    weights: Vec<[f32; 2]>,
    squares: Vec<[f32; 2]>,
    rate: f32,
    decay: f32,
}

impl Table {
    fn new(size: usize, rate: f32, decay: f32) -> Self {
        Self { weights: vec![[0.0; 2]; size], squares: vec![[1e-2; 2]; size], rate, decay }
    }

    fn step(&mut self, at: usize, side: usize, gradient: f32) {
        let weight = self.weights[at][side];
        let gradient = gradient + self.decay * weight;
        self.squares[at][side] += gradient * gradient;
        self.weights[at][side] = weight - self.rate * gradient / self.squares[at][side].sqrt();
    }
}

pub(crate) struct Learner {
    grams: Table,
    concepts: Table,
    pairs: Table,
    bias: [f32; 2],
}

struct Window {
    from: usize,
    to: usize,
    mask: u64,
    grams: usize,
}

impl Learner {
    fn new() -> Self {
        Self {
            grams: Table::new(1 << 15, 0.25, 2e-4),
            concepts: Table::new(CONCEPTS, 0.05, 1e-4),
            pairs: Table::new(PAIRS, 0.05, 1e-3),
            bias: [-1.0, -0.5],
        }
    }

    /// Learns from the bags, in the order of that seed.
    fn learn(&mut self, bags: &[&Bag], seed: u64) {
        let mut dice = Dice::new(seed);
        let mut order: Vec<usize> = (0..bags.len()).collect();
        for _ in 0..ROUNDS {
            for at in (1..order.len()).rev() {
                order.swap(at, dice.below(at + 1));
            }
            for at in &order {
                self.bag(bags[*at]);
            }
        }
    }

    /// The mean of several that learned in different orders: what one owes to its order the others do not have.
    pub(crate) fn of_many(bags: &[&Bag], seed: u64) -> Self {
        let all: Vec<Self> = (0..ORDERS)
            .map(|n| {
                let mut own = Self::new();
                own.learn(bags, seed + 101 * n);
                own
            })
            .collect();
        let mut mean = Self::new();
        let part = 1.0 / all.len() as f32;
        for own in &all {
            let tables = [(&mut mean.grams, &own.grams), (&mut mean.concepts, &own.concepts), (&mut mean.pairs, &own.pairs)];
            for (sum, own) in tables {
                for (sum, own) in sum.weights.iter_mut().zip(&own.weights) {
                    sum[0] += own[0] * part;
                    sum[1] += own[1] * part;
                }
            }
        }
        mean.bias = [0, 1].map(|side| all.iter().map(|own| own.bias[side]).sum::<f32>() * part);
        mean
    }

    fn bag(&mut self, bag: &Bag) {
        let (windows, scores) = self.windows(&bag.features);
        for (side, says) in bag.says.into_iter().enumerate() {
            match says {
                Some(true) => {
                    // the window that says it most, and half as much the next
                    let mut order: Vec<usize> = (0..windows.len()).collect();
                    order.sort_by(|a, b| scores[*b][side].total_cmp(&scores[*a][side]));
                    for (rank, at) in order.iter().take(2).enumerate() {
                        let wrong = sigmoid(scores[*at][side]) - 1.0;
                        self.update(&bag.features, &windows[*at], side, wrong * bag.weight / (rank + 1) as f32);
                    }
                }
                Some(false) => {
                    let mut order: Vec<usize> = (0..windows.len()).collect();
                    order.sort_by(|a, b| scores[*b][side].total_cmp(&scores[*a][side]));
                    for at in order.iter().take(6) {
                        let wrong = sigmoid(scores[*at][side]);
                        if wrong > 0.05 {
                            self.update(&bag.features, &windows[*at], side, wrong * bag.weight);
                        }
                    }
                }
                None => {}
            }
        }
    }

    fn update(&mut self, features: &Features, window: &Window, side: usize, wrong: f32) {
        let damped = wrong * damping(window.grams);
        for unit in &features.units[window.from..window.to] {
            for gram in &features.grams[unit.from as usize..unit.to as usize] {
                self.grams.step(*gram as usize, side, damped);
            }
        }
        let mut before = Vec::new();
        for bit in bits(window.mask) {
            self.concepts.step(bit, side, wrong);
            for low in &before {
                self.pairs.step(pair(*low, bit), side, wrong * 0.5);
            }
            before.push(bit);
        }
        self.bias[side] -= 0.002 * wrong;
    }

    fn windows(&self, features: &Features) -> (Vec<Window>, Vec<[f32; 2]>) {
        let sum = |from: u32, to: u32, side: usize| {
            features.grams[from as usize..to as usize].iter().map(|gram| self.grams.weights[*gram as usize][side]).sum::<f32>()
        };
        let sums: Vec<[f32; 2]> = features.units.iter().map(|unit| [sum(unit.from, unit.to, 0), sum(unit.from, unit.to, 1)]).collect();
        let (mut windows, mut scores) = (Vec::new(), Vec::new());
        for from in 0..features.units.len() {
            let (mut mask, mut total, mut grams) = (0, [0.0; 2], 0);
            let end = if from < features.subject { features.subject } else { features.units.len() };
            for to in from + 1..=(from + WINDOW).min(end) {
                let unit = &features.units[to - 1];
                mask |= unit.mask;
                grams += (unit.to - unit.from) as usize;
                let mut score = [0.0; 2];
                for (side, score) in score.iter_mut().enumerate() {
                    total[side] += sums[to - 1][side];
                    *score = self.bias[side] + total[side] * damping(grams);
                }
                let mut before = Vec::new();
                for bit in bits(mask) {
                    for (side, score) in score.iter_mut().enumerate() {
                        *score += self.concepts.weights[bit][side]
                            + before.iter().map(|low| self.pairs.weights[pair(*low, bit)][side]).sum::<f32>();
                    }
                    before.push(bit);
                }
                windows.push(Window { from, to, mask, grams });
                scores.push(score);
            }
        }
        (windows, scores)
    }

    /// The model so far, with small weights in one octet each.
    pub(crate) fn model(&self) -> Model {
        let mut model = Model::empty();
        let largest = |side: usize| self.grams.weights.iter().map(|weight| weight[side].abs()).fold(1e-6, f32::max);
        model.step = [largest(0) / 127.0, largest(1) / 127.0];
        for (own, weight) in model.grams.iter_mut().zip(&self.grams.weights) {
            *own = [(weight[0] / model.step[0]).round() as i8, (weight[1] / model.step[1]).round() as i8];
        }
        model.concepts.clone_from(&self.concepts.weights);
        model.pairs.clone_from(&self.pairs.weights);
        model.bias = self.bias;
        model
    }
}

/// Figures of a mail, whether it advertises, and how much it counts.
pub(crate) type Row = ([f32; FIGURES], bool, f32);

/// Weights of the figures, by gradient descent on all rows at once.
pub(crate) fn combine(rows: &[Row]) -> Vec<f32> {
    // towards more evidence for advertising no figure may count the other way
    let signs: [i8; FIGURES] = [1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, 0, 1, 1, 1, 1];
    let mut weights = vec![0.0f32; FIGURES + 1];
    weights[0] = 1.0;
    let mut squares = [1e-3f32; FIGURES + 1];
    for _ in 0..1500 {
        let mut gradient = [0.0f32; FIGURES + 1];
        let mut total = 0.0;
        for (figures, says, weight) in rows {
            let score = weights[FIGURES] + figures.iter().zip(&weights).map(|(a, b)| a * b).sum::<f32>();
            let wrong = (sigmoid(score) - f32::from(u8::from(*says))) * weight;
            for (slot, figure) in gradient.iter_mut().zip(figures) {
                *slot += wrong * figure;
            }
            gradient[FIGURES] += wrong;
            total += weight;
        }
        for at in 0..=FIGURES {
            let own = gradient[at] / total + if at < FIGURES { 2e-3 * weights[at] } else { 0.0 };
            squares[at] += own * own;
            weights[at] -= 0.05 * own / squares[at].sqrt();
            if at < FIGURES {
                match signs[at] {
                    1 => weights[at] = weights[at].max(0.0),
                    -1 => weights[at] = weights[at].min(0.0),
                    _ => {}
                }
            }
        }
    }
    weights
}

fn sigmoid(score: f32) -> f32 {
    1.0 / (1.0 + (-score).exp())
}
