-- What each decision was given, and the scores it gave: the digests stand in the decision's event. Apart from `decisions`,
-- so that lists stay small.
ALTER TABLE contexts RENAME TO recordings;
ALTER TABLE recordings RENAME COLUMN bytes TO context;
ALTER TABLE recordings ADD COLUMN scores BLOB;

-- Every run went into it and out of it again. Which runs are under way the state knows.
DROP INDEX runs_under_way;
