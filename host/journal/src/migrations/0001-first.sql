-- The truth: what happened, in order, each entry chained to the one before.
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  payload TEXT NOT NULL,
  hash BLOB NOT NULL
) STRICT;

-- The last entry, so that a journal whose end was cut off is found out. One row.
CREATE TABLE head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL
) STRICT;
INSERT INTO head VALUES (1, 0, zeroblob(32));

-- What each decision was given; the digest stands in the decision's event. Apart from `decisions`, so that lists stay small.
CREATE TABLE contexts (
  decision INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL
) STRICT;

CREATE TABLE policy_codes (
  digest BLOB PRIMARY KEY,
  stored_at INTEGER NOT NULL,
  checksum BLOB NOT NULL,
  code BLOB NOT NULL
) STRICT;

-- A cache of the state after an entry; may be deleted at any time.
CREATE TABLE snapshots (
  seq INTEGER PRIMARY KEY,
  checksum BLOB NOT NULL,
  bytes BLOB NOT NULL
) STRICT;

-- Views: folded from the events in the transaction that writes them, and from nothing else.
-- The life of a source that succeeds at once is the hot path. Where a list needs an index, it is a partial one over a
-- column that this path leaves alone (`held`, `unsuccessful`), so that it costs nothing there.

CREATE TABLE sources (
  id INTEGER PRIMARY KEY,
  title TEXT NOT NULL,
  host TEXT,
  lane TEXT NOT NULL,
  origin TEXT NOT NULL,
  campaign TEXT,
  campaign_row INTEGER,
  priority INTEGER NOT NULL,
  status TEXT NOT NULL,
  -- 1 while waiting or disabled.
  held INTEGER,
  reason TEXT,
  attempts INTEGER NOT NULL,
  first_run INTEGER,
  queued_at INTEGER NOT NULL,
  retry_at INTEGER,
  finished_at INTEGER,
  decision INTEGER
) STRICT;
CREATE INDEX sources_held ON sources (held) WHERE held IS NOT NULL;
CREATE INDEX sources_campaign ON sources (campaign) WHERE campaign IS NOT NULL;

CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  source INTEGER,
  attempt INTEGER NOT NULL,
  term INTEGER NOT NULL,
  class TEXT NOT NULL,
  work TEXT NOT NULL,
  title TEXT NOT NULL,
  host TEXT,
  candidate TEXT,
  base TEXT,
  seed INTEGER NOT NULL,
  decision INTEGER,
  planned_at INTEGER NOT NULL,
  status TEXT NOT NULL,
  -- 1 if it failed or was cancelled.
  unsuccessful INTEGER,
  started_at INTEGER,
  finished_at INTEGER,
  duration_ms INTEGER,
  steps INTEGER,
  loss_before REAL,
  loss_after REAL,
  failure_class TEXT,
  error TEXT,
  exit_code INTEGER,
  cancel_reason TEXT,
  model TEXT
) STRICT;
CREATE INDEX runs_again ON runs (source) WHERE attempt > 1;
CREATE INDEX runs_under_way ON runs (class) WHERE finished_at IS NULL;
CREATE INDEX runs_unsuccessful ON runs (unsuccessful) WHERE unsuccessful IS NOT NULL;

CREATE TABLE models (
  seq INTEGER PRIMARY KEY,
  tag TEXT NOT NULL UNIQUE,
  parent TEXT,
  run INTEGER NOT NULL,
  digest BLOB NOT NULL,
  bytes INTEGER NOT NULL,
  path TEXT NOT NULL,
  made_at INTEGER NOT NULL,
  host TEXT,
  retired_at INTEGER
) STRICT;

-- Which model went live when, and why.
CREATE TABLE model_roles (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  model TEXT NOT NULL,
  before TEXT,
  cause TEXT NOT NULL,
  decision INTEGER,
  actor TEXT,
  reason TEXT
) STRICT;

CREATE TABLE candidates (
  seq INTEGER PRIMARY KEY,
  tag TEXT NOT NULL,
  baseline TEXT NOT NULL,
  watermark INTEGER NOT NULL,
  raised_at INTEGER NOT NULL,
  stage TEXT NOT NULL,
  stage_at INTEGER NOT NULL,
  applied_at INTEGER,
  ended_at INTEGER,
  end TEXT,
  reason TEXT,
  actor TEXT,
  decision INTEGER
) STRICT;
CREATE INDEX candidates_open ON candidates (tag) WHERE ended_at IS NULL;

CREATE TABLE policy_versions (
  digest BLOB PRIMARY KEY,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  kind TEXT NOT NULL,
  engine TEXT NOT NULL,
  description TEXT NOT NULL,
  first_seen INTEGER NOT NULL
) STRICT;

CREATE TABLE activations (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  generation INTEGER NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  digest BLOB NOT NULL,
  engine TEXT NOT NULL,
  previous_name TEXT,
  previous_version TEXT,
  previous_digest BLOB,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  rolled_back INTEGER NOT NULL
) STRICT;

-- Which policy decided what, when, at what cost. The whole ruling is the event at `seq`.
CREATE TABLE decisions (
  id INTEGER PRIMARY KEY,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  verdict TEXT NOT NULL,
  -- `run:12`, `candidate:m-3`; none for a selection and a curriculum.
  subject TEXT,
  generation INTEGER NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  digest BLOB NOT NULL,
  link TEXT NOT NULL,
  engine TEXT NOT NULL,
  fuel INTEGER,
  micros INTEGER NOT NULL,
  declined INTEGER NOT NULL,
  reason TEXT,
  context_digest BLOB NOT NULL
) STRICT;
-- Selections are the many; they are found from the end of the table.
CREATE INDEX decisions_kind ON decisions (kind) WHERE kind = 'retry' OR kind = 'promotion-gate' OR kind = 'curriculum';
CREATE INDEX decisions_subject ON decisions (subject) WHERE subject IS NOT NULL;
