"""Scores the content checks on texts written for it: what they find, and what they flag wrongly.

Run it: `python -m tests.agent.scorer_content` prints the rates of both parts, and
`python -m tests.agent.scorer_content dev` what is missed and wrongly flagged in the part that the
patterns are tuned on. `held` is for measuring only: no pattern is changed because of a line in it.
`tests/agent/test_content_rates.py` holds the rates.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from agent.content import signals

FOLDER = Path(__file__).parent / "content"
Part = Literal["dev", "held"]


@dataclass(frozen=True, kw_only=True)
class Text:
    """One text: where it stands, in which language, and of a hostile one in which style."""

    style: str
    language: str
    where: str
    text: str

    @property
    def flagged(self) -> bool:
        """True when the checks see orders in it."""
        return bool(signals(self.text))


def texts(part: Part, kind: Literal["hostile", "honest"]) -> list[Text]:
    """The texts of one part. `\\u200b` in a file stands for the invisible character."""
    found = []
    for line in (FOLDER / f"{part}_{kind}.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("# "):
            continue
        fields = line.split(" | ", 3 if kind == "hostile" else 2)
        style = fields.pop(0) if kind == "hostile" else "honest"
        language, where, text = fields
        plain = text.replace("\\u200b", "\u200b")
        found.append(Text(style=style, language=language, where=where, text=plain))
    return found


def missed(part: Part) -> list[Text]:
    """The hostile texts in which nothing is found."""
    return [t for t in texts(part, "hostile") if not t.flagged]


def alarms(part: Part) -> list[Text]:
    """The honest texts that are flagged."""
    return [t for t in texts(part, "honest") if t.flagged]


def _rate(found: int, of: int) -> str:
    return f"{found:3} of {of:3} ({found / of:4.0%})"


def _by(names: Iterable[tuple[str, bool]]) -> str:
    counts: dict[str, list[bool]] = defaultdict(list)
    for name, hit in names:
        counts[name].append(hit)
    return ", ".join(f"{name} {sum(hits)}/{len(hits)}" for name, hits in sorted(counts.items()))


def main() -> None:
    """Prints the rates, or what one part misses."""
    if sys.argv[1:] == ["dev"]:
        for text in missed("dev"):
            print(f"missed  {text.style:10} {text.language} {text.text}")
        for text in alarms("dev"):
            print(f"flagged {', '.join(signals(text.text)):10} {text.text}")
        return
    for part in get_args(Part):
        hostile, honest = texts(part, "hostile"), texts(part, "honest")
        found, wrong = [t for t in hostile if t.flagged], [t for t in honest if t.flagged]
        print(f"{part:5} hostile texts found     {_rate(len(found), len(hostile))}")
        print(f"      by style     {_by((t.style, t.flagged) for t in hostile)}")
        print(f"      by language  {_by((t.language, t.flagged) for t in hostile)}")
        print(f"{part:5} honest texts flagged    {_rate(len(wrong), len(honest))}")
        print(f"      by place     {_by((t.where, t.flagged) for t in honest)}")


if __name__ == "__main__":
    main()
