-- The office: who may enter the admin pages, who is in, and what they did there.

-- An operator's login name is unique, their id is what other rows name. `password` is an argon2id hash in PHC format;
-- `totp` (the secret of RFC 6238) is sealed under the ledger key, and `totp_step` is the last time step a code was taken for,
-- so that each code works once. `failures` counts the attempts since the last full login, counted before they are
-- checked, so that many at the same time cannot outrun the lock; `failed_at` is the last one, since failures are forgotten
-- one by one. One place counts here only so often that it alone locks nobody out: see `place`.
-- Operators are disabled, never deleted: the audit log names them.
CREATE TABLE operator (
    id           BYTEA NOT NULL PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    password     TEXT NOT NULL,
    role         TEXT NOT NULL,
    totp         BYTEA,
    totp_step    BIGINT,
    failures     BIGINT NOT NULL DEFAULT 0,
    failed_at    BIGINT NOT NULL DEFAULT 0,
    locked_until BIGINT NOT NULL DEFAULT 0,
    disabled     BOOLEAN NOT NULL DEFAULT FALSE,
    created      BIGINT NOT NULL
);

-- From where somebody tried to enter an account, by the keyed hash of the network; empty where it cannot be told. Each has
-- failures and a lock of its own. `known_until`: the operator came in from there, so what others do does not concern it.
CREATE TABLE place (
    operator     BYTEA NOT NULL REFERENCES operator (id),
    network      BYTEA NOT NULL,
    failures     BIGINT NOT NULL,
    failed_at    BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    known_until  BIGINT NOT NULL,
    PRIMARY KEY (operator, network)
);

-- Sessions, by the keyed hash of their random token: who reads this table cannot enter. `stage` says whether the second
-- factor is still to come; `enrolment` is a TOTP secret that was shown and not yet proved, sealed under the ledger key.
CREATE TABLE session (
    token     BYTEA NOT NULL PRIMARY KEY,
    operator  BYTEA NOT NULL REFERENCES operator (id),
    stage     TEXT NOT NULL,
    enrolment BYTEA,
    created   BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    ends      BIGINT NOT NULL
);
CREATE INDEX session_of_operator ON session (operator, created);

-- What operators did (L-TOM-02). `operator` is NULL for the command line. `object` is the id of a decision, a subject or
-- an operator, as `object_kind` says; never an address. People write names into `reason`: sealed under the ledger key.
CREATE TABLE audit (
    seq         BIGINT NOT NULL PRIMARY KEY,
    at          BIGINT NOT NULL,
    operator    BYTEA REFERENCES operator (id),
    deed        TEXT NOT NULL,
    object_kind TEXT,
    object      BYTEA,
    reason      BYTEA
);
CREATE TRIGGER operator_is_not_deleted BEFORE DELETE ON operator FOR EACH ROW EXECUTE FUNCTION append_only('operator');

CREATE FUNCTION is_next_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last BIGINT;
BEGIN
    EXECUTE format('SELECT coalesce(max(seq), 0) FROM %I', TG_TABLE_NAME) INTO last;
    IF NEW.seq <> last + 1 THEN
        RAISE EXCEPTION '%: not the next in order', TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_is_appended BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION is_next_in_order();
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION append_only('audit');
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION append_only('audit');
