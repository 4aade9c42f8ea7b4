"""Reads that were judged and rewritten before: the same text on the same footing says the same.

A footing is all that decides beside the text: the person, the policy, what the person may do under
it at this moment, and the catalog. It is looked up anew at every call, and entries belong to the
footing they were made on: where any part of it is another, they are gone. Only allowed reads are
kept. A refusal is found anew each time, for its words may depend on the hour; so is a statement
with a pseudonym, for what that stands for is somebody's value. No row is ever kept here.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

from audit import Action
from guard.catalog import Catalog
from guard.decision import Allow
from guard.judging import Judgement
from guard.policyfile import Policy
from guard.rewrite import GuardedQuery
from guard.rights import Scope, narrowed
from redaction import mask_tokens

LONGEST = 4_000
"""Characters of a statement that is kept."""
MOST_CHARACTERS = 100_000
"""Characters of all statements kept; the one not used for longest goes first."""
MOST_FOOTINGS = 200
_Place = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Known:
    """One read, ready to run. `action` is what the trail has of its text: no literal of it."""

    judged: Judgement
    query: GuardedQuery
    action: Action


@dataclass(frozen=True, kw_only=True, eq=False)
class Footing:
    """What a person's statements about a source are judged on; `own` is the catalog they see."""

    policy: Policy
    scope: Scope
    catalog: Catalog
    own: Catalog

    def holds(self, policy: Policy, scope: Scope, catalog: Catalog) -> bool:
        """True when it is these: the very policy and catalog, and the same scope.

        The hour is no part of a scope; what is open and closed at it is.
        """
        return policy is self.policy and catalog is self.catalog and scope == self.scope


class Remembered:
    """One a process; safe to share between threads. Bounded in statements and in footings."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._footings: OrderedDict[_Place, Footing] = OrderedDict()
        self._reads: OrderedDict[tuple[_Place, str], Known] = OrderedDict()
        self._characters = 0

    def footing(self, person: str, policy: Policy, scope: Scope, catalog: Catalog) -> Footing:
        """Returns what to judge on; where it is not what it was, what was kept on it is forgotten.

        `policy` and `scope` MUST have been looked up in this call.
        """
        place = (person, scope.source)
        with self._lock:
            found = self._footings.get(place)
            if found is not None and found.holds(policy, scope, catalog):
                self._footings.move_to_end(place)
                return found
        made = Footing(policy=policy, scope=scope, catalog=catalog, own=narrowed(catalog, scope))
        with self._lock:
            self._forget(place)
            self._footings[place] = made
            while len(self._footings) > MOST_FOOTINGS:
                self._forget(next(iter(self._footings)))
        return made

    def read(self, person: str, footing: Footing, sql: str) -> Known | None:
        """Returns the read of exactly this text that was kept on this footing."""
        place = (person, footing.scope.source)
        with self._lock:
            found = self._reads.get((place, sql))
            if found is None or self._footings.get(place) is not footing:
                return None
            self._reads.move_to_end((place, sql))
            return found

    def keep(self, person: str, footing: Footing, sql: str, known: Known) -> None:
        """Keeps a read that was judged and rewritten on `footing`, if it may be kept."""
        place = (person, footing.scope.source)
        if not isinstance(known.judged.decision, Allow):
            raise TypeError("Only an allowed read is kept.")
        if len(sql) > LONGEST or known.judged.values or mask_tokens(sql):
            return
        with self._lock:
            if self._footings.get(place) is not footing or (place, sql) in self._reads:
                return
            self._reads[place, sql] = known
            self._characters += len(sql)
            while self._characters > MOST_CHARACTERS:
                (_, oldest), _ = self._reads.popitem(last=False)
                self._characters -= len(oldest)

    def _forget(self, place: _Place) -> None:
        if self._footings.pop(place, None) is None:
            return
        for key in [k for k in self._reads if k[0] == place]:
            del self._reads[key]
            self._characters -= len(key[1])


def under(scope: Scope, known: Known) -> Judgement:
    """Returns the judgement of a read that was kept, with the scope of this call."""
    return replace(known.judged, scope=scope)
