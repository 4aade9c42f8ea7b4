"""Random changes of the tables of `schemas`: every family of statement an engine has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from tests.guard.exact.schemas import TABLES, Col, EngineName, Tab

_OPERATORS = ("=", "<>", "<", ">=")


def _value(dice: Random, col: Col) -> str:
    return dice.choice(col.values)


def _fresh(dice: Random, col: Col) -> str:
    """A value that is likely not there yet."""
    return str(dice.randrange(100, 1_000)) if col.number else _value(dice, col)


def where(dice: Random, tab: Tab, alias: str = "") -> str:
    """A condition: often on a key, sometimes on nothing, sometimes on no row at all."""
    prefix = f"{alias}." if alias else ""
    easy = [c for c in tab.cols if c.number or c.name in ("name", "b", "t", "v", "w")]
    col = dice.choice(easy)
    match dice.randrange(8):
        case 0:
            return ""
        case 1:
            return f" WHERE {prefix}{col.sql} IS NULL"
        case 2:
            return f" WHERE {prefix}{col.sql} IS NOT NULL"
        case 3:
            return " WHERE 1 = 0"
        case _:
            real = [v for v in col.values if v != "NULL"]
            return f" WHERE {prefix}{col.sql} {dice.choice(_OPERATORS)} {dice.choice(real)}"


def _sets(dice: Random, tab: Tab, *, key: bool = False, alias: str = "") -> str:
    pool = [c for c in tab.cols if key or c.name not in tab.key] or list(tab.cols)
    chosen = dice.sample(pool, k=min(len(pool), dice.randrange(1, 3)))
    place = f"{alias}." if alias else ""
    return ", ".join(
        f"{c.sql} = {place}{c.sql} + {dice.choice((1, 10, 100))}"
        if c.number and dice.random() < 0.4
        else f"{c.sql} = {_value(dice, c)}"
        for c in chosen
    )


def insert_values(dice: Random, tab: Tab, _: EngineName) -> str:
    """INSERT ... VALUES, of some columns or all."""
    left_out = [c for c in tab.cols if c.name not in tab.key and dice.random() < 0.3]
    cols = [c for c in tab.cols if c not in left_out] or list(tab.cols)
    rows = [
        "(" + ", ".join((_fresh if c.name in tab.key else _value)(dice, c) for c in cols) + ")"
        for _ in range(dice.randrange(1, 4))
    ]
    return f"INSERT INTO {tab.sql} ({', '.join(c.sql for c in cols)}) VALUES {', '.join(rows)}"


def insert_select(dice: Random, tab: Tab, _: EngineName) -> str:
    """INSERT ... SELECT from itself."""
    shift = dice.randrange(100, 900)
    cells = [f"{c.sql} + {shift}" if c.name in tab.key and c.number else c.sql for c in tab.cols]
    names = ", ".join(c.sql for c in tab.cols)
    return f"INSERT INTO {tab.sql} ({names}) SELECT {', '.join(cells)} FROM {tab.sql}" + where(
        dice, tab
    )


def update(dice: Random, tab: Tab, _: EngineName) -> str:
    """UPDATE of values."""
    return f"UPDATE {tab.sql} SET {_sets(dice, tab)}{where(dice, tab)}"


def update_key(dice: Random, tab: Tab, _: EngineName) -> str:
    """UPDATE that may change the key."""
    key = [tab.col(k) for k in tab.key if tab.col(k).number] or list(tab.cols)
    col = dice.choice(key)
    change = f"{col.sql} + {dice.randrange(100, 900)}" if col.number else _value(dice, col)
    return f"UPDATE {tab.sql} SET {col.sql} = {change}{where(dice, tab)}"


def update_from(dice: Random, tab: Tab, engine: EngineName) -> str:
    """UPDATE ... FROM another table."""
    other = dice.choice(TABLES[engine])
    own, far = dice.choice(tab.cols), dice.choice(other.cols)
    numbers = [c for c in other.cols if c.number and c.name in other.key] or list(other.cols[:1])
    mine = [c for c in tab.cols if c.number] or list(tab.cols)
    text = (
        f"CAST(o.{far.sql} AS VARCHAR)" if own.values[0].startswith("'") else f"o.{numbers[0].sql}"
    )
    ours = dice.choice(mine)
    one, two = f"t.{ours.sql}", f"o.{numbers[0].sql}"
    if not (ours.number and numbers[0].number):
        one, two = f"CAST({one} AS VARCHAR)", f"CAST({two} AS VARCHAR)"
    return f"UPDATE {tab.sql} AS t SET {own.sql} = {text} FROM {other.sql} AS o WHERE {one} = {two}"


def update_subquery(dice: Random, tab: Tab, _: EngineName) -> str:
    """UPDATE with a scalar subquery on its own table."""
    numbers = [c for c in tab.cols if c.number and c.name not in tab.key] or [tab.cols[0]]
    col = dice.choice(numbers)
    inner = f"SELECT {dice.choice(('max', 'min', 'count'))}(s.{col.sql}) FROM {tab.sql} s"
    return f"UPDATE {tab.sql} SET {col.sql} = ({inner}){where(dice, tab)}"


def delete(dice: Random, tab: Tab, _: EngineName) -> str:
    """DELETE."""
    return f"DELETE FROM {tab.sql}{where(dice, tab)}"


def delete_in(dice: Random, tab: Tab, engine: EngineName) -> str:
    """DELETE by a subquery on another table."""
    other = dice.choice(TABLES[engine])
    mine = [c for c in tab.cols if c.number] or list(tab.cols)
    far = [c for c in other.cols if c.number] or list(other.cols)
    kind = dice.choice(("IN", "NOT IN"))
    return (
        f"DELETE FROM {tab.sql} WHERE CAST({dice.choice(mine).sql} AS VARCHAR) {kind} "
        f"(SELECT CAST({dice.choice(far).sql} AS VARCHAR) FROM {other.sql})"
    )


def delete_using(dice: Random, tab: Tab, engine: EngineName) -> str:
    """DELETE ... USING another table."""
    other = dice.choice(TABLES[engine])
    mine = [c for c in tab.cols if c.number] or list(tab.cols)
    far = [c for c in other.cols if c.number] or list(other.cols)
    return (
        f"DELETE FROM {tab.sql} AS t USING {other.sql} AS o "
        f"WHERE CAST(t.{dice.choice(mine).sql} AS VARCHAR) "
        f"= CAST(o.{dice.choice(far).sql} AS VARCHAR)"
    )


def upsert(dice: Random, tab: Tab, _: EngineName) -> str:
    """INSERT ... ON CONFLICT."""
    rows = {
        tuple(_value(dice, tab.col(k)) if dice.random() < 0.7 else _fresh(dice, tab.col(k))
              for k in tab.key)
        for _ in range(dice.randrange(1, 4))
    }  # fmt: skip
    others = [c for c in tab.cols if c.name not in tab.key]
    values = ", ".join(
        "(" + ", ".join([*row, *(_value(dice, c) for c in others)]) + ")" for row in sorted(rows)
    )
    names = ", ".join([*(tab.col(k).sql for k in tab.key), *(c.sql for c in others)])
    keys = ", ".join(tab.col(k).sql for k in tab.key)
    chosen = dice.choice(others)
    action = dice.choice(("DO NOTHING", f"DO UPDATE SET {chosen.sql} = excluded.{chosen.sql}"))
    return f"INSERT INTO {tab.sql} ({names}) VALUES {values} ON CONFLICT ({keys}) {action}"


def merge(dice: Random, tab: Tab, _: EngineName) -> str:
    """MERGE with up to three actions."""
    key = [tab.col(k) for k in tab.key]
    others = [c for c in tab.cols if c.name not in tab.key]
    on = " AND ".join(f"t.{k.sql} = s.{k.sql}" for k in key)
    shift = dice.randrange(100, 900)
    keys = ", ".join(
        f"{k.sql} + CASE WHEN {key[0].sql} IS NULL THEN 0 ELSE {dice.choice((0, shift))} END "
        f"AS {k.sql}" if k.number else k.sql
        for k in key
    )  # fmt: skip
    names = ", ".join(c.sql for c in (*key, *others))
    values = ", ".join(f"s.{c.sql}" for c in (*key, *others))
    sets = _sets(dice, tab, alias="t")
    whens = [
        f"WHEN MATCHED AND t.{key[0].sql} IS NOT NULL THEN UPDATE SET {sets}",
        "WHEN MATCHED THEN DELETE",
        f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})",
    ]
    chosen = [w for w in whens if dice.random() < 0.7] or whens[-1:]
    source = f"SELECT {keys}{''.join(', ' + c.sql for c in others)} FROM {tab.sql}"
    return f"MERGE INTO {tab.sql} AS t USING ({source}{where(dice, tab)}) AS s ON {on} " + " ".join(
        chosen
    )


def with_cte(dice: Random, tab: Tab, _: EngineName) -> str:
    """A change that reads a CTE."""
    col = dice.choice([c for c in tab.cols if c.number] or list(tab.cols))
    return (
        f"WITH chosen AS (SELECT {col.sql} AS x FROM {tab.sql}{where(dice, tab)}) "
        + dice.choice((f"DELETE FROM {tab.sql}", f"UPDATE {tab.sql} SET {_sets(dice, tab)}"))
        + f" WHERE {col.sql} IN (SELECT x FROM chosen)"
    )


def writing_cte(dice: Random, tab: Tab, engine: EngineName) -> str:
    """Two changes in one statement."""
    other = dice.choice(TABLES[engine])
    col = dice.choice([c for c in tab.cols if c.number] or list(tab.cols))
    first = dice.choice((delete, update))(dice, tab, engine)
    inner = f"WITH done AS ({first} RETURNING {col.sql} AS x) "
    return inner + dice.choice(
        (
            "INSERT INTO loose(a) SELECT length(x::text) FROM done",
            f"{delete(dice, other, engine)}",
            "UPDATE loose SET a = (SELECT count(*) FROM done)",
        )
    )


def replace_into(dice: Random, tab: Tab, engine: EngineName) -> str:
    """SQLite's REPLACE and other conflict words."""
    word = dice.choice(("REPLACE", "INSERT OR REPLACE", "INSERT OR IGNORE"))
    if dice.random() < 0.3:
        word = dice.choice(("UPDATE OR REPLACE", "UPDATE OR IGNORE"))
        return update_key(dice, tab, engine).replace("UPDATE", word, 1)
    cols = ", ".join(c.sql for c in tab.cols)
    values = ", ".join(_value(dice, c) for c in tab.cols)
    return f"{word} INTO {tab.sql} ({cols}) VALUES ({values})"


def returning(dice: Random, tab: Tab, engine: EngineName) -> str:
    """A change that also gives rows."""
    text = dice.choice((update, delete, insert_values))(dice, tab, engine)
    return f"{text} RETURNING {tab.cols[0].sql}"


def decided(dice: Random, tab: Tab, engine: EngineName) -> str:
    """Values that only the run decides, from a range in which no two runs meet."""
    col = next((c for c in tab.cols if c.number and c.name not in tab.key), tab.cols[-1])
    maker = "random()" if engine == "sqlite" else "CAST(random() * 1000000000 AS INTEGER)"
    value = maker if col.number else f"CAST({maker} AS VARCHAR)"
    return f"UPDATE {tab.sql} SET {col.sql} = {value}{where(dice, tab)}"


Family = Callable[[Random, Tab, EngineName], str]
_ALL: tuple[Family, ...] = (
    insert_values, insert_select, update, update, update_key, update_from, update_subquery, delete,
    delete_in, upsert, with_cte, returning, decided,
)  # fmt: skip
FAMILIES: Mapping[EngineName, tuple[Family, ...]] = {
    "sqlite": (*_ALL, replace_into, replace_into),
    "duckdb": (*_ALL, delete_using, merge),
    "postgres": (*_ALL, delete_using, merge, writing_cte),
}


def statement(dice: Random, engine: EngineName) -> tuple[str, str, Tab]:
    """Returns the family's name, a random change and the table it names."""
    family = dice.choice(FAMILIES[engine])
    tables = [t for t in TABLES[engine] if t.key or family not in (upsert, merge, replace_into)]
    tab = dice.choice(tables)
    return family.__name__, family(dice, tab, engine), tab
