-- The ledger. Times are milliseconds since 1970 UTC; ids and keys are BLOBs; topics are names joined by a
-- space. Tables have no rowid: the key is the place, so that one search finds a row.
--
-- What is never changed is protected by triggers: not against an attacker, who could drop them, but against
-- our own mistakes (I7). Erasure works on the data keys, which live in a database of their own.

-- What the hot path reads: one search by the keyed hash of the address (E-12) answers it. `state` is the fold of
-- the subject's events, kept as JSON and rebuilt at will; `key` and `subject` are not derived from anything.
-- `contacted`: when each controller last sent advertising ({controller: time}), written once in 30 days; no event.
-- A person we only decided about has a row here too (seq 0, state '{}') and an address nowhere.
CREATE TABLE standing (
    key     BLOB NOT NULL PRIMARY KEY,
    subject BLOB NOT NULL UNIQUE,
    seq     INTEGER NOT NULL,
    state   TEXT NOT NULL,
    contacted TEXT NOT NULL
) WITHOUT ROWID;

-- Contact data of those who gave it, sealed under the subject's contact key.
CREATE TABLE subject (
    id      BLOB NOT NULL PRIMARY KEY REFERENCES standing (subject),
    address BLOB NOT NULL,
    created INTEGER NOT NULL
) WITHOUT ROWID;

-- Texts and pages as people saw them, by SHA-256 (R-03): consent texts, sign-up forms, the page with the confirm button.
-- Evidence names the id, so a text is stored once and cannot be exchanged behind the evidence. Nothing personal in it.
CREATE TABLE text_version (
    id   BLOB NOT NULL PRIMARY KEY,
    text TEXT NOT NULL
) WITHOUT ROWID;

-- What happened. The order is seq, not the clock (R-08). `channel`: email, phone, post or tracking. `ends`: of a pause.
-- `fact`: what another system told (JSON), nothing that names a person. `evidence` is sealed under the subject's evidence key.
CREATE TABLE event (
    subject    BLOB NOT NULL REFERENCES standing (subject),
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    controller TEXT NOT NULL,
    channel    TEXT NOT NULL,
    topics     TEXT NOT NULL,
    source     TEXT NOT NULL,
    opt_in     BLOB,
    answers    INTEGER,
    ends       INTEGER,
    fact       TEXT,
    evidence   BLOB,
    PRIMARY KEY (subject, seq)
) WITHOUT ROWID;

-- How many events an hour had, for charts, written with them. `answered` counts those that were confirmed later: of the
-- sign-ups of that hour, how many people completed the double opt-in.
CREATE TABLE event_tally (
    hour       INTEGER NOT NULL,
    controller TEXT NOT NULL,
    kind       TEXT NOT NULL,
    number     INTEGER NOT NULL,
    answered   INTEGER NOT NULL,
    PRIMARY KEY (hour, controller, kind)
) WITHOUT ROWID;

-- What other systems told with an id of their own, so that what is told twice is recorded once. Both are keyed hashes: of who
-- told and the id, and of what was told, so that an id that is used for something else is found out. Kept for ever: an old no
-- that is told again must not undo a newer yes.
CREATE TABLE told (
    id      BLOB NOT NULL PRIMARY KEY,
    content BLOB NOT NULL
) WITHOUT ROWID;

-- Suppressions hang on the keyed hash, not on the subject: they survive its erasure (L-OBJ-07). An empty topic
-- means all of the controller's marketing; NULL cannot be part of a key.
CREATE TABLE suppression (
    key        BLOB NOT NULL,
    controller TEXT NOT NULL,
    topic      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (key, controller, topic)
) WITHOUT ROWID;

-- Double opt-ins in progress and done. The token is a keyed hash: who reads this table cannot confirm. `tracking_seq`: the
-- request to be measured that goes along, if any. A row that was never confirmed goes with the address (L-DOI-04).
CREATE TABLE opt_in (
    token         BLOB NOT NULL PRIMARY KEY,
    id            BLOB NOT NULL UNIQUE,
    subject       BLOB NOT NULL REFERENCES standing (subject),
    controller    TEXT NOT NULL,
    topics        TEXT NOT NULL,
    requested_seq INTEGER NOT NULL,
    requested_at  INTEGER NOT NULL,
    tracking_seq  INTEGER,
    language      TEXT NOT NULL,
    stage         TEXT NOT NULL
) WITHOUT ROWID;
-- Rate limits count by it (L-DOI-05).
CREATE INDEX opt_in_of_subject ON opt_in (subject, controller, requested_at);

-- What is to be erased when its time has come.
CREATE INDEX opt_in_pending ON opt_in (requested_at) WHERE stage = 'pending';

-- Links that prove who reads a mailbox, for an hour: sent on request, to see and change what is stored about oneself.
-- The token is a keyed hash. `decision`: of the mail whose link was used to ask.
CREATE TABLE access_link (
    token      BLOB NOT NULL PRIMARY KEY,
    subject    BLOB NOT NULL REFERENCES standing (subject),
    controller TEXT NOT NULL,
    topic      TEXT NOT NULL,
    decision   BLOB NOT NULL,
    created    INTEGER NOT NULL
) WITHOUT ROWID;
-- Rate limits count by it.
CREATE INDEX access_link_of_subject ON access_link (subject, controller, created);
-- What is to be erased when its time has come.
CREATE INDEX access_link_created ON access_link (created);

-- The gateway's own letters that wait for the outbound MTA: confirmation mails (`opt_in`) and access links. `mail` (envelope
-- and message) is sealed under the subject's contact key, so that erasure reaches it; the row goes when the mail is done.
CREATE TABLE letter (
    id        BLOB NOT NULL PRIMARY KEY,
    subject   BLOB NOT NULL REFERENCES standing (subject),
    opt_in    BLOB REFERENCES opt_in (id),
    mail      BLOB NOT NULL,
    queued_at INTEGER NOT NULL,
    next_at   INTEGER NOT NULL,
    attempts  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX letter_due ON letter (next_at);
-- Erasure takes a person's mails along; without these it would go through all that wait.
CREATE INDEX letter_of_subject ON letter (subject);
CREATE INDEX letter_of_opt_in ON letter (opt_in);

-- One row per message and recipient, written before the message can leave (I1, E-13). Ids begin with the time, so
-- rows are appended at the end of the tree. The recipient is the subject; its keyed hash stands in `standing` only.
-- `profile`: the policy profile that had the last word. `shadowed`: what would have been said, where the stream is only watched.
-- `named_topic` is what the message or stream said, `topic` what was decided on. `steps` is why the class is
-- what it is: [[trust, class, why], ...]. `copy` is a keyed hash by which the mail is known when its client sends it
-- again (M-08); null for one without Message-ID. `rules` and `footer`: the first octets of the SHA-256 of the rules that it followed
-- (`rules.id`) and of the footer that the copy got (`text_version.id`).
CREATE TABLE decision (
    id          BLOB NOT NULL PRIMARY KEY,
    at          INTEGER NOT NULL,
    stream      TEXT NOT NULL,
    controller  TEXT NOT NULL,
    subject     BLOB NOT NULL,
    class       TEXT NOT NULL,
    named_topic TEXT,
    campaign    TEXT,
    steps       TEXT NOT NULL,
    topic       TEXT,
    reason      TEXT NOT NULL,
    folded_from INTEGER NOT NULL,
    event       INTEGER,
    profile     TEXT,
    shadowed    TEXT,
    message     BLOB,
    size        INTEGER NOT NULL,
    copy        BLOB,
    rules       BLOB,
    footer      BLOB
) WITHOUT ROWID;

-- What the decision log is searched by. All of it is derived from `decision` and written in the same commit, so it is
-- exact; and all of it is appended, or changed within few pages: an ordinary index would dirty a page of its own for every
-- decision, and that page would be most of what a commit costs.
--
-- The combinations that occur. An empty topic or campaign means none; the character U+0001 in both means any: a day has
-- room for so many pairs of them, because senders name them.
CREATE TABLE mix (
    id         INTEGER PRIMARY KEY,
    stream     TEXT NOT NULL,
    controller TEXT NOT NULL,
    class      TEXT NOT NULL,
    topic      TEXT NOT NULL,
    campaign   TEXT NOT NULL,
    reason     TEXT NOT NULL,
    UNIQUE (campaign, topic, stream, reason, class, controller)
);
-- In which minutes of an hour a combination occurs, as a set of bits. Hours and minutes are those of the decision's id,
-- so that each is a range of ids. The index is touched only by an hour's first decision of a combination.
CREATE TABLE tally (
    hour    INTEGER NOT NULL,
    mix     INTEGER NOT NULL REFERENCES mix (id),
    minutes INTEGER NOT NULL,
    PRIMARY KEY (hour, mix)
) WITHOUT ROWID;
CREATE INDEX tally_of_mix ON tally (mix, hour);
-- How many there were in an hour, for charts and totals.
CREATE TABLE volume (
    hour       INTEGER NOT NULL,
    stream     TEXT NOT NULL,
    controller TEXT NOT NULL,
    class      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    number     INTEGER NOT NULL,
    PRIMARY KEY (hour, stream, controller, class, reason)
) WITHOUT ROWID;
-- A person's decisions (GDPR Art. 15). The recorder raises `run` after some thousand decisions: what is written lies
-- within one run's few pages, and a look-up is one search per run.
CREATE TABLE decision_of_subject (
    run      INTEGER NOT NULL,
    subject  BLOB NOT NULL,
    decision BLOB NOT NULL,
    PRIMARY KEY (run, subject, decision)
) WITHOUT ROWID;

-- What became of the copy. A row of its own, so that decisions are never changed. The MTA's words are sealed under the
-- ledger key, without what looked like an address: erasing a person does not reach them.
CREATE TABLE outcome (
    decision BLOB NOT NULL PRIMARY KEY,
    at       INTEGER NOT NULL,
    word     TEXT NOT NULL,
    code     INTEGER,
    text     BLOB NOT NULL
) WITHOUT ROWID;

-- The tool's own List-Unsubscribe, which ours replaced, to pass a withdrawal on to it. May be personal: sealed
-- under the ledger key, and deletable.
CREATE TABLE tool_unsubscribe (
    decision BLOB NOT NULL PRIMARY KEY,
    value    BLOB NOT NULL
) WITHOUT ROWID;

-- Bearer tokens of machines, as keyed hashes. Scopes are joined by a space.
CREATE TABLE api_token (
    secret  BLOB NOT NULL PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    scopes  TEXT NOT NULL,
    created INTEGER NOT NULL
) WITHOUT ROWID;

-- Runs that destroyed evidence at the end of its retention (E-15): how many, and nobody's name. `next`: the subject after which
-- the next run goes on, a random id; NULL when all were looked at.
CREATE TABLE evidence_run (
    seq       INTEGER NOT NULL PRIMARY KEY,
    at        INTEGER NOT NULL,
    looked_at INTEGER NOT NULL,
    destroyed INTEGER NOT NULL,
    next      BLOB
);
CREATE TRIGGER evidence_run_is_not_changed BEFORE UPDATE ON evidence_run BEGIN SELECT RAISE(ABORT, 'evidence_run: append-only'); END;
CREATE TRIGGER evidence_run_is_not_deleted BEFORE DELETE ON evidence_run BEGIN SELECT RAISE(ABORT, 'evidence_run: append-only'); END;

-- What a person said that a mail was whose class was in doubt, or whose class somebody appealed against (L-AD-07): to measure the model by,
-- and to learn from; it changes no decision. `steps`: as in `decision`. `figures`: what the model made of the mail (JSON), where it
-- was still there. Neither words nor people are in it.
CREATE TABLE label (
    decision BLOB NOT NULL PRIMARY KEY,
    at       INTEGER NOT NULL,
    stream   TEXT NOT NULL,
    class    TEXT NOT NULL,
    steps    TEXT NOT NULL,
    figures  TEXT
) WITHOUT ROWID;
-- How many people get the same text, as each gateway counts it: `people` is a set of bits that thousands share. `ends`: when nobody
-- asks any more.
CREATE TABLE crowd (
    gateway BLOB NOT NULL,
    stream  TEXT NOT NULL,
    span    INTEGER NOT NULL,
    seconds INTEGER NOT NULL,
    sketch  BLOB NOT NULL,
    people  BLOB NOT NULL,
    mails   INTEGER NOT NULL,
    own     INTEGER NOT NULL,
    alike   INTEGER NOT NULL,
    ends    INTEGER NOT NULL,
    PRIMARY KEY (gateway, stream, span, seconds, sketch)
) WITHOUT ROWID;

-- Facts about this ledger; `check` tells whether a key file is the one it was written with.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- A subject's events have no gaps and nothing is put in their place, not even by INSERT OR REPLACE.
CREATE TRIGGER event_is_appended BEFORE INSERT ON event
WHEN NEW.seq <> 1 + coalesce((SELECT max(seq) FROM event WHERE subject = NEW.subject), 0)
BEGIN SELECT RAISE(ABORT, 'event: not the next in order'); END;
CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'event: append-only'); END;
CREATE TRIGGER event_is_not_deleted BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'event: append-only'); END;

CREATE TRIGGER text_version_is_not_changed BEFORE UPDATE ON text_version BEGIN SELECT RAISE(ABORT, 'text_version: append-only'); END;
CREATE TRIGGER text_version_is_not_deleted BEFORE DELETE ON text_version BEGIN SELECT RAISE(ABORT, 'text_version: append-only'); END;

CREATE TRIGGER label_is_not_changed BEFORE UPDATE ON label BEGIN SELECT RAISE(ABORT, 'label: append-only'); END;
CREATE TRIGGER label_is_not_deleted BEFORE DELETE ON label BEGIN SELECT RAISE(ABORT, 'label: append-only'); END;

CREATE TRIGGER decision_is_not_changed BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'decision: append-only'); END;
CREATE TRIGGER decision_is_not_deleted BEFORE DELETE ON decision BEGIN SELECT RAISE(ABORT, 'decision: append-only'); END;

CREATE TRIGGER outcome_is_not_changed BEFORE UPDATE ON outcome BEGIN SELECT RAISE(ABORT, 'outcome: append-only'); END;
CREATE TRIGGER outcome_is_not_deleted BEFORE DELETE ON outcome BEGIN SELECT RAISE(ABORT, 'outcome: append-only'); END;

-- INSERT OR REPLACE deletes without asking the triggers on DELETE. What is there already is never put in anew.
CREATE TRIGGER text_version_is_not_replaced BEFORE INSERT ON text_version
WHEN EXISTS (SELECT 1 FROM text_version WHERE id = NEW.id AND text IS NOT NEW.text)
BEGIN SELECT RAISE(ABORT, 'text_version: append-only'); END;
CREATE TRIGGER decision_is_not_replaced BEFORE INSERT ON decision
WHEN EXISTS (SELECT 1 FROM decision WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'decision: append-only'); END;
-- The first outcome of a decision stays.
CREATE TRIGGER outcome_is_not_replaced BEFORE INSERT ON outcome
WHEN EXISTS (SELECT 1 FROM outcome WHERE decision = NEW.decision)
BEGIN SELECT RAISE(IGNORE); END;
