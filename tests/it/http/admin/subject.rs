//! A person's pages: masked for most, in full for some, and what may be done for them.

use consentry::consent::{EventKind, Evidence, Source, TopicStanding};
use consentry::office::Role;

use super::super::{FORM, OLIVIA, World};
use super::Browser;

fn world() -> (World, String) {
    let world = World::new();
    let path = world.subscribed_with_decision();
    world.choose(&path, "choice=pause&days=30");
    let subject = format!("/admin/subjects/{}", world.subject().expect("known"));
    (world, subject)
}

#[test]
fn a_person_is_shown_masked_and_the_address_only_for_a_reason_on_record() {
    // S3-01, L-TOM-03, R-04
    let (world, subject) = world();
    world.add_operator(Role::Operator);
    world.add_operator(Role::Compliance);
    let operator = Browser::of(&world, "operator");
    let page = operator.get(&subject).body;
    for needle in
        ["o…@e….org", "ACME GmbH", "Wochenbrief", "consent given", "Signed up", "Confirmed: consent given", "Paused", "consent confirmed"]
    {
        assert!(page.contains(needle), "{needle} in {page}");
    }
    for secret in [OLIVIA, "198.51.100.7", "acme.example/newsletter"] {
        assert!(!page.contains(secret), "{secret}");
    }
    assert!(!page.contains("/address\"") && !page.contains("/evidence\""), "no button for what is not for the role");
    assert_eq!(operator.send(&subject, &format!("{subject}/address"), &[("reason", "curious")]).status, 403);

    let compliance = Browser::of(&world, "compliance");
    assert_eq!(compliance.send(&subject, &format!("{subject}/address"), &[("reason", " ")]).status, 422);
    let lines = world.audit_lines().len();
    let revealed = compliance.send(&subject, &format!("{subject}/address"), &[("reason", "request of access, ticket 7")]);
    assert!(revealed.status == 200 && revealed.body.contains(OLIVIA), "{}", revealed.body);
    assert_eq!(world.audit_lines()[lines..], ["address_revealed"]);
    assert!(!compliance.get(&subject).body.contains(OLIVIA), "the next look is masked again");
    assert!(compliance.get("/admin/audit").body.contains("request of access, ticket 7"));
}

#[test]
fn the_evidence_in_full_is_two_clicks_from_a_decision_and_for_legal_only() {
    // L-DOI-07, L-PRV-01, L-PRV-03
    let (world, subject) = world();
    for role in Role::ALL {
        world.add_operator(role);
        let browser = Browser::of(&world, role.as_str());
        let lines = world.audit_lines().len();
        let from = if role == Role::Viewer { "/admin" } else { subject.as_str() };
        let answer = browser.send(from, &format!("{subject}/evidence"), &[]);
        if role < Role::Legal {
            assert_eq!(answer.status, 403, "{role:?}");
            continue;
        }
        assert_eq!(world.audit_lines()[lines..], ["evidence_read"]);
        for needle in [
            OLIVIA,
            "https://acme.example/newsletter",
            "Ja, die ACME GmbH darf mir Neuigkeiten und Angebote per E-Mail senden.",
            "198.51.100.7",
            "127.0.0.1",
            "&lt;button name=&quot;answer&quot; value=&quot;yes&quot;&gt;", // the page with the button
        ] {
            assert!(answer.body.contains(needle), "{needle} in {}", answer.body);
        }
        assert!(answer.body.contains("Subject: ") && answer.body.contains("Auto-Submitted: auto-generated"), "the mail as sent");
        assert!(answer.body.contains("Pressed by"), "the grade of the press");
        assert_eq!(browser.get(&format!("{subject}/evidence")).status, 404, "reading by a link would leave no trace");
    }
}

#[test]
fn staff_stop_mail_for_a_person_and_can_never_start_it() {
    // S0-11, S0-12, I5, L-OBJ-02
    let (world, subject) = world();
    world.add_operator(Role::Viewer);
    world.add_operator(Role::Operator);
    let stop = |browser: &Browser, stop: &str, reason: &str| {
        let pairs = [("controller", "acme"), ("stop", stop), ("reason", reason)];
        browser.send("/admin", &format!("{subject}/withdrawal"), &pairs)
    };
    assert_eq!(stop(&Browser::of(&world, "viewer"), "advertising", "x").status, 403);
    let operator = Browser::of(&world, "operator");
    assert_eq!(stop(&operator, "topic news", "").status, 422, "without a reason nothing happens");
    for nonsense in ["", "grant", "topic", "topic a b", "given news"] {
        assert_eq!(stop(&operator, nonsense, "x").status, 404, "{nonsense}");
    }
    let foreign = [("controller", "globex"), ("stop", "advertising"), ("reason", "x")];
    assert_eq!(operator.send("/admin", &format!("{subject}/withdrawal"), &foreign).status, 404);
    assert!(matches!(world.standing("news"), TopicStanding::Given(_)));

    let answer = stop(&operator, "topic news", "called us");
    let there = answer.header("location").expect("onward").to_owned();
    assert_eq!((answer.status, there.as_str()), (303, format!("{subject}?done=withdrawn").as_str()));
    assert!(operator.get(&there).body.contains("It is in force from now on.</p>"), "and no more: orders and other topics still pass");
    assert!(matches!(world.standing("news"), TopicStanding::Withdrawn(_)) && matches!(world.standing("offers"), TopicStanding::Given(_)));
    let last = world.events().pop().expect("one");
    let Some(Evidence::Choice(choice)) = last.evidence else { panic!("no evidence") };
    assert_eq!((last.kind, last.source, choice.staff.as_deref()), (EventKind::Withdrawn, Source::Staff, Some("operator")));
    assert!(stop(&operator, "topic news", "again").header("location").is_some_and(|there| there.ends_with("repeated")));
    assert_eq!(stop(&operator, "topics", "all").status, 303);
    assert!(matches!(world.standing("offers"), TopicStanding::Withdrawn(_)));
    assert_eq!(stop(&operator, "advertising", "wrote a letter").status, 303);
    assert!(matches!(world.standing("unheard.of"), TopicStanding::Objected(_)));
}

#[test]
fn what_people_and_tools_write_is_shown_without_effect() {
    const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";
    let world = World::new();
    let link = world.signed_up(jiff::SignedDuration::from_mins(5));
    world.choose_as(&[("user-agent", HOSTILE)], &link, "answer=yes");
    world.ask("POST", &link, &[("content-type", FORM), ("user-agent", HOSTILE)], Some("answer=no"));
    for role in Role::ALL {
        world.add_operator(role);
    }
    let subject = format!("/admin/subjects/{}", world.subject().expect("known"));
    let legal = Browser::of(&world, "legal");
    legal.send(&subject, &format!("{subject}/address"), &[("reason", HOSTILE)]);
    let pages = [legal.get(&subject), legal.send(&subject, &format!("{subject}/evidence"), &[]), legal.get("/admin/audit")];
    for page in &pages {
        assert_eq!(page.status, 200);
        assert!(!page.body.contains("<script>") && !page.body.contains("<img src=x"), "{}", page.body);
    }
    assert!(pages[1].body.contains("&lt;script&gt;") && pages[2].body.contains("&lt;script&gt;"), "as text");
    for path in ["/admin/subjects/x", "/admin/subjects/00000000000000000000000000000000", "/admin/subjects/%3Cscript%3E"] {
        let answer = legal.get(path);
        assert!(answer.status == 404 && !answer.body.contains("<script>"), "{path}");
    }
}
