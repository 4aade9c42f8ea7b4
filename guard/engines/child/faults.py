"""How a statement failed, as a code. The engine's own words never leave this process."""

from __future__ import annotations

from typing import Literal

FaultCode = Literal[
    "no_such_name",
    "syntax",
    "meaning",
    "types",
    "arithmetic",
    "not_allowed",
    "not_supported",
    "value_too_large",
    "result_too_large",
    "memory",
    "interrupted",
    "busy",
    "unfinished",
    "missing",
    "unreadable",
    "not_a_database",
    "newer_format",
    "shadowed",
    "damaged",
    "constraint",
    "too_many_rows",
    "not_exact",
    "triggers",
    "changed_since",
    "no_way_back",
    "engine",
]
"""The closed set of outcomes other than rows.

`meaning` is a name, type or grouping the engine cannot make sense of; `shadowed` a database with a
macro under the name of one of the engine's own functions; `unfinished` a write that was
cut off and waits to be rolled back; `constraint` a write that a rule of the table refuses;
`not_exact` one whose rows cannot all be seen; `triggers` one of a table of which triggers write to
what is not looked at; `changed_since` rows that are no longer as a change
left them; `no_way_back` a change of the schema that nothing takes back; `engine` whatever the
others do not name.
"""


class Fault(Exception):
    """A statement or a connection failed; `code` says how, and nothing else is told."""

    def __init__(self, code: FaultCode) -> None:
        super().__init__(code)
        self.code: FaultCode = code
