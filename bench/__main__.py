"""Runs every benchmark in one process and prints ratios, so that machine noise cancels out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

Row = tuple[str, float, str]


def _suites() -> dict[str, Callable[[], Sequence[Row]]]:
    from bench import audit, changes, classify, engine, gate, lineage, pages, planner, redaction

    return {
        "classify": classify.run,
        "lineage": lineage.run,
        "engine": engine.run,
        "gate": gate.run,
        "changes": changes.run,
        "redaction": redaction.run,
        "audit": audit.run,
        "pages": pages.run,
        "planner": planner.run,
    }


def main(wanted: Sequence[str]) -> int:
    """Prints `suite  name  ratio  note` lines; names on the command line choose suites."""
    suites = _suites()
    unknown = [name for name in wanted if name not in suites]
    if unknown:
        print(f"There is no suite {unknown[0]}. There are: {', '.join(suites)}.", file=sys.stderr)
        return 2
    for name in wanted or suites:
        print(f"# {name}", flush=True)
        for label, ratio, note in suites[name]():
            print(f"{label:<58} {ratio:>9.3f}  {note}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
