-- Mail that was taken and waits for the outbound MTA, or for a person. A file of its own: what waits here is no part of
-- the ledger's backups, and a campaign that waits does not blow the ledger up.
--
-- `head` (sender, trace) and `original` (the message as received) are sealed under the spool key.
CREATE TABLE message (
    id        BLOB NOT NULL PRIMARY KEY,
    stream    TEXT NOT NULL,
    queued_at INTEGER NOT NULL,
    size      INTEGER NOT NULL,
    head      BLOB NOT NULL,
    original  BLOB NOT NULL
);

-- One row per recipient; it goes when the copy is settled, and the message with its last copy. `lane`: 0 before 1, so that
-- no receipt waits behind a campaign. `fingerprint` knows the copy when its client sends it again (M-08). `sealed`: the
-- recipient, what was decided, the MTA's last words.
CREATE TABLE copy (
    message     BLOB NOT NULL REFERENCES message (id),
    number      INTEGER NOT NULL,
    lane        INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'uncertain', 'held')),
    next_at     INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    decision    BLOB,
    fingerprint BLOB,
    sealed      BLOB NOT NULL,
    PRIMARY KEY (message, number)
) WITHOUT ROWID;
CREATE INDEX copy_due ON copy (lane, next_at);
CREATE INDEX copy_held ON copy (message, number) WHERE state = 'held';
