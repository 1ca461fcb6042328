-- Mail that was taken and waits for the outbound MTA, or for a person. A schema of its own: what waits here is no part of
-- the ledger's backups, and a campaign that waits does not blow the ledger up.
--
-- `head` (sender, trace) and `original` (the message as received) are sealed under the spool key.
CREATE TABLE message (
    id        BYTEA NOT NULL PRIMARY KEY,
    stream    TEXT NOT NULL,
    queued_at BIGINT NOT NULL,
    size      BIGINT NOT NULL,
    head      BYTEA NOT NULL,
    original  BYTEA NOT NULL
);

-- One row per recipient; it goes when the copy is settled, and the message with its last copy. `lane`: 0 before 1, so that
-- no receipt waits behind a campaign. `fingerprint` knows the copy when its client sends it again (M-08). `sealed`: the
-- recipient, what was decided, the MTA's last words. `lease_owner`: the gateway that delivers it, until `lease_until` by the clock
-- of this server; it says so again and again while it lives, and when it is dead the others deliver.
CREATE TABLE copy (
    message     BYTEA NOT NULL REFERENCES message (id),
    number      BIGINT NOT NULL,
    lane        BIGINT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'uncertain', 'held')),
    next_at     BIGINT NOT NULL,
    attempts    BIGINT NOT NULL,
    decision    BYTEA,
    fingerprint BYTEA,
    sealed      BYTEA NOT NULL,
    lease_owner BYTEA,
    lease_until BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (message, number)
);
CREATE INDEX copy_due ON copy (lane, next_at);
CREATE INDEX copy_held ON copy (message, number) WHERE state = 'held';

-- The last commit of each process that writes here, in the same transaction: when the connection is lost before the answer
-- comes, it tells whether what clients wait for is durable. Rows of processes that crashed stay; they say nothing.
CREATE TABLE writer (
    id     BYTEA NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
);
