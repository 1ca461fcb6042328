//! What the admin pages show: in both languages, below any path, and hostile values without effect.

use consentry::consent::{DecisionId, SubjectId};
use consentry::office::{Deed, NewAuditLine, Object, Role};
use jiff::Timestamp;

use super::super::World;
use super::{Browser, PASSWORD, encoded, hidden};

#[test]
fn every_page_speaks_german_and_english_and_is_well_formed() {
    let world = World::new();
    world.add_operator(Role::Viewer);
    world.add_operator(Role::Legal);
    for language in ["de", "en"] {
        let of = |name| Browser { language, ..Browser::of(&world, name) };
        let (viewer, legal, stranger) = (of("viewer"), of("legal"), Browser { language, ..Browser::new(&world) });
        let answers = [
            ("login", stranger.get("/admin/login")),
            ("login refused", stranger.login("nobody", "wrong", "")),
            ("once more", stranger.ask("GET", "/admin", &[("sec-fetch-site", "cross-site")], None)),
            ("overview", viewer.get("/admin")),
            ("not for role", viewer.get("/admin/audit")),
            ("nothing here", viewer.get("/admin/nothing")),
            ("form refused", viewer.post("/admin/logout", &[], &[])),
            ("account", viewer.get("/admin/account")),
            ("password differs", viewer.send("/admin", "/admin/account/password", &[("new", "a"), ("again", "b")])),
            ("password unfit", viewer.send("/admin", "/admin/account/password", &[("old", PASSWORD), ("new", "a"), ("again", "a")])),
            ("sessions", viewer.send("/admin", "/admin/account/sessions", &[])),
            ("audit", legal.get("/admin/audit")),
            ("older", legal.get("/admin/audit?before=2")),
            ("empty audit", legal.get("/admin/audit?before=1")),
            ("search", legal.get("/admin/search")),
            ("search by link", legal.get("/admin/search?q=x")),
            ("search not understood", legal.send("/admin", "/admin/search", &[("q", "what?")])),
            ("search unknown", legal.send("/admin", "/admin/search", &[("q", "nobody@example.org")])),
        ];
        for (name, answer) in &answers {
            assert!(answer.body.contains(&format!("<html lang=\"{language}\"")), "{name}: {}", answer.body);
            assert_eq!(answer.header("content-language"), Some(language), "{name}");
            assert_eq!(crate::templates::unbalanced(&answer.body), None, "{name}: {}", answer.body);
            assert!(answer.body.contains("<h1>") && !answer.body.contains("<h1></h1>") && answer.body.contains("class=\"skip\""), "{name}");
        }
        assert!(answers[3].1.body.contains(if language == "de" { "Übersicht" } else { "Overview" }));
    }
}

#[test]
fn the_language_switch_of_every_page_leads_to_a_page() {
    let world = World::new();
    world.subscribed();
    world.add_operator(Role::Legal);
    let legal = Browser::of(&world, "legal");
    let subject = format!("/admin/subjects/{}", world.subject().expect("known"));
    for (path, pairs) in [
        ("/admin/search", &[("q", "nobody@example.org")][..]),
        ("/admin/account/password", &[("old", PASSWORD), ("new", "x"), ("again", "y")]),
        ("/admin/account/sessions", &[]),
        ("/admin/decisions/export", &[("verdict", "x")]),
        (&format!("{subject}/address"), &[("reason", "asked")]),
        (&format!("{subject}/evidence"), &[]),
        (&format!("{subject}/withdrawal"), &[("controller", "acme"), ("stop", "advertising")]),
    ] {
        let page = legal.send("/admin", path, pairs);
        assert!(page.body.contains("name=\"back\""), "{path}: {} {}", page.status, page.body);
        let back = hidden(&page.body, "back").replace("&#x2f;", "/");
        // The search without words says so on its own page.
        assert_eq!(legal.get(&back).status, if back == "/admin/search" { 404 } else { 200 }, "{path} leads to {back}");
    }
}

#[test]
fn the_language_is_the_browsers_until_another_is_chosen() {
    let world = World::new();
    let browser = Browser::new(&world);
    let title = |answer: &super::Answer| answer.body.contains("<h1>Log in</h1>");
    assert!(title(&browser.get("/admin/login")));
    let answer = browser.send(
        "/admin/login?back=/admin/audit",
        "/admin/language",
        &[("language", "de"), ("back", "/admin/login?back=/admin/audit")],
    );
    assert_eq!(answer.header("location"), Some("/admin/login?back=/admin/audit"));
    assert!(!title(&browser.get("/admin/login")));
    browser.send("/admin/login", "/admin/language", &[("language", "tlh")]);
    assert!(!title(&browser.get("/admin/login")), "what is no language of ours changes nothing");
}

#[test]
fn the_audit_log_tells_every_deed_and_shows_hostile_reasons_without_effect() {
    let world = World::new();
    world.add_operator(Role::Compliance);
    let browser = Browser::of(&world, "compliance");
    let operator = world.runtime.block_on(world.office.operators()).expect("read")[0].id;
    let hostile = "<script>alert(1)</script>\" onmouseover=\"x' {{ 7*7 }}";
    let objects =
        [None, Some(Object::Decision(DecisionId([1; 16]))), Some(Object::Subject(SubjectId([2; 16]))), Some(Object::Operator(operator))];
    for (n, deed) in Deed::ALL.into_iter().enumerate() {
        let line = NewAuditLine {
            at: Timestamp::now(),
            operator: Some(operator),
            deed,
            object: objects[n % objects.len()],
            reason: Some(hostile.to_owned()),
        };
        world.runtime.block_on(world.store.audit(line)).expect("written");
    }
    let page = browser.get("/admin/audit");
    assert_eq!(page.status, 200, "each deed has its words");
    assert_eq!(page.body.matches("<tr>").count(), 1 + 2 + Deed::ALL.len());
    assert!(page.body.contains("&lt;script&gt;") && !page.body.contains("<script>") && !page.body.contains("\" onmouseover"));
    assert!(page.body.contains("{{ 7*7 }}"), "a reason is no template");
    let decision = "01".repeat(16);
    assert!(page.body.contains(&format!("href=\"/admin/decisions/{decision}\"")), "{}", page.body);
    assert!(page.body.contains(&format!("href=\"/admin/subjects/{}\"", "02".repeat(16))));
}

#[test]
fn behind_https_and_a_path_all_links_forms_and_redirects_keep_the_path() {
    let world = World::reached_as(Some("https://mail.acme.example/consent"));
    world.add_operator(Role::Compliance);
    let browser = Browser::new(&world);
    assert_eq!(browser.get("/admin/audit").header("location"), Some("/consent/admin/login?back=/admin/audit"));
    let page = browser.get("/admin/login").body;
    let origin = ("origin", "https://mail.acme.example");
    let pairs =
        [("token", hidden(&page, "token")), ("name", "compliance".into()), ("password", PASSWORD.into()), ("back", "/admin/audit".into())];
    let pairs = pairs.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = browser.ask("POST", "/admin/login", &[("content-type", super::FORM), origin], Some(&encoded(&pairs)));
    assert_eq!((answer.status, answer.header("location")), (303, Some("/consent/admin/audit")));
    let inside = browser.get("/admin/audit");
    assert!(inside.header("strict-transport-security").is_some());
    for html in [page, inside.body] {
        for attribute in ["href=\"", "src=\"", "action=\""] {
            for path in html.split(attribute).skip(1) {
                assert!(path.starts_with("/consent/admin") || path.starts_with("#main"), "{attribute}{}", &path[..40]);
            }
        }
    }
}

#[test]
fn assets_are_kept_by_their_version() {
    let world = World::new();
    let page = Browser::new(&world).get("/admin/login").body;
    for (name, kind) in [("style.css", "text/css"), ("admin.js", "text/javascript"), ("icon.svg", "image/svg+xml")] {
        let (_, rest) = page.split_once(&format!("\"/admin/assets/{name}?")).expect("is used");
        let version = rest.split('"').next().expect("ends");
        let answer = world.get(&format!("/admin/assets/{name}?{version}"));
        assert!(answer.status == 200 && answer.header("content-type").expect("has one").starts_with(kind), "{name}");
        assert!(answer.header("cache-control").expect("has one").contains("immutable") && answer.header("set-cookie").is_none());
        assert_eq!(world.get(&format!("/admin/assets/{name}")).header("cache-control"), Some("no-cache"));
    }
    assert_eq!(world.get("/admin/assets/layout.html").status, 404);
}

#[test]
fn without_the_ledger_the_pages_say_so() {
    let world = World::new();
    world.add_operator(Role::Viewer);
    let browser = Browser::of(&world, "viewer");
    world.break_table("operator");
    let answer = browser.get("/admin");
    assert!(answer.status == 503 && answer.header("retry-after").is_some() && answer.body.contains("does not answer"));
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    let stranger = Browser::new(&world);
    assert_eq!(stranger.login("viewer", PASSWORD, "").status, 503);
}
