//! Mail that waits: for the outbound MTA, for its other recipients, for a person. What it means to the client, to the people it
//! is for, and to the operator.

use super::{assert_nowhere, newsletter, receipt};
use crate::client::Client;
use crate::fake_mta::{Act, FakeMta, Received, Script, Stage};
use crate::world::{World, link};
use tokio::runtime::Runtime;

const FROM: &str = "newsletter@acme.example";
const OLIVIA: &str = "olivia@people.example";
const NOAH: &str = "noah@people.example";
const MIA: &str = "mia@people.example";
const FORM: &str = "application/x-www-form-urlencoded";

fn start() -> (Runtime, FakeMta, World) {
    let runtime = Runtime::new().unwrap();
    let mta = runtime.block_on(FakeMta::start(Script::new()));
    let world = World::start(mta.address());
    (runtime, mta, world)
}

/// Signs up and confirms.
fn consents(runtime: &Runtime, mta: &FakeMta, world: &World, who: &str) {
    let before = mta.received().len();
    world.sign_up(who);
    let mail = runtime.block_on(mta.wait_received(before + 1)).pop().unwrap();
    assert_eq!(world.confirm(&link(&mail.message, "/c/")).status, 200);
}

fn to<'a>(mails: &'a [Received], who: &str) -> Vec<&'a Received> {
    mails.iter().filter(|mail| mail.recipients == [who]).collect()
}

#[test]
fn several_recipients_get_a_copy_each_and_the_sender_a_report_on_the_others() {
    // M-55, M-58, M-61, M-63
    let (runtime, mta, world) = start();
    consents(&runtime, &mta, &world, OLIVIA);
    consents(&runtime, &mta, &world, NOAH);
    let mut client = Client::login(world.smtp, "news");
    let (taken, (code, text)) = client.send_to(FROM, &[OLIVIA, MIA, NOAH], &newsletter("list@acme.example", 1));
    assert_eq!((taken, code), (vec![250; 3], 250), "{text}");
    let mails = runtime.block_on(mta.wait_received(5)).split_off(2);
    world.wait_for_empty_spool();
    let links: Vec<String> = [OLIVIA, NOAH].map(|who| link(&to(&mails, who)[0].message, "/u/")).into();
    assert_ne!(links[0], links[1], "each has a link of its own");
    assert!(to(&mails, MIA).is_empty());
    let reports = to(&mails, FROM);
    assert_eq!((mails.len(), reports.len(), reports[0].reverse_path.as_str()), (3, 1, ""));
    let report = String::from_utf8_lossy(&reports[0].message).into_owned();
    for needle in [
        "report-type=delivery-status",
        "Final-Recipient: rfc822; mia@people.example\r\nAction: failed\r\nStatus: 5.7.1\r\nDiagnostic-Code: smtp; 550 5.7.1 consent: no_consent ref=",
        "Auto-Submitted: auto-replied\r\n",
        "Message-ID: <news.1.list@acme.example>\r\n",
    ] {
        assert!(report.contains(needle), "{needle} in {report}");
    }
    assert!(!report.contains("olivia") && !report.contains("noah") && !report.contains("Redaktion"), "{report}");
    assert_eq!(world.ask("POST", &links[0], "List-Unsubscribe=One-Click", FORM).status, 200);

    // M-58: when nobody may get it, the client hears it, and nothing leaves.
    let (_, (code, text)) = client.send_to(FROM, &[OLIVIA, MIA], &newsletter("list@acme.example", 2));
    assert!(code == 550 && text.contains("5.7.1 consent: "), "{code} {text}");
    assert_eq!(mta.received().len(), 5);
    let outcomes: Vec<String> = world.decisions().iter().map(|decision| decision["reason"].as_str().unwrap().to_owned()).collect();
    assert_eq!(outcomes.len(), 5, "one decision for each: {outcomes:?}");
}

#[test]
fn a_withdrawal_acts_on_mail_that_waits() {
    // I3, M-54, S0-16, L-OBJ-01
    let (runtime, mta, world) = start();
    consents(&runtime, &mta, &world, OLIVIA);
    let mut client = Client::login(world.smtp, "news");
    assert_eq!(client.send(FROM, OLIVIA, &newsletter(OLIVIA, 1)).0, 250);
    let unsubscribe = link(&runtime.block_on(mta.wait_received(2))[1].message, "/u/");
    mta.set(Script::new().on(Stage::Rcpt, Act::Say("450 4.2.0 greylisted")));
    assert_eq!(client.send(FROM, OLIVIA, &newsletter(OLIVIA, 2)).0, 250);
    assert_eq!(world.ask("POST", &unsubscribe, "List-Unsubscribe=One-Click", FORM).status, 200);
    mta.set(Script::new());
    world.spool("retry", &["--all"]);
    let mails = runtime.block_on(mta.wait_received(3));
    world.wait_for_empty_spool();
    let report = String::from_utf8_lossy(&mails[2].message).into_owned();
    assert!(mails[2].recipients == [FROM] && report.contains("550 5.7.1 consent: withdrawn ref="), "{report}");
    assert_eq!(mta.received().len(), 3, "Olivia got nothing more");
}

#[test]
fn a_mail_that_waits_over_a_restart_leaves_on_a_decision_that_names_the_footer_it_gets() {
    // R-03, I1
    let (runtime, mta, mut world) = start();
    consents(&runtime, &mta, &world, OLIVIA);
    mta.set(Script::new().on(Stage::Rcpt, Act::Say("450 4.2.0 greylisted")));
    let mut client = Client::login(world.smtp, "news");
    for number in 1..=2 {
        assert_eq!(client.send(FROM, OLIVIA, &newsletter(OLIVIA, number)).0, 250);
    }
    let before = world.decisions();
    let footer = before[0]["footer"].as_str().unwrap().to_owned();
    // the same footers: the decision on record is the one that it leaves on
    world.crash_and_restart();
    world.spool("retry", &["--all"]);
    assert_eq!(world.decisions().len(), before.len());
    // others: a new one is recorded before it leaves
    world.crash();
    let file = world.dir.path().join("consentry.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replace("Musterstr. 1, 10115 Berlin", "Neue Str. 9, 10115 Berlin")).unwrap();
    world.restart();
    mta.set(Script::new());
    world.spool("retry", &["--all"]);
    let mails = runtime.block_on(mta.wait_received(3)).split_off(1);
    world.wait_for_empty_spool();
    assert!(mails.iter().all(|mail| String::from_utf8_lossy(&mail.message).contains("Neue Str. 9")), "{mails:?}");
    let after = world.decisions();
    assert_eq!(after.len(), before.len() + 2, "{after:?}");
    let named = after[0]["footer"].as_str().unwrap();
    assert!(named != footer && after[1]["footer"].as_str() == Some(named), "{after:?}");
}

#[test]
fn what_is_sent_again_is_not_delivered_again() {
    // M-08
    let (runtime, mta, mut world) = start();
    let (shop, mail) = ("shop@acme.example", receipt(NOAH, 1));
    let first = Client::login(world.smtp, "shop").send(shop, NOAH, &mail);
    assert_eq!(first.0, 250);
    let reference = first.1.rsplit_once("ref=").unwrap().1.to_owned();
    let again = Client::login(world.smtp, "shop").send(shop, NOAH, &mail);
    assert_eq!(again, (250, format!("2.0.0 taken before ref={reference}")));
    world.decisions(); // outcomes follow batched: the answer to this waits for nothing, the next line does
    assert!((0..20_000).any(|_| !world.decisions()[0]["outcome"].is_null()));
    world.crash_and_restart();
    let mut client = Client::login(world.smtp, "shop");
    assert_eq!(client.send(shop, NOAH, &mail).1, format!("2.0.0 taken before ref={reference}"));
    // Another person, another content, no Message-ID: other mails.
    let text = String::from_utf8(mail.clone()).unwrap();
    let unnamed = text.replace("Message-ID: <receipt.1.noah@people.example>\r\n", "");
    for (who, mail) in [(MIA, &text), (NOAH, &text.replace("Vielen", "Herzlichen")), (NOAH, &unnamed), (NOAH, &unnamed)] {
        let (code, reply) = client.send(shop, who, mail.as_bytes());
        assert!(code == 250 && reply.contains("taken by the outbound MTA"), "{reply}");
    }
    assert_eq!(runtime.block_on(mta.wait_received(5)).len(), 5);

    // While it waits in the spool, too, and a twin of one on its way is told to wait.
    mta.set(Script::new().on(Stage::Mail, Act::Say("451 4.3.0 later")));
    assert_eq!(client.send(shop, NOAH, &receipt(NOAH, 2)).0, 250);
    world.crash_and_restart();
    let mut client = Client::login(world.smtp, "shop");
    assert!(client.send(shop, NOAH, &receipt(NOAH, 2)).1.contains("taken before"));
    mta.set(Script::new().on(Stage::Data, Act::Hang));
    let mut other = Client::login(world.smtp, "shop");
    for command in [format!("MAIL FROM:<{shop}>"), format!("RCPT TO:<{NOAH}>"), "DATA".to_owned()] {
        assert!(other.command(&command).0 < 400);
    }
    other.data(&receipt(NOAH, 3));
    runtime.block_on(mta.wait_reached(Stage::Data, 1));
    let (code, reply) = client.send(shop, NOAH, &receipt(NOAH, 3));
    assert!(code == 451 && reply.contains("is being delivered"), "{code} {reply}");
    mta.set(Script::new());
    mta.release();
    assert_eq!(other.reply().0, 250);
}

#[test]
fn who_asks_for_it_hears_that_mail_went_where_no_reports_come_from() {
    // M-62, RFC 3461 s.5.2.2
    let (runtime, mta, world) = start();
    // Each mail meets a fresh EHLO.
    mta.set(Script::new().on(Stage::Kept, Act::Drop));
    let mut client = Client::login(world.smtp, "shop");
    let mut send = |notify: &str, number| {
        assert_eq!(client.command("MAIL FROM:<shop@acme.example> RET=HDRS ENVID=QQ314159").0, 250);
        assert_eq!(client.command(&format!("RCPT TO:<{NOAH}> NOTIFY={notify} ORCPT=rfc822;Noah@people.example")).0, 250);
        assert_eq!(client.command("DATA").0, 354);
        client.data(&receipt(NOAH, number));
        assert_eq!(client.reply().0, 250);
    };
    send("SUCCESS", 1);
    let report = runtime.block_on(mta.wait_received(2)).pop().unwrap();
    let text = String::from_utf8_lossy(&report.message).into_owned();
    assert_eq!((report.reverse_path.as_str(), &report.recipients[..]), ("", &["shop@acme.example".to_owned()][..]));
    for needle in ["Original-Envelope-Id: QQ314159\r\n", "Original-Recipient: rfc822; Noah@people.example\r\n", "Action: relayed\r\n"] {
        assert!(text.contains(needle), "{needle} in {text}");
    }
    // An outbound MTA that reports is told what is wanted, and does it.
    mta.set(Script::new().extensions(&["PIPELINING", "8BITMIME", "DSN"]).on(Stage::Kept, Act::Drop));
    send("NEVER", 2);
    send("SUCCESS,FAILURE", 3);
    let mails = runtime.block_on(mta.wait_received(4));
    assert_eq!(mails[3].parameters, "RET=HDRS ENVID=QQ314159");
    assert_eq!(mails[3].recipient_parameters, "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Noah@people.example");
    world.wait_for_empty_spool();
    assert_eq!(mta.received().len(), 4);
    // Refused later: NEVER means never.
    mta.set(Script::new().on(Stage::Rcpt, Act::Say("450 4.2.0 later")));
    send("NEVER", 4);
    send("FAILURE", 5);
    mta.set(Script::new().on(Stage::Rcpt, Act::Say("550 5.1.1 unknown")).on_nth(Stage::Rcpt, 3, Act::Normal));
    world.spool("retry", &["--all"]);
    let report = runtime.block_on(mta.wait_received(5)).pop().unwrap();
    let text = String::from_utf8_lossy(&report.message).into_owned();
    assert!(text.contains("Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 unknown"), "{text}");
    world.wait_for_empty_spool();
    assert_eq!(mta.received().len(), 5);
}

#[test]
fn a_stream_chooses_how_it_hears_of_a_block() {
    // DESIGN.md section 4
    let (runtime, mta, world) = start();
    consents(&runtime, &mta, &world, OLIVIA);
    let mut patient = Client::login(world.smtp, "patient");
    let (code, text) = patient.send(FROM, MIA, &newsletter(MIA, 1));
    assert!(code == 250 && text.starts_with("2.0.0 consent: no_consent ref="), "{code} {text}");
    let (_, (code, _)) = patient.send_to(FROM, &[OLIVIA, MIA], &newsletter("list@acme.example", 2));
    assert_eq!((code, runtime.block_on(mta.wait_received(2)).len()), (250, 2));

    let mut early = Client::login(world.smtp, "early");
    let (taken, (code, text)) = early.send_to(FROM, &[MIA, OLIVIA], &newsletter("list@acme.example", 3));
    assert_eq!((taken, code), (vec![550, 250], 250), "{text}");
    assert_eq!(early.send_to(FROM, &[MIA], &newsletter(MIA, 4)).0, [550]);
    // Peers' users lose campaigns here: only refused recipients leave nothing open.
    assert_eq!(early.send(FROM, OLIVIA, &newsletter(OLIVIA, 5)).0, 250);
    assert_eq!(runtime.block_on(mta.wait_received(4)).len(), 4);
    world.wait_for_empty_spool();
    assert!(mta.received().iter().all(|mail| mail.recipients != [FROM]), "nobody wants a report here");
}

#[test]
fn one_mail_that_breaks_every_dialogue_stops_no_other_and_is_given_up() {
    let (runtime, mta, world) = start();
    consents(&runtime, &mta, &world, OLIVIA);
    // Nothing gets through first, so that all of it waits.
    mta.set(Script::new().on(Stage::Greeting, Act::Drop).on(Stage::Kept, Act::Drop).on(Stage::Mail, Act::Drop));
    let mut shop = Client::login(world.smtp, "shop");
    assert_eq!(shop.send("shop@acme.example", NOAH, &receipt(NOAH, 1)).0, 250);
    let mut news = Client::login(world.smtp, "news");
    for number in 1..=3 {
        assert_eq!(news.send(FROM, OLIVIA, &newsletter(OLIVIA, number)).0, 250);
    }
    mta.set(Script::new().on_recipient(NOAH, Act::Drop));
    let mails = runtime.block_on(mta.wait_received(4));
    assert_eq!(to(&mails, OLIVIA).len(), 1 + 3, "the confirmation mail and the newsletters");
    assert!((0..2_000).any(|_| world.spool("list", &[]).contains("\t1 attempts\t")), "its attempts count: {}", world.spool("list", &[]));
    mta.set(Script::new());
    world.spool("retry", &["--all"]);
    world.wait_for_empty_spool();
    assert_eq!(to(&mta.received(), NOAH).len(), 1);
}

#[test]
fn a_persons_word_counts_for_what_was_found_due_before_it() {
    let (runtime, mta, world) = start();
    mta.set(Script::new().on(Stage::Greeting, Act::Drop));
    let mut client = Client::login(world.smtp, "shop");
    for number in 1..=4 {
        assert_eq!(client.send("shop@acme.example", NOAH, &receipt(NOAH, number)).0, 250);
    }
    // The spooler has them in hand by now: each attempt finds nobody there.
    runtime.block_on(mta.wait_reached(Stage::Greeting, 3));
    let list = world.spool("list", &[]);
    let ids: Vec<&str> = list.lines().filter_map(|line| line.split_once('\t')).map(|(id, _)| id).collect();
    world.spool("hold", &[ids[0], "--reason", "the DPO asks"]);
    world.spool("drop", &[ids[1], "--silent", "--reason", "a test mail"]);
    mta.set(Script::new());
    runtime.block_on(mta.wait_received(2));
    let list = world.spool("list", &[]);
    assert!(list.contains("\theld\t") && list.contains("1 copies;"), "{list}");
    assert_eq!(mta.received().len(), 2);
}

#[test]
fn who_is_named_twice_gets_it_once_and_what_was_given_up_may_come_again() {
    let (runtime, mta, world) = start();
    let (shop, mail) = ("shop@acme.example", receipt("list@people.example", 1));
    let mut client = Client::login(world.smtp, "shop");
    let (taken, (code, text)) = client.send_to(shop, &[NOAH, MIA, NOAH], &mail);
    assert_eq!((taken, code), (vec![250; 3], 250), "{text}");
    let mails = runtime.block_on(mta.wait_received(2));
    world.wait_for_empty_spool();
    assert_eq!((to(&mails, NOAH).len(), to(&mails, MIA).len(), mta.received().len()), (1, 1, 2));

    // Taken, refused later, reported: the sender mends it and sends the same again.
    mta.set(Script::new().on(Stage::Rcpt, Act::Say("450 4.2.0 later")));
    assert_eq!(client.send(shop, NOAH, &receipt(NOAH, 2)).0, 250);
    mta.set(Script::new().on_recipient(NOAH, Act::Say("550 5.7.1 no")));
    world.spool("retry", &["--all"]);
    assert_eq!(runtime.block_on(mta.wait_received(3))[2].recipients, [shop], "the report");
    world.wait_for_empty_spool();
    mta.set(Script::new());
    let (code, text) = client.send(shop, NOAH, &receipt(NOAH, 2));
    assert!(code == 250 && text.contains("taken by the outbound MTA"), "{code} {text}");
}

#[test]
fn a_person_lists_holds_releases_and_drops() {
    let (runtime, mta, mut world) = start();
    mta.set(Script::new().on(Stage::Rcpt, Act::Say("450 4.2.0 try again, <noah@people.example>")));
    let mut client = Client::login(world.smtp, "shop");
    for number in 1..=3 {
        assert_eq!(client.send("shop@acme.example", NOAH, &receipt(NOAH, number)).0, 250);
    }
    let ids = |world: &World| -> Vec<String> {
        let list = world.spool("list", &[]);
        list.lines().filter_map(|line| line.split_once('\t')).map(|(id, _)| id.to_owned()).collect()
    };
    let waiting = ids(&world);
    assert_eq!(waiting.len(), 3);
    assert!(!world.spool("list", &[]).contains("noah"), "I8");
    let shown = world.spool("show", &[&waiting[0]]);
    assert!(shown.contains("noah@people.example") && shown.contains("450 4.2.0 try again") && shown.contains("shop"), "{shown}");
    // I8, E-09: nobody reads what waits from the disk or the log
    let secret: Vec<String> = ["noah@people.example", "Rechnung 1", "receipt.1.noah", "Vielen Dank"].map(str::to_owned).into();
    assert_nowhere(&world.data_dir(), &world.log(), &secret);

    assert!(world.spool("hold", &[&waiting[0], "--reason", "the DPO asks"]).contains("is held until"));
    world.spool("drop", &[&waiting[1], "--silent", "--reason", "a test mail"]);
    mta.set(Script::new());
    assert_eq!(world.spool("retry", &["--all"]), "1 due now\n");
    assert_eq!(runtime.block_on(mta.wait_received(1)).len(), 1);
    assert!((0..2_000).any(|_| ids(&world).len() == 1), "what was delivered is settled");
    world.crash_and_restart();
    assert_eq!(ids(&world), [waiting[0].as_str()], "held over a crash");
    world.spool("release", &[&waiting[0], "--reason", "asked and answered"]);
    assert_eq!(runtime.block_on(mta.wait_received(2)).len(), 2);
    world.wait_for_empty_spool();

    // Given up, with a report.
    mta.set(Script::new().on(Stage::Rcpt, Act::Say("450 4.2.0 try again")));
    assert_eq!(Client::login(world.smtp, "shop").send("shop@acme.example", NOAH, &receipt(NOAH, 4)).0, 250);
    mta.set(Script::new());
    world.spool("drop", &[&ids(&world)[0], "--reason", "wrong invoice"]);
    let report = runtime.block_on(mta.wait_received(3)).pop().unwrap();
    assert_eq!((report.reverse_path.as_str(), &report.recipients[..]), ("", &["shop@acme.example".to_owned()][..]));
    assert!(String::from_utf8_lossy(&report.message).contains("dropped by the operator"));
    world.wait_for_empty_spool();
}
