//! How long a session lasts and what ends it, and what of it lies on the disk.

use consentry::office::{PasswordAnswer, Role, Stage, TotpPolicy};
use consentry::store::{NewSession, Place, Proof};
use jiff::SignedDuration;

use super::{PASSWORD, World, after, halfway, inside, secret, start};
use crate::authenticator::code;
use crate::environment::on_postgres;
use crate::store::assert_refused;
use crate::trips::assert_nowhere;

#[tokio::test]
async fn a_session_ends_when_idle_for_half_an_hour_and_after_twelve_hours_in_any_case() {
    let world = World::new(TotpPolicy::Optional).await;
    world.add(Role::Viewer).await;
    let idle = inside(world.login("viewer", PASSWORD, start()).await);
    assert_eq!(world.stage(&idle, after(29)).await, Some(Stage::Full));
    assert_eq!(world.stage(&idle, after(58)).await, Some(Stage::Full), "use keeps it alive");
    assert_eq!(world.stage(&idle, after(58 + 30)).await, None);

    let busy = inside(world.login("viewer", PASSWORD, start()).await);
    for minutes in (20..720).step_by(20) {
        assert_eq!(world.stage(&busy, after(minutes)).await, Some(Stage::Full), "{minutes}");
    }
    assert_eq!(world.stage(&busy, after(720)).await, None);
}

#[tokio::test]
async fn the_second_step_must_come_within_ten_minutes() {
    let world = World::new(TotpPolicy::Required).await;
    world.add(Role::Viewer).await;
    let half = halfway(world.login("viewer", PASSWORD, start()).await);
    let ends = after(10);
    assert_eq!(world.stage(&half, ends - SignedDuration::from_millis(1)).await, Some(Stage::PasswordPassed));
    assert_eq!(world.stage(&half, ends).await, None);
}

#[tokio::test]
async fn sessions_end_with_a_new_role_password_or_second_factor_and_with_the_account() {
    let world = World::new(TotpPolicy::Optional).await;
    world.add(Role::Viewer).await;
    for change in ["role", "password", "second factor", "own password", "leave", "disable"] {
        let sessions = [inside(world.login("viewer", PASSWORD, start()).await), inside(world.login("viewer", PASSWORD, start()).await)];
        let viewer = world.operator("viewer").await;
        match change {
            "role" => world.office.set_role("viewer", Role::Legal, start()).await.unwrap(),
            "password" => world.office.set_password("viewer", secret(PASSWORD), start()).await.unwrap(),
            "second factor" => world.office.reset_second_factor("viewer", start()).await.unwrap(),
            "own password" => {
                let answer = world.office.change_password(&viewer, secret(PASSWORD), secret(PASSWORD), world.place(), start()).await;
                let PasswordAnswer::Changed(token) = answer.unwrap() else { panic!("not changed") };
                assert_eq!(world.stage(&token, start()).await, Some(Stage::Full), "who changes it stays inside, by a new token");
                world.office.leave(token.as_str(), &viewer, start()).await.unwrap();
            }
            "leave" => {
                world.office.leave(sessions[0].as_str(), &viewer, start()).await.unwrap();
                assert_eq!(world.stage(&sessions[1], start()).await, Some(Stage::Full), "the other browser stays");
                assert_eq!(world.office.end_other_sessions(sessions[0].as_str(), &viewer, start()).await.unwrap(), 1);
            }
            _ => world.office.disable_operator("viewer", start()).await.unwrap(),
        }
        for session in &sessions {
            assert_eq!(world.stage(session, start()).await, None, "{change}");
        }
    }
}

#[tokio::test]
async fn a_new_second_factor_ends_the_other_sessions() {
    let world = World::new(TotpPolicy::Optional).await;
    world.add(Role::Viewer).await;
    let [own, other] = [inside(world.login("viewer", PASSWORD, start()).await), inside(world.login("viewer", PASSWORD, start()).await)];
    world.office.begin_enrolment(own.as_str()).await.unwrap();
    let secret = world.shown(&own, start()).await;
    let new = inside(world.prove(&own, &code(&secret, start()), start()).await);
    assert_eq!(world.stage(&new, start()).await, Some(Stage::Full), "who sets it up stays inside, by a new token");
    for ended in [own, other] {
        assert_eq!(world.stage(&ended, start()).await, None);
    }
}

#[tokio::test]
async fn a_session_that_ended_meanwhile_brings_nobody_inside() {
    let world = World::new(TotpPolicy::Optional).await;
    let viewer = world.add(Role::Viewer).await;
    let session = |token| NewSession { token, operator: viewer.id, stage: Stage::Full, enrolment: None, at: start(), ends: after(5) };
    let enter = async |old, new| world.store.enter(old, Proof::Password, Place(None), session(new)).await.unwrap();
    assert!(enter(None, [1; 32]).await);
    assert!(enter(Some([1; 32]), [2; 32]).await);
    assert!(!enter(Some([1; 32]), [3; 32]).await, "its token gave way before");
    assert!(world.store.session([3; 32], SignedDuration::from_mins(30), start()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_new_password_needs_the_old_one_and_guessing_it_locks() {
    let world = World::new(TotpPolicy::Optional).await;
    let viewer = world.add(Role::Viewer).await;
    let change =
        async |old: &str, new: &str| world.office.change_password(&viewer, secret(old), secret(new), world.place(), start()).await.unwrap();
    assert!(matches!(change(PASSWORD, "too short").await, PasswordAnswer::Unfit));
    for _ in 0..5 {
        assert!(matches!(change("wrong", "another long one").await, PasswordAnswer::Refused));
    }
    assert!(matches!(change(PASSWORD, "another long one").await, PasswordAnswer::Refused), "locked");
    inside(world.login("viewer", PASSWORD, after(1)).await);
}

#[tokio::test]
async fn an_operator_has_a_bounded_number_of_sessions() {
    let world = World::new(TotpPolicy::Optional).await;
    world.add(Role::Viewer).await;
    let mut sessions = Vec::new();
    for second in 0..12 {
        sessions.push(inside(world.login("viewer", PASSWORD, start() + SignedDuration::from_secs(second)).await));
    }
    let mut alive = Vec::new();
    for session in &sessions {
        alive.push(world.stage(session, after(1)).await.is_some());
    }
    assert_eq!(alive, [vec![false; 2], vec![true; 10]].concat(), "the oldest give way");
}

#[tokio::test]
async fn neither_token_nor_password_nor_second_factor_nor_reason_lies_on_the_disk() {
    let world = World::new(TotpPolicy::Required).await;
    let legal = world.add(Role::Legal).await;
    let waiting = halfway(world.login("legal", PASSWORD, start()).await);
    let to_prove = world.shown(&waiting, start()).await;
    let (full, proved) = world.enrol("legal", start()).await;
    world.office.begin_export(&legal, "decisions of Olivia Oliphant", start()).await.unwrap();
    let words =
        [PASSWORD, waiting.as_str(), full.as_str(), &to_prove, &proved, &to_prove.replace(' ', ""), &proved.replace(' ', ""), "Oliphant"];
    assert_nowhere(&world.dir.path().join("data"), "", &words.map(str::to_owned));
    assert_eq!(world.store.audit_log(None, 1).await.unwrap()[0].line.reason.as_deref(), Some("decisions of Olivia Oliphant"));
}

#[tokio::test]
async fn the_audit_log_only_grows_and_no_operator_is_deleted() {
    // L-TOM-02
    let world = World::new(TotpPolicy::Optional).await;
    world.add(Role::Viewer).await;
    inside(world.login("viewer", PASSWORD, start()).await);
    let before = world.store.audit_log(None, 100).await.unwrap().len();
    assert_eq!(before, 2, "added, logged in");
    let replace = match on_postgres() {
        true => "INSERT INTO audit SELECT * FROM audit ON CONFLICT (seq) DO UPDATE SET at = 0",
        false => "INSERT OR REPLACE INTO audit (seq, at, deed) VALUES (1, 0, 'exported')",
    };
    let statements = [
        "UPDATE audit SET deed = 'logged_out'",
        "DELETE FROM audit",
        replace,
        "INSERT INTO audit (seq, at, deed) VALUES (9, 0, 'exported')",
        "DELETE FROM operator",
    ];
    assert_refused(world.dir.path(), &statements).await;
    assert_eq!(world.store.audit_log(None, 100).await.unwrap().len(), before);
}
