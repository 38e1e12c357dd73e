-- Where a source's text stands: the entry that queued it, or that gave it another one. No table holds it a second time.
ALTER TABLE sources ADD COLUMN text_seq INTEGER;
UPDATE sources SET text_seq = queued.seq
  FROM (SELECT seq, json_extract(payload, '$.source') AS source FROM events WHERE kind = 'source_queued') AS queued
  WHERE queued.source = sources.id;

-- Sources that were queued as one. How far each is, the state counts while it is under way; its end brings the numbers.
CREATE TABLE campaigns (
  id INTEGER PRIMARY KEY,
  seq INTEGER NOT NULL,
  title TEXT NOT NULL,
  host TEXT,
  lane TEXT NOT NULL,
  rows INTEGER NOT NULL,
  first_source INTEGER NOT NULL,
  queued_at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  cancelled_at INTEGER,
  cancelled_by TEXT,
  cancel_reason TEXT,
  ended_at INTEGER,
  done INTEGER,
  failed INTEGER,
  cancelled INTEGER
) STRICT;

-- Parts of imported files, in the order in which they were taken.
CREATE TABLE imports (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  import TEXT NOT NULL,
  batch INTEGER NOT NULL,
  first_source INTEGER NOT NULL,
  queued INTEGER NOT NULL,
  refused INTEGER NOT NULL,
  actor TEXT NOT NULL
) STRICT;

-- Who held the lock, from when until when.
CREATE TABLE locks (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  campaign INTEGER,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  released_at INTEGER,
  released_by TEXT,
  release_reason TEXT
) STRICT;
