-- Changing a rule: simulated on recorded decisions, approved by a second person, then in force. Append-only.

-- The rules that were in force, the last one is. `id` is the SHA-256 of `text`. `how`: first_start, approved (then `approval`
-- names it) or tightened (then `reason` says why, sealed under the ledger key).
CREATE TABLE rules (
    seq       BIGINT NOT NULL PRIMARY KEY,
    id        BYTEA NOT NULL,
    text      TEXT NOT NULL,
    at        BIGINT NOT NULL,
    how       TEXT NOT NULL,
    approval  BIGINT,
    reason    BYTEA
);

-- What rules would have changed. `follows`: `rules.seq` of those in force then, 0 before the first: a change is judged
-- against what it replaces, so it is simulated and approved anew when others came into force. `summary`: the figures as JSON;
-- nothing personal.
CREATE TABLE simulation (
    seq           BIGINT NOT NULL PRIMARY KEY,
    rules         BYTEA NOT NULL,
    text          TEXT NOT NULL,
    follows       BIGINT NOT NULL,
    since         BIGINT NOT NULL,
    until         BIGINT NOT NULL,
    number        BIGINT NOT NULL,
    newly_passed  BIGINT NOT NULL,
    newly_blocked BIGINT NOT NULL,
    summary       TEXT NOT NULL,
    ran_by        BYTEA NOT NULL REFERENCES operator (id),
    at            BIGINT NOT NULL
);
CREATE INDEX simulation_of_rules ON simulation (rules, follows);

-- A risk decision on rules (S0-28), in the role the operator had. `reason` is sealed under the ledger key.
CREATE TABLE approval (
    seq      BIGINT NOT NULL PRIMARY KEY,
    rules    BYTEA NOT NULL,
    follows  BIGINT NOT NULL,
    operator BYTEA NOT NULL REFERENCES operator (id),
    role     TEXT NOT NULL,
    reason   BYTEA NOT NULL,
    at       BIGINT NOT NULL
);
CREATE INDEX approval_of_rules ON approval (rules, follows);
ALTER TABLE rules ADD FOREIGN KEY (approval) REFERENCES approval (seq);
CREATE TRIGGER rules_is_appended BEFORE INSERT ON rules FOR EACH ROW EXECUTE FUNCTION is_next_in_order();
CREATE TRIGGER rules_is_not_changed BEFORE UPDATE OR DELETE ON rules FOR EACH ROW EXECUTE FUNCTION append_only('rules');
CREATE TRIGGER rules_is_not_emptied BEFORE TRUNCATE ON rules FOR EACH STATEMENT EXECUTE FUNCTION append_only('rules');
CREATE TRIGGER simulation_is_appended BEFORE INSERT ON simulation FOR EACH ROW EXECUTE FUNCTION is_next_in_order();
CREATE TRIGGER simulation_is_not_changed BEFORE UPDATE OR DELETE ON simulation FOR EACH ROW EXECUTE FUNCTION append_only('simulation');
CREATE TRIGGER simulation_is_not_emptied BEFORE TRUNCATE ON simulation FOR EACH STATEMENT EXECUTE FUNCTION append_only('simulation');
CREATE TRIGGER approval_is_appended BEFORE INSERT ON approval FOR EACH ROW EXECUTE FUNCTION is_next_in_order();
CREATE TRIGGER approval_is_not_changed BEFORE UPDATE OR DELETE ON approval FOR EACH ROW EXECUTE FUNCTION append_only('approval');
CREATE TRIGGER approval_is_not_emptied BEFORE TRUNCATE ON approval FOR EACH STATEMENT EXECUTE FUNCTION append_only('approval');
