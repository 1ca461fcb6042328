//! The spooler over a real ledger: no confirmation mail comes twice because the ledger could not be written (L-DOI-05).

use std::future::poll_fn;
use std::task::Poll;

use consentry::relay::{Relay, RelaySettings};
use consentry::spooler;

use super::*;
use crate::fake_mta::{FakeMta, Script};

/// Some looks at the spool, each with one mail at most, ended by a shutdown that comes meanwhile.
async fn looks(store: &Store, mta: &FakeMta) {
    let settings = RelaySettings::at(mta.address());
    let relay = Relay::new(&settings, "gate.example").expect("it needs no files");
    for _ in 0..5 {
        let mut begun = false;
        let shutdown = poll_fn(move |context| {
            context.waker().wake_by_ref();
            if std::mem::replace(&mut begun, true) { Poll::Ready(()) } else { Poll::Pending }
        });
        spooler::run_letters(store.clone(), relay.clone(), shutdown).await;
    }
}

#[tokio::test]
async fn a_ledger_that_takes_nothing_sends_no_mail_again_and_again() {
    for (refused, mails) in [
        // what came of the mail cannot be recorded
        ("DELETE ON letter", 1),
        // nothing can be recorded
        ("UPDATE ON letter", 0),
    ] {
        let (dir, store) = new_store().await;
        let mta = FakeMta::start(Script::new()).await;
        request(&store, "a@x.example", "news", 1, Timestamp::now()).await;
        refuse(dir.path(), refused).await;
        looks(&store, &mta).await;
        assert_eq!(mta.received().len(), mails, "{refused}");
        assert_eq!(count(dir.path(), "SELECT count(*) FROM letter").await, 1, "it is not forgotten");
    }
}
