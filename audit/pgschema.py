"""The tables of the PostgreSQL storage, and what the application's role may do with them.

The owner of the schema `audit` is another role than the one the console signs in with. That one may
read, and append through one function, which takes only what continues the chain. Triggers keep the
owner from changing anything by mistake; a superuser drops them, and what he changes then, the
verifier finds.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 1

_TABLES: Final = """
CREATE SCHEMA audit;
REVOKE ALL ON SCHEMA audit FROM PUBLIC;
COMMENT ON SCHEMA audit IS 'gatehouse audit log, version 1';

CREATE TABLE audit.event (
  seq bigint PRIMARY KEY,
  id text NOT NULL UNIQUE,
  prev_hash bytea NOT NULL UNIQUE CHECK (octet_length(prev_hash) = 32),
  leaf_hash bytea NOT NULL CHECK (octet_length(leaf_hash) = 32),
  record text NOT NULL CHECK (octet_length(record) < 65536),
  logged text NOT NULL,
  etype text NOT NULL,
  actor text NOT NULL,
  session text,
  request text,
  outcome text NOT NULL
);
CREATE INDEX event_session ON audit.event (session, seq) WHERE session IS NOT NULL;
CREATE INDEX event_marks ON audit.event (seq) WHERE etype IN ('key.rotated', 'log.pruned');

CREATE TABLE audit.head (
  one integer PRIMARY KEY CHECK (one = 1),
  size bigint NOT NULL,
  leaf_hash bytea NOT NULL,
  frontier bytea NOT NULL,
  logged text NOT NULL,
  note text NOT NULL,
  kept bigint NOT NULL,
  mac bytea NOT NULL
);
INSERT INTO audit.head VALUES (1, 0, '', '', '', '', 0, '');

CREATE TABLE audit.checkpoint (
  size bigint PRIMARY KEY,
  note text NOT NULL,
  frontier bytea NOT NULL
);

CREATE TABLE audit.open_intent (
  id text PRIMARY KEY,
  seq bigint NOT NULL,
  boot text NOT NULL
);

CREATE TABLE audit.subject_key (
  subject text PRIMARY KEY,
  key_id text NOT NULL UNIQUE,
  wrapped bytea NOT NULL
);
CREATE TABLE audit.payload (
  sha256 text PRIMARY KEY,
  subject text NOT NULL,
  key_id text NOT NULL,
  body bytea NOT NULL
);
"""

_GUARDS: Final = """
CREATE FUNCTION audit.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit.% is append-only', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON audit.event
  FOR EACH ROW EXECUTE FUNCTION audit.refuse();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.event
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON audit.checkpoint
  FOR EACH ROW EXECUTE FUNCTION audit.refuse();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.checkpoint
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse();
CREATE TRIGGER no_delete BEFORE DELETE ON audit.head
  FOR EACH ROW EXECUTE FUNCTION audit.refuse();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.head
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse();
CREATE TRIGGER forward BEFORE UPDATE ON audit.head
  FOR EACH ROW WHEN (NEW.size <= OLD.size) EXECUTE FUNCTION audit.refuse();
"""

_FUNCTIONS: Final = """
CREATE FUNCTION audit.lock_head() RETURNS SETOF audit.head
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY SELECT * FROM audit.head FOR UPDATE;
END $$;

CREATE FUNCTION audit.append(
  ids text[], first_prev bytea, records text, etypes text[], actors text[], sessions text[],
  requests text[], outcomes text[],
  new_size bigint, new_leaf bytea, new_frontier bytea, new_logged text, new_note text,
  new_kept bigint, new_mac bytea, keep boolean,
  opened text[], opened_at bigint[], boots text[], closed text[]
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  head audit.head;
  lines text[] := string_to_array(records, E'\\n');
  leafs bytea[];
  prevs bytea[];
BEGIN
  SELECT * INTO STRICT head FROM audit.head FOR UPDATE;
  FOR i IN 1 .. cardinality(lines) LOOP
    leafs[i] := sha256('\\x00'::bytea || convert_to(lines[i], 'UTF8'));
  END LOOP;
  prevs := first_prev || leafs;
  IF (head.size > 0 AND first_prev IS DISTINCT FROM head.leaf_hash)
    OR cardinality(lines) IS DISTINCT FROM cardinality(ids)
  THEN
    RAISE EXCEPTION 'this does not follow record %', head.size
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  FOR i IN 1 .. cardinality(ids) LOOP
    IF right(lines[i], 150) NOT LIKE
      format('%%"prev":"%s","seq":%s,"v":1}', encode(prevs[i], 'hex'), head.size + i)
    THEN
      RAISE EXCEPTION 'this does not follow record %', head.size + i - 1
        USING ERRCODE = 'integrity_constraint_violation';
    END IF;
  END LOOP;
  IF new_size IS DISTINCT FROM head.size + cardinality(ids)
    OR new_leaf IS DISTINCT FROM prevs[cardinality(prevs)]
  THEN
    RAISE EXCEPTION 'the head does not fit the records'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  INSERT INTO audit.event
    SELECT head.size + n, ids[n], prevs[n], leafs[n], lines[n], new_logged,
      etypes[n], actors[n], sessions[n], requests[n], outcomes[n]
    FROM generate_series(1, cardinality(ids)) AS n;
  UPDATE audit.head SET size = new_size, leaf_hash = new_leaf, frontier = new_frontier,
    logged = new_logged, note = new_note, kept = new_kept, mac = new_mac;
  IF keep THEN
    INSERT INTO audit.checkpoint VALUES (new_size, new_note, new_frontier);
  END IF;
  IF cardinality(opened) > 0 THEN
    INSERT INTO audit.open_intent
      SELECT id, n, b FROM unnest(opened, opened_at, boots) AS x(id, n, b);
  END IF;
  IF cardinality(closed) > 0 THEN
    DELETE FROM audit.open_intent WHERE id = ANY (closed);
  END IF;
  RETURN new_size;
END $$;

CREATE FUNCTION audit.keep_key(new_subject text, new_id text, new_wrapped bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO audit.subject_key VALUES (new_subject, new_id, new_wrapped) ON CONFLICT DO NOTHING;
$$;
CREATE FUNCTION audit.keep_payload(new_sha256 text, of text, new_key_id text, new_body bytea)
RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO audit.payload VALUES (new_sha256, of, new_key_id, new_body) ON CONFLICT DO NOTHING;
$$;
CREATE FUNCTION audit.erase(of text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM audit.subject_key WHERE subject = of;
  WITH gone AS (DELETE FROM audit.payload WHERE subject = of RETURNING 1)
  SELECT count(*) FROM gone;
$$;

CREATE FUNCTION audit.prune(upto bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  gone bigint;
BEGIN
  PERFORM 1 FROM audit.checkpoint WHERE size = upto;
  IF NOT FOUND OR upto >= (SELECT size FROM audit.head FOR UPDATE) THEN
    RAISE EXCEPTION 'only what a kept checkpoint covers may go'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  ALTER TABLE audit.event DISABLE TRIGGER no_change;
  DELETE FROM audit.event WHERE seq <= upto;
  GET DIAGNOSTICS gone = ROW_COUNT;
  ALTER TABLE audit.event ENABLE TRIGGER no_change;
  RETURN gone;
END $$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;
"""

DDL: Final = _TABLES + _GUARDS + _FUNCTIONS

FOR_THE_APPLICATION: Final = (
    "audit.lock_head",
    "audit.append",
    "audit.keep_key",
    "audit.keep_payload",
    "audit.erase",
)
"""The functions that the application's role may call: everything but `audit.prune`."""


def grants(role: str) -> str:
    """Returns what lets `role` append and read, and nothing else."""
    quoted = '"' + role.replace('"', '""') + '"'
    functions = "".join(
        f"GRANT EXECUTE ON FUNCTION {name} TO {quoted};\n" for name in FOR_THE_APPLICATION
    )
    return (
        f"GRANT USAGE ON SCHEMA audit TO {quoted};\n"
        f"GRANT SELECT ON ALL TABLES IN SCHEMA audit TO {quoted};\n{functions}"
    )
