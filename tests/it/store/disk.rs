//! What is on the disk: no personal data in clear, nothing that can be changed, keys that are guarded.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use consentry::mail::Outcome;

use super::*;

#[tokio::test]
async fn no_address_is_readable_in_any_file() {
    // I8, S2-06, S3-05, L-TOM-01: also in the WAL, so before closing and after
    let (dir, store) = new_store().await;
    let who = "Olivia.Carter@mail.example.org";
    request(&store, who, "news", 1, start()).await;
    let mail = store.due_letters(start(), 1).await.expect("reads").remove(0);
    request(&store, "still.waiting@mail.example.org", "news", 2, start()).await;
    store.letter_done(mail.id, start(), &Outcome::Accept { text: format!("queued for {who}") }).await.expect("is recorded");
    confirm(&store, 1, start()).await;
    let decided = decision(&store, who, 1);
    let unsubscribe = format!("<https://tool.example/u?{who}>");
    store.record(decided.clone(), Some(unsubscribe)).await.expect("records");
    store.record(decision(&store, "only.decided@mail.example.org", 2), None).await.expect("records");
    store.settle(decided.id, start(), &Outcome::Reject { code: 550, text: format!("<{who}>: unknown") });
    withdraw(&store, subject(&store, who).await, "news", start()).await;
    assert_none_readable(dir.path());
    store.close().await;
    assert_none_readable(dir.path());
}

pub(super) fn assert_none_readable(dir: &Path) {
    let mut files = 0;
    for entry in fs::read_dir(dir.join("data")).expect("reads") {
        let path = entry.expect("reads").path();
        let content = fs::read(&path).expect("reads").to_ascii_lowercase();
        for needle in needles() {
            let needle = needle.to_ascii_lowercase();
            assert!(!content.windows(needle.len()).any(|window| window == needle), "{needle:?} in {}", path.display());
        }
        files += 1;
    }
    assert!(files >= 4, "looked at {files} files");
}

/// Addresses and an IP address, plain and as encodings would show them.
fn needles() -> Vec<Vec<u8>> {
    let mut needles: Vec<Vec<u8>> = vec![b"192.0.2.7".to_vec(), b"please confirm".to_vec()];
    for text in ["olivia.carter", "still.waiting", "only.decided", "mail.example.org"] {
        needles.push(text.into());
        needles.push(text.replace('.', "=2E").into());
        needles.push(text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>().into());
        // base64 in its three alignments, without the characters that depend on the neighbours
        for shift in 0..3 {
            for text in [text.to_owned(), text.to_uppercase()] {
                let encoded = STANDARD.encode([&b"..."[..shift], text.as_bytes()].concat());
                needles.push(encoded[4 * usize::from(shift > 0)..encoded.len() - 4].into());
            }
        }
    }
    needles
}

#[tokio::test]
async fn what_happened_cannot_be_changed() {
    // I7
    let (dir, store) = new_store().await;
    request(&store, "a@x.example", "news", 1, start()).await;
    let decided = decision(&store, "a@x.example", 1);
    store.record(decided.clone(), None).await.expect("records");
    store.settle(decided.id, start(), &Outcome::Accept { text: "ok".into() });
    store.close().await;
    let mut raw = raw(dir.path()).await;
    for statement in [
        "UPDATE event SET at = 0",
        "DELETE FROM event",
        "INSERT OR REPLACE INTO event SELECT * FROM event",
        "INSERT INTO event SELECT subject, seq + 2, at, kind, controller, topics, source, opt_in, answers, evidence FROM event",
        "INSERT OR REPLACE INTO text_version SELECT id, '' FROM text_version",
        "INSERT OR REPLACE INTO decision SELECT * FROM decision",
        "UPDATE text_version SET text = ''",
        "DELETE FROM text_version",
        "UPDATE decision SET reason = 'doi_consent'",
        "DELETE FROM decision",
        "UPDATE outcome SET word = 'accepted'",
        "DELETE FROM outcome",
    ] {
        assert!(sqlx::query(statement).execute(&mut raw).await.is_err(), "{statement}");
    }
    // A second outcome is passed over, so that it cannot take the commit of others with it.
    let replace = "INSERT OR REPLACE INTO outcome SELECT decision, at, 'rejected', code, text FROM outcome";
    sqlx::query(replace).execute(&mut raw).await.expect("is passed over");
    assert_eq!(count(dir.path(), "SELECT count(*) FROM outcome WHERE word = 'accepted'").await, 1);
}

#[tokio::test]
async fn what_is_sealed_opens_in_its_place_only() {
    let (dir, store) = new_store().await;
    request(&store, "a@x.example", "news", 1, start()).await;
    request(&store, "b@x.example", "news", 2, start()).await;
    let subject = subject(&store, "a@x.example").await;
    sqlx::query("UPDATE subject SET address = (SELECT address FROM subject AS other WHERE other.id <> subject.id) WHERE id = ?1")
        .bind(&subject.0[..])
        .execute(&mut raw(dir.path()).await)
        .await
        .expect("moves");
    assert!(matches!(store.address(subject).await, Err(StoreError::Damaged("an address"))));
}

#[tokio::test]
async fn a_consent_text_that_is_not_the_one_agreed_to_is_no_evidence() {
    // whoever takes the triggers away
    let (dir, store) = new_store().await;
    request(&store, "a@x.example", "news", 1, start()).await;
    let subject = subject(&store, "a@x.example").await;
    for statement in ["DROP TRIGGER text_version_is_not_changed", "UPDATE text_version SET text = 'Yes to everything by e-mail.'"] {
        sqlx::query(statement).execute(&mut raw(dir.path()).await).await.expect("alters");
    }
    assert!(matches!(store.events(subject).await, Err(StoreError::Damaged("a text version"))));
}

#[tokio::test]
async fn a_ledger_without_its_keys_is_refused_with_the_mend() {
    let (dir, store) = new_store().await;
    request(&store, "a@x.example", "news", 1, start()).await;
    store.close().await;
    let keys = dir.path().join("data/keys");
    let content = fs::read_to_string(&keys).expect("reads");

    fs::set_permissions(&keys, fs::Permissions::from_mode(0o640)).expect("opens");
    let error = refusal(dir.path()).await;
    assert!(matches!(error, StoreError::KeyFileOpen { mode: 0o640, .. }) && error.to_string().contains("chmod 600"), "{error}");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).expect("closes");

    fs::write(&keys, content.replace("pepper ", "pepper !")).expect("damages");
    let error = refusal(dir.path()).await;
    assert!(matches!(error, StoreError::KeyFile { .. }) && error.to_string().contains("line 2"), "{error}");

    fs::remove_file(&keys).expect("loses");
    let error = refusal(dir.path()).await;
    assert!(matches!(error, StoreError::KeyFileLost(_)) && error.to_string().contains("key backup"), "{error}");

    let (other, foreign) = new_store().await;
    foreign.close().await;
    fs::copy(other.path().join("data/keys"), &keys).expect("mixes up");
    let error = refusal(dir.path()).await;
    assert!(matches!(error, StoreError::KeyFileWrong(_)) && error.to_string().contains("restore"), "{error}");

    fs::write(&keys, content).expect("restores");
    let subjects = dir.path().join("data/subject-keys.sqlite");
    let kept = fs::read(&subjects).expect("reads");
    fs::remove_file(&subjects).expect("loses");
    let error = refusal(dir.path()).await;
    assert!(matches!(error, StoreError::SubjectKeysLost(_)) && error.to_string().contains("backup"), "{error}");
    assert!(!subjects.exists(), "nothing is put in its place");
    fs::write(&subjects, kept).expect("restores");
    fs::set_permissions(&subjects, fs::Permissions::from_mode(0o600)).expect("closes");
    assert_eq!(meets(&open(dir.path()).await, "a@x.example", "news").await, "requested");
}

#[tokio::test]
async fn only_the_owner_may_read_the_data_and_only_one_process_has_it() {
    let (dir, store) = new_store().await;
    request(&store, "a@x.example", "news", 1, start()).await;
    let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join("data")), 0o700);
    for entry in fs::read_dir(dir.path().join("data")).expect("reads") {
        let path = entry.expect("reads").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let error = refusal(dir.path()).await;
    assert!(matches!(error, StoreError::InUse(_)), "{error}");
    store.close().await;
    open(dir.path()).await;
}

#[tokio::test]
async fn the_hot_look_up_searches_by_key() {
    let (dir, _store) = new_store().await;
    let mut raw = raw(dir.path()).await;
    let source = include_str!("../../../src/store/look_up.rs");
    let mut plans = 0;
    for statement in source.split("query_as(").skip(1).map(|rest| rest.split('"').nth(1).expect("is a text")) {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).bind("[]").fetch_all(&mut raw).await.expect("explains");
        let steps = plan.iter().map(|step| step.3.as_str()).collect::<Vec<_>>().join("; ");
        assert!(steps.contains("SEARCH s USING PRIMARY KEY (key=?)"), "{steps}");
        assert!(steps.contains("SEARCH suppression USING PRIMARY KEY (key=?)"), "{steps}");
        assert!(!steps.contains("SCAN s"), "{steps}");
        plans += 1;
    }
    assert_eq!(plans, 2);
}
