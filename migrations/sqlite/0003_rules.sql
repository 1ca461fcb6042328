-- Changing a rule: simulated on recorded decisions, approved by a second person, then in force. Append-only.

-- The rules that were in force, the last one is. `id` is the SHA-256 of `text`. `how`: first_start, approved (then `approval`
-- names it) or tightened (then `reason` says why, sealed under the ledger key).
CREATE TABLE rules (
    seq       INTEGER NOT NULL PRIMARY KEY,
    id        BLOB NOT NULL,
    text      TEXT NOT NULL,
    at        INTEGER NOT NULL,
    how       TEXT NOT NULL,
    approval  INTEGER REFERENCES approval (seq),
    reason    BLOB
);

-- What rules would have changed. `follows`: `rules.seq` of those in force then, 0 before the first: a change is judged
-- against what it replaces, so it is simulated and approved anew when others came into force. `summary`: the figures as JSON;
-- nothing personal.
CREATE TABLE simulation (
    seq           INTEGER NOT NULL PRIMARY KEY,
    rules         BLOB NOT NULL,
    text          TEXT NOT NULL,
    follows       INTEGER NOT NULL,
    since         INTEGER NOT NULL,
    until         INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    newly_passed  INTEGER NOT NULL,
    newly_blocked INTEGER NOT NULL,
    summary       TEXT NOT NULL,
    ran_by        BLOB NOT NULL REFERENCES operator (id),
    at            INTEGER NOT NULL
);
CREATE INDEX simulation_of_rules ON simulation (rules, follows);

-- A risk decision on rules (S0-28), in the role the operator had. `reason` is sealed under the ledger key.
CREATE TABLE approval (
    seq      INTEGER NOT NULL PRIMARY KEY,
    rules    BLOB NOT NULL,
    follows  INTEGER NOT NULL,
    operator BLOB NOT NULL REFERENCES operator (id),
    role     TEXT NOT NULL,
    reason   BLOB NOT NULL,
    at       INTEGER NOT NULL
);
CREATE INDEX approval_of_rules ON approval (rules, follows);

CREATE TRIGGER rules_is_appended BEFORE INSERT ON rules
WHEN NEW.seq <> 1 + coalesce((SELECT max(seq) FROM rules), 0)
BEGIN SELECT RAISE(ABORT, 'rules: not the next in order'); END;
CREATE TRIGGER rules_is_not_changed BEFORE UPDATE ON rules BEGIN SELECT RAISE(ABORT, 'rules: append-only'); END;
CREATE TRIGGER rules_is_not_deleted BEFORE DELETE ON rules BEGIN SELECT RAISE(ABORT, 'rules: append-only'); END;
CREATE TRIGGER simulation_is_appended BEFORE INSERT ON simulation
WHEN NEW.seq <> 1 + coalesce((SELECT max(seq) FROM simulation), 0)
BEGIN SELECT RAISE(ABORT, 'simulation: not the next in order'); END;
CREATE TRIGGER simulation_is_not_changed BEFORE UPDATE ON simulation BEGIN SELECT RAISE(ABORT, 'simulation: append-only'); END;
CREATE TRIGGER simulation_is_not_deleted BEFORE DELETE ON simulation BEGIN SELECT RAISE(ABORT, 'simulation: append-only'); END;
CREATE TRIGGER approval_is_appended BEFORE INSERT ON approval
WHEN NEW.seq <> 1 + coalesce((SELECT max(seq) FROM approval), 0)
BEGIN SELECT RAISE(ABORT, 'approval: not the next in order'); END;
CREATE TRIGGER approval_is_not_changed BEFORE UPDATE ON approval BEGIN SELECT RAISE(ABORT, 'approval: append-only'); END;
CREATE TRIGGER approval_is_not_deleted BEFORE DELETE ON approval BEGIN SELECT RAISE(ABORT, 'approval: append-only'); END;
