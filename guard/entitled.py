"""Which masked values a person may see: by kind of value, or by column. Secrets are nobody's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from redaction import FREE_TEXT, SECRET, canonical


@dataclass(frozen=True, kw_only=True)
class Entitled:
    """Entities, under their usual names, and columns as casefolded `table.column`."""

    entities: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()

    @classmethod
    def of(cls, names: Iterable[str]) -> Entitled:
        """Returns the right that a policy writes as these names."""
        listed = tuple(names)
        return cls(
            entities=frozenset(canonical(n) for n in listed if "." not in n) - {SECRET},
            columns=frozenset(n.casefold() for n in listed if "." in n),
        )

    def covers(self, table: str, column: str, tag: str | None, *, prose: bool = False) -> bool:
        """True when the values of this column may be seen.

        `tag` is what the policy says they are, None where it says nothing; `prose` is true for free
        text, which is covered by its column's name or as `FREE_TEXT`.
        """
        kinds = {canonical(tag)} if tag is not None else set()
        if prose:
            kinds.add(FREE_TEXT)
        if SECRET in kinds:
            return False
        named = f"{table}.{column}".casefold() in self.columns
        return named or (bool(kinds) and kinds <= self.entities)

    def __bool__(self) -> bool:
        return bool(self.entities or self.columns)


NOTHING = Entitled()
"""No value at all."""
