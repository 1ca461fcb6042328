-- The register of requests by persons (GDPR Art. 12). `subject`: NULL for somebody nothing is on record about. `due` (the last
-- day, by its beginning) and `state` (open, answered, refused) are derived from the steps and written with them.
CREATE TABLE request (
    id         BLOB NOT NULL PRIMARY KEY,
    subject    BLOB,
    controller TEXT NOT NULL,
    kind       TEXT NOT NULL,
    door       TEXT NOT NULL,
    received   INTEGER NOT NULL,
    due        INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('open', 'answered', 'refused')),
    closed     INTEGER
) WITHOUT ROWID;
-- What must be answered next.
CREATE INDEX request_open ON request (due) WHERE state = 'open';
CREATE INDEX request_of_subject ON request (subject, controller);
-- What is to be erased when its time has come.
CREATE INDEX request_closed ON request (closed) WHERE closed IS NOT NULL;

-- What was done about it, in order. `handler`: login name, or name of an API token. `note` is sealed under the person's evidence
-- key, and goes with it; of somebody nothing is on record about, under the ledger key.
CREATE TABLE request_step (
    request BLOB NOT NULL REFERENCES request (id),
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    step    TEXT NOT NULL,
    handler TEXT,
    note    BLOB,
    PRIMARY KEY (request, seq)
) WITHOUT ROWID;
CREATE TRIGGER request_step_is_appended BEFORE INSERT ON request_step
WHEN NEW.seq <> 1 + coalesce((SELECT max(seq) FROM request_step WHERE request = NEW.request), 0)
BEGIN SELECT RAISE(ABORT, 'request_step: not the next in order'); END;
CREATE TRIGGER request_step_is_not_changed BEFORE UPDATE ON request_step BEGIN SELECT RAISE(ABORT, 'request_step: append-only'); END;
-- Retention takes what is closed.
CREATE TRIGGER request_step_is_not_deleted BEFORE DELETE ON request_step
WHEN EXISTS (SELECT 1 FROM request WHERE id = OLD.request AND state = 'open')
BEGIN SELECT RAISE(ABORT, 'request_step: append-only'); END;
CREATE TRIGGER request_is_not_deleted BEFORE DELETE ON request
WHEN OLD.state = 'open' BEGIN SELECT RAISE(ABORT, 'request: append-only'); END;
