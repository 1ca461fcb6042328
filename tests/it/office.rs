//! The office over a real ledger: who comes in, for how long, and what they may do. Time is an argument, so nothing waits.

mod deeds;
mod sessions;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};

use consentry::office::{EnterAnswer, Office, OfficeSettings, Operator, Role, SessionToken, Stage, TotpPolicy};
use consentry::store::Store;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::authenticator::code;

const PASSWORD: &str = "correct horse battery";

struct World {
    dir: TempDir,
    store: Store,
    office: Office,
    places: AtomicU32,
}

fn start() -> Timestamp {
    "2026-03-01T09:00:00Z".parse().unwrap()
}

fn after(minutes: i64) -> Timestamp {
    start() + SignedDuration::from_mins(minutes)
}

fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

impl World {
    async fn new(totp: TotpPolicy) -> Self {
        let dir = TempDir::new().unwrap();
        let store = Store::open_on(&dir.path().join("data"), crate::postgres::database(dir.path()).as_ref()).await.unwrap();
        let office = Office::new(store.clone(), OfficeSettings { totp, ..OfficeSettings::default() });
        Self { dir, store, office, places: AtomicU32::new(1) }
    }

    /// Another one each time, so that only the test of it meets the limit of a place.
    fn place(&self) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + self.places.fetch_add(1, Ordering::Relaxed))))
    }

    async fn add(&self, role: Role) -> Operator {
        self.office.add_operator(role.as_str(), role, secret(PASSWORD), start()).await.unwrap();
        self.operator(role.as_str()).await
    }

    async fn operator(&self, name: &str) -> Operator {
        self.office.operators().await.unwrap().into_iter().find(|operator| operator.name == name).unwrap()
    }

    async fn login(&self, name: &str, password: &str, at: Timestamp) -> EnterAnswer {
        self.office.login(name, secret(password), self.place(), at).await.unwrap()
    }

    async fn prove(&self, token: &SessionToken, code: &str, at: Timestamp) -> EnterAnswer {
        self.office.prove(token.as_str(), code, self.place(), at).await.unwrap()
    }

    async fn stage(&self, token: &SessionToken, at: Timestamp) -> Option<Stage> {
        self.office.session(token.as_str(), at).await.unwrap().map(|session| session.stage)
    }

    /// The secret that the page of a halfway session shows.
    async fn shown(&self, token: &SessionToken, at: Timestamp) -> String {
        let session = self.office.session(token.as_str(), at).await.unwrap().unwrap();
        self.office.enrolment(&session).expect("is to be set up").secret.to_string()
    }

    /// Comes in with a new second factor; the session, and the secret.
    async fn enrol(&self, name: &str, at: Timestamp) -> (SessionToken, String) {
        let half = halfway(self.login(name, PASSWORD, at).await);
        let secret = self.shown(&half, at).await;
        (inside(self.prove(&half, &code(&secret, at), at).await), secret)
    }
}

fn halfway(answer: EnterAnswer) -> SessionToken {
    match answer {
        EnterAnswer::Halfway(token) => token,
        other => panic!("not halfway but {}", word(&other)),
    }
}

fn inside(answer: EnterAnswer) -> SessionToken {
    match answer {
        EnterAnswer::Inside(token) => token,
        other => panic!("not inside but {}", word(&other)),
    }
}

fn word(answer: &EnterAnswer) -> &'static str {
    match answer {
        EnterAnswer::Refused => "refused",
        EnterAnswer::TooMany(_) => "too many",
        EnterAnswer::Busy => "busy",
        EnterAnswer::Gone => "gone",
        EnterAnswer::Halfway(_) => "halfway",
        EnterAnswer::Inside(_) => "inside",
    }
}

#[tokio::test]
async fn only_the_right_name_and_password_enter_and_the_refusal_is_one() {
    let world = World::new(TotpPolicy::Optional).await;
    world.add(Role::Viewer).await;
    world.add(Role::Legal).await;
    world.office.disable_operator("legal", start()).await.unwrap();
    for (name, password, expected) in [
        ("viewer", PASSWORD, "inside"),
        (" Viewer ", PASSWORD, "inside"), // as phones type it
        ("viewer", "Correct horse battery", "refused"),
        ("viewer", "", "refused"),
        ("nobody", PASSWORD, "refused"),
        ("", "", "refused"),
        ("legal", PASSWORD, "refused"), // disabled
    ] {
        assert_eq!(word(&world.login(name, password, start()).await), expected, "{name} {password}");
    }
}

#[tokio::test]
async fn an_account_locks_after_five_failures_for_longer_each_time_and_opens_again() {
    let world = World::new(TotpPolicy::Optional).await;
    let viewer = world.add(Role::Viewer).await;
    for _ in 0..5 {
        assert_eq!(word(&world.login("viewer", "wrong", start()).await), "refused");
    }
    let mut at = start();
    for minutes in [1, 2, 4, 8, 15, 15] {
        let almost = at + SignedDuration::from_mins(minutes) - SignedDuration::from_millis(1);
        assert_eq!(word(&world.login("viewer", PASSWORD, almost).await), "refused", "locked for {minutes} minutes, whatever the password");
        at += SignedDuration::from_mins(minutes);
        assert_eq!(word(&world.login("viewer", "wrong", at).await), "refused");
    }
    at += SignedDuration::from_mins(15);
    inside(world.login("viewer", PASSWORD, at).await);
    for _ in 0..4 {
        world.login("viewer", "wrong", at).await;
    }
    inside(world.login("viewer", PASSWORD, at).await); // a full login forgets what failed before
    let locks = world.store.audit_log(None, 100).await.unwrap();
    let locks = locks.iter().filter(|line| line.line.deed == consentry::office::Deed::LockedOut && line.line.operator == Some(viewer.id));
    assert_eq!(locks.count(), 7, "each lock is on record");
}

#[tokio::test]
async fn one_place_locks_nobody_else_out() {
    let world = World::new(TotpPolicy::Optional).await;
    world.add(Role::Viewer).await;
    let (own, other) = (world.place(), world.place());
    let login = async |password: &str, from, at| word(&world.office.login("viewer", secret(password), from, at).await.unwrap());
    // Whoever tries all day long from one network meets its lock; everybody else only the few that count for all.
    let mut at = start();
    for _ in 0..60 {
        assert_eq!(login("wrong", other, at).await, "refused");
        at += SignedDuration::from_mins(16);
    }
    assert_eq!(login(PASSWORD, other, at - SignedDuration::from_mins(2)).await, "refused", "its own lock holds");
    assert_eq!(login(PASSWORD, world.place(), at).await, "inside");

    // From many networks at once, the account is locked where nobody knows the operator.
    assert_eq!(login(PASSWORD, own, at).await, "inside");
    for _ in 0..20 {
        assert_eq!(word(&world.login("viewer", "wrong", at).await), "refused");
    }
    assert_eq!(word(&world.login("viewer", PASSWORD, at).await), "refused");
    assert_eq!(login(PASSWORD, own, at).await, "inside", "the operator's own place is open");
    for _ in 0..5 {
        login("wrong", own, at).await;
    }
    assert_eq!(login(PASSWORD, own, at).await, "refused", "as long as it behaves");
}

#[tokio::test]
async fn failures_are_forgotten_in_time() {
    let world = World::new(TotpPolicy::Optional).await;
    world.add(Role::Viewer).await;
    let place = world.place();
    let fail = async |times, at| {
        for _ in 0..times {
            assert_eq!(word(&world.office.login("viewer", secret("wrong"), place, at).await.unwrap()), "refused");
        }
    };
    fail(4, start()).await;
    fail(3, after(180)).await; // of the four, one is left
    inside(world.office.login("viewer", secret(PASSWORD), place, after(180)).await.unwrap());
    fail(4, after(180)).await;
    fail(2, after(239)).await;
    assert_eq!(word(&world.office.login("viewer", secret(PASSWORD), place, after(239)).await.unwrap()), "refused", "not before their time");
}

#[tokio::test]
async fn many_attempts_at_the_same_time_do_not_outrun_the_lock() {
    let world = World::new(TotpPolicy::Optional).await;
    world.add(Role::Viewer).await;
    let attempts: Vec<_> = (0..12)
        .map(|_| {
            let (office, place) = (world.office.clone(), world.place());
            tokio::spawn(async move { office.login("viewer", secret("wrong"), place, start()).await.unwrap() })
        })
        .collect();
    for attempt in attempts {
        assert_eq!(word(&attempt.await.unwrap()), "refused");
    }
    assert_eq!(word(&world.login("viewer", PASSWORD, start()).await), "refused", "twelve at once lock it");
    inside(world.login("viewer", PASSWORD, after(1)).await); // as the fifth did; the others were not checked
}

#[tokio::test]
async fn one_place_gets_ten_attempts_and_the_rest_of_the_world_goes_on() {
    let world = World::new(TotpPolicy::Optional).await;
    world.add(Role::Viewer).await;
    let place = world.place();
    for n in 0..10 {
        let answer = world.office.login(&format!("guess{n}"), secret("wrong"), place, start()).await.unwrap();
        assert_eq!(word(&answer), "refused");
    }
    let answer = world.office.login("viewer", secret(PASSWORD), place, start()).await.unwrap();
    assert!(matches!(answer, EnterAnswer::TooMany(wait) if wait == SignedDuration::from_secs(6)), "{}", word(&answer));
    inside(world.login("viewer", PASSWORD, start()).await);
    inside(world.office.login("viewer", secret(PASSWORD), place, after(1)).await.unwrap());
}

#[tokio::test]
async fn the_second_factor_is_set_up_at_the_first_login_and_asked_for_ever_after() {
    let world = World::new(TotpPolicy::Required).await;
    world.add(Role::Viewer).await;
    let half = halfway(world.login("viewer", PASSWORD, start()).await);
    let shown = world.shown(&half, start()).await;
    assert_eq!(world.stage(&half, start()).await, Some(Stage::PasswordPassed));
    assert_eq!(word(&world.prove(&half, "000000", start()).await), "refused");
    assert!(!world.operator("viewer").await.has_second_factor, "nothing is set before it is proved");

    let full = inside(world.prove(&half, &code(&shown, start()), start()).await);
    assert_eq!(world.stage(&full, start()).await, Some(Stage::Full));
    assert_eq!(world.stage(&half, start()).await, None, "the token of the first step is over");
    assert!(half.as_str() != full.as_str() && world.operator("viewer").await.has_second_factor);

    let again = halfway(world.login("viewer", PASSWORD, after(5)).await);
    let session = world.office.session(again.as_str(), after(5)).await.unwrap().unwrap();
    assert!(world.office.enrolment(&session).is_none(), "the secret is never shown again");
    inside(world.prove(&again, &code(&shown, after(5)), after(5)).await);
}

#[tokio::test]
async fn a_code_works_once() {
    let world = World::new(TotpPolicy::Required).await;
    world.add(Role::Viewer).await;
    let (_, shown) = world.enrol("viewer", start()).await;
    let next = start() + SignedDuration::from_secs(30);
    for (at, typed, expected) in [
        (start(), code(&shown, start()), "refused"), // enrolment used it
        (next, code(&shown, start()), "refused"),    // also in the step after
        (next, code(&shown, next), "inside"),
        (next, code(&shown, next), "refused"),
        (next, code(&shown, start()), "refused"), // an older one neither
    ] {
        let half = halfway(world.login("viewer", PASSWORD, at).await);
        assert_eq!(word(&world.prove(&half, &typed, at).await), expected, "{typed} at {at}");
    }
}

#[tokio::test]
async fn guessing_codes_locks_the_account_though_the_password_is_right() {
    let world = World::new(TotpPolicy::Required).await;
    world.add(Role::Viewer).await;
    let (_, shown) = world.enrol("viewer", start()).await;
    for _ in 0..5 {
        let half = halfway(world.login("viewer", PASSWORD, after(1)).await);
        assert_eq!(word(&world.prove(&half, "12345", after(1)).await), "refused");
    }
    assert_eq!(word(&world.login("viewer", PASSWORD, after(1)).await), "refused");
    let half = halfway(world.login("viewer", PASSWORD, after(2)).await);
    inside(world.prove(&half, &code(&shown, after(2)), after(2)).await);
}

#[tokio::test]
async fn who_prepared_an_enrolment_before_another_was_proved_does_not_get_in() {
    let world = World::new(TotpPolicy::Required).await;
    world.add(Role::Viewer).await;
    let prepared = halfway(world.login("viewer", PASSWORD, start()).await);
    let known = world.shown(&prepared, start()).await;
    world.enrol("viewer", start()).await;
    assert_eq!(word(&world.prove(&prepared, &code(&known, after(1)), after(1)).await), "gone");
}

#[tokio::test]
async fn names_and_passwords_that_will_not_do_are_refused() {
    let world = World::new(TotpPolicy::Optional).await;
    for (name, password) in [
        ("", PASSWORD),
        ("a b", PASSWORD),
        ("olivia@example.org", PASSWORD),
        ("viewer", "short"),
        ("viewer", "eleven char"),
        ("twelve-and-more", "Twelve-And-More"),
        ("viewer", &"x".repeat(1_025)),
    ] {
        assert!(world.office.add_operator(name, Role::Viewer, secret(password), start()).await.is_err(), "{name} {password}");
    }
    world.add(Role::Viewer).await;
    let twice = world.office.add_operator("VIEWER", Role::Legal, secret(PASSWORD), start()).await;
    assert!(twice.is_err_and(|error| error.to_string().contains("taken")));
    assert!(world.office.set_role("nobody", Role::Legal, start()).await.is_err());
}
