//! What attackers try at the admin pages.

use consentry::office::Role;

use super::super::World;
use super::{Browser, PASSWORD, hidden, with_required_second_factor, without_token};

/// Every path that takes a form.
const FORMS: [&str; 8] = [
    "/admin/login",
    "/admin/second-factor",
    "/admin/logout",
    "/admin/language",
    "/admin/search",
    "/admin/account/password",
    "/admin/account/sessions",
    "/admin/account/second-factor",
];

#[test]
fn a_form_that_our_own_page_did_not_send_is_refused_and_changes_nothing() {
    let world = World::new();
    world.add_operator(Role::Legal);
    let (browser, other) = (Browser::of(&world, "legal"), Browser::of(&world, "legal"));
    let own = hidden(&browser.get("/admin").body, "token");
    let foreign = hidden(&other.get("/admin").body, "token");
    let visitors = hidden(&Browser::new(&world).get("/admin/login").body, "token");
    let origin = world.base.clone();
    let before = world.audit_lines();
    for path in FORMS {
        for (why, token, headers) in [
            ("no token", "", &[("origin", origin.as_str())][..]),
            ("the token of another session", &foreign, &[("origin", &origin)]),
            ("a visitor's token", &visitors, &[("origin", &origin)]),
            ("another origin", &own, &[("origin", "https://evil.example")]),
            ("an origin that only begins alike", &own, &[("origin", &format!("{origin}.evil.example"))]),
            ("a hidden origin", &own, &[("origin", "null")]),
            ("no origin", &own, &[]),
            ("another site", &own, &[("origin", &origin), ("sec-fetch-site", "cross-site")]),
            ("a sister site", &own, &[("origin", &origin), ("sec-fetch-site", "same-site")]),
        ] {
            let answer = browser.post(path, &[("token", token), ("q", "x"), ("old", PASSWORD)], headers);
            assert_eq!(answer.status, 403, "{path}: {why}");
            assert_eq!(answer.header("set-cookie"), None, "{path}: {why}");
        }
        let json = format!("{{\"token\":\"{own}\"}}");
        let answer = browser.ask("POST", path, &[("content-type", "application/json"), ("origin", &origin)], Some(&json));
        assert_eq!(answer.status, 403, "{path}: not a form");
    }
    assert_eq!(world.audit_lines(), before);
    assert!(browser.is_inside());
    let ours = browser.post("/admin/logout", &[("token", &own)], &[("sec-fetch-site", "same-origin")]);
    assert_eq!(ours.status, 303, "the token was good all the time");
}

#[test]
fn a_huge_form_is_refused() {
    let world = World::new();
    world.add_operator(Role::Viewer);
    let browser = Browser::of(&world, "viewer");
    assert_eq!(browser.send("/admin", "/admin/search", &[("q", &"x".repeat(20_000))]).status, 413);
}

#[test]
fn a_session_planted_before_the_login_is_not_taken_over() {
    let world = World::new();
    world.add_operator(Role::Viewer);
    let victim = Browser::new(&world);
    let attacker = Browser::new(&world);
    attacker.get("/admin/login");
    let planted = attacker.cookies.borrow().get("consentry-visit").expect("a visit").clone();
    for value in [planted.as_str(), "chosen"] {
        victim.plant(value);
        assert_eq!(victim.login("viewer", PASSWORD, "").status, 303);
        assert!(victim.is_inside() && victim.cookie().as_deref() != Some(value));
        attacker.plant(value);
        assert!(!attacker.is_inside());
    }
}

#[test]
fn guessing_a_password_locks_and_no_answer_tells_a_name_from_a_lock() {
    let world = World::new();
    world.add_operator(Role::Viewer);
    let attempt = |name: &str, password: &str| {
        let answer = Browser::new(&world).login(name, password, "");
        (answer.status, if answer.status == 303 { String::new() } else { without_token(&answer.body) })
    };
    let unknown = attempt("nobody", PASSWORD);
    assert_eq!(unknown.0, 403);
    for _ in 0..5 {
        assert_eq!(attempt("viewer", "wrong"), unknown);
    }
    assert_eq!(attempt("viewer", PASSWORD), unknown, "locked, also for the right one");
    assert_eq!(world.audit_lines(), ["operator_added", "locked_out"]);
}

#[test]
fn one_place_cannot_try_on_and_on() {
    let world = World::new();
    world.add_operator(Role::Viewer);
    let attacker = Browser::new(&world);
    let mut tried = 0;
    let stopped = loop {
        let answer = attacker.login(&format!("guess{tried}"), "wrong", "");
        if answer.status != 403 {
            break answer;
        }
        tried += 1;
        assert!(tried < 50, "it goes on and on");
    };
    assert!(tried >= 10, "{tried}"); // on a slow machine some are given back meanwhile
    let wait = stopped.header("retry-after").and_then(|wait| wait.parse::<u32>().ok());
    assert!(stopped.status == 429 && wait.is_some_and(|wait| (1..=7).contains(&wait)), "{} {wait:?}", stopped.status);
    assert_eq!(Browser::new(&world).login("viewer", PASSWORD, "").status, 303, "others go on");
}

#[test]
fn cookies_are_out_of_reach_of_scripts_other_sites_and_plain_http() {
    let world = World::reached_as(Some("https://consent.acme.example"));
    world.add_operator(Role::Viewer);
    let browser = Browser::new(&world);
    let page = browser.get("/admin/login");
    let token = hidden(&page.body, "token");
    let pairs = [("token", token.as_str()), ("name", "viewer"), ("password", PASSWORD), ("language", "de")];
    let entered = browser.post("/admin/login", &pairs, &[("origin", "https://consent.acme.example")]);
    assert_eq!(entered.status, 303);
    let inside = browser.get("/admin");
    let pairs = [("token", hidden(&inside.body, "token")), ("language", "de".to_owned())];
    let pairs = pairs.each_ref().map(|(name, value)| (*name, value.as_str()));
    let language = browser.post("/admin/language", &pairs, &[("origin", "https://consent.acme.example")]);
    let left = browser.post("/admin/logout", &pairs, &[("origin", "https://consent.acme.example")]);
    let mut names = Vec::new();
    for answer in [&page, &entered, &language, &left] {
        let cookie = answer.header("set-cookie").expect("sets one");
        assert!(cookie.starts_with("__Host-consentry"), "{cookie}");
        for attribute in ["Path=/", "HttpOnly", "SameSite=Strict", "Secure"] {
            assert!(cookie.split("; ").any(|own| own == attribute), "{attribute} in {cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
        names.push(cookie.split('=').next().expect("a name"));
    }
    assert_eq!(names, ["__Host-consentry-visit", "__Host-consentry", "__Host-consentry-language", "__Host-consentry"]);

    let demo = World::new(); // over plain http a browser would not keep a Secure one
    let cookie = Browser::new(&demo).get("/admin/login").header("set-cookie").expect("sets one").to_owned();
    assert!(cookie.starts_with("consentry-visit=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
}

#[test]
fn nobody_is_sent_to_another_site() {
    let world = World::new();
    world.add_operator(Role::Viewer);
    for back in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/admin/..//evil.example\\@",
        "javascript:alert(1)",
        "/admin\r\nLocation: https://evil.example",
        "/administration",
    ] {
        let browser = Browser::new(&world);
        assert_eq!(browser.login("viewer", PASSWORD, back).header("location"), Some("/admin"), "{back}");
        let answer = browser.send("/admin", "/admin/language", &[("language", "de"), ("back", back)]);
        assert_eq!(answer.header("location"), Some("/admin"), "{back}");
    }
    let browser = Browser::of(&world, "viewer");
    assert_eq!(browser.get("/admin/login?back=//evil.example").header("location"), Some("/admin"));
    for path in ["/admin//evil.example/%2e%2e", "/admin/%5cevil.example"] {
        let answer = Browser::new(&world).get(path);
        let location = answer.header("location").expect("to the login");
        assert!(location.starts_with("/admin/login"), "{location}");
    }
}

#[test]
fn the_host_header_is_nowhere_used() {
    let world = with_required_second_factor();
    world.add_operator(Role::Viewer);
    let browser = Browser::new(&world);
    for path in ["/admin", "/admin/login", "/admin/nothing", "/admin/assets/style.css"] {
        let answer = browser.ask("GET", path, &[("host", "evil.example"), ("x-forwarded-host", "evil.example")], None);
        assert!(!answer.body.contains("evil.example") && !format!("{:?}", answer.headers).contains("evil.example"), "{path}");
    }
    let token = hidden(&browser.get("/admin/login").body, "token");
    let pairs = [("token", token.as_str()), ("name", "viewer"), ("password", PASSWORD)];
    let forged = [("host", "evil.example"), ("origin", "http://evil.example")];
    assert_eq!(browser.post("/admin/login", &pairs, &forged).status, 403, "an origin is compared with the configured one");
}

#[test]
fn every_answer_forbids_frames_and_foreign_content_and_is_not_kept() {
    let world = World::new();
    world.add_operator(Role::Viewer);
    let browser = Browser::of(&world, "viewer");
    let answers = [
        browser.get("/admin"),
        browser.get("/admin/audit"),
        browser.get("/admin/nothing"),
        browser.post("/admin/logout", &[], &[]),
        Browser::new(&world).get("/admin"),
        Browser::new(&world).get("/admin/login"),
        browser.get("/admin/assets/style.css"),
    ];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 403, 404, 403, 303, 200, 200]);
    for answer in &answers {
        let policy = answer.header("content-security-policy").expect("has one");
        for part in ["default-src 'none'", "frame-ancestors 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'"] {
            assert!(policy.split("; ").any(|own| own == part), "{part} in {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        let handlers = answer.body.split(" on").skip(1).filter(|rest| rest.trim_start_matches(char::is_alphabetic).starts_with('='));
        assert!(!answer.body.contains("style=\"") && handlers.count() == 0, "nothing inline");
    }
    assert!(answers[..6].iter().all(|answer| answer.header("cache-control") == Some("no-store")));
    let public = world.get("/c/x");
    assert!(!public.header("content-security-policy").expect("has one").contains("script-src"), "public pages stay as strict");
}

#[test]
fn behind_a_link_on_another_site_the_browser_asks_once_more() {
    // A strict cookie stays at home when another site's page links to us.
    let world = World::new();
    world.add_operator(Role::Compliance);
    let browser = Browser::of(&world, "compliance");
    let linked = Browser::new(&world).ask("GET", "/admin/audit?before=9", &[("sec-fetch-site", "cross-site")], None);
    assert!(linked.status == 200 && linked.body.contains("content=\"0; url=/admin/audit?before=9\""), "{}", linked.body);
    assert_eq!(browser.get("/admin/audit?before=9").status, 200);
    let stranger = Browser::new(&world).ask("GET", "/admin/audit", &[("sec-fetch-site", "same-origin")], None);
    assert_eq!(stranger.status, 303, "and then it is the login");
}
