//! The ledger does not answer a running gateway: marketing waits with its clients, receipts arrive, and no decision is missing
//! afterwards (M-60, I4).

use sqlx::{Connection, SqliteConnection};
use tokio::runtime::Runtime;

use super::{newsletter, receipt};
use crate::client::Client;
use crate::sink::Sink;
use crate::world::{PUBLIC_URL, World, link};

const NEWS: &str = "newsletter@acme.example";
const SHOP: &str = "shop@acme.example";
const OLIVIA: &str = "olivia@people.example";

/// As after an error of the disk: no decision can be written.
fn run(world: &World, statement: &'static str) {
    let url = format!("sqlite://{}", world.data_dir().join("ledger.sqlite").display());
    Runtime::new().unwrap().block_on(async {
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

#[test]
fn without_the_ledger_receipts_arrive_and_marketing_waits() {
    // M-60, I4, S0-19
    let sink = Sink::start();
    let mut world = World::start(sink.address());
    world.sign_up(OLIVIA);
    assert_eq!(world.confirm(&link(&sink.wait_for(1)[0].message, "/c/")).status, 200);
    let send = |world: &World, stream: &str, from: &str, message: &[u8]| Client::login(world.smtp, stream).send(from, OLIVIA, message).0;
    let ready = |world: &World| world.ask("GET", &format!("{PUBLIC_URL}/readyz"), "", "text/plain");
    assert_eq!(send(&world, "news", NEWS, &newsletter(OLIVIA, 1)), 250);
    assert_eq!(ready(&world).status, 200);

    run(&world, "CREATE TRIGGER away BEFORE INSERT ON decision BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END");
    for n in 2..5 {
        assert_eq!(send(&world, "shop", SHOP, &receipt(OLIVIA, n)), 250, "plain");
        assert_eq!(send(&world, "news", NEWS, &newsletter(OLIVIA, 10 + n)), 451, "with consent, but who can tell");
    }
    let told = ready(&world);
    assert!(told.body.contains("3 decisions in the journal"), "{}", told.body);
    assert!(world.log().contains("the ledger is away"));
    // killed meanwhile: what was taken is not forgotten
    world.crash();
    run(&world, "DROP TRIGGER away");
    world.restart();

    while ready(&world).body != "ready\n" {
        std::thread::yield_now();
    }
    assert_eq!(send(&world, "news", NEWS, &newsletter(OLIVIA, 20)), 250);
    assert_eq!(sink.wait_for(6).len(), 6, "a confirmation mail, two newsletters, three receipts, and no more");
    let decisions = world.decisions();
    let count = |class: &str| decisions.iter().filter(|decision| decision["class"] == class).count();
    assert_eq!((count("transactional"), count("marketing")), (3, 2), "{decisions:?}");
}
