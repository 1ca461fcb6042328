-- The data keys of subjects, wrapped under the master key. A database of its own, because it is the opposite of the
-- ledger: rows are destroyed here, and its backups rotate out (E-09, E-10). `contact` goes at erasure, `evidence` when
-- the retention of evidence ends (GDPR Art. 17(3)(e)); hence both may be NULL. `since` is the seq of the first event that
-- the evidence key may seal: what an earlier, destroyed key sealed is gone, and not damaged.
CREATE TABLE subject_key (
    subject  BYTEA NOT NULL PRIMARY KEY,
    contact  BYTEA,
    evidence BYTEA,
    since    BIGINT NOT NULL
);
