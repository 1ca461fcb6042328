-- INSERT OR REPLACE deletes without asking the triggers on DELETE. What is there already is never put in anew.
CREATE TRIGGER text_version_is_not_replaced BEFORE INSERT ON text_version
WHEN EXISTS (SELECT 1 FROM text_version WHERE id = NEW.id AND text IS NOT NEW.text)
BEGIN SELECT RAISE(ABORT, 'text_version: append-only'); END;
CREATE TRIGGER decision_is_not_replaced BEFORE INSERT ON decision
WHEN EXISTS (SELECT 1 FROM decision WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'decision: append-only'); END;
