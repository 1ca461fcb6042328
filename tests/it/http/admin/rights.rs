//! The rights of a person from their page: who may perform which, and what is answered.

use consentry::office::Role;

use super::super::{OLIVIA, World};
use super::Browser;

fn world() -> (World, String) {
    let world = World::new();
    world.subscribed_with_decision();
    let subject = format!("/admin/subjects/{}", world.subject().expect("known"));
    (world, subject)
}

#[test]
fn each_role_finds_the_buttons_it_may_press_and_no_other() {
    // L-TOM-02, L-DSR-01, L-DSR-02, L-DSR-03
    let (world, subject) = world();
    for role in [Role::Operator, Role::Compliance, Role::Legal] {
        world.add_operator(role);
        let browser = Browser::of(&world, role.as_str());
        let page = browser.get(&subject).body;
        for (path, from) in [("restriction", Role::Operator), ("erasure", Role::Compliance), ("access", Role::Legal)] {
            assert_eq!(page.contains(&format!("{subject}/{path}\"")), role >= from, "{role:?} {path}");
            if role < from {
                let answer = browser.send(&subject, &format!("{subject}/{path}"), &[("controller", "acme"), ("reason", "curious")]);
                assert_eq!(answer.status, 403, "{role:?} {path}");
            }
        }
    }
}

#[test]
fn a_person_is_restricted_released_copied_and_erased_from_their_page() {
    // L-DSR-01, L-DSR-02, L-DSR-03, S3-03, S3-04
    let (world, subject) = world();
    world.add_operator(Role::Legal);
    let legal = Browser::of(&world, "legal");
    let send = |path: &str, more: &[(&str, &str)]| {
        let pairs = [&[("controller", "acme"), ("reason", "wrote a letter")], more].concat();
        legal.send(&subject, &format!("{subject}/{path}"), &pairs)
    };
    let lines = world.audit_lines().len();
    assert_eq!(send("restriction", &[("restricted", "yes")]).status, 303);
    assert!(legal.get(&format!("{subject}?done=restricted_now")).body.contains("Lift the restriction"));
    assert_eq!(send("restriction", &[("restricted", "no")]).status, 303);
    assert!(legal.get(&subject).body.contains("Restrict processing"));

    let copy = send("access", &[]);
    assert_eq!((copy.status, &copy.json()["person"]["address"]), (200, &serde_json::json!(OLIVIA)));
    let erased = send("erasure", &[]);
    for needle in ["ACME GmbH has erased your data", "ACME GmbH hat Ihre Daten gelöscht", "31 December", "30 Tagen"] {
        assert!(erased.body.contains(needle), "{needle} in {}", erased.body);
    }
    assert_eq!(world.audit_lines()[lines..], ["restricted", "restricted", "access_exported", "person_erased"]);
    let page = legal.get(&subject).body;
    assert!(page.contains("Erased") && page.contains("none stored, or erased"), "{page}");
    for (path, pairs) in [("erasure", [("controller", "acme"), ("reason", " ")]), ("access", [("controller", "acme"), ("reason", "")])] {
        assert_eq!(legal.send(&subject, &format!("{subject}/{path}"), &pairs).status, 422, "{path}");
    }
    assert_eq!(legal.send(&subject, &format!("{subject}/erasure"), &[("controller", "nobody"), ("reason", "x")]).status, 404);
}
