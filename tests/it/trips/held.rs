//! A disputed mail through the real program: it waits, is seen, read and ruled on by who may, and goes or does not.

use serde_json::Value;

use super::{assert_nowhere, count};
use crate::client::Client;
use crate::peers::run_with_input;
use crate::sink::Sink;
use crate::visitor::Visitor;
use crate::world::{World, consentry, link};

const SHOP: &str = "shop@acme.example";
const OLIVIA: &str = "olivia.held@people.example";
const SECRET: &str = "correct horse battery staple";
/// Stands in each of the mails.
const WORDS: &str = "SPRING25";

fn mail(n: u32) -> Vec<u8> {
    format!(
        "From: Shop <{SHOP}>\r\nTo: <{OLIVIA}>\r\nSubject: Your order {n}\r\nMessage-ID: <held.{n}@acme.example>\r\n\
         Consentry-Class: transactional\r\n\r\nThank you for your order. Your parcel was handed to the carrier today.\r\n\r\n\
         Save 25% on your next purchase with code {WORDS}! Offer valid until Sunday, shop now: https://shop.example/sale\r\n"
    )
    .into_bytes()
}

/// A gateway whose stream that may declare holds what is disputed; and its configuration.
fn start(sink: &Sink) -> (World, String) {
    let world = World::start_with(sink.address(), |setup| {
        let old = "name = \"mixed\"\ncontroller = \"acme\"\n";
        assert!(setup.config.contains(old));
        setup.config = setup.config.replace(old, &format!("{old}disputed = \"hold\"\n"));
    });
    let file = world.dir.path().join("consentry.toml").display().to_string();
    for role in ["viewer", "operator", "compliance", "legal"] {
        consentry(&["user", "add-operator", "--config", &file, "--name", role, "--role", role], SECRET);
    }
    (world, file)
}

/// The ids of the copies that wait for a person.
fn held(world: &World) -> Vec<String> {
    let list = world.spool("list", &[]);
    list.lines().filter(|line| line.contains("held (class)")).map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

fn labels(file: &str) -> Vec<Value> {
    let told = consentry(&["classify", "--labels", file], "");
    told.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_disputed_mail_waits_for_a_person_who_reads_it_and_says_what_it_is() {
    // L-AD-06, L-AD-07
    let sink = Sink::start();
    let (mut world, file) = start(&sink);
    let send = |world: &World, n| Client::login(world.smtp, "mixed").send(SHOP, OLIVIA, &mail(n));
    let (code, text) = send(&world, 1);
    assert!(code == 250 && send(&world, 2).0 == 250, "{text}");
    assert_eq!(world.decisions()[0]["reason"], "held");
    let waiting = held(&world);
    assert_eq!((waiting.len(), sink.arrivals().len()), (2, 0), "nothing leaves: {}", world.spool("list", &[]));
    world.spool("retry", &["--all"]);
    world.crash_and_restart();
    assert_eq!((held(&world), sink.arrivals().len()), (waiting.clone(), 0), "it waits whatever happens");

    let page = format!("/admin/held/{}", waiting[0]);
    for name in ["viewer", "operator"] {
        let mut visitor = Visitor::login(&world, name, SECRET);
        let (status, list) = visitor.get("/admin/held");
        assert!(status == 200 && list.contains(&page), "{name}: {list}");
        let (status, one) = visitor.get(&page);
        assert!(status == 200 && one.contains("advertises") && !one.contains(WORDS) && !one.contains("/class\""), "{name}: {one}");
        let read = visitor.send("/admin/account", &format!("{page}/mail"), &[("reason", "curious")]);
        let ruled = visitor.send("/admin/account", &format!("{page}/class"), &[("class", "transactional"), ("reason", "curious")]);
        assert!(read.0 == 403 && !read.1.contains(WORDS) && ruled.0 == 403, "{name}: {} {}", read.0, ruled.0);
    }
    let mut visitor = Visitor::login(&world, "compliance", SECRET);
    let rule = |visitor: &mut Visitor, n: usize, class: &str, reason: &str| {
        let page = format!("/admin/held/{}", waiting[n]);
        visitor.send(&page, &format!("{page}/class"), &[("class", class), ("reason", reason)]).0
    };
    let (status, read) = visitor.send(&page, &format!("{page}/mail"), &[("reason", "a look")]);
    assert!(status == 200 && read.contains(WORDS), "{read}");
    assert_ne!(rule(&mut visitor, 0, "transactional", ""), 303, "nobody rules without a reason");
    assert_eq!((held(&world).len(), labels(&file).len()), (2, 0));
    assert_eq!(rule(&mut visitor, 0, "transactional", "asked the shop"), 303);
    let copy = sink.wait_for(1).remove(0);
    assert!(copy.to == [OLIVIA] && count(&copy.message, "List-Unsubscribe") == 0, "{copy:?}");
    assert_eq!(rule(&mut visitor, 1, "marketing", "a voucher"), 303);
    world.wait_for_empty_spool();
    let decisions = world.decisions();
    assert_eq!(decisions[0]["reason"], "no_consent", "as advertising it needs a consent that is not there");
    assert!(sink.wait_for(1).iter().all(|mail| mail.to != [OLIVIA] || mail.message == copy.message), "and does not arrive");

    let said: Vec<String> = labels(&file).iter().map(|label| label["label"].as_str().unwrap().to_owned()).collect();
    assert_eq!(said, ["transactional", "marketing"]);
    let one = &labels(&file)[0];
    assert!(one["figures"]["score"].as_f64().unwrap() > 0.0 && !one["steps"].as_array().unwrap().is_empty(), "{one}");
    assert!(!one.to_string().contains(WORDS) && !one.to_string().contains(OLIVIA), "{one}");
    let audit = visitor.get("/admin/audit").1;
    assert!(audit.contains("asked the shop") && audit.contains("a look"), "{audit}");
    assert!(world.stop());
    assert_nowhere(&world.data_dir(), &world.log(), &[OLIVIA.into(), WORDS.into()]);
}

#[test]
fn held_advertising_goes_to_who_consented_and_the_command_line_says_what_it_wants() {
    // L-AD-06
    let sink = Sink::start();
    let (world, file) = start(&sink);
    world.sign_up(OLIVIA);
    assert_eq!(world.confirm(&link(&sink.wait_for(1)[0].message, "/c/")).status, 200);
    assert_eq!(Client::login(world.smtp, "mixed").send(SHOP, OLIVIA, &mail(1)).0, 250);
    let id = held(&world).remove(0);
    let release = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_consentry"));
        let output = run_with_input(command.args(["spool", "release", "--config", &file, &id]).args(more), b"", false);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (done, told) = release(&["--reason", "looks fine"]);
    assert!(!done && told.contains("--as transactional or --as marketing"), "{told}");
    assert!(release(&["--reason", "a voucher", "--as", "marketing"]).0);
    let copy = sink.wait_for(2).remove(1);
    assert_eq!(count(&copy.message, "List-Unsubscribe"), 1, "{copy:?}");
    assert_eq!((world.decisions()[0]["reason"].as_str(), labels(&file).len()), (Some("doi_consent"), 1));
}
