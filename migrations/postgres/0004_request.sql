-- The register of requests by persons (GDPR Art. 12). `subject`: NULL for somebody nothing is on record about. `due` (the last
-- day, by its beginning) and `state` (open, answered, refused) are derived from the steps and written with them.
CREATE TABLE request (
    id         BYTEA NOT NULL PRIMARY KEY,
    subject    BYTEA,
    controller TEXT NOT NULL,
    kind       TEXT NOT NULL,
    door       TEXT NOT NULL,
    received   BIGINT NOT NULL,
    due        BIGINT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('open', 'answered', 'refused')),
    closed     BIGINT
);
-- What must be answered next.
CREATE INDEX request_open ON request (due) WHERE state = 'open';
CREATE INDEX request_of_subject ON request (subject, controller);
-- What is to be erased when its time has come.
CREATE INDEX request_closed ON request (closed) WHERE closed IS NOT NULL;

-- What was done about it, in order. `handler`: login name, or name of an API token. `note` is sealed under the person's evidence
-- key, and goes with it; of somebody nothing is on record about, under the ledger key.
CREATE TABLE request_step (
    request BYTEA NOT NULL REFERENCES request (id),
    seq     BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    step    TEXT NOT NULL,
    handler TEXT,
    note    BYTEA,
    PRIMARY KEY (request, seq)
);
CREATE TRIGGER request_step_is_not_changed BEFORE UPDATE ON request_step FOR EACH ROW EXECUTE FUNCTION append_only('request_step');

-- Retention takes what is closed; and a step is the next of its request.
CREATE FUNCTION request_step_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.seq <> 1 + coalesce((SELECT max(seq) FROM request_step WHERE request = NEW.request), 0) THEN
            RAISE EXCEPTION 'request_step: not the next in order';
        END IF;
        RETURN NEW;
    END IF;
    IF EXISTS (SELECT 1 FROM request WHERE id = OLD.request AND state = 'open') THEN
        RAISE EXCEPTION 'request_step: append-only';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER request_step_is_appended BEFORE INSERT OR DELETE ON request_step FOR EACH ROW EXECUTE FUNCTION request_step_is_kept();
CREATE TRIGGER request_is_not_deleted BEFORE DELETE ON request FOR EACH ROW WHEN (OLD.state = 'open') EXECUTE FUNCTION append_only('request');
