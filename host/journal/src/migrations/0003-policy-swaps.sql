-- How each activation came to be, which decisions fell into it, and how it ended. A rollback's state is `restored`.
ALTER TABLE activations ADD COLUMN set_number INTEGER;
ALTER TABLE activations ADD COLUMN state TEXT NOT NULL DEFAULT 'empty';
ALTER TABLE activations ADD COLUMN confirm_by INTEGER;
ALTER TABLE activations ADD COLUMN confirmed_at INTEGER;
ALTER TABLE activations ADD COLUMN confirmed_by TEXT;
-- Decisions, of any kind, made before it and before its end. So the decisions of a generation are found by their
-- numbers, and a decision needs no index for it.
ALTER TABLE activations ADD COLUMN decisions_before INTEGER NOT NULL DEFAULT 0;
ALTER TABLE activations ADD COLUMN decisions_until INTEGER;
ALTER TABLE activations ADD COLUMN ended_at INTEGER;
-- `replaced`, `rolled_back`, `timed_out` or `tripped`; none while it is active.
ALTER TABLE activations ADD COLUMN outcome TEXT;

UPDATE activations SET state = 'restored' WHERE rolled_back = 1;
UPDATE activations SET decisions_before =
  coalesce((SELECT id FROM decisions WHERE decisions.seq < activations.seq ORDER BY id DESC LIMIT 1), 0);
UPDATE activations SET (ended_at, decisions_until, outcome) = (
  SELECT next.at, next.decisions_before,
    CASE WHEN next.rolled_back = 0 THEN 'replaced' WHEN next.actor = 'breaker' THEN 'tripped' ELSE 'rolled_back' END
  FROM activations AS next WHERE next.kind = activations.kind AND next.seq > activations.seq ORDER BY next.seq LIMIT 1);
CREATE INDEX activations_open ON activations (kind) WHERE ended_at IS NULL;

-- Versions that decided a share of their kind's questions beside the active one.
CREATE TABLE policy_canaries (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  digest BLOB NOT NULL,
  engine TEXT NOT NULL,
  share REAL NOT NULL,
  state TEXT NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  decisions_before INTEGER NOT NULL,
  decisions_until INTEGER,
  ended_at INTEGER,
  end TEXT,
  end_actor TEXT,
  end_reason TEXT
) STRICT;
CREATE INDEX policy_canaries_open ON policy_canaries (kind) WHERE ended_at IS NULL;

-- Who held which kind at its active version, and who let it go.
CREATE TABLE policy_pins (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  pinned INTEGER NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT;

-- Inputs that a version is not asked about any more.
CREATE TABLE policy_quarantines (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  key BLOB NOT NULL,
  about TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  digest BLOB NOT NULL,
  class TEXT NOT NULL,
  detail TEXT NOT NULL,
  released_at INTEGER,
  -- Who released it; none where a new generation did.
  released_by TEXT
) STRICT;
CREATE INDEX policy_quarantines_open ON policy_quarantines (kind) WHERE released_at IS NULL;
