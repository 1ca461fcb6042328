//! The local journal (M-60): decisions on plain transactional mail that the ledger could not take, sealed in a file beside it
//! until it can. Knows records, not decisions; when to use it is `decision`'s business.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use crate::crypto::Keyring;
use crate::entropy::random;

/// Octets that the file may have: some hundred thousand decisions.
const LIMIT: u64 = 256 * 1024 * 1024;

/// Where a sealed record belongs.
const CONTEXT: &[u8] = b"journal\0";

/// The file. A record is its length (four octets, big-endian) and the sealed octets; one that a crash cut off was promised to
/// nobody.
pub(super) struct Journal {
    file: File,
    keyring: Arc<Keyring>,
    /// Where the next record that is not in the ledger begins.
    begin: u64,
    /// Where the last whole record ends.
    end: u64,
    /// Records between the two.
    waiting: u64,
}

impl Journal {
    /// Opens the file, made where missing (0600); what a crash cut off is cut off.
    pub(super) fn open(path: &Path, keyring: Arc<Keyring>) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mut journal = Self { file, keyring, begin: 0, end: 0, waiting: 0 };
        let length = journal.file.metadata()?.len();
        while let Some(next) = journal.step(journal.end, length)? {
            journal.end = next;
            journal.waiting += 1;
        }
        if journal.end < length {
            tracing::warn!(octets = length - journal.end, "the journal ended within a record");
            journal.file.set_len(journal.end)?;
        }
        Ok(journal)
    }

    /// Records that wait for the ledger.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Puts records in, all or none; durable when this returns.
    pub(super) fn append(&mut self, records: &[String]) -> io::Result<()> {
        let mut octets = Vec::new();
        for record in records {
            let sealed = self.keyring.ledger_key().seal(random(), CONTEXT, record.as_bytes());
            let length = u32::try_from(sealed.len()).map_err(io::Error::other)?;
            octets.extend_from_slice(&length.to_be_bytes());
            octets.extend_from_slice(&sealed);
        }
        let end = self.end + octets.len() as u64;
        if end > LIMIT {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the journal is full"));
        }
        let written =
            self.file.seek(SeekFrom::Start(self.end)).and_then(|_| self.file.write_all(&octets)).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.end = end;
                self.waiting += records.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Half a record in front of the next one would hide it.
                let _ = self.file.set_len(self.end);
                Err(error)
            }
        }
    }

    /// The records that have waited longest, at most `most`, and where they end, for [`Journal::done`].
    pub(super) fn next(&mut self, most: u64) -> io::Result<(Vec<String>, u64)> {
        let (mut records, mut at) = (Vec::new(), self.begin);
        while (records.len() as u64) < most
            && let Some(next) = self.step(at, self.end)?
        {
            let mut sealed = vec![0; usize::try_from(next - at - 4).map_err(io::Error::other)?];
            self.file.seek(SeekFrom::Start(at + 4))?;
            self.file.read_exact(&mut sealed)?;
            let plain = self.keyring.ledger_key().open(CONTEXT, &sealed);
            let plain = plain.and_then(|plain| String::from_utf8(plain.to_vec()).ok());
            records.push(plain.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a record of the journal cannot be opened"))?);
            at = next;
        }
        Ok((records, at))
    }

    /// The ledger has that many records, up to there. The file is emptied with the last one; until then a crash makes them come
    /// again.
    pub(super) fn done(&mut self, records: u64, up_to: u64) -> io::Result<()> {
        self.begin = up_to;
        self.waiting -= records;
        if self.begin == self.end {
            self.file.set_len(0)?;
            self.file.sync_data()?;
            (self.begin, self.end) = (0, 0);
        }
        Ok(())
    }

    /// Where the record ends that begins at `at`; `None` where no whole one does.
    fn step(&mut self, at: u64, length: u64) -> io::Result<Option<u64>> {
        if at + 4 > length {
            return Ok(None);
        }
        let mut head = [0; 4];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut head)?;
        let next = at + 4 + u64::from(u32::from_be_bytes(head));
        Ok((next <= length).then_some(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring() -> Arc<Keyring> {
        Arc::new(Keyring::generate(&[7; Keyring::ENTROPY]))
    }

    fn records(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_is_put_in_comes_out_in_order_after_a_crash_and_goes_when_it_is_done() {
        // M-60
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path, keyring()).expect("opens");
        journal.append(&records(&["one", "two"])).expect("appends");
        journal.append(&records(&["three"])).expect("appends");
        drop(journal);

        // cut off within the fourth
        let mut file = OpenOptions::new().append(true).open(&path).expect("opens");
        file.write_all(&[0, 0, 0, 40, 1, 2, 3]).expect("writes");
        let mut journal = Journal::open(&path, keyring()).expect("opens");
        assert_eq!(journal.waiting(), 3);
        let (first, up_to) = journal.next(2).expect("reads");
        assert_eq!(first, ["one", "two"]);
        journal.done(2, up_to).expect("forgets");
        journal.append(&records(&["four"])).expect("appends");
        let (rest, up_to) = journal.next(10).expect("reads");
        assert_eq!((rest, journal.waiting()), (records(&["three", "four"]), 2));
        journal.done(2, up_to).expect("forgets");
        assert_eq!((journal.waiting(), std::fs::metadata(&path).expect("is there").len()), (0, 0));
    }

    #[test]
    fn it_says_nothing_to_those_without_the_key_and_takes_no_record_of_theirs() {
        // I8, S2-06
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("journal");
        let secret = "0123456789abcdef of somebody";
        Journal::open(&path, keyring()).and_then(|mut journal| journal.append(&records(&[secret]))).expect("appends");
        let octets = std::fs::read(&path).expect("is there");
        assert!(!octets.windows(8).any(|window| secret.as_bytes().windows(8).any(|part| part == window)));
        let others = Arc::new(Keyring::generate(&[8; Keyring::ENTROPY]));
        let told = Journal::open(&path, others).and_then(|mut journal| journal.next(1)).expect_err("is sealed");
        assert_eq!(told.kind(), io::ErrorKind::InvalidData);
    }
}
