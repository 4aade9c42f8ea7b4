"""What is known of a column before its values are looked at, and what is said of it afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from redaction.entities import FREE_TEXT, MASKED, SECRET, Sink, canonical
from redaction.lexicon import NameHint, hint

Basis = Literal["declared", "lineage", "implicit", "unknown", "clean", "none"]
"""Where a verdict comes from.

`declared`: the column is a tagged column of a table, value for value as it is stored. `lineage`:
it is computed from tagged columns, in whatever way. `implicit`: it compares or ranks tagged
values. `unknown`: where it comes from could not be traced. `clean`: it comes from columns that
carry no tag. `none`: nothing was traced, as for a file.
"""
_SURE: Final = ("declared", "lineage")


@dataclass(frozen=True, kw_only=True)
class ColumnVerdict:
    """What is known of one output column.

    `entity` is the tag, `source` the `table.column` it stands on (for clean columns too: the
    table says what a `name` is the name of). `reveal` is true when the person may see the tagged
    values; it counts on the screen only and never for secrets. `free_text` marks prose that may
    hold personal data; `model_reads` is true for prose that a model may read span-masked.

    MUST be `declared` only where every value is a stored value of a tagged column, untouched:
    such values get pseudonyms and partial masks, which would tell an expression's author about
    the original.
    """

    name: str
    basis: Basis = "none"
    entity: str | None = None
    source: str | None = None
    reveal: bool = False
    free_text: bool = False
    model_reads: bool = False

    @property
    def tag(self) -> str | None:
        """The entity under its usual name; None for free text, which is not one kind of value."""
        tag = canonical(self.entity) if self.entity else None
        if tag == FREE_TEXT:
            return None
        return MASKED if tag is None and self.basis in _SURE and not self.is_prose else tag

    @property
    def is_prose(self) -> bool:
        """True when the column was declared to hold free text."""
        return self.free_text or (self.entity is not None and canonical(self.entity) == FREE_TEXT)

    def revealed_at(self, sink: Sink) -> bool:
        """True when the values are shown as they are, secrets in them excepted."""
        return self.reveal and sink == "screen" and self.basis in _SURE and self.tag != SECRET

    @property
    def hint(self) -> NameHint:
        """What the names say. An alias is the asker's choice, so a known source comes first."""
        table, _, column = (self.source or "").rpartition(".")
        by_label = hint(self.name, table or None)
        if not column:
            return by_label
        by_source = hint(column, table)
        surer = by_label.strength == "strong" and by_source.strength != "strong"
        return by_label if surer else by_source


@dataclass(frozen=True, kw_only=True)
class ColumnReport:
    """What happened to a column: its label as shown, how many cells changed, and why.

    `entities` counts the values masked by entity; a cell of prose may hold several.
    """

    name: str
    masked_cells: int = 0
    entities: tuple[tuple[str, int], ...] = ()
    reason: str = ""
