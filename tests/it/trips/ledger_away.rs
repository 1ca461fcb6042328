//! The ledger does not answer a running gateway: marketing waits with its clients, receipts arrive, and no decision is missing
//! afterwards (M-60, I4).

use tokio::runtime::Runtime;

use super::{newsletter, receipt};
use crate::client::Client;
use crate::sink::Sink;
use crate::store::{allow, refuse};
use crate::world::{World, link};

const NEWS: &str = "newsletter@acme.example";
const SHOP: &str = "shop@acme.example";
const OLIVIA: &str = "olivia@people.example";

#[test]
fn without_the_ledger_receipts_arrive_and_marketing_waits() {
    // M-60, I4, S0-19
    let sink = Sink::start();
    let mut world = World::start(sink.address());
    world.sign_up(OLIVIA);
    assert_eq!(world.confirm(&link(&sink.wait_for(1)[0].message, "/c/")).status, 200);
    let send = |world: &World, stream: &str, from: &str, message: &[u8]| Client::login(world.smtp, stream).send(from, OLIVIA, message).0;
    assert_eq!(send(&world, "news", NEWS, &newsletter(OLIVIA, 1)), 250);
    assert_eq!(world.readiness().status, 200);

    // as after an error of the disk: no decision can be written
    Runtime::new().unwrap().block_on(refuse(world.dir.path(), "INSERT ON decision"));
    for n in 2..5 {
        assert_eq!(send(&world, "shop", SHOP, &receipt(OLIVIA, n)), 250, "plain");
        assert_eq!(send(&world, "news", NEWS, &newsletter(OLIVIA, 10 + n)), 451, "with consent, but who can tell");
    }
    let told = world.readiness();
    assert!(told.body.contains("3 decisions in the journal"), "{}", told.body);
    assert!(world.log().contains("the ledger is away"));
    // killed meanwhile: what was taken is not forgotten
    world.crash();
    Runtime::new().unwrap().block_on(allow(world.dir.path(), "decision"));
    world.restart();

    while world.readiness().body != "ready\n" {
        std::thread::yield_now();
    }
    assert_eq!(send(&world, "news", NEWS, &newsletter(OLIVIA, 20)), 250);
    assert_eq!(sink.wait_for(6).len(), 6, "a confirmation mail, two newsletters, three receipts, and no more");
    let decisions = world.decisions();
    let count = |class: &str| decisions.iter().filter(|decision| decision["class"] == class).count();
    assert_eq!((count("transactional"), count("marketing")), (3, 2), "{decisions:?}");
}
