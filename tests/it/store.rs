//! The store against real files: the life of a double opt-in, the promises of group commit, what is on the disk.

mod choices;
mod consent;
mod decisions;
mod disk;
mod erasure;
mod evidence_end;
mod facts;
mod journal;
mod lost_commit;
mod rectification;
mod request;
mod rules;
mod search;
mod several;
mod simulate;
mod spooler;

use std::path::Path;

use crate::environment::on_postgres;
use crate::postgres;
use consentry::consent::{
    ChoiceEvidence, Decision, DecisionId, Language, LookupKey, OptInId, PressGrade, Reason, RequestEvidence, Source, Standing, SubjectId,
    TextVersion, Topic, TopicStanding,
};
use consentry::mail::{Address, Class, Classification, ReversePath, Step, Trust};
use consentry::store::{NewOptIn, NewWithdrawal, RequestAnswer, Stop, Store, StoreError, WithdrawAnswer};
use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;

/// Has a fraction below a millisecond, which the ledger does not keep.
const START: &str = "2026-03-01T09:00:00.123456789Z";

fn start() -> Timestamp {
    START.parse().expect("valid")
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

async fn new_store() -> (TempDir, Store) {
    let dir = TempDir::new().expect("temporary directory");
    let store = open(dir.path()).await;
    (dir, store)
}

async fn open(dir: &Path) -> Store {
    Store::open_on(&dir.join("data"), postgres::database(dir).as_ref()).await.expect("opens")
}

async fn refusal(dir: &Path) -> StoreError {
    Store::open_on(&dir.join("data"), postgres::database(dir).as_ref()).await.err().expect("is refused")
}

/// A file of the ledger, past the store.
async fn file(dir: &Path, name: &str) -> SqliteConnection {
    SqliteConnectOptions::new().filename(dir.join("data").join(name)).connect().await.expect("opens")
}

/// Runs a statement past the store.
pub(crate) async fn run(dir: &Path, statement: &str) -> Result<(), sqlx::Error> {
    let query = sqlx::AssertSqlSafe(statement);
    match on_postgres() {
        true => sqlx::query(query).execute(&mut postgres::raw(dir).await).await.map(|_| ()),
        false => sqlx::query(query).execute(&mut file(dir, "ledger.sqlite").await).await.map(|_| ()),
    }
}

/// These must be refused because the table only grows.
pub(crate) async fn assert_refused(dir: &Path, statements: &[&str]) {
    for statement in statements {
        let refusal = run(dir, statement).await.expect_err(statement).to_string();
        assert!(["append-only", "not the next in order", "disable it"].iter().any(|why| refusal.contains(why)), "{statement}: {refusal}");
    }
}

/// Takes a trigger away, past the store.
pub(crate) async fn drop_trigger(dir: &Path, trigger: &str, table: &str) {
    let of = if on_postgres() { format!(" ON {table}") } else { String::new() };
    run(dir, &format!("DROP TRIGGER {trigger}{of}")).await.expect("drops");
}

/// Makes the database refuse it (`INSERT ON decision`) as a full disk does, until [`allow`].
pub(crate) async fn refuse(dir: &Path, what: &str) {
    let refuses =
        if on_postgres() { "FOR EACH ROW EXECUTE FUNCTION append_only('full')" } else { "BEGIN SELECT RAISE(ABORT, 'full'); END" };
    run(dir, &format!("CREATE TRIGGER away BEFORE {what} {refuses}")).await.expect("refuses from now on");
}

pub(crate) async fn allow(dir: &Path, table: &str) {
    drop_trigger(dir, "away", table).await;
}

/// Runs a statement on the subjects' keys, past the store.
async fn run_on_keys(dir: &Path, statement: &'static str) {
    match on_postgres() {
        true => {
            let mut raw = postgres::raw(dir).await;
            sqlx::query("SET search_path TO consentry_keys").execute(&mut raw).await.expect("sets");
            sqlx::query(statement).execute(&mut raw).await.expect(statement);
        }
        false => {
            sqlx::query(statement).execute(&mut file(dir, "subject-keys.sqlite").await).await.expect(statement);
        }
    }
}

/// How many contact keys and evidence keys there are.
async fn data_keys(dir: &Path) -> (i64, i64) {
    match on_postgres() {
        true => {
            let count = "SELECT count(contact), count(evidence) FROM consentry_keys.subject_key";
            sqlx::query_as(count).fetch_one(&mut postgres::raw(dir).await).await.expect("counts")
        }
        false => {
            let count = "SELECT count(contact), count(evidence) FROM subject_key";
            sqlx::query_as(count).fetch_one(&mut file(dir, "subject-keys.sqlite").await).await.expect("counts")
        }
    }
}

/// Octets as a statement names them.
pub(crate) fn octets(hex: &str) -> String {
    if on_postgres() { format!("'\\x{hex}'::bytea") } else { format!("x'{hex}'") }
}

pub(crate) async fn count(dir: &Path, query: &'static str) -> i64 {
    let (count,): (i64,) = one(dir, query).await;
    count
}

/// The one row that both databases answer with, past the store.
async fn one<T>(dir: &Path, query: &'static str) -> T
where
    T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + Send + Unpin,
{
    match on_postgres() {
        true => sqlx::query_as(query).fetch_one(&mut postgres::raw(dir).await).await.expect("is there"),
        false => sqlx::query_as(query).fetch_one(&mut file(dir, "ledger.sqlite").await).await.expect("is there"),
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).expect(text)
}

fn key(store: &Store, text: &str) -> LookupKey {
    store.keyring().lookup_key(&address(text))
}

fn topic(text: &str) -> Topic {
    Topic::parse(text).expect(text)
}

fn topics(text: &str) -> Vec<Topic> {
    text.split_whitespace().map(topic).collect()
}

fn token(store: &Store, n: u32) -> [u8; 32] {
    store.keyring().secret_key(&n.to_be_bytes().repeat(5))
}

/// A sign-up of `who` for `what` with token number `n`.
fn sign_up(store: &Store, who: &str, what: &str, n: u32, at: Timestamp) -> NewOptIn {
    NewOptIn {
        id: OptInId(consentry::entropy::random()),
        key: key(store, who),
        address: address(who),
        controller: "acme".into(),
        topics: topics(what),
        tracking: false,
        source: Source::Api,
        token: token(store, n),
        at,
        reverse_path: ReversePath::Mailbox(address("bounces@acme.example")),
        evidence: RequestEvidence {
            address: who.into(),
            form_url: "https://acme.example/newsletter".into(),
            referrer: None,
            consent_text: "Yes, send me the newsletter. I can stop it any time.".into(),
            text_version: String::new(),
            form: None,
            tracking_text: None,
            checkbox: Some(true),
            language: Language::DE,
            ip: Some("192.0.2.77".into()),
            user_agent: Some("Browser/1.0".into()),
            reported_by: "website".into(),
            message_id: format!("<{n}@consentry.example>"),
            mail: format!("From: newsletter@acme.example\r\nTo: {who}\r\nSubject: Please confirm\r\n\r\nHello {who}\r\n"),
        },
    }
}

pub(crate) async fn request(store: &Store, who: &str, what: &str, n: u32, at: Timestamp) -> RequestAnswer {
    store.request(sign_up(store, who, what, n, at)).await.expect("requests")
}

fn confirmation() -> consentry::consent::ConfirmationEvidence {
    consentry::consent::ConfirmationEvidence {
        ip: Some("192.0.2.78".into()),
        user_agent: None,
        method: "POST".into(),
        token_id: "00".repeat(32),
        page_version: String::new(),
        page: "<button>Yes</button>".into(),
        grade: PressGrade::Person,
        dwell_ms: 4_000,
    }
}

pub(crate) async fn confirm(store: &Store, n: u32, at: Timestamp) -> consentry::store::Confirmation {
    store.confirm(&token(store, n), at, confirmation()).await.expect("confirms")
}

/// Withdraws `what`, or objects where it is empty.
async fn withdraw(store: &Store, subject: SubjectId, what: &str, at: Timestamp) -> WithdrawAnswer {
    let withdrawal = NewWithdrawal {
        subject,
        controller: "acme".into(),
        stop: if what.is_empty() { Stop::Advertising } else { Stop::Topics(topics(what)) },
        source: Source::OneClick,
        at,
        evidence: ChoiceEvidence { ip: Some("192.0.2.79".into()), ..ChoiceEvidence::default() },
    };
    store.withdraw(withdrawal).await.expect("withdraws")
}

async fn standing(store: &Store, who: &str) -> Option<(SubjectId, Standing)> {
    store.standing(key(store, who)).await.expect("looks up")
}

async fn subject(store: &Store, who: &str) -> SubjectId {
    standing(store, who).await.expect("is known").0
}

/// What a marketing mail about `what` meets: the suppressions first, then the fold.
async fn meets(store: &Store, who: &str, what: &str) -> &'static str {
    let (_, standing) = standing(store, who).await.unwrap_or((SubjectId([0; 16]), Standing::default()));
    let what = topic(what);
    if standing.suppressions.iter().any(|suppression| suppression.covers("acme", &what)) {
        return "suppressed";
    }
    standing.of("acme", &what).as_str()
}

/// Decision number `n` about `who`, by someone who never saw them.
pub(crate) fn decision(store: &Store, who: &str, n: u16) -> Decision {
    let mut random = [0; 10];
    random[..2].copy_from_slice(&n.to_be_bytes());
    let mut subject = [7; 16];
    subject[..2].copy_from_slice(&n.to_be_bytes());
    Decision {
        id: DecisionId::new(start(), random),
        at: "2026-03-01T09:00:00.123Z".parse().expect("valid"),
        stream: "shop".into(),
        controller: "acme".into(),
        recipient: key(store, who),
        subject: SubjectId(subject),
        classification: Classification {
            class: Class::Marketing,
            topic: Some("News \"quoted\"\u{1f600}\\".into()),
            campaign: Some("spring, sale; 'x'".into()),
            steps: vec![Step { trust: Trust::Credential, says: Class::Marketing, why: "stream \"shop\"".into() }],
        },
        topic: Some(topic("news")),
        reason: Reason::NoConsent,
        folded_from: 0,
        event: None,
        profile: None,
        shadowed: None,
        rules: Some(TextVersion([0xab; 8])),
        footer: Some(TextVersion::of("a footer")),
        is_contact: false,
        message: Some(store.keyring().message_key("<m@acme.example>")),
        copy: None,
        size: 10_240,
    }
}
