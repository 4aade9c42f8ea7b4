"""Whether a change could give other values the second time. When in doubt, it could.

A wrong yes would only make an approval drift; a no costs a second run.
https://www.postgresql.org/docs/18/xfunc-volatility.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from guard.engines.postgres_tables import Connection, rows

_MOMENT = re.compile(
    r"\bcurrent_|\blocaltime|\bdefault\b|\bnow\b|\btoday\b|\btomorrow\b|\byesterday\b|U&\"",
    re.IGNORECASE,
)
_ORDERED = frozenset(
    ("limit", "offset", "fetch", "select", "using", "with", "merge", "tablesample", "over")
)
"""Words of statements in which the server's order may decide which rows are changed, or how."""
_NAMED = """
SELECT EXISTS (SELECT FROM pg_proc WHERE provolatile <> 'i' AND proname = ANY ($1::text[]))
  OR EXISTS (SELECT FROM pg_class WHERE relkind IN ('v', 'm', 'f') AND relname = ANY ($1::text[]))
  OR EXISTS (SELECT FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
    WHERE p.provolatile = 'v' AND position(o.oprname IN $2::text) > 0)
  OR EXISTS (SELECT FROM pg_cast c JOIN pg_proc p ON p.oid = c.castfunc WHERE p.provolatile = 'v')
"""
_TOUCHED = """
SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = ANY ($1::oid[]) AND NOT tgisinternal)
  OR EXISTS (SELECT FROM pg_rewrite WHERE ev_class = ANY ($1::oid[]))
  OR EXISTS (SELECT FROM pg_class WHERE oid = ANY ($1::oid[]) AND relrowsecurity)
  OR EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY ($1::oid[])
    AND 'd' IN (confdeltype, confupdtype))
  OR $2::boolean AND EXISTS (SELECT FROM pg_attribute a
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND a.attgenerated = '' AND (
      a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) ~ '[(]|CURRENT_|LOCALTIME'
      OR t.typdefault ~ '[(]|CURRENT_|LOCALTIME'))
"""
_ALWAYS = """
SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = ANY ($1::oid[]) AND NOT tgisinternal
  AND tgenabled IN ('A', 'R'))
"""


def is_fixed(writer: Connection, sql: str | None, relations: Sequence[int]) -> bool:
    """True when neither the statement nor the tables it touched call anything that moves.

    Without a statement rows were put back, with all triggers off that can be switched off.
    """
    if sql is None:
        return not rows(writer, _ALWAYS, list(relations))[0][0]
    words = _words(sql)
    lower = [w.lower() for w in words]
    sources = lower.count("from") - (lower[:1] == ["delete"])
    if _MOMENT.search(sql) or sources or not _ORDERED.isdisjoint(lower):
        return False
    if rows(writer, _NAMED, sorted({*words, *lower}), sql)[0][0]:
        return False
    adds = lower[:1] not in (["update"], ["delete"])
    return not rows(writer, _TOUCHED, list(relations), adds)[0][0]


def _words(sql: str) -> list[str]:
    """Returns everything that may be a name, also from inside of texts and comments."""
    return re.findall(r"[^\W\d][\w$]*", sql) + re.findall(r'"([^"]+)"', sql)
