//! What holds for every answer: security headers, no trace of a person in the log.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::runtime;
use tracing::Level;
use tracing::dispatcher::{Dispatch, set_default};
use tracing::subscriber::NoSubscriber;

use super::admin::Browser;
use super::{FORM, World, body};

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn every_answer_carries_the_security_headers_and_pages_are_not_kept() {
    let world = World::new();
    let path = world.subscribed();
    for (path, cached) in [
        (path.as_str(), false),
        ("/c/x", false),
        ("/nothing", false),
        ("/api/v1/decisions", false),
        ("/healthz", false),
        ("/assets/style.css", true),
        ("/assets/brand/acme.css", true),
        ("/assets/brand/acme/logo.svg", true),
    ] {
        let answer = world.get(path);
        let policy = answer.header("content-security-policy").expect("has one");
        assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'self'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("cache-control") == Some("no-store"), !cached, "{path}");
        assert_eq!(answer.header("strict-transport-security"), None, "{path}: not over http");
        assert_eq!(answer.header("set-cookie"), None, "{path}");
    }
}

#[test]
fn what_cannot_be_read_gets_a_page_of_ours() {
    let world = World::new();
    for (path, status) in [
        ("/u/%ff", 404),
        ("/c/%ff", 404),
        ("/p/%ff", 404),
        ("/subscribe/%ff", 404),
        ("/subscribe/weekly?lang=a&lang=b", 400),
        ("/subscribe/weekly/embed?lang=a&lang=b", 400),
        ("/assets/brand/%ff", 404),
        ("/assets/brand/acme/%ff", 404),
    ] {
        let answer = world.get(path);
        assert!(answer.status == status && answer.body.contains("<html lang=\"de\""), "{path}: {} {}", answer.status, answer.body);
    }
    assert_eq!(world.read_api("/api/v1/decisions/%ff").problem(), (404, vec![]));
    world.add_operator(consentry::office::Role::Legal);
    let legal = Browser::of(&world, "legal");
    for (path, status) in [
        ("/admin?range=a&range=b", 400),
        ("/admin/audit?before=abc", 400),
        ("/admin/search?q=a&q=b", 400),
        ("/admin/login?back=a&back=b", 400),
        ("/admin/subjects/%ff", 404),
        ("/admin/decisions/%ff", 404),
        ("/admin/charts/%ff", 404),
    ] {
        let answer = legal.get(path);
        assert!(answer.status == status && answer.body.contains("<html lang=\"en\""), "{path}: {} {}", answer.status, answer.body);
        assert_eq!(Browser::new(&world).get(path).status, 303, "{path}: strangers learn nothing");
    }
}

#[test]
fn a_link_works_with_what_mail_programs_leave_at_its_end() {
    // L-CON-03: who wants to say no gets to the page
    let world = World::new();
    let link = world.signed_up(jiff::SignedDuration::from_mins(5));
    for end in [".", "=", "/", ").", "%3D", ",%20"] {
        let page = world.get(&format!("{link}{end}"));
        assert!(page.status == 200 && page.body.contains("value=\"yes\""), "{end}: {}", page.body);
    }
    assert_eq!(world.press(&format!("{link}."), "yes").status, 200);
    let path = world.unsubscribe_path(world.subject().expect("known"));
    assert_eq!(world.get(&format!("{path}=")).status, 200);
    assert_eq!(world.get(&format!("{path}x")).status, 404, "what belongs to the alphabet is part of the token");
    assert_eq!(world.post(&format!("{path}."), FORM, "List-Unsubscribe=One-Click").status, 200);
    assert!(matches!(world.standing("news"), consentry::consent::TopicStanding::Withdrawn(_)));
}

#[test]
fn behind_https_and_a_path_the_pages_find_their_stylesheet() {
    let world = World::reached_as(Some("https://mail.acme.example/consent"));
    let page = world.get("/c/x");
    assert!(page.body.replace("&#x2f;", "/").contains("href=\"/consent/assets/style.css?"), "{}", page.body);
    assert!(page.header("strict-transport-security").is_some());
    assert!(world.get("/assets/style.css").header("content-type").is_some_and(|kind| kind.starts_with("text/css")));
}

#[test]
fn a_path_that_is_nothing_gets_a_page() {
    let world = World::new();
    for path in ["/", "/u", "/u/", "/c/", "/u/a/b", "/administration"] {
        let answer = world.get(path);
        assert!(answer.status == 404 && answer.body.contains("<h1>"), "{path} {}", answer.status);
    }
}

#[test]
fn no_log_line_tells_of_a_person() {
    // I8, L-TOM-03: no token, no address, no IP, not even at the finest level
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(move || writer.clone()).finish();
    // tracing asks a single subscriber only on threads that have it, and remembers the answer for all; two it asks always
    let _other = Dispatch::new(NoSubscriber::default());
    let dispatch = Dispatch::new(subscriber);
    let follow = move || std::mem::forget(set_default(&dispatch));
    let runtime = runtime::Builder::new_multi_thread().enable_all().on_thread_start(follow).build().expect("a runtime");
    let world = World::on(runtime, None);
    assert_eq!(world.api(&body(|_| {})).status, 202);
    let link = world.links().pop().expect("one").0;
    world.choose_as(&[("x-forwarded-for", "203.0.113.9")], &link, "answer=yes");
    let path = world.unsubscribe_path(world.subject().expect("known"));
    world.get(&path);
    world.post(&path, FORM, "List-Unsubscribe=One-Click");
    let (name, password) = ("mia-from-compliance", "correct horse battery");
    let secret = zeroize::Zeroizing::new(password.to_owned());
    let added = world.office.add_operator(name, consentry::office::Role::Legal, secret, jiff::Timestamp::now());
    world.runtime.block_on(added).expect("added");
    let browser = Browser::of(&world, name);
    assert_eq!(browser.send("/admin", "/admin/search", &[("q", super::OLIVIA)]).status, 303);
    let session = browser.cookie().expect("inside");
    for _ in 0..5 {
        Browser::new(&world).login(name, "wrong-guess", "");
    }
    world.break_table("suppression");
    world.choose(&path, "choice=objection");
    let lines = String::from_utf8(log.0.lock().expect("not poisoned").clone()).expect("UTF-8");
    assert!(lines.contains("route=\"/admin\"") && lines.contains("lock somebody out"), "{lines}");
    assert!(lines.contains("route=\"/u/\"") && lines.contains("route=\"/c/\"") && lines.contains("ERROR"), "{lines}");
    let secrets = ["olivia", "203.0.113.9", "198.51.100.7", &world.token, &path[3..], link.rsplit('/').next().expect("a token")];
    for secret in secrets.into_iter().chain([name, password, "wrong-guess", &session]) {
        assert!(!lines.contains(secret), "{secret} in {lines}");
    }
}

#[test]
fn a_controllers_look_is_served_from_our_own_origin_and_nobody_elses() {
    let world = World::new();
    let page = world.get(&world.subscribed());
    let links: Vec<&str> = page.body.split(['"']).filter(|text| text.starts_with("/assets/brand/acme")).collect();
    assert_eq!(links.len(), 2, "{}", page.body);
    let (style, logo) = (world.get(links[0]), world.get(links[1]));
    assert!(style.header("content-type").is_some_and(|kind| kind.starts_with("text/css")) && style.body.contains("--strong:#7c2d92"));
    assert_eq!(logo.header("content-type"), Some("image/svg+xml"));
    assert!(logo.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")), "inert by itself");
    for (link, answer) in [(links[0], &style), (links[1], &logo)] {
        assert!(link.contains('?') && answer.header("cache-control").is_some_and(|keep| keep.contains("immutable")), "{link}");
    }
    for path in [
        "/assets/brand/globex.css",
        "/assets/brand/acme",
        "/assets/brand/acme/logo.png",
        "/assets/brand/globex/logo.svg",
        "/assets/brand/acme/x",
    ] {
        assert_eq!(world.get(path).status, 404, "{path}");
    }
    // L-DOI-02
    world.api(&body(|_| {}));
    let mails = world.links();
    assert!(!mails.is_empty() && mails.iter().all(|(_, mail)| !mail.contains("/assets/") && !mail.contains("image")));
}
