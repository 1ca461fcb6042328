//! Accounts: what was asked for, what was answered, what was in flight when the gateway died, and what arrived.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use consentry::store::{DatabaseSettings, Store};

use super::Answer;
use super::mail::Job;
use crate::fake_mta::FakeMta;
use crate::postgres;
use crate::sink::Sink;

/// One copy: a person and a Message-ID.
pub(crate) type Copy = (String, String);

#[derive(Default)]
pub(crate) struct Account {
    mails: HashMap<String, (Job, Answer)>,
    /// For each copy the ends of the gateway that it was in flight at.
    in_flight: HashMap<Copy, BTreeSet<u32>>,
    /// Ends are orderly: a mail without an answer was not taken, and is no excuse for a repeat.
    pub(crate) orderly: bool,
    /// Mails that got no answer, each time counted.
    pub(crate) unanswered: usize,
    /// Words of 4yz, and how often they were heard.
    pub(crate) put_off: BTreeMap<String, usize>,
}

/// What the account came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    /// Mails with an answer.
    pub(crate) mails: usize,
    /// Of these, refused for want of consent.
    pub(crate) refused: usize,
    /// Copies that had to arrive.
    pub(crate) copies: usize,
    /// Copies in flight when the gateway ended, over all ends.
    pub(crate) in_flight: usize,
    /// Arrivals beyond the first.
    pub(crate) repeats: usize,
}

impl Account {
    /// The client got no answer.
    pub(super) fn lost(&mut self, job: &Job, start: u32) {
        self.unanswered += 1;
        if self.orderly {
            return;
        }
        for to in &job.pass {
            self.in_flight.entry((to.clone(), job.id.clone())).or_default().insert(start);
        }
    }

    /// These waited in the spool, or were delivered and not yet taken out, when start number `start` ended.
    pub(crate) fn waited(&mut self, copies: &[Copy], start: u32) {
        for copy in copies {
            self.in_flight.entry(copy.clone()).or_default().insert(start);
        }
    }

    pub(super) fn put_off(&mut self, answer: &Answer) {
        if let Answer::Later(code, text) = answer {
            let words = text.split(" ref=").next().unwrap_or_default();
            *self.put_off.entry(format!("{code} {words}")).or_default() += 1;
        }
    }

    pub(super) fn answered(&mut self, job: &Job, answer: &Answer) {
        let job = Job { message: Vec::new(), ..job.clone() };
        let before = self.mails.insert(job.id.clone(), (job, answer.clone()));
        assert!(before.is_none(), "one final answer for a mail: {before:?}");
    }

    /// Copies that a client heard 250 for so far.
    pub(crate) fn owed(&self) -> BTreeSet<Copy> {
        let taken = self.mails.values().filter(|(_, answer)| matches!(answer, Answer::Taken(_)));
        taken.flat_map(|(job, _)| job.pass.iter().map(|to| (to.clone(), job.id.clone()))).collect()
    }

    /// I2, I4 and at least once: fails on whatever was lost, leaked, or came twice without having been in flight.
    pub(crate) fn settle(&self, arrived: &[Copy]) -> Sums {
        let mut times: HashMap<&Copy, usize> = HashMap::new();
        arrived.iter().for_each(|copy| *times.entry(copy).or_default() += 1);
        for (job, answer) in self.mails.values() {
            match answer {
                Answer::Taken(text) => {
                    assert!(!job.pass.is_empty() || job.stream == "patient", "250 without a recipient: {job:?} {text}");
                }
                Answer::Refused(code, text) => {
                    assert!(*code == 550 && text.starts_with("5.7.1 consent: no_consent ref="), "{code} {text} for {job:?}");
                    assert!(job.pass.is_empty(), "refused: {text} for {job:?}");
                }
                Answer::Later(..) | Answer::None => unreachable!("these are no final answers"),
            }
        }
        let owed = self.owed();
        let lost: Vec<_> = owed.iter().filter(|copy| !times.contains_key(copy)).collect();
        assert!(lost.is_empty(), "250 and never delivered: {lost:?}, with the answers {:?}", self.answers(&lost));
        let leaked: Vec<_> = times.keys().filter(|copy| !owed.contains(copy)).collect();
        assert!(leaked.is_empty(), "delivered without a right to it: {leaked:?}");
        let mut repeats = 0;
        for (copy, times) in &times {
            let excuses = self.in_flight.get(copy).map_or(0, BTreeSet::len);
            assert!(*times - 1 <= excuses, "{copy:?} arrived {times} times, and was in flight at {excuses} ends");
            repeats += times - 1;
        }
        let refused = self.mails.values().filter(|(_, answer)| matches!(answer, Answer::Refused(..))).count();
        let in_flight = self.in_flight.values().map(BTreeSet::len).sum();
        Sums { mails: self.mails.len(), refused, copies: owed.len(), in_flight, repeats }
    }

    fn answers(&self, copies: &[&Copy]) -> Vec<&Answer> {
        copies.iter().filter_map(|(_, id)| self.mails.get(id).map(|(_, answer)| answer)).collect()
    }
}

/// A far end that can tell what came.
pub(crate) trait FarEnd {
    /// All copies that arrived, reports and confirmation mails left out.
    fn copies(&self) -> Vec<Copy>;
}

impl FarEnd for Sink {
    fn copies(&self) -> Vec<Copy> {
        let arrivals = self.arrivals();
        arrivals.iter().flat_map(|mail| copies(&mail.to, &mail.message)).collect()
    }
}

impl FarEnd for FakeMta {
    fn copies(&self) -> Vec<Copy> {
        self.received().iter().flat_map(|mail| copies(&mail.recipients, &mail.message)).collect()
    }
}

fn copies(to: &[String], message: &[u8]) -> Vec<Copy> {
    let Some(id) = message_id(message).filter(|id| id.contains(".load.")) else { return Vec::new() };
    to.iter().map(|to| (to.clone(), id.clone())).collect()
}

/// The Message-ID of the mail itself, not of one that it reports on.
fn message_id(message: &[u8]) -> Option<String> {
    let header = String::from_utf8_lossy(message).split("\r\n\r\n").next()?.to_owned();
    header.lines().find_map(|line| line.strip_prefix("Message-ID: <")?.strip_suffix('>').map(str::to_owned))
}

/// The copies in the spool of a gateway that is dead. Reads a copy of the files, so that the next start finds what the
/// dead one left.
pub(crate) async fn spooled(data_dir: &Path) -> Vec<Copy> {
    spooled_in(data_dir, postgres::database(data_dir.parent().expect("is in one")).as_ref()).await
}

/// The same of any database.
pub(crate) async fn spooled_in(data_dir: &Path, database: Option<&DatabaseSettings>) -> Vec<Copy> {
    let place = tempfile::tempdir().expect("a directory");
    for entry in std::fs::read_dir(data_dir).expect("a data directory") {
        let path = entry.expect("a file").path();
        // The index of the write-ahead log is made anew from it. On a server the journal goes into the ledger itself, by nobody else.
        if path.extension().is_none_or(|end| end != "sqlite-shm") && !(database.is_some() && path.ends_with("journal")) {
            std::fs::copy(&path, place.path().join(path.file_name().expect("a name"))).expect("copies");
        }
    }
    let store = Store::open_on(place.path(), database).await.expect("what a dead gateway leaves opens");
    let mut found = Vec::new();
    for copy in store.spool_copies(u32::MAX).await.expect("reads") {
        let message = store.spooled(copy.id.message).await.expect("reads").expect("a copy has its message");
        found.extend(copies(&[copy.recipient.address.as_str().to_owned()], &message.original));
    }
    store.close().await;
    found
}
