"""Statements whose text the store still has, by the keyed hash under which the trail knows them.

The trail keeps a statement's shape and its hash, never its text. The store keeps the statements of
people's turns and change requests, and of a template the arguments it was called with.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from guard.errors import Refused
from guard.judging import bound_in, check_tool
from guard.policyfile import Policy
from guard.rights import Scope
from guard.templates import Template, Tool, bound
from store import Store, changes, steps

_SQL_TOOLS = ("run_query", "propose_change", "reveal_query")
_CONSOLE = frozenset({"reveal_query"})
"""What the console itself sends; no policy gives or takes it."""
_MOST = 10_000
_REASON = "reason"
"""What the form of a template that writes adds to its arguments in the journal."""

Key = tuple[str, str | None]
"""The keyed hash of the text, and the template that sent it."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One statement as it was sent: by which tool, and of a template the arguments and the day."""

    sql: str
    tool: str | None
    arguments: Mapping[str, object] | None = None
    day: dt.date | None = None

    def under(self, policy: Policy, scope: Scope) -> str:
        """Returns the text that the same call would send under that policy.

        Raises:
            Refused: it would send none: the tool is taken away, the template is gone or does not
                take these arguments.
        """
        if self.arguments is not None and self.tool is not None:
            _, sql = bound_in(policy, scope, self.tool, self.arguments, self.day)
            return sql
        check_tool(scope, Tool(name=self.tool) if self.tool is not None else None)
        return self.sql


def kept(store: Store, digest: Callable[[str], str], policy: Policy) -> Mapping[Key, Kept]:
    """Returns the statements that the store keeps, the templates' as `policy` has them.

    `digest` gives the keyed hash of a text. A template that was another one when it was called has
    another hash, so its statements are not found.
    """
    with store.read() as conn:
        sent = steps.recent(conn, (*_SQL_TOOLS, *policy.templates), limit=_MOST)
        asked = changes.statements(conn, limit=_MOST)
    found: dict[Key, Kept] = {(digest(text), None): Kept(sql=text, tool=None) for text in asked}
    for step in sent:
        arguments = json.loads(step.args_json)
        one = (
            _of_template(step, arguments, policy)
            if step.tool in policy.templates
            else _of_sql(step, arguments)
        )
        if one is not None:
            template = step.tool if one.arguments is not None else None
            found[digest(one.sql), template] = one
    return found


def _of_sql(step: steps.Sent, arguments: Mapping[str, object]) -> Kept | None:
    sql = arguments.get("sql")
    tool = None if step.tool in _CONSOLE else step.tool
    return Kept(sql=sql, tool=tool) if isinstance(sql, str) else None


def _of_template(step: steps.Sent, arguments: Mapping[str, object], policy: Policy) -> Kept | None:
    settings = policy.templates[step.tool]
    given = {k: v for k, v in arguments.items() if k in settings.arguments or k != _REASON}
    source = policy.sources[settings.source]
    day = source.today or step.started_at.date()
    template = Template(name=step.tool, settings=settings)
    try:
        sql = bound(settings, source.engine, template.checked(given), day)
    except Refused:
        return None
    return Kept(sql=sql, tool=step.tool, arguments=given, day=day)
