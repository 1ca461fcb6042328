//! How the ledger grows: look-ups and decisions with a hundred thousand subjects, and with ten million. The rows are written
//! in bulk, in the shape that sign-ups leave them, without their evidence. Prints; judges nothing.
//!
//! `cargo run --release --example bench_subjects -- fill DIR SUBJECTS`
//! `cargo run --release --example bench_subjects -- ask DIR SUBJECTS [QUESTIONS]`

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use consentry::consent::{
    Catalogue, Decision, DecisionId, Event, EventKind, LookupKey, Reason, Source, Standing, SubjectId, Topic, TopicEntry,
};
use consentry::decide::{Finding, Question, decide};
use consentry::entropy::random;
use consentry::mail::{AnswerProfile, Class, Classification, Dispute, Stream, StreamClass, StreamMode};
use consentry::policy::Policy;
use consentry::store::Store;
use jiff::Timestamp;
use sqlx::{Connection, SqliteConnection};
use tokio::task::JoinSet;

/// Subjects per transaction.
const STEP: u64 = 100_000;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match words.as_slice() {
        ["fill", dir, subjects] => fill(Path::new(dir), subjects.parse()?).await,
        ["ask", dir, subjects] => ask(Path::new(dir), subjects.parse()?, 100_000).await,
        ["ask", dir, subjects, questions] => ask(Path::new(dir), subjects.parse()?, questions.parse()?).await,
        _ => bail!("usage: bench_subjects fill DIR SUBJECTS | ask DIR SUBJECTS [QUESTIONS]"),
    }
}

async fn fill(dir: &Path, subjects: u64) -> Result<()> {
    Store::open(dir).await?.close().await; // makes the tables
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}/ledger.sqlite", dir.display())).await?;
    sqlx::query("PRAGMA synchronous = OFF").execute(&mut connection).await?;
    let began = Instant::now();
    let standing = serde_json::to_string(&history()?)?;
    // Ids in order fill the tree without holes; what is asked for lies anywhere in it.
    const NUMBERS: &str = "WITH RECURSIVE n (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?2)";
    for first in (0..subjects).step_by(usize::try_from(STEP)?) {
        let (from, to) = (i64::try_from(first)?, i64::try_from((first + STEP).min(subjects))?);
        let mut tx = connection.begin().await?;
        let id = "unhex(format('%016X', n) || '0707070707070707')";
        let key = "unhex(format('%016X', n) || '070707070707070707070707070707070707070707070707')";
        let rows = format!("{NUMBERS} INSERT INTO standing (key, subject, seq, state, contacted) SELECT {key}, {id}, 3, ?3, '{{}}' FROM n");
        sqlx::query(sqlx::AssertSqlSafe(rows)).bind(from).bind(to).bind(&standing).execute(&mut *tx).await?;
        let rows = format!(
            "{NUMBERS} INSERT INTO event (subject, seq, at, kind, controller, channel, topics, source, answers)
             SELECT {id}, e.column1, 1790000000000 + e.column1, e.column2, 'acme', 'email', 'news', 'api', e.column3
             FROM n, (VALUES (1, 'requested', NULL), (2, 'doi_mail_sent', NULL), (3, 'given', 1)) AS e ORDER BY 1, 2"
        );
        sqlx::query(sqlx::AssertSqlSafe(rows)).bind(from).bind(to).execute(&mut *tx).await?;
        tx.commit().await?;
    }
    connection.close().await?;
    let size = std::fs::metadata(dir.join("ledger.sqlite"))?.len();
    println!("{subjects} subjects with three events each: {:.0} MB, {:.0} s", size as f64 / 1e6, began.elapsed().as_secs_f64());
    Ok(())
}

fn history() -> Result<Standing> {
    let news = vec![Topic::parse("news")?];
    let event = |seq, kind, answers| Event { seq, answers, ..Event::new(kind, "acme", news.clone(), Source::Api, Timestamp::now()) };
    let events = [event(1, EventKind::Requested, None), event(2, EventKind::DoiMailSent, None), event(3, EventKind::Given, Some(1))];
    Ok(Standing::fold(&events))
}

async fn ask(dir: &Path, subjects: u64, questions: u64) -> Result<()> {
    let store = Store::open(dir).await?;
    for round in ["first", "warm"] {
        for at_once in [1, 20] {
            let number = if at_once == 1 { questions / 10 } else { questions };
            let (spent, times) = each(at_once, number, {
                let store = store.clone();
                move || look_up(store.clone(), subjects)
            })
            .await?;
            tell(&format!("{round} look-ups, {at_once} at once"), number, spent, &times);
        }
    }
    for at_once in [1, 20] {
        let number = if at_once == 1 { questions / 10 } else { questions };
        let (spent, times) = each(at_once, number, {
            let store = store.clone();
            move || whole(store.clone(), subjects)
        })
        .await?;
        tell(&format!("decisions, durable, {at_once} at once"), number, spent, &times);
    }
    store.close().await;
    Ok(())
}

/// Runs `one` so often, so many at once; the time of all, and of each in order.
async fn each<F>(at_once: u64, number: u64, one: impl Fn() -> F + Clone + Send + 'static) -> Result<(Duration, Vec<Duration>)>
where
    F: Future<Output = Result<()>> + Send,
{
    let (began, mut running) = (Instant::now(), JoinSet::new());
    for _ in 0..at_once {
        let one = one.clone();
        running.spawn(async move {
            let mut times = Vec::new();
            for _ in 0..number / at_once {
                let began = Instant::now();
                one().await?;
                times.push(began.elapsed());
            }
            anyhow::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(own) = running.join_next().await {
        times.extend(own??);
    }
    times.sort_unstable();
    Ok((began.elapsed(), times))
}

fn tell(what: &str, number: u64, spent: Duration, times: &[Duration]) {
    let at = |part: usize| times.get(times.len() * part / 1000).map_or(0.0, |time| time.as_secs_f64() * 1e6);
    println!(
        "{what}: {:.0} per second, p50 {:.0} µs, p99 {:.0} µs, p99.9 {:.0} µs",
        number as f64 / spent.as_secs_f64(),
        at(500),
        at(990),
        at(999)
    );
}

fn anybody(subjects: u64) -> LookupKey {
    let [a, b, c, d, e, f, g, h] = random();
    let mut key = [7; 32];
    key[..8].copy_from_slice(&(u64::from_be_bytes([a, b, c, d, e, f, g, h]) % subjects).to_be_bytes());
    LookupKey(key)
}

async fn look_up(store: Store, subjects: u64) -> Result<()> {
    store.standing(anybody(subjects)).await?.context("a subject").map(drop)
}

/// As the gateway does it: look up, decide, record.
async fn whole(store: Store, subjects: u64) -> Result<()> {
    let recipient = anybody(subjects);
    let (subject, standing): (SubjectId, Standing) = store.standing(recipient).await?.context("a subject")?;
    let entry =
        TopicEntry { name: Topic::parse("news")?, controller: "acme".into(), title: "News".into(), list_id: "news.acme.example".into() };
    let stream = Stream {
        name: "news".into(),
        controller: "acme".into(),
        class: StreamClass::Marketing,
        topic: None,
        from_domains: Vec::new(),
        answer: AnswerProfile::Reject,
        mode: StreamMode::Enforce,
        disputed: Dispute::Enforce,
        bulk: Default::default(),
    };
    let classification = Classification { class: Class::Marketing, topic: Some("news".into()), campaign: None, steps: Vec::new() };
    let now = Timestamp::now();
    let Finding { reason, event, topic, profile, shadowed } = decide(Question {
        stream: &stream,
        classification: &classification,
        from_allowed: true,
        standing: Some(&standing),
        listed: false,
        catalogue: &Catalogue { topics: vec![entry], ..Catalogue::default() },
        policy: &Policy::default(),
        now,
    });
    anyhow::ensure!(reason == Reason::DoiConsent, "{reason}");
    let decision = Decision {
        id: DecisionId::new(now, random()),
        at: now,
        stream: stream.name,
        controller: stream.controller,
        recipient,
        subject,
        classification,
        topic,
        reason,
        folded_from: standing.seq,
        event,
        profile,
        shadowed,
        rules: None,
        footer: None,
        is_contact: false,
        message: None,
        copy: None,
        size: 10_240,
    };
    Ok(store.record(decision, None).await?)
}
