//! Several gateways on one PostgreSQL, and a PostgreSQL that dies under load. On a server whatever the other tests run on.

use std::collections::HashSet;

use tokio::runtime::Runtime;

use super::crash::{consents, moody};
use super::{newsletter, receipt};
use crate::client::Client;
use crate::environment::{long_or, seed, tell};
use crate::fake_mta::{Act, FakeMta, Script, Stage};
use crate::load::Load;
use crate::load::account::{FarEnd, Sums, spooled_in};
use crate::load::mail::Dice;
use crate::postgres::{Server, ask_at};
use crate::sink::Sink;
use crate::world::{World, consentry, link};

const NEWS: &str = "newsletter@acme.example";
const SHOP: &str = "shop@acme.example";
const LEAVER: &str = "leaver@people.example";
const CONNECTIONS: u64 = 20;

#[test]
fn a_withdrawal_at_one_gateway_stops_mail_at_the_other_even_what_waits_there() {
    // I3
    let place = tempfile::tempdir().unwrap();
    let database = Server::shared().database(place.path());
    let runtime = Runtime::new().unwrap();
    let mta = runtime.block_on(FakeMta::start(Script::new()));
    let one = World::start_with(mta.address(), |setup| setup.database = Some(database.url.clone()));
    let two = World::beside(&one, mta.address(), &database.url);
    one.sign_up(LEAVER);
    let asked = runtime.block_on(mta.wait_to(LEAVER, 1));
    assert_eq!(two.confirm(&link(&asked.message, "/c/")).status, 200);
    let send = |world: &World, n| Client::login(world.smtp, "news").send(NEWS, LEAVER, &newsletter(LEAVER, n));
    assert_eq!((send(&one, 1).0, send(&two, 2).0), (250, 250), "a yes at one is a yes at both");
    let unsubscribe = link(&runtime.block_on(mta.wait_to(LEAVER, 3)).message, "/u/");
    mta.set(Script::new().on(Stage::Rcpt, Act::Say("450 4.2.0 greylisted")));
    assert!(send(&one, 3).1.starts_with("2.0.0 taken, delivery follows"));
    let pressed = two.ask("POST", &unsubscribe, "List-Unsubscribe=One-Click", "application/x-www-form-urlencoded");
    assert_eq!(pressed.status, 200);
    for (world, n) in [(&one, 4), (&two, 5)] {
        let (code, text) = send(world, n);
        assert!(code == 550 && text.contains("consent: withdrawn ref="), "{code} {text}");
    }
    mta.set(Script::new());
    two.empty_spool();
    assert_eq!(mta.received().iter().filter(|mail| mail.recipients == [LEAVER]).count(), 3, "the one that waited was not delivered");
}

#[test]
fn a_gateway_that_decides_by_rules_no_longer_in_force_says_so_until_it_has_the_new_ones() {
    // S0-26
    const DECLARED: (&str, &str) = ("class = \"declared\"", "class = \"marketing\"");
    let place = tempfile::tempdir().unwrap();
    let database = Server::shared().database(place.path());
    let sink = Sink::start();
    let mut one = World::start_with(sink.address(), |setup| setup.database = Some(database.url.clone()));
    assert_eq!(one.readiness().body, "ready\n");
    let (config, new) = (one.dir.path().join("consentry.toml"), one.dir.path().join("new.toml"));
    std::fs::write(&new, std::fs::read_to_string(&config).unwrap().replace(DECLARED.0, DECLARED.1)).unwrap();
    consentry(&["rules", "tighten", "--config", new.to_str().unwrap(), "--reason", "a campaign was declared transactional"], "");
    let two = World::beside_with(&one, sink.address(), &database.url, |setup| setup.config = setup.config.replace(DECLARED.0, DECLARED.1));
    assert_eq!(two.readiness().body, "ready\n", "it has them");
    let told = one.readiness();
    assert!(
        told.status == 503 && told.body.starts_with("other rules are in force than decide here: start this gateway anew"),
        "{}",
        told.body
    );
    std::fs::rename(new, config).unwrap();
    one.crash_and_restart();
    assert_eq!(one.readiness().body, "ready\n");
}

#[test]
fn of_two_gateways_under_load_one_dies_and_the_other_delivers_what_it_had() {
    // I1, I2: only what was in flight may come twice
    let seed = seed();
    tell(&format!("two gateways: seed {seed}"));
    let mut dice = Dice::new(seed);
    let place = tempfile::tempdir().unwrap();
    let database = Server::shared().database(place.path());
    let runtime = Runtime::new().unwrap();
    let mta = runtime.block_on(FakeMta::start(Script::new()));
    let mut one = World::start_with(mta.address(), |setup| setup.database = Some(database.url.clone()));
    let mut two = World::beside(&one, mta.address(), &database.url);
    consents(&runtime, &mta, &one);
    let load = Load::start(one.smtp, CONNECTIONS, dice.below(u64::MAX));
    let mut left_behind = 0;
    for round in 1..=long_or(2, 20) {
        mta.set(moody(&mut dice));
        load.wait_for_answers(100 + dice.below(200) as usize);
        one.crash();
        load.down();
        let waiting = runtime.block_on(spooled_in(&one.data_dir(), Some(&database)));
        load.account(|account| account.waited(&waiting, round));
        left_behind += waiting.len();
        mta.release();
        // The tools turn to the other one, as behind a load balancer; the dead one comes back as the next one's stand-by.
        load.up(two.smtp);
        load.wait_for_answers(50);
        one.restart();
        std::mem::swap(&mut one, &mut two);
    }
    let mut account = load.end();
    mta.set(Script::new());
    mta.release();
    two.crash();
    // The last end, too: what the dead one had may have arrived without its knowing.
    let waiting = runtime.block_on(spooled_in(&two.data_dir(), Some(&database)));
    account.waited(&waiting, u32::MAX);
    one.empty_spool();
    let Sums { mails, refused, copies, in_flight, repeats } = account.settle(&mta.copies());
    assert!(left_behind > 0 && in_flight > 0, "a kill under load meets something");
    tell(&format!(
        "two gateways: seed {seed}: {mails} mails, {refused} refused, {copies} copies owed and arrived, {left_behind} waited with a gateway \
         that died, {repeats} repeats, put off: {:?}",
        account.put_off
    ));
}

#[test]
fn a_database_that_dies_under_load_lets_no_marketing_pass_and_loses_no_receipt() {
    // I1, I2, I4, M-60, S0-19
    let seed = seed();
    tell(&format!("dying database: seed {seed}"));
    let server = Server::own();
    let place = tempfile::tempdir().unwrap();
    let database = server.database(place.path());
    let runtime = Runtime::new().unwrap();
    let mta = runtime.block_on(FakeMta::start(Script::new()));
    let world = World::start_with(mta.address(), |setup| setup.database = Some(database.url.clone()));
    consents(&runtime, &mta, &world);
    let with = crate::load::mail::WITH[0];
    let load = Load::start(world.smtp, CONNECTIONS, seed);
    let rounds = long_or(3, 30);
    for round in 1..=rounds {
        load.wait_for_answers(100);
        server.stop_at_once();
        load.wait_for_deferrals(30);
        let told = world.readiness();
        assert!(told.status == 503 && told.body.contains("marketing waits, plain transactional mail goes on"), "{}", told.body);
        let (code, text) = Client::login(world.smtp, "news").send(NEWS, with, &newsletter(with, 1_000 + round));
        assert_eq!((code, text.trim_end()), (451, "4.3.0 consent: ledger_unavailable, try again later"));
        assert_eq!(Client::login(world.smtp, "shop").send(SHOP, with, &receipt(with, 1_000 + round)).0, 250);
        server.start_again();
        while world.readiness().body != "ready\n" {
            std::thread::yield_now();
        }
        assert_eq!(Client::login(world.smtp, "news").send(NEWS, with, &newsletter(with, 2_000 + round)).0, 250, "and goes on by itself");
    }
    let account = load.end();
    world.empty_spool();
    let Sums { mails, refused, copies, repeats, .. } = account.settle(&mta.copies());
    assert_eq!(repeats, 0, "the gateway never ended");
    // Every copy names a decision, and the ledger has it.
    let recorded = ask_at(&database.url, "SELECT encode(id, 'hex') FROM consentry.decision");
    let recorded: HashSet<&str> = recorded.lines().collect();
    let mut told = 0;
    for mail in mta.received() {
        let message = String::from_utf8_lossy(&mail.message).into_owned();
        let trace =
            message.split("(Consentry) with ").nth(1).and_then(|rest| rest.split(" id ").nth(1)).and_then(|rest| rest.split(';').next());
        if let Some(decision) = trace {
            assert!(recorded.contains(decision), "{decision} is not on record");
            told += 1;
        }
    }
    assert!(told >= copies, "{told}");
    tell(&format!(
        "dying database: seed {seed}: {rounds} ends, {mails} mails, {refused} refused, {copies} copies owed and arrived, {told} of them by \
         their decisions, put off: {:?}",
        account.put_off
    ));
}
