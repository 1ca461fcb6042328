//! The same text to many people through the real program, on a stream that claims its mail to be transactional.

use crate::client::Client;
use crate::postgres::Server;
use crate::sink::Sink;
use crate::world::World;

const SHOP: &str = "shop@acme.example";

/// Five people are many here.
fn small(config: &mut String) {
    let old = "name = \"shop\"\ncontroller = \"acme\"\n";
    assert!(config.contains(old));
    *config = config.replace(old, &format!("{old}bulk = {{ recipients = 5, within = \"7d\" }}\n"));
}

fn campaign(to: u32, n: u32) -> String {
    format!(
        "From: Shop <{SHOP}>\r\nSubject: Our autumn sale\r\nMessage-ID: <campaign.{to}.{n}@acme.example>\r\n\r\nHello Person{to},\r\n\r\nSave 25% on \
         everything with code SPRING25! Offer valid until Sunday.\r\n\r\nDiscover the new collection and shop now: https://shop.example/{to}\r\n"
    )
}

/// One template, everybody's own order.
fn order(n: u32) -> String {
    let item = ["Desk lamp", "Coffee grinder", "Rain coat", "Garden chair"][n as usize % 4];
    let (id, price) = (483_920 + n, 10 + n);
    format!(
        "From: Shop <{SHOP}>\r\nSubject: Your order {id}\r\nMessage-ID: <order.{n}@acme.example>\r\n\r\nHello Person{n},\r\n\r\nthank you for your \
         order {id} at our shop.\r\n\r\n{item} 1 {price}.90 EUR\r\nTotal {price}.90 EUR\r\n\r\nWe will tell you as soon as your parcel leaves our \
         house. You find your invoice in your account.\r\n"
    )
}

fn send(world: &World, to: u32, message: &str) -> (u16, String) {
    Client::login(world.smtp, "shop").send(SHOP, &format!("person{to}@people.example"), message.as_bytes())
}

/// How many of the decisions name the crowd.
fn crowds(world: &World) -> usize {
    world.decisions().iter().filter(|decision| decision["classification"].to_string().contains("crowd")).count()
}

#[test]
fn one_text_to_many_is_raised_across_a_restart_and_orders_of_one_template_are_not() {
    // L-AD-06, S2-07
    let sink = Sink::start();
    let mut world = World::start_with(sink.address(), |setup| small(&mut setup.config));
    for n in 0..40 {
        let (code, text) = send(&world, n, &order(n));
        assert_eq!(code, 250, "order {n}: {text}");
    }
    let reasons: Vec<_> = world.decisions().iter().map(|decision| decision["reason"].as_str().unwrap().to_owned()).collect();
    assert!(reasons.len() == 40 && reasons.iter().all(|reason| reason == "transactional"), "{reasons:?}");
    assert_eq!(crowds(&world), 0);

    assert!((0..3).all(|n| send(&world, n, &campaign(n, 0)).0 == 250), "as content alone it passes, disputed");
    assert!(world.stop());
    world.restart();
    let answers: Vec<u16> = (3..9).map(|n| send(&world, n, &campaign(n, 0)).0).collect();
    assert_eq!((answers[0], answers[5]), (250, 550), "{answers:?}");
    assert!(send(&world, 99, &order(99)).0 == 250, "a receipt goes its way beside it");
}

#[test]
fn two_gateways_count_together() {
    // L-AD-06, S2-07
    let sink = Sink::start();
    let place = tempfile::tempdir().unwrap();
    let database = Server::shared().database(place.path());
    let one = World::start_with(sink.address(), |setup| {
        small(&mut setup.config);
        setup.database = Some(database.url.clone());
    });
    let two = World::beside_with(&one, sink.address(), &database.url, |setup| small(&mut setup.config));
    assert!((0..4).all(|n| send(&one, n, &campaign(n, 0)).0 == 250), "fewer than many");
    // one person more at the other gateway, again and again until it heard of the four
    let told = (0..5_000).find(|n| {
        two.spool("list", &[]);
        send(&two, 50, &campaign(50, *n)).0 == 550
    });
    assert!(told.is_some(), "{}", two.log());
}
