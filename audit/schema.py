"""The tables of the embedded storage.

The triggers keep honest code honest and cost an attacker one DROP; what he changes then, the
verifier finds. REPLACE does not fire DELETE triggers by default, so inserting itself demands the
next number and the last hash.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 2
PAGE_SIZE: Final = 8192

NO_DELETE: Final = """\
CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event
BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END"""

_TABLES: Final = """
CREATE TABLE audit_event (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  prev_hash BLOB NOT NULL CHECK (length(prev_hash) = 32),
  leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32),
  record TEXT NOT NULL CHECK (length(CAST(record AS BLOB)) < 65536),
  logged TEXT NOT NULL,
  etype TEXT NOT NULL,
  actor TEXT NOT NULL,
  session TEXT,
  request TEXT,
  outcome TEXT NOT NULL
) STRICT;
CREATE INDEX audit_event_session ON audit_event (session, seq) WHERE session IS NOT NULL;

CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event
BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END;
CREATE TRIGGER audit_event_next BEFORE INSERT ON audit_event
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit_event)
BEGIN SELECT RAISE(ABORT, 'audit_event takes only the next seq'); END;
CREATE TRIGGER audit_event_linked BEFORE INSERT ON audit_event
WHEN NEW.prev_hash IS NOT
  coalesce((SELECT leaf_hash FROM audit_event ORDER BY seq DESC LIMIT 1), NEW.prev_hash)
BEGIN SELECT RAISE(ABORT, 'audit_event takes only what follows the last hash'); END;

CREATE TABLE audit_head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  size INTEGER NOT NULL,
  leaf_hash BLOB NOT NULL,
  frontier BLOB NOT NULL,
  logged TEXT NOT NULL,
  note TEXT NOT NULL,
  kept INTEGER NOT NULL,
  mac BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head WHEN NEW.size <= OLD.size
BEGIN SELECT RAISE(ABORT, 'audit_head only moves forward'); END;
CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
BEGIN SELECT RAISE(ABORT, 'audit_head stays'); END;
CREATE TRIGGER audit_head_single BEFORE INSERT ON audit_head
WHEN EXISTS (SELECT 1 FROM audit_head)
BEGIN SELECT RAISE(ABORT, 'audit_head has one row'); END;

CREATE TABLE audit_checkpoint (
  size INTEGER PRIMARY KEY,
  note TEXT NOT NULL,
  frontier BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_checkpoint_no_update BEFORE UPDATE ON audit_checkpoint
BEGIN SELECT RAISE(ABORT, 'audit_checkpoint is append-only'); END;
CREATE TRIGGER audit_checkpoint_no_delete BEFORE DELETE ON audit_checkpoint
BEGIN SELECT RAISE(ABORT, 'audit_checkpoint is append-only'); END;
CREATE TRIGGER audit_checkpoint_next BEFORE INSERT ON audit_checkpoint
WHEN NEW.size <= (SELECT coalesce(max(size), 0) FROM audit_checkpoint)
BEGIN SELECT RAISE(ABORT, 'audit_checkpoint only grows'); END;

CREATE TABLE audit_open_intent (
  id TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  boot TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

MARKS: Final = """\
CREATE INDEX audit_event_marks ON audit_event (seq)
WHERE etype IN ('key.rotated', 'log.pruned')"""
"""Where the verifier finds the records it must know before it begins; since version 2."""

DDL: Final = f"{_TABLES}{NO_DELETE};\n{MARKS};\n"
