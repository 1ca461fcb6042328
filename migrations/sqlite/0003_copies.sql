-- Mail of streams that waits is in a file of its own; what waits here are the gateway's own letters.
ALTER TABLE spool RENAME TO letter;
DROP INDEX spool_due;
DROP INDEX spool_of_subject;
DROP INDEX spool_of_opt_in;
CREATE INDEX letter_due ON letter (next_at);
CREATE INDEX letter_of_subject ON letter (subject);
CREATE INDEX letter_of_opt_in ON letter (opt_in);

-- Keyed hash of stream, reverse-path, recipient, Message-ID and content: what a client sends again is known by it (M-08).
-- Null for a mail without Message-ID.
ALTER TABLE decision ADD COLUMN copy BLOB;
