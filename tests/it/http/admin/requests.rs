//! The register of requests by persons: what is entered, what may be done with it, and what is told of terms that end.

use consentry::consent::{RequestDoor, Right};
use consentry::office::Role;
use consentry::store::NewRequest;
use jiff::{SignedDuration, Timestamp};

use super::super::{OLIVIA, World};
use super::Browser;

fn letter<'a>(received: &'a str, address: &'a str) -> [(&'a str, &'a str); 6] {
    [
        ("right", "access"),
        ("controller", "acme"),
        ("door", "letter"),
        ("received", received),
        ("address", address),
        ("reason", "file 7, <b>blue</b>"),
    ]
}

#[test]
fn a_letter_is_entered_extended_and_answered_and_each_step_is_told() {
    // L-DSR-01, L-TOM-02, GDPR Art. 12(3), (6)
    let world = World::new();
    world.subscribed();
    world.add_operator(Role::Operator);
    world.add_operator(Role::Compliance);
    let (operator, compliance) = (Browser::of(&world, "operator"), Browser::of(&world, "compliance"));
    let today = Timestamp::now().to_string()[..10].to_owned();
    let entered = operator.send("/admin/requests", "/admin/requests", &letter(&today, OLIVIA));
    let page = entered.header("location").unwrap_or_else(|| panic!("{}", entered.body)).split('?').next().expect("a path").to_owned();
    assert!(page.starts_with("/admin/requests/"), "{page}");
    let shown = operator.get(&page).body;
    assert!(
        shown.contains("file 7, &lt;b&gt;blue")
            && !shown.contains(OLIVIA)
            && shown.contains(&format!("{}", world.subject().expect("known"))),
        "{shown}"
    );
    assert!(operator.get("/admin/requests").body.contains(&page), "it stands in the list");

    let step = |browser: &Browser<'_>, step: &str, reason: &str| {
        browser.send(&page, &format!("{page}/step"), &[("step", step), ("reason", reason)]).status
    };
    assert_eq!(step(&operator, "answered", "done"), 403);
    assert_eq!(step(&compliance, "answered", " "), 422);
    for (word, status) in
        [("identity_doubted", 303), ("identity_proven", 303), ("extended", 303), ("extended", 409), ("received", 409), ("forgotten", 404)]
    {
        assert_eq!(step(&compliance, word, "because"), status, "{word}");
    }
    assert!(compliance.get(&page).body.contains("Extended by two months"));
    assert_eq!(step(&compliance, "refused", "the third this month"), 303);
    assert_eq!(step(&compliance, "answered", "after all"), 409);
    let lines = world.audit_lines();
    assert_eq!(lines.iter().filter(|line| **line == "request_handled").count(), 4);
    assert_eq!(lines.iter().filter(|line| **line == "request_entered").count(), 1);

    for (received, address, text) in [("2999-01-01", "", "after today"), ("soon", "", "YYYY-MM-DD"), (&today, "nobody", "no address")] {
        let answer = operator.send("/admin/requests", "/admin/requests", &letter(received, address));
        assert!(answer.status == 422 && answer.body.contains(text), "{received} {address}: {}", answer.body);
    }
    assert_eq!(operator.get("/admin/requests/00").status, 404);
    world.add_operator(Role::Viewer);
    assert_eq!(Browser::of(&world, "viewer").get("/admin/requests").status, 403);
}

#[test]
fn the_start_page_and_the_top_of_the_list_tell_what_is_due() {
    // L-DSR-01, GDPR Art. 12(3)
    let world = World::new();
    world.add_operator(Role::Operator);
    world.add_operator(Role::Viewer);
    let browser = Browser::of(&world, "operator");
    let nothing = browser.get("/admin").body;
    assert!(!nothing.contains("Overdue requests") && !nothing.contains("due within 7 days"), "nothing is told while nothing is due");
    let now = Timestamp::now();
    for (days, right) in [(1, Right::Access), (27, Right::Erasure), (40, Right::Portability)] {
        let received = now - SignedDuration::from_hours(24 * days);
        let (door, controller) = (RequestDoor::Letter, "acme".to_owned());
        let new = NewRequest { subject: None, controller, right, door, received, at: now, by: None, note: None };
        world.runtime.block_on(world.store.open_request(new, None)).expect("enters");
    }
    let start = browser.get("/admin").body;
    assert!(start.contains("Overdue requests of persons: 1") && start.contains("due within 7 days: 1"), "{start}");
    let list = browser.get("/admin/requests").body;
    let rows = list.split_once("<tbody>").expect("a table").1;
    let place = |text: &str| rows.find(text).unwrap_or_else(|| panic!("{text} in {rows}"));
    assert!(place("Portability") < place("Erasure") && place("Erasure") < place("Access"), "the most urgent first");
    let one = browser.get("/admin/requests?right=erasure").body;
    let rows = one.split_once("<tbody>").expect("a table").1.split("</tbody>").next().expect("ends");
    assert!(rows.contains("Erasure") && !rows.contains("Portability"), "{rows}");
    let viewer = Browser::of(&world, "viewer").get("/admin").body;
    assert!(!viewer.contains("Overdue requests"), "not for who does not answer them");
}
