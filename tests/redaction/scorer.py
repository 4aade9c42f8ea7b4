"""Scores the redaction on the cases that GATEHOUSE_CASES names: what survives and what is damaged.

Run it: `python -m tests.redaction.scorer [group]` prints the numbers, and the misses of one group.
"""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from redaction.values import redact_lines

_ROOT = Path(__file__).resolve().parents[2]


def cases_path() -> Path:
    """The file of cases, whether it exists or not."""
    base = Path(os.environ.get("GATEHOUSE_CASES", "../shared/cases"))
    return (base if base.is_absolute() else _ROOT / base) / "redaction" / "cells.jsonl"


def folded(text: str) -> str:
    """Letters and digits only, case and width folded."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def survives(core: str, kind: str, shown: str) -> bool:
    """Whether 60 % of `core` in one piece is in `shown`; of a name, any part of three letters."""
    output = folded(shown)
    if kind == "PERSON":
        words = {folded(w) for w in re.split(r"\W+", unicodedata.normalize("NFKC", shown))}
        parts = [folded(p) for p in re.split(r"[\W_]+", core)]
        long = [p for p in parts if len(p) >= 3]
        if long:
            return any(p in words or (not p.isascii() and p in output) for p in long)
    wanted = folded(core)
    if not wanted:
        return core in shown
    length = max(1, -(-len(wanted) * 6 // 10))
    return any(wanted[i : i + length] in output for i in range(len(wanted) - length + 1))


def as_text(value: object) -> str:
    """What of a value can be read."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass
class Tally:
    """Cells seen and cells that went wrong, by group."""

    cells: Counter[str] = field(default_factory=Counter)
    leaked: Counter[str] = field(default_factory=Counter)
    clean: Counter[str] = field(default_factory=Counter)
    damaged: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    keep: int = 0
    types: Counter[str] = field(default_factory=Counter)
    leaked_types: Counter[str] = field(default_factory=Counter)
    misses: dict[str, list[tuple[object, object]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def recall(self, *prefixes: str) -> float:
        """The share of cells of these kinds or groups in which nothing survived."""
        seen = sum(n for g, n in self.cells.items() if g.startswith(prefixes))
        lost = sum(n for g, n in self.leaked.items() if g.startswith(prefixes))
        return 1 - lost / seen if seen else 1.0

    def false_positive_rate(self) -> float:
        """The share of cells without personal data that changed."""
        return sum(self.damaged.values()) / max(1, sum(self.clean.values()))

    def type_recall(self, *types: str) -> float:
        """The share of values of these types that did not survive."""
        seen = sum(self.types[t] for t in types)
        return 1 - sum(self.leaked_types[t] for t in types) / seen if seen else 1.0


def score() -> tuple[Tally, float]:
    """The tally over all cases, and the seconds the redaction took."""
    cases = [json.loads(line) for line in cases_path().read_text(encoding="utf-8").splitlines()]
    sent = ("id", "column", "dtype", "values", "tags")
    answers = list(redact_lines(json.dumps({k: case[k] for k in sent}) for case in cases))
    tally = Tally()
    for case, line in zip(cases, answers, strict=False):
        answer = json.loads(line)
        for cell in _cells(case, answer["values"]):
            _add(tally, case, *cell)
    return tally, json.loads(answers[-1])["_seconds"]


def _cells(case: dict, shown: list) -> Iterator[tuple[object, object, list, list]]:
    yield from zip(case["values"], shown, case["truth"], case["keep"], strict=True)


def _add(tally: Tally, case: dict, old: object, new: object, truth: list, keep: list) -> None:
    if old is None:
        assert new is None
        return
    named = "named" if case["named"] else "neutral"
    group = f"{case['kind']}.{named}.{case['group']}"
    if not truth:
        tally.clean[group] += 1
        if new != old:
            tally.damaged[group] += 1
            tally.misses[group].append((old, new))
        return
    text = as_text(new)
    lost = [t for t in truth if survives(t["v"], t["t"], text)]
    tally.cells[group] += 1
    tally.types.update(t["t"] for t in truth)
    tally.leaked_types.update(t["t"] for t in lost)
    tally.keep += len(keep)
    tally.kept += sum(word in text for word in keep)
    if lost:
        tally.leaked[group] += 1
        tally.misses[group].append((old, new))


def main() -> None:
    """Prints the score, and with an argument the misses of the groups it starts or ends."""
    tally, seconds = score()
    if len(sys.argv) > 1:
        for group, misses in sorted(tally.misses.items()):
            if sys.argv[1] in group:
                for old, new in misses[:12]:
                    print(f"{group}: {old!r} -> {new!r}"[:400])
        return
    print(f"recall pii+text+nested {tally.recall('pii', 'text', 'nested'):.4f}")
    print(f"false positive rate    {tally.false_positive_rate():.4f}")
    for name, prefix in (("named", "pii.named"), ("neutral", "pii.neutral"), ("tickets", "text"),
                         ("nested", "nested"), ("value evasion", "evade")):  # fmt: skip
        print(f"  {name:20} {tally.recall(prefix):.4f}")
    print(f"  keep                 {tally.kept / max(1, tally.keep):.4f}")
    hard = ("SECRET", "CREDIT_CARD", "IBAN", "US_SSN")
    print(f"  secret card iban ssn {tally.type_recall(*hard):.4f}")
    for kind in sorted(tally.types):
        if tally.leaked_types[kind]:
            print(f"    {kind:14} {tally.type_recall(kind):.3f} of {tally.types[kind]}")
    print(f"seconds {seconds:.2f}")
    for group, count in (tally.leaked + tally.damaged).most_common(40):
        print(f"  {count:4} wrong in {group}")


if __name__ == "__main__":
    main()
