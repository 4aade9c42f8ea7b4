"""Access requests and grants between the store's JSON and the guard's plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, TypeAdapter

from guard.needs import Need, NeedKind, Opening
from store.access import AccessRequest


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Need(_Kept):
    kind: NeedKind
    source: str
    table: str | None = None
    column: str | None = None


class _Table(_Kept):
    table: str
    columns: tuple[str, ...] = ()
    lookup: tuple[str, ...] = ()
    propose: bool = False


_NEEDS, _TABLES = TypeAdapter(tuple[_Need, ...]), TypeAdapter(tuple[_Table, ...])


@dataclass(frozen=True, kw_only=True)
class TableGrant:
    """What an admin opens in one table: columns to read, to look up by, and proposing changes."""

    table: str
    columns: tuple[str, ...] = ()
    lookup: tuple[str, ...] = ()
    propose: bool = False

    @property
    def empty(self) -> bool:
        """True when it opens nothing."""
        return not (self.columns or self.lookup or self.propose)


def dump_needs(needs: Sequence[Need]) -> str:
    """Returns what was asked for as the store keeps it."""
    return _NEEDS.dump_json(tuple(_Need(**vars(n)) for n in needs)).decode()


def needs_of(request: AccessRequest) -> tuple[Need, ...]:
    """Returns what was asked for."""
    return tuple(Need(**dict(n)) for n in _NEEDS.validate_json(request.needs_json))


def dump_tables(tables: Sequence[TableGrant]) -> str:
    """Returns what was granted as the store keeps it."""
    return _TABLES.dump_json(tuple(_Table(**vars(t)) for t in tables)).decode()


def granted(request: AccessRequest) -> tuple[TableGrant, ...]:
    """Returns what was granted; nothing where nothing was."""
    if request.granted_json is None:
        return ()
    return tuple(TableGrant(**dict(t)) for t in _TABLES.validate_json(request.granted_json))


def openings_of(request: AccessRequest) -> tuple[Opening, ...]:
    """Returns what a grant opens. The caller MUST have taken it from `store.access.live`."""
    if request.until is None:
        return ()
    return tuple(
        Opening(
            grant=request.id,
            source=request.source,
            table=t.table,
            columns=t.columns,
            lookup=t.lookup,
            propose=t.propose,
            until=request.until,
        )
        for t in granted(request)
    )
