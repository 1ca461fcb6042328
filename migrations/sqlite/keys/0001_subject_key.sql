-- The data keys of subjects, wrapped under the master key. A database of its own, because it is the opposite of the
-- ledger: rows are destroyed here, and its backups rotate out (E-09, E-10). `contact` goes at erasure, `evidence` when
-- the retention of evidence ends (GDPR Art. 17(3)(e)); hence both may be NULL.
CREATE TABLE subject_key (
    subject  BLOB NOT NULL PRIMARY KEY,
    contact  BLOB,
    evidence BLOB
) WITHOUT ROWID;
