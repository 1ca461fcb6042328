-- The office: who may enter the admin pages, who is in, and what they did there.

-- An operator's login name is unique, their id is what other rows name. `password` is an argon2id hash in PHC format;
-- `totp` (the secret of RFC 6238) is sealed under the ledger key, and `totp_step` is the last time step a code was taken for,
-- so that each code works once. `failures` counts the attempts since the last full login, counted before they are
-- checked, so that many at the same time cannot outrun the lock; `failed_at` is the last one, since failures are forgotten
-- one by one. One place counts here only so often that it alone locks nobody out: see `place`.
-- Operators are disabled, never deleted: the audit log names them.
CREATE TABLE operator (
    id           BLOB NOT NULL PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    password     TEXT NOT NULL,
    role         TEXT NOT NULL,
    totp         BLOB,
    totp_step    INTEGER,
    failures     INTEGER NOT NULL DEFAULT 0,
    failed_at    INTEGER NOT NULL DEFAULT 0,
    locked_until INTEGER NOT NULL DEFAULT 0,
    disabled     INTEGER NOT NULL DEFAULT 0,
    created      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER operator_is_not_deleted BEFORE DELETE ON operator BEGIN SELECT RAISE(ABORT, 'operator: disable it'); END;

-- From where somebody tried to enter an account, by the keyed hash of the network; empty where it cannot be told. Each has
-- failures and a lock of its own. `known_until`: the operator came in from there, so what others do does not concern it.
CREATE TABLE place (
    operator     BLOB NOT NULL REFERENCES operator (id),
    network      BLOB NOT NULL,
    failures     INTEGER NOT NULL,
    failed_at    INTEGER NOT NULL,
    locked_until INTEGER NOT NULL,
    known_until  INTEGER NOT NULL,
    PRIMARY KEY (operator, network)
) WITHOUT ROWID;

-- Sessions, by the keyed hash of their random token: who reads this table cannot enter. `stage` says whether the second
-- factor is still to come; `enrolment` is a TOTP secret that was shown and not yet proved, sealed under the ledger key.
CREATE TABLE session (
    token     BLOB NOT NULL PRIMARY KEY,
    operator  BLOB NOT NULL REFERENCES operator (id),
    stage     TEXT NOT NULL,
    enrolment BLOB,
    created   INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    ends      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_of_operator ON session (operator, created);

-- What operators did (L-TOM-02). `operator` is NULL for the command line. `object` is the id of a decision, a subject or
-- an operator, as `object_kind` says; never an address. People write names into `reason`: sealed under the ledger key.
CREATE TABLE audit (
    seq         INTEGER NOT NULL PRIMARY KEY,
    at          INTEGER NOT NULL,
    operator    BLOB REFERENCES operator (id),
    deed        TEXT NOT NULL,
    object_kind TEXT,
    object      BLOB,
    reason      BLOB
);
CREATE TRIGGER audit_is_appended BEFORE INSERT ON audit
WHEN NEW.seq <> 1 + coalesce((SELECT max(seq) FROM audit), 0)
BEGIN SELECT RAISE(ABORT, 'audit: not the next in order'); END;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit: append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit: append-only'); END;
