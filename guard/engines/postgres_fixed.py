"""Whether a change could give other values the second time. When in doubt, it could.

A wrong yes would only make an approval drift; a no costs a second run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from guard.engines.postgres_tables import Connection, rows

_MOMENT = re.compile(r"\bcurrent_|\blocaltime|\bdefault\b", re.IGNORECASE)
_MOVING = """
SELECT EXISTS (SELECT FROM pg_proc WHERE provolatile <> 'i' AND proname = ANY ($1::text[]))
  OR EXISTS (SELECT FROM pg_class c JOIN pg_trigger g ON g.tgrelid = c.oid
    WHERE c.relname = ANY ($2::text[]) AND NOT g.tgisinternal)
  OR EXISTS (SELECT FROM pg_class c JOIN pg_rewrite r ON r.ev_class = c.oid
    WHERE c.relname = ANY ($2::text[]))
  OR EXISTS (SELECT FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relname = ANY ($2::text[]) AND a.attgenerated = ''
      AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) ~ '[(]|CURRENT_|LOCALTIME'))
"""


def is_fixed(writer: Connection, sql: str | None, tables: Sequence[str]) -> bool:
    """True when neither the statement nor the tables it touched call anything that moves."""
    if sql is None or _MOMENT.search(sql):
        return False
    words = sorted({w.lower() for w in re.findall(r"[A-Za-z_][A-Za-z_0-9]*", sql)})
    names = [name.rpartition(".")[2] for name in tables] + list(tables)
    return not rows(writer, _MOVING, words, names)[0][0]
