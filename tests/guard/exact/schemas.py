"""Tables that are hard to change exactly, on each engine, and what their columns may hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EngineName = Literal["sqlite", "duckdb", "postgres"]
ENGINES: tuple[EngineName, ...] = ("sqlite", "duckdb", "postgres")


@dataclass(frozen=True, kw_only=True)
class Col:
    """A column and SQL values for it. `number` says that it can be computed with."""

    name: str
    values: tuple[str, ...]
    number: bool = False

    @property
    def sql(self) -> str:
        """The name, quoted."""
        return '"' + self.name.replace('"', '""') + '"'


@dataclass(frozen=True, kw_only=True)
class Tab:
    """A table. `key` are the columns an upsert names; `fixed` columns are never assigned."""

    name: str
    cols: tuple[Col, ...]
    key: tuple[str, ...] = ()

    @property
    def sql(self) -> str:
        """The name, quoted."""
        return '"' + self.name.replace('"', '""') + '"'

    def col(self, name: str) -> Col:
        """The column of that name."""
        return next(c for c in self.cols if c.name == name)


def _ints(*values: int, null: bool = True) -> tuple[str, ...]:
    return (*map(str, values), *(("NULL",) if null else ()))


_TEXTS = ("'a'", "'b'", "''", "' trail '", "'O''Neil'", "'Ünï ☃'", "NULL", "'x''00'", "'%s {} $1'")
_IDS = _ints(1, 2, 3, 4, 5, 90, 91, null=False)
ID = Col(name="id", values=_IDS, number=True)

PEOPLE = Tab(
    name="people",
    cols=(
        ID,
        Col(name="name", values=_TEXTS),
        Col(name="age", values=_ints(0, 7, -1), number=True),
    ),
    key=("id",),
)
PAIRS = Tab(
    name="pairs",
    cols=(
        Col(name="a", values=_ints(1, 2, 3, null=False), number=True),
        Col(name="b", values=("'p'", "'q'", "'r'")),
        Col(name="u", values=_ints(1, 2, 30), number=True),
        Col(name="v", values=_TEXTS),
    ),
    key=("a", "b"),
)
STRANGE = Tab(
    name='Größe "Ä" of',
    cols=(
        Col(name="order", values=_IDS, number=True),
        Col(name="Mixed Case", values=_TEXTS),
        Col(name='quo"te', values=_TEXTS),
        Col(name="naïve%s", values=_ints(1, 2), number=True),
    ),
    key=("order",),
)
TREE = Tab(
    name="tree",
    cols=(ID, Col(name="up", values=_ints(1, 2, 3), number=True), Col(name="t", values=_TEXTS)),
    key=("id",),
)
KIDS = Tab(
    name="kids",
    cols=(
        ID,
        Col(name="person", values=_ints(1, 2, 3), number=True),
        Col(name="friend", values=_ints(1, 2, 3), number=True),
        Col(name="v", values=_ints(1, 5), number=True),
    ),
    key=("id",),
)
WATCHED = Tab(
    name="watched",
    cols=(ID, Col(name="v", values=_ints(1, 2, 3), number=True), Col(name="w", values=_TEXTS)),
    key=("id",),
)
LOOSE = Tab(
    name="loose",
    cols=(Col(name="a", values=_ints(1, 2), number=True), Col(name="b", values=_TEXTS)),
)

_COMMON = """
INSERT INTO people(id, name, age) VALUES (1, 'Ann', 7), (2, NULL, NULL), (3, 'O''Neil', 0),
  (4, '', -1);
INSERT INTO pairs(a, b, u, v) VALUES (1, 'p', 1, 'x'), (1, 'q', NULL, NULL), (2, 'p', NULL, 'y');
INSERT INTO "Größe ""Ä"" of" VALUES (1, 'a', 'b', 1), (2, NULL, '☃', NULL);
INSERT INTO loose VALUES (1, 'a'), (1, 'a'), (NULL, NULL), (NULL, NULL), (2, ' trail ');
"""
_LINKED = """
INSERT INTO tree VALUES (1, NULL, 'root'), (2, 1, 'a'), (3, 1, 'b'), (4, 3, NULL), (5, 5, 'self');
INSERT INTO kids VALUES (1, 1, 2, 1), (2, 1, NULL, 2), (3, 3, 3, 3), (4, NULL, 4, 4);
INSERT INTO watched VALUES (1, 1, 'a'), (2, 2, NULL), (3, 3, 'c');
"""

SQLITE_WIDE = Tab(
    name="wide",
    cols=(
        ID,
        Col(name="n", values=("1", "1.0", "'1'", "x'01'", "1e300", "-0.0", "9223372036854775807",
                              "NULL", "'text'")),
        Col(name="t", values=_TEXTS),
        Col(name="r", values=("0.1", "1e-320", "3", "NULL", "9e999"), number=True),
        Col(name="b", values=("x'00ff'", "x''", "NULL", "zeroblob(3)")),
    ),
    key=("id",),
)  # fmt: skip
SQLITE_PLAIN = Tab(
    name="norowid",
    cols=(
        Col(name="k", values=("'a'", "'b'", "'é'", "2", "x'02'")),
        Col(name="n", values=_ints(1, 2, null=False), number=True),
        Col(name="v", values=_TEXTS),
    ),
    key=("k", "n"),
)
SQLITE = """
CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, age INT,
  twice INT GENERATED ALWAYS AS (age * 2) VIRTUAL,
  kept TEXT GENERATED ALWAYS AS (name || '!') STORED);
CREATE TABLE pairs(a INT, b TEXT, u INT UNIQUE, v, PRIMARY KEY (a, b));
CREATE TABLE "Größe ""Ä"" of"("order" INTEGER PRIMARY KEY AUTOINCREMENT, "Mixed Case" TEXT,
  "quo""te", "naïve%s" INT);
CREATE TABLE tree(id INTEGER PRIMARY KEY, up INT REFERENCES tree(id) ON DELETE CASCADE, t);
CREATE TABLE kids(id INTEGER PRIMARY KEY,
  person INT REFERENCES people(id) ON DELETE CASCADE ON UPDATE CASCADE,
  friend INT REFERENCES people(id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED, v INT);
CREATE TABLE watched(id INTEGER PRIMARY KEY, v INT, w TEXT);
CREATE TABLE journal(line TEXT, n INT);
CREATE TRIGGER told AFTER UPDATE ON watched BEGIN
  INSERT INTO journal VALUES (old.w || '>' || new.w, new.v); END;
CREATE TRIGGER again AFTER INSERT ON watched WHEN new.v > 1 BEGIN
  UPDATE watched SET v = 1 WHERE id = new.id; END;
CREATE TRIGGER gone BEFORE DELETE ON watched BEGIN
  DELETE FROM kids WHERE v = old.v; INSERT INTO journal VALUES (old.w, old.id); END;
CREATE TABLE loose(a, b);
CREATE TABLE wide(id INTEGER PRIMARY KEY, n, t TEXT, r REAL, b BLOB);
CREATE TABLE norowid(k, n INT, v, PRIMARY KEY (k, n)) WITHOUT ROWID;
INSERT INTO wide VALUES (1, 1, 'a', 0.5, x'00'), (2, 1.0, NULL, 1e-320, NULL),
  (3, '1', '', 9e999, x'');
INSERT INTO norowid VALUES ('a', 1, NULL), ('b', 2, 'x');
""" + _COMMON + _LINKED  # fmt: skip

DUCK_WIDE = Tab(
    name="wide",
    cols=(
        ID,
        Col(name="d", values=("1.50", "-0.01", "NULL"), number=True),
        Col(name="f", values=("0.1", "'nan'", "'inf'", "1e300", "NULL")),
        Col(name="ts", values=("TIMESTAMP '2026-01-02 03:04:05.678901'", "'infinity'", "NULL")),
        Col(name="tz", values=("TIMESTAMPTZ '2026-01-02 03:04:05+02'", "NULL")),
        Col(name="l", values=("[1, NULL]", "[]", "NULL")),
        Col(name="s", values=("{'x': 1, 'y': 'it''s'}", "{'x': NULL, 'y': NULL}", "NULL")),
        Col(name="m", values=("MAP {'k': 1}", "MAP {}", "NULL")),
        Col(name="e", values=("'red'", "'blue'", "NULL")),
        Col(name="b", values=("'\\x00\\xFF'::BLOB", "''::BLOB", "NULL")),
        Col(name="h", values=("170141183460469231731687303715884105727", "-1", "NULL")),
        Col(name="g", values=("'0197fbd0-0000-7000-8000-000000000001'", "NULL")),
        Col(name="i", values=("INTERVAL '1 month 2 days 3 seconds'", "NULL")),
    ),
    key=("id",),
)
DUCKDB = """
CREATE TYPE hue AS ENUM ('red', 'blue');
CREATE TABLE people(id INTEGER PRIMARY KEY, name VARCHAR, age INTEGER);
CREATE TABLE pairs(a INTEGER, b VARCHAR, u INTEGER UNIQUE, v VARCHAR, PRIMARY KEY (a, b));
CREATE TABLE "Größe ""Ä"" of"("order" INTEGER PRIMARY KEY, "Mixed Case" VARCHAR, "quo""te" VARCHAR,
  "naïve%s" INTEGER);
CREATE TABLE loose(a INTEGER, b VARCHAR);
CREATE TABLE wide(id INTEGER PRIMARY KEY, d DECIMAL(18, 2), f DOUBLE, ts TIMESTAMP, tz TIMESTAMPTZ,
  l INTEGER[], s STRUCT(x INTEGER, y VARCHAR), m MAP(VARCHAR, INTEGER), e hue, b BLOB, h HUGEINT,
  g UUID, i INTERVAL);
INSERT INTO wide(id, d, f, e) VALUES (1, 1, 0.5, 'red'), (2, NULL, 'nan', NULL),
  (3, 3, -0.0, 'blue');
""" + _COMMON  # fmt: skip

PG_WIDE = Tab(
    name="wide",
    cols=(
        ID,
        Col(name="n", values=("1.50", "1.5", "'NaN'", "-1e20", "NULL"), number=True),
        Col(name="f", values=("0.1", "'NaN'", "'-0'", "1e300", "'Infinity'", "NULL")),
        Col(name="ts", values=("'2026-01-02 03:04:05.678901'", "'infinity'", "'0044-03-15 BC'",
                               "NULL")),
        Col(name="tz", values=("'2026-01-02 03:04:05+02'", "NULL")),
        Col(name="iv", values=("'1 mon -2 days 03:00:00.5'", "'-1 day'", "NULL")),
        Col(name="c", values=("'a'", "'a  b'", "''", "NULL")),
        Col(name="bp", values=("'t  '::bpchar", "NULL")),
        Col(name="by", values=("'\\x00ff'", "''", "NULL")),
        Col(name="j", values=("""'{"b": 1,  "a": [1, null]}'""", "'null'", "NULL")),
        Col(name="jb", values=("""'{"b": 1,  "a": [1, null]}'""", "'null'", "NULL")),
        Col(name="ar", values=("'{1,NULL,3}'", "'{}'", "'[0:1]={1,2}'", "NULL")),
        Col(name="tx", values=("ARRAY['a,b', '\"q\"', NULL, '']", "NULL")),
        Col(name="rg", values=("'[1,5)'", "'empty'", "NULL")),
        Col(name="e", values=("'red'", "'blue'", "NULL")),
        Col(name="dm", values=("'abc'", "NULL")),
        Col(name="co", values=("ROW(1, 'it''s')::couple", "ROW(NULL, NULL)::couple", "NULL")),
        Col(name="bi", values=("B'101'", "NULL")),
        Col(name="g", values=("'0197fbd0-0000-7000-8000-000000000001'", "NULL")),
        Col(name="ip", values=("'10.0.0.1'", "'10.0.0.0/8'", "NULL")),
        Col(name="pt", values=("'(1,2.5)'", "NULL")),
        Col(name="bo", values=("true", "false", "NULL")),
        Col(name="tv", values=("'a:1 b:2'", "NULL")),
        Col(name="mo", values=("'12.34'", "NULL")),
    ),
    key=("id",),
)  # fmt: skip
PG_PARTS = Tab(
    name="parts",
    cols=(
        Col(name="r", values=_ints(1, 5, 12, 18, null=False), number=True),
        ID,
        Col(name="v", values=_TEXTS),
    ),
    key=("id", "r"),
)
PG_COUNTED = Tab(name="counted", cols=(Col(name="v", values=_TEXTS),))
POSTGRES = (
    """
CREATE TYPE hue AS ENUM ('red', 'blue');
CREATE TYPE couple AS (x int, y text);
CREATE DOMAIN word AS varchar(10) CHECK (value <> 'no');
CREATE TABLE people(id int PRIMARY KEY, name text, age int,
  twice int GENERATED ALWAYS AS (age * 2) STORED);
CREATE TABLE pairs(a int, b text, u int UNIQUE, v text, PRIMARY KEY (b, a));
CREATE TABLE "Größe ""Ä"" of"("order" int PRIMARY KEY, "Mixed Case" text, "quo""te" text,
  "naïve%s" int);
CREATE TABLE tree(id int PRIMARY KEY, up int REFERENCES tree(id) ON DELETE CASCADE, t text);
CREATE TABLE kids(id int PRIMARY KEY,
  person int REFERENCES people(id) ON DELETE CASCADE ON UPDATE CASCADE,
  friend int REFERENCES people(id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED, v int);
CREATE TABLE watched(id int PRIMARY KEY, v int, w text);
CREATE TABLE journal(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text, n int);
CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
  IF tg_op = 'UPDATE' THEN INSERT INTO journal(line, n) VALUES (old.w || '>' || new.w, new.v);
  ELSIF tg_op = 'INSERT' THEN
    BEGIN UPDATE watched SET v = 1 WHERE id = new.id AND new.v > 1; EXCEPTION WHEN others THEN END;
  ELSE DELETE FROM kids WHERE v = old.v; INSERT INTO journal(line, n) VALUES (old.w, old.id);
    RETURN old; END IF;
  RETURN new; END$$;
CREATE TRIGGER told AFTER UPDATE OR INSERT ON watched FOR EACH ROW EXECUTE FUNCTION told();
CREATE TRIGGER gone BEFORE DELETE ON watched FOR EACH ROW EXECUTE FUNCTION told();
CREATE TABLE loose(a int, b text);
CREATE TABLE counted(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
CREATE TABLE parts(r int, id int, v text, PRIMARY KEY (id, r)) PARTITION BY RANGE (r);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2(v text, id int NOT NULL, gone int, r int NOT NULL);
ALTER TABLE parts_2 DROP COLUMN gone;
ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (10) TO (2000);
CREATE TABLE wide(id int PRIMARY KEY, n numeric, f float8, ts timestamp, tz timestamptz,
  iv interval, c char(6), bp bpchar, by bytea, j json, jb jsonb, ar int[], tx text[],
  rg int4range, e hue, dm word, co couple, bi bit(3), g uuid, ip inet, pt point, bo boolean,
  tv tsvector, mo money);
INSERT INTO wide(id, n, c) VALUES (1, 1, 'x'), (2, 1.50, NULL), (3, 'NaN', '');
INSERT INTO counted(v) VALUES ('one'), (NULL);
INSERT INTO parts(r, id, v) VALUES (1, 1, 'a'), (2, 2, NULL), (12, 3, 'c');
"""
    + _COMMON
    + _LINKED
)

TABLES: dict[EngineName, tuple[Tab, ...]] = {
    "sqlite": (PEOPLE, PAIRS, STRANGE, TREE, KIDS, WATCHED, LOOSE, SQLITE_WIDE, SQLITE_PLAIN),
    "duckdb": (PEOPLE, PAIRS, STRANGE, LOOSE, DUCK_WIDE),
    "postgres": (
        PEOPLE, PAIRS, STRANGE, TREE, KIDS, WATCHED, LOOSE, PG_WIDE, PG_PARTS, PG_COUNTED,
    ),
}  # fmt: skip
SCRIPTS: dict[EngineName, str] = {"sqlite": SQLITE, "duckdb": DUCKDB, "postgres": POSTGRES}
