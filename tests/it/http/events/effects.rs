//! What a told fact does to the next mail: a no acts at once and stands, and nothing told is a consent.

use super::*;

#[test]
fn staff_may_say_no_for_a_person_and_it_acts_at_once() {
    // S0-12, L-OBJ-02
    let company = Company::new();
    company.signed_up_and_confirmed(SignedDuration::from_mins(5));
    assert_eq!(company.verdict("news"), Reason::DoiConsent);
    company.told(
        Teller::Staff,
        &with("withdrawn", |e| {
            e["actor"] = json!("mia");
            e["reason"] = json!("called on Monday");
        }),
    );
    assert_eq!((company.verdict("news"), company.verdict("offers")), (Reason::Withdrawn, Reason::DoiConsent));
    let last = company.last();
    assert_eq!((last.kind, last.source), (EventKind::Withdrawn, Source::Staff));
    let Some(Evidence::Choice(evidence)) = last.evidence else { panic!("no evidence") };
    assert_eq!((evidence.staff.as_deref(), evidence.note.as_deref()), (Some("mia"), Some("called on Monday")));
    let line = company.audit().remove(0).line;
    assert_eq!((line.deed, line.object), (Deed::Withdrew, company.world.subject().map(Object::Subject)));
    assert!(line.reason.is_some_and(|why| why.contains("mia") && why.contains("called on Monday")));
    company.told(Teller::Staff, &event("objected"));
    assert_eq!((company.verdict("offers"), company.verdict("news")), (Reason::Objected, Reason::Objected));
}

#[test]
fn calls_letters_and_measuring_are_apart_from_mail() {
    // S0-09
    let company = Company::new();
    company.signed_up_and_confirmed(SignedDuration::from_mins(5));
    for channel in ["phone", "post"] {
        company.told(Teller::Crm, &with("imported", |e| e["channel"] = json!(channel)));
        company.told(Teller::Crm, &with("withdrawn", |e| e["channel"] = json!(channel)));
        company.told(Teller::Staff, &with("objected", |e| e["channel"] = json!(channel)));
        let last = company.last();
        assert_eq!((last.kind, last.channel, last.topics.len()), (EventKind::Objected, Channel::parse(channel).expect("one"), 0));
        assert_eq!(company.verdict("news"), Reason::DoiConsent, "{channel}");
    }
    company.told(Teller::Staff, &with("objected", |e| e["channel"] = json!("tracking")));
    let last = company.last();
    assert_eq!((last.kind, last.channel), (EventKind::Withdrawn, Channel::Tracking));
    assert_eq!(company.verdict("news"), Reason::DoiConsent);
    let by_phone = Company::new();
    by_phone.told(Teller::Crm, &with("imported", |e| e["channel"] = json!("phone")));
    assert_eq!(by_phone.verdict("news"), Reason::NoConsent);
}

#[test]
fn a_no_stands_against_purchases_and_imports_until_a_later_double_opt_in() {
    // L-OBJ-05, L-DOI-08, U-35, R-06
    for (teller, no, reason) in [
        (Teller::Crm, "objected", Reason::Objected),
        (Teller::Ma, "complaint", Reason::Complained),
        (Teller::Staff, "disputed", Reason::Disputed),
        (Teller::Ma, "withdrawn", Reason::Withdrawn),
    ] {
        let company = Company::new();
        company.signed_up_and_confirmed(SignedDuration::from_hours(26));
        company.told(teller, &event(no));
        assert_eq!(company.verdict("news"), reason);
        company.told(Teller::Erp, &lawful_purchase());
        company.told(Teller::Crm, &event("imported"));
        assert_eq!(company.verdict("news"), reason, "no purchase and no import lifts it");
        assert_eq!(company.world.api(&body(|_| {})).status, 202);
        assert_eq!(company.verdict("news"), reason, "asking does not lift it, either");
        company.confirm();
        assert_eq!(company.verdict("news"), Reason::DoiConsent, "{no}");
    }
}

#[test]
fn a_no_between_sign_up_and_confirmation_voids_it() {
    // L-DOI-08, DESIGN.md section 5
    for (teller, no) in [(Teller::Ma, "complaint"), (Teller::Staff, "disputed"), (Teller::Crm, "objected"), (Teller::Ma, "withdrawn")] {
        let company = Company::new();
        let link = company.world.signed_up(SignedDuration::from_mins(5));
        company.told(teller, &event(no));
        company.world.press(&link, "yes");
        assert!(!company.world.events().iter().any(|event| event.kind == EventKind::Given), "{no}");
        assert_ne!(company.verdict("news"), Reason::DoiConsent, "{no}");
    }
}

#[test]
fn a_restriction_blocks_without_deleting() {
    // L-DSR-03
    let company = Company::new();
    company.signed_up_and_confirmed(SignedDuration::from_mins(5));
    let before = company.world.events().len();
    company.told(Teller::Staff, &event("restricted"));
    assert_eq!((company.verdict("news"), company.verdict("offers")), (Reason::Restricted, Reason::Restricted));
    let subject = company.world.subject().expect("known");
    assert!(company.world.runtime.block_on(company.world.store.address(subject)).expect("read").is_some());
    company.told(Teller::Staff, &event("unrestricted"));
    assert_eq!((company.verdict("news"), company.world.events().len()), (Reason::DoiConsent, before + 2));
}

#[test]
fn what_other_systems_have_on_their_books_is_nothing_to_send_on() {
    // R-06, S0-23, L-CON-06
    let company = Company::new();
    company.told(Teller::Crm, &event("imported"));
    assert_eq!(company.verdict("news"), Reason::NoConsent);
    company.signed_up_and_confirmed(SignedDuration::from_mins(5));
    company.told(Teller::Crm, &event("expired_idle"));
    assert_eq!((company.verdict("news"), company.verdict("offers")), (Reason::ConsentStale, Reason::DoiConsent));
    company.told(Teller::Erp, &event("bounce"));
    assert_eq!(company.verdict("offers"), Reason::Bounced);
}
