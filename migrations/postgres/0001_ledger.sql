-- The ledger. Times are milliseconds since 1970 UTC; ids and keys are BYTEA; topics are names joined by a
-- space. Every hot statement searches by the subject, or by the keyed hash that leads to it: the key to distribute by.
--
-- What is never changed is protected by triggers: not against an attacker, who could drop them, but against
-- our own mistakes (I7). Erasure works on the data keys, which live in a database of their own.

-- What the hot path reads: one search by the keyed hash of the address (E-12) answers it. `state` is the fold of
-- the subject's events, kept as JSON and rebuilt at will; `key` and `subject` are not derived from anything.
-- `contacted`: when each controller last sent advertising ({controller: time}), written once in 30 days; no event.
-- A person we only decided about has a row here too (seq 0, state '{}') and an address nowhere.
CREATE TABLE standing (
    key     BYTEA NOT NULL PRIMARY KEY,
    subject BYTEA NOT NULL UNIQUE,
    seq     BIGINT NOT NULL,
    state   TEXT NOT NULL,
    contacted TEXT NOT NULL
);

-- Contact data of those who gave it, sealed under the subject's contact key.
CREATE TABLE subject (
    id      BYTEA NOT NULL PRIMARY KEY REFERENCES standing (subject),
    address BYTEA NOT NULL,
    created BIGINT NOT NULL
);

-- Texts and pages as people saw them, by SHA-256 (R-03): consent texts, sign-up forms, the page with the confirm button.
-- Evidence names the id, so a text is stored once and cannot be exchanged behind the evidence. Nothing personal in it.
CREATE TABLE text_version (
    id   BYTEA NOT NULL PRIMARY KEY,
    text TEXT NOT NULL
);

-- What happened. The order is seq, not the clock (R-08). `channel`: email, phone, post or tracking. `ends`: of a pause.
-- `fact`: what another system told (JSON), nothing that names a person. `evidence` is sealed under the subject's evidence key.
CREATE TABLE event (
    subject    BYTEA NOT NULL REFERENCES standing (subject),
    seq        BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    controller TEXT NOT NULL,
    channel    TEXT NOT NULL,
    topics     TEXT NOT NULL,
    source     TEXT NOT NULL,
    opt_in     BYTEA,
    answers    BIGINT,
    ends       BIGINT,
    fact       TEXT,
    evidence   BYTEA,
    PRIMARY KEY (subject, seq)
);

-- How many events an hour had, for charts, written with them. `answered` counts those that were confirmed later: of the
-- sign-ups of that hour, how many people completed the double opt-in.
CREATE TABLE event_tally (
    hour       BIGINT NOT NULL,
    controller TEXT NOT NULL,
    kind       TEXT NOT NULL,
    number     BIGINT NOT NULL,
    answered   BIGINT NOT NULL,
    PRIMARY KEY (hour, controller, kind)
);

-- What other systems told with an id of their own, so that what is told twice is recorded once. Both are keyed hashes: of who
-- told and the id, and of what was told, so that an id that is used for something else is found out. Kept for ever: an old no
-- that is told again must not undo a newer yes.
CREATE TABLE told (
    id      BYTEA NOT NULL PRIMARY KEY,
    content BYTEA NOT NULL
);

-- Suppressions hang on the keyed hash, not on the subject: they survive its erasure (L-OBJ-07). An empty topic
-- means all of the controller's marketing; NULL cannot be part of a key.
CREATE TABLE suppression (
    key        BYTEA NOT NULL,
    controller TEXT NOT NULL,
    topic      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (key, controller, topic)
);

-- Double opt-ins in progress and done. The token is a keyed hash: who reads this table cannot confirm. `tracking_seq`: the
-- request to be measured that goes along, if any. A row that was never confirmed goes with the address (L-DOI-04).
CREATE TABLE opt_in (
    token         BYTEA NOT NULL PRIMARY KEY,
    id            BYTEA NOT NULL UNIQUE,
    subject       BYTEA NOT NULL REFERENCES standing (subject),
    controller    TEXT NOT NULL,
    topics        TEXT NOT NULL,
    requested_seq BIGINT NOT NULL,
    requested_at  BIGINT NOT NULL,
    tracking_seq  BIGINT,
    language      TEXT NOT NULL,
    stage         TEXT NOT NULL
);
-- Rate limits count by it (L-DOI-05).
CREATE INDEX opt_in_of_subject ON opt_in (subject, controller, requested_at);

-- What is to be erased when its time has come.
CREATE INDEX opt_in_pending ON opt_in (requested_at) WHERE stage = 'pending';

-- Links that prove who reads a mailbox, for an hour: sent on request, to see and change what is stored about oneself.
-- The token is a keyed hash. `decision`: of the mail whose link was used to ask.
CREATE TABLE access_link (
    token      BYTEA NOT NULL PRIMARY KEY,
    subject    BYTEA NOT NULL REFERENCES standing (subject),
    controller TEXT NOT NULL,
    topic      TEXT NOT NULL,
    decision   BYTEA NOT NULL,
    created    BIGINT NOT NULL
);
-- Rate limits count by it.
CREATE INDEX access_link_of_subject ON access_link (subject, controller, created);
-- What is to be erased when its time has come.
CREATE INDEX access_link_created ON access_link (created);

-- The gateway's own letters that wait for the outbound MTA: confirmation mails (`opt_in`) and access links. `mail` (envelope
-- and message) is sealed under the subject's contact key, so that erasure reaches it; the row goes when the mail is done.
-- `lease_owner`: the gateway that delivers it, until `lease_until` by the clock of this server; it says so again and again while it lives.
CREATE TABLE letter (
    id        BYTEA NOT NULL PRIMARY KEY,
    subject   BYTEA NOT NULL REFERENCES standing (subject),
    opt_in    BYTEA REFERENCES opt_in (id),
    mail      BYTEA NOT NULL,
    queued_at BIGINT NOT NULL,
    next_at   BIGINT NOT NULL,
    attempts  BIGINT NOT NULL,
    lease_owner BYTEA,
    lease_until BIGINT NOT NULL DEFAULT 0
);
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
    id          BYTEA NOT NULL,
    at          BIGINT NOT NULL,
    stream      TEXT NOT NULL,
    controller  TEXT NOT NULL,
    subject     BYTEA NOT NULL,
    class       TEXT NOT NULL,
    named_topic TEXT,
    campaign    TEXT,
    steps       TEXT NOT NULL,
    topic       TEXT,
    reason      TEXT NOT NULL,
    folded_from BIGINT NOT NULL,
    event       BIGINT,
    profile     TEXT,
    shadowed    TEXT,
    message     BYTEA,
    size        BIGINT NOT NULL,
    copy        BYTEA,
    rules       BYTEA,
    footer      BYTEA,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
-- A person's decisions (GDPR Art. 15). Small, because each partition has its own.
CREATE INDEX decision_of_subject ON decision (subject, id);

-- What the decision log is searched by. All of it is derived from `decision` and written in the same commit, so it is
-- exact; and all of it is appended, or changed within few pages: an ordinary index would dirty a page of its own for every
-- decision, and that page would be most of what a commit costs.
--
-- The combinations that occur. An empty topic or campaign means none; the character U+0001 in both means any: a day has
-- room for so many pairs of them, because senders name them.
CREATE TABLE mix (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
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
    hour    BIGINT NOT NULL,
    mix     BIGINT NOT NULL REFERENCES mix (id),
    minutes BIGINT NOT NULL,
    PRIMARY KEY (hour, mix)
);
CREATE INDEX tally_of_mix ON tally (mix, hour);
-- How many there were in an hour, for charts and totals. Each gateway counts in rows of its own, or all would wait for each other's
-- commits.
CREATE TABLE volume (
    hour       BIGINT NOT NULL,
    gateway    BIGINT NOT NULL,
    stream     TEXT NOT NULL,
    controller TEXT NOT NULL,
    class      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    number     BIGINT NOT NULL,
    PRIMARY KEY (hour, gateway, stream, controller, class, reason)
);

-- What became of the copy. A row of its own, so that decisions are never changed. The MTA's words are sealed under the
-- ledger key, without what looked like an address: erasing a person does not reach them.
CREATE TABLE outcome (
    decision BYTEA NOT NULL PRIMARY KEY,
    at       BIGINT NOT NULL,
    word     TEXT NOT NULL,
    code     BIGINT,
    text     BYTEA NOT NULL
) PARTITION BY RANGE (decision);

-- The tool's own List-Unsubscribe, which ours replaced, to pass a withdrawal on to it. May be personal: sealed
-- under the ledger key, and deletable.
CREATE TABLE tool_unsubscribe (
    decision BYTEA NOT NULL PRIMARY KEY,
    value    BYTEA NOT NULL
) PARTITION BY RANGE (decision);

-- Bearer tokens of machines, as keyed hashes. Scopes are joined by a space.
CREATE TABLE api_token (
    secret  BYTEA NOT NULL PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    scopes  TEXT NOT NULL,
    created BIGINT NOT NULL
);

-- Runs that destroyed evidence at the end of its retention (E-15): how many, and nobody's name. `next`: the subject after which
-- the next run goes on, a random id; NULL when all were looked at.
CREATE TABLE evidence_run (
    seq       BIGINT NOT NULL PRIMARY KEY,
    at        BIGINT NOT NULL,
    looked_at BIGINT NOT NULL,
    destroyed BIGINT NOT NULL,
    next      BYTEA
);

-- What a person said that a mail was whose class was in doubt, or whose class somebody appealed against (L-AD-07): to measure the model by,
-- and to learn from; it changes no decision. `steps`: as in `decision`. `figures`: what the model made of the mail (JSON), where it
-- was still there. Neither words nor people are in it.
CREATE TABLE label (
    decision BYTEA NOT NULL PRIMARY KEY,
    at       BIGINT NOT NULL,
    stream   TEXT NOT NULL,
    class    TEXT NOT NULL,
    steps    TEXT NOT NULL,
    figures  TEXT
);
-- How many people get the same text, as each gateway counts it: `people` is a set of bits that thousands share. `ends`: when nobody
-- asks any more.
CREATE TABLE crowd (
    gateway BYTEA NOT NULL,
    stream  TEXT NOT NULL,
    span    BIGINT NOT NULL,
    seconds BIGINT NOT NULL,
    sketch  BYTEA NOT NULL,
    people  BYTEA NOT NULL,
    mails   BIGINT NOT NULL,
    own     BIGINT NOT NULL,
    alike   BIGINT NOT NULL,
    ends    BIGINT NOT NULL,
    PRIMARY KEY (gateway, stream, span, seconds, sketch)
);

-- Facts about this ledger; `check` tells whether a key file is the one it was written with.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);


CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: append-only', TG_ARGV[0];
END $$;

-- A subject's events have no gaps.
CREATE FUNCTION event_is_appended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq <> 1 + coalesce((SELECT max(seq) FROM event WHERE subject = NEW.subject), 0) THEN
        RAISE EXCEPTION 'event: not the next in order';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER event_is_appended BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION event_is_appended();
CREATE TRIGGER event_is_not_changed BEFORE UPDATE OR DELETE ON event FOR EACH ROW EXECUTE FUNCTION append_only('event');
CREATE TRIGGER text_version_is_not_changed BEFORE UPDATE OR DELETE ON text_version FOR EACH ROW EXECUTE FUNCTION append_only('text_version');
CREATE TRIGGER label_is_not_changed BEFORE UPDATE OR DELETE ON label FOR EACH ROW EXECUTE FUNCTION append_only('label');
CREATE TRIGGER decision_is_not_changed BEFORE UPDATE OR DELETE ON decision FOR EACH ROW EXECUTE FUNCTION append_only('decision');
CREATE TRIGGER evidence_run_is_not_changed BEFORE UPDATE OR DELETE ON evidence_run FOR EACH ROW EXECUTE FUNCTION append_only('evidence_run');
CREATE TRIGGER evidence_run_is_not_emptied BEFORE TRUNCATE ON evidence_run FOR EACH STATEMENT EXECUTE FUNCTION append_only('evidence_run');
CREATE TRIGGER outcome_is_not_changed BEFORE UPDATE OR DELETE ON outcome FOR EACH ROW EXECUTE FUNCTION append_only('outcome');
CREATE TRIGGER event_is_not_emptied BEFORE TRUNCATE ON event FOR EACH STATEMENT EXECUTE FUNCTION append_only('event');
CREATE TRIGGER text_version_is_not_emptied BEFORE TRUNCATE ON text_version FOR EACH STATEMENT EXECUTE FUNCTION append_only('text_version');

-- Makes the partition of that number: of ids whose time lies in that stretch of so many milliseconds.
CREATE FUNCTION make_partition(number BIGINT, width BIGINT) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    lower BYTEA := decode(lpad(to_hex(number * width), 12, '0'), 'hex');
    upper BYTEA := decode(lpad(to_hex((number + 1) * width), 12, '0'), 'hex');
    name TEXT;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('consentry partition'));
    FOREACH name IN ARRAY ARRAY['decision', 'outcome', 'tool_unsubscribe'] LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', name || '_' || number, name, lower, upper);
    END LOOP;
END $$;

-- One group commit in one statement: one trip to the server, one flush. Rows are locked in the order of their keys, so that
-- gateways do not wait for each other in a ring. A key that two messages bring at once gets the first one's subject.
CREATE FUNCTION record(state TEXT, unknown JSON, contacts JSON, decisions JSON, minutes JSON, volumes JSON, tools JSON, outcomes JSON, gateway BIGINT)
RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    IF json_array_length(unknown) > 0 THEN
        INSERT INTO standing (key, subject, seq, state, contacted)
            SELECT decode(value ->> 0, 'hex'), decode(value ->> 1, 'hex'), 0, record.state, '{}' FROM json_array_elements(unknown) ORDER BY value ->> 0
            ON CONFLICT (key) DO NOTHING;
    END IF;
    IF json_array_length(contacts) > 0 THEN
        PERFORM 1 FROM standing WHERE key IN (SELECT decode(value ->> 0, 'hex') FROM json_array_elements(contacts)) ORDER BY key FOR UPDATE;
        UPDATE standing SET contacted = (contacted::jsonb || jsonb_build_object(new.value ->> 1, (new.value ->> 2)::bigint))::text
            FROM json_array_elements(contacts) AS new WHERE standing.key = decode(new.value ->> 0, 'hex');
    END IF;
    INSERT INTO decision (id, at, stream, controller, subject, class, named_topic, campaign, steps, topic, reason, folded_from, event, message, size, copy, profile, shadowed, rules, footer)
        SELECT decode(value ->> 0, 'hex'), (value ->> 1)::bigint, value ->> 2, value ->> 3,
               coalesce((SELECT subject FROM standing WHERE key = decode(value ->> 4, 'hex')), decode(value ->> 5, 'hex')),
               value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, (value ->> 12)::bigint, (value ->> 13)::bigint,
               decode(value ->> 14, 'hex'), (value #>> '{15,0}')::bigint, decode(value #>> '{15,1}', 'hex'), value #>> '{15,2}', value #>> '{15,3}',
               decode(value #>> '{15,4}', 'hex'), decode(value #>> '{15,5}', 'hex')
        FROM json_array_elements(decisions);
    IF json_array_length(minutes) > 0 THEN
        INSERT INTO mix (stream, controller, class, topic, campaign, reason)
            SELECT value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7 FROM json_array_elements(minutes)
            WHERE NOT EXISTS (SELECT 1 FROM mix WHERE campaign = value ->> 6 AND topic = value ->> 5 AND stream = value ->> 2
                AND reason = value ->> 7 AND class = value ->> 4 AND controller = value ->> 3)
            ORDER BY 1, 2, 3, 4, 5, 6
            ON CONFLICT (campaign, topic, stream, reason, class, controller) DO NOTHING;
        INSERT INTO tally (hour, mix, minutes)
            SELECT (value ->> 0)::bigint, mix.id, (value ->> 1)::bigint FROM json_array_elements(minutes)
            JOIN mix ON stream = value ->> 2 AND controller = value ->> 3 AND class = value ->> 4 AND topic = value ->> 5
                AND campaign = value ->> 6 AND reason = value ->> 7
            ORDER BY 1, 2
            ON CONFLICT (hour, mix) DO UPDATE SET minutes = tally.minutes | excluded.minutes;
    END IF;
    INSERT INTO volume (hour, gateway, stream, controller, class, reason, number)
        SELECT (value #>> '{0,0}')::bigint, record.gateway, value #>> '{0,1}', value #>> '{0,2}', value #>> '{0,3}', value #>> '{0,4}', (value ->> 1)::bigint
        FROM json_array_elements(volumes)
        ON CONFLICT (hour, gateway, stream, controller, class, reason) DO UPDATE SET number = volume.number + excluded.number;
    INSERT INTO tool_unsubscribe (decision, value)
        SELECT decode(new.value ->> 0, 'hex'), decode(new.value ->> 1, 'hex') FROM json_array_elements(tools) AS new;
    INSERT INTO outcome (decision, at, word, code, text)
        SELECT decode(value ->> 0, 'hex'), (value ->> 1)::bigint, value ->> 2, (value ->> 3)::bigint, decode(value ->> 4, 'hex') FROM json_array_elements(outcomes)
        ON CONFLICT (decision) DO NOTHING;
END $$;
