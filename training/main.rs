//! Trains the content model: `cargo run --release --example train -- [--corpus DIR] [--unseen DIR] [--show] [--write FILE]`. Prints how well it does on
//! families of the folder that it was not trained on, then trains on all and writes the weights.

mod corpus;
mod learn;
mod opinion;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use consentry::classify::content::extract;
use consentry::classify::content::model::{FIGURES, Model, score};
use consentry::classify::{Classifier, Path};
use consentry::mail::{AnswerProfile, Class, Dispute, Message, Stream, StreamClass, StreamMode};
use corpus::Sample;
use learn::{Bag, Learner, Row, combine};
use texts::{Dice, Language, Texts, mail};

/// Short texts and whole mails that are made of each half of our own lines.
const PIECES: usize = 9_000;
const MAILS: usize = 8_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.iter().position(|own| own == name).and_then(|at| arguments.get(at + 1)).map(PathBuf::from);
    let samples = value("--corpus").map(|folder| corpus::read(&folder)).unwrap_or_default();
    let texts = Texts::read();
    let start = std::time::Instant::now();
    // two halves by line, so that figures are learned on lines that the windows were not
    let halves: Vec<(Vec<Bag>, Vec<Bag>)> = (0..2).map(|half| (pieces(&texts, half, PIECES, 11), mails(&texts, half, MAILS, 13))).collect();
    let all: Vec<&Bag> = halves.iter().flat_map(|(pieces, mails)| pieces.iter().chain(mails)).collect();
    eprintln!("{} pieces and mails, {:?}", all.len(), start.elapsed());
    let own: Vec<Bag> = samples.iter().map(bag).collect();
    let families: BTreeSet<&str> = samples.iter().map(|sample| sample.label.family.as_str()).collect();
    let without = |family: &str| -> Model {
        let bags = samples
            .iter()
            .zip(&own)
            .filter(|(sample, _)| sample.label.family != family && sample.label.variant != "headers")
            .map(|(_, bag)| bag);
        let bags: Vec<&Bag> = all.iter().copied().chain(bags).collect();
        let learner = Learner::of_many(&bags, 17);
        learner.model()
    };
    // figures of each synthetic mail by windows learned on the other half
    let mut rows: Vec<(String, Row)> = Vec::new();
    for half in 0..2 {
        let (pieces, others) = &halves[1 - half];
        let bags: Vec<&Bag> = pieces
            .iter()
            .chain(others)
            .chain(samples.iter().zip(&own).filter(|(sample, _)| sample.label.variant != "headers").map(|(_, bag)| bag))
            .collect();
        let learner = Learner::of_many(&bags, 19);
        let model = learner.model();
        rows.extend(halves[half].1.iter().map(|bag| (String::new(), (model.figures_of(&bag.features).0, bag.says[0] == Some(true), 0.3))));
    }
    eprintln!("halves {:?}", start.elapsed());
    let list: Vec<&str> = families.iter().copied().collect();
    let models: Vec<Model> = std::thread::scope(|scope| {
        let (left, right) = list.split_at(list.len() / 2);
        let workers: Vec<_> =
            [left, right].into_iter().map(|part| scope.spawn(|| part.iter().map(|family| without(family)).collect::<Vec<_>>())).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no fault")).collect()
    });
    eprintln!("families {:?}", start.elapsed());
    let mut held: Vec<[f32; FIGURES]> = Vec::new();
    for (sample, bag) in samples.iter().zip(&own) {
        let at = list.iter().position(|family| *family == sample.label.family).expect("there");
        let figures = models[at].figures_of(&bag.features).0;
        held.push(figures);
        if sample.label.variant != "headers" && !sample.label.is_ambiguous() {
            rows.push((sample.label.family.clone(), (figures, (sample.label.class == Class::Marketing), 1.0)));
        }
    }
    let mut scores = vec![0.0f32; samples.len()];
    for family in &list {
        let others: Vec<Row> = rows.iter().filter(|(own, _)| own != family).map(|(_, row)| *row).collect();
        let weights = combine(&others);
        for (at, sample) in samples.iter().enumerate().filter(|(_, sample)| sample.label.family == *family) {
            let _ = sample;
            scores[at] = score(&cautious(weights.clone()), &held[at]);
        }
    }
    report(&samples, &scores);
    by_language(&samples, &own, &scores);
    let weights = combine(&rows.iter().map(|(_, row)| *row).collect::<Vec<_>>());
    let own_rows: Vec<&Row> = rows.iter().filter(|(family, _)| family.is_empty()).map(|(_, row)| row).collect();
    for threshold in [-1.0, 0.0] {
        let raised = |says: bool| {
            let of: Vec<_> = own_rows.iter().filter(|row| row.1 == says).collect();
            let found = of.iter().filter(|row| score(&cautious(weights.clone()), &row.0) > threshold).count();
            format!("{found}/{}", of.len())
        };
        println!(
            "our own lines of the other half, threshold {threshold}: advertising found {}, transactional raised {}",
            raised(true),
            raised(false)
        );
    }
    if arguments.iter().any(|own| own == "--show") {
        for (at, sample) in samples.iter().enumerate().filter(|(_, sample)| sample.label.variant != "headers") {
            if (scores[at] > 0.0) != (sample.label.class == Class::Marketing) {
                let model = &models[list.iter().position(|family| *family == sample.label.family).expect("there")];
                let (figures, (from, to), _) = model.figures_of(&own[at].features);
                let reasons: Vec<String> = model
                    .judge(&own[at].features)
                    .reasons
                    .iter()
                    .take(4)
                    .map(|reason| format!("{} {:.1}", reason.name, reason.weight))
                    .collect();
                println!(
                    "{} {} {} {} {:.2} max {:.1} tx {:.1} | {} | {}",
                    sample.label.file,
                    sample.label.family,
                    sample.label.language,
                    sample.label.hard,
                    scores[at],
                    figures[0],
                    figures[6],
                    own[at].features.phrase(from, to),
                    reasons.join(", ")
                );
            }
        }
    }
    let bags: Vec<&Bag> = all
        .iter()
        .copied()
        .chain(samples.iter().zip(&own).filter(|(sample, _)| sample.label.variant != "headers").map(|(_, bag)| bag))
        .collect();
    let learner = Learner::of_many(&bags, 17);
    let mut model = learner.model();
    model.figures = cautious(combine(&rows.iter().map(|(_, row)| *row).collect::<Vec<_>>()));
    println!("figures {:?}", model.figures);
    for (name, text) in opinion::SETS {
        opinion(name, text, &model, arguments.iter().any(|own| own == "--show"));
    }
    if let Some(folder) = value("--unseen") {
        unseen(&model, &corpus::read(&folder));
    }
    if let Some(file) = value("--write") {
        std::fs::write(file, model.to_bytes()).expect("writable");
    }
    eprintln!("all {:?}", start.elapsed());
}

/// On a folder that nothing was trained on.
fn unseen(model: &Model, samples: &[Sample]) {
    let mut rows: BTreeMap<(&str, &str, bool), [usize; 2]> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| !sample.label.is_ambiguous()) {
        let label = &sample.label;
        let row = rows.entry((&label.variant, &label.language, label.class == Class::Marketing)).or_default();
        row[0] += usize::from(model.judge(&extract(&sample.raw)).raises());
        row[1] += 1;
    }
    for ((variant, language, is_sale), [raised, all]) in rows {
        println!("unseen: {variant} {language} {}: {raised} of {all} raised", if is_sale { "marketing" } else { "transactional" });
    }
}

/// On mails of our own that nothing was chosen by.
fn opinion(name: &str, text: &'static str, model: &Model, shows: bool) {
    let mut rows: BTreeMap<(&str, &str), [usize; 2]> = BTreeMap::new();
    for own in opinion::read(text) {
        let features = extract(&own.raw);
        let judgement = model.judge(&features);
        let what = if own.hidden {
            "hidden"
        } else if own.advertises {
            "marketing"
        } else {
            "transactional"
        };
        let row = rows.entry((what, own.language)).or_default();
        row[0] += usize::from(judgement.raises());
        row[1] += 1;
        if shows && judgement.raises() != own.advertises {
            let (from, to) = judgement.window;
            let blind = judgement.blind.map_or("", |why| why.as_str());
            println!(
                "{name} opinion {what} {} {} {:.2} {blind} | {} | {:?}",
                own.language,
                own.kind,
                judgement.score,
                features.phrase(from, to),
                judgement.reasons.iter().take(3).map(|r| r.name.as_str()).collect::<Vec<_>>()
            );
        }
    }
    for ((what, language), [raised, all]) in rows {
        println!("{name} opinion: {what} {language}: {raised} of {all} raised");
    }
}

fn bag(sample: &Sample) -> Bag {
    let hidden = sample.label.variant == "spliced";
    Bag {
        features: extract(&sample.raw),
        says: [Some(sample.label.class == Class::Marketing), if hidden { None } else { Some(sample.label.class != Class::Marketing) }],
        weight: if sample.label.is_ambiguous() { 0.2 } else { 3.0 },
    }
}

/// Single blocks and neighbours.
fn pieces(texts: &Texts, half: usize, count: usize, seed: u64) -> Vec<Bag> {
    let mut dice = Dice::new(seed + half as u64);
    (0..count)
        .map(|_| {
            let language = dice.one(&texts.languages);
            let (says, mut blocks): ([bool; 2], Vec<String>) = match dice.below(10) {
                0..=4 => ([true, false], vec![ad(texts, language, half, &mut dice)]),
                5..=7 => ([false, true], vec![transaction(texts, language, half, &mut dice)]),
                8 => ([false, false], vec![neutral(texts, language, &mut dice)]),
                _ => ([true, true], vec![ad(texts, language, half, &mut dice), transaction(texts, language, half, &mut dice)]),
            };
            if dice.chance(30) {
                let at = dice.below(blocks.len() + 1);
                blocks.insert(at, neutral(texts, language, &mut dice));
            }
            let raw = mail("", &blocks, &mut dice);
            Bag { features: extract(&raw), says: [Some(says[0]), Some(says[1])], weight: 0.5 }
        })
        .collect()
}

fn cautious(mut weights: Vec<f32>) -> Vec<f32> {
    weights[FIGURES] -= CAUTION;
    weights
}

/// A mail that is called advertising wrongly costs more than one advert missed: odds of e to the power of this are asked for.
const CAUTION: f32 = 2.2;

/// Whole mails: transactions, the same with one advert, and advertising.
fn mails(texts: &Texts, half: usize, count: usize, seed: u64) -> Vec<Bag> {
    let mut dice = Dice::new(seed + half as u64);
    (0..count)
        .map(|at| {
            let language = dice.one(&texts.languages);
            let mut blocks = vec![neutral_at(texts, language, 0, &mut dice)];
            let is_sale = at % 5 >= 3;
            let hides = at % 5 == 1 || at % 5 == 2;
            let many = 1 + if !is_sale && dice.chance(12) { dice.below(40) } else { dice.below(if is_sale { 6 } else { 4 }) };
            let first = if is_sale { ad(texts, language, half, &mut dice) } else { transaction(texts, language, half, &mut dice) };
            let mut subject = first.split(['.', '!', '?', '\n', ':']).next().unwrap_or_default().to_owned();
            blocks.push(first);
            for _ in 1..many {
                blocks.push(if is_sale { ad(texts, language, half, &mut dice) } else { transaction(texts, language, half, &mut dice) });
            }
            if hides && dice.chance(15) {
                subject = ad(texts, language, half, &mut dice);
            } else if hides {
                let place = 1 + dice.below(blocks.len());
                blocks.insert(place, ad(texts, language, half, &mut dice));
            }
            blocks.push(neutral_at(texts, language, 1, &mut dice));
            for _ in 0..dice.below(4) {
                blocks.push(neutral(texts, language, &mut dice));
            }
            let raw = mail(&subject, &blocks, &mut dice);
            Bag { features: extract(&raw), says: [Some(is_sale || hides), Some(!is_sale)], weight: 0.5 }
        })
        .collect()
}

fn ad(texts: &Texts, language: &Language, half: usize, dice: &mut Dice) -> String {
    let own: Vec<&texts::Line> = language.ads.iter().skip(half).step_by(2).collect();
    texts.fill(own[dice.below(own.len())], dice)
}

fn transaction(texts: &Texts, language: &Language, half: usize, dice: &mut Dice) -> String {
    let own: Vec<&texts::Line> = language.transactions.iter().skip(half).step_by(2).collect();
    texts.fill(own[dice.below(own.len())], dice)
}

fn neutral(texts: &Texts, language: &Language, dice: &mut Dice) -> String {
    texts.fill(dice.one(&language.neutral), dice)
}

fn neutral_at(texts: &Texts, language: &Language, at: usize, dice: &mut Dice) -> String {
    texts.fill(&language.neutral[at], dice)
}

/// By variant and language, as the gateway counts: what cannot be judged is raised. Beside it with the header fields.
fn by_language(samples: &[Sample], own: &[Bag], scores: &[f32]) {
    let classifier = Classifier::default();
    let mut rows: BTreeMap<(&str, &str), [[usize; 4]; 2]> = BTreeMap::new();
    let mut blind: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for (at, sample) in samples.iter().enumerate().filter(|(_, sample)| !sample.label.is_ambiguous()) {
        let is_sale = sample.label.class == Class::Marketing;
        let alone = scores[at] > 0.0 || own[at].features.blind.is_some();
        // with the model's word recorded only, what is marketing is so by its fields
        let by_fields = Message::parse(crlf(&sample.raw), true)
            .is_ok_and(|message| classifier.classify(&stream(), Path::Named, &message).class == Class::Marketing);
        let row = rows.entry((&sample.label.variant, &sample.label.language)).or_default();
        for (counts, says) in row.iter_mut().zip([alone, alone || by_fields]) {
            counts[if is_sale { 0 } else { 2 }] += usize::from(says);
            counts[if is_sale { 1 } else { 3 }] += 1;
        }
        if let Some(why) = own[at].features.blind {
            blind.entry(why.as_str()).or_default()[usize::from(is_sale)] += 1;
        }
    }
    println!("by content alone; with header fields: marketing found, transactional raised, accuracy, precision");
    for ((variant, language), row) in rows {
        let told = row.map(|[found, sales, raised, transactions]| {
            let share = |part: usize, whole: usize| 100.0 * part as f32 / whole.max(1) as f32;
            format!(
                "{found}/{sales} {raised}/{transactions} {:.1} % {:.1} %",
                share(found + transactions - raised, sales + transactions),
                share(found, found + raised)
            )
        });
        println!("  {variant:8} {language}  {};  {}", told[0], told[1]);
    }
    println!("cannot be judged, transactional and marketing: {blind:?}");
}

/// One whose mail is transactional unless header fields say otherwise.
fn stream() -> Stream {
    Stream {
        name: String::new(),
        controller: String::new(),
        class: StreamClass::Transactional,
        topic: None,
        from_domains: Vec::new(),
        answer: AnswerProfile::Reject,
        mode: StreamMode::Enforce,
        disputed: Dispute::Pass,
        bulk: Default::default(),
    }
}

/// As it would come by SMTP.
fn crlf(raw: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(raw).replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
}

fn report(samples: &[Sample], scores: &[f32]) {
    let clear = |sample: &&(usize, &Sample)| !sample.1.label.is_ambiguous();
    let all: Vec<(usize, &Sample)> = samples.iter().enumerate().collect();
    for threshold in [-1.0, -0.5, 0.0, 0.5, 1.0] {
        let bare: Vec<_> = all.iter().filter(|(_, sample)| sample.label.variant == "bare").filter(clear).collect();
        let right = bare.iter().filter(|(at, sample)| (scores[*at] > threshold) == (sample.label.class == Class::Marketing)).count();
        let tx: Vec<_> = bare.iter().filter(|(_, sample)| sample.label.class != Class::Marketing).collect();
        let raised = tx.iter().filter(|(at, _)| scores[*at] > threshold).count();
        let sales: Vec<_> = bare.iter().filter(|(_, sample)| sample.label.class == Class::Marketing).collect();
        let found = sales.iter().filter(|(at, _)| scores[*at] > threshold).count();
        let hidden: Vec<_> = all.iter().filter(|(_, sample)| sample.label.variant == "spliced").collect();
        let caught = hidden.iter().filter(|(at, _)| scores[*at] > threshold).count();
        println!(
            "threshold {threshold}: accuracy {:.1} % ({right}/{}), marketing found {found}/{}, transactional raised {raised}/{}, hidden {caught}/{}",
            100.0 * right as f32 / bare.len().max(1) as f32,
            bare.len(),
            sales.len(),
            tx.len(),
            hidden.len()
        );
    }
    let mut table: BTreeMap<&str, [usize; 6]> = BTreeMap::new();
    for (at, sample) in all.iter().filter(clear) {
        let row = table.entry(&sample.label.family).or_default();
        let says = scores[*at] > 0.0;
        let place = match (sample.label.variant.as_str(), (sample.label.class == Class::Marketing)) {
            ("bare", true) => 0,
            ("bare", false) => 2,
            ("spliced", _) => 4,
            _ => continue,
        };
        row[place] += usize::from(says);
        row[place + 1] += 1;
    }
    for (family, [a, b, c, d, e, f]) in table {
        println!("  {family:18} marketing {a}/{b}  raised {c}/{d}  hidden {e}/{f}");
    }
}
