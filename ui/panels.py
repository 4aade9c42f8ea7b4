"""What is said of a refusal, a waiting change or a run that ended early: escaped HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from agent import Refusal
from guard.changes import ChangeCard, Count, Decided
from ui import text
from ui.verdict import Icon, Tone, Verdict, icon, state_look

HELD = "write.held"
"""The rule that says: this is a change; propose it."""
_AFTER_SENDING: Mapping[str, str] = {
    "engine.": "Not run.",
    "preview.": "Not run.",
    "redaction.": "Not shown.",
    "stopped": "Stopped.",
    "limit.timeout_seconds": "Stopped.",
    "limit.max_bytes": "Not shown.",
    "limit.max_rows": "Not shown.",
}
"""Rules that refuse once the source was asked, and what is said first. All others refuse before."""
_PLANNED = ("limit.max_estimated_", "limit.without_estimate")
"""Rules that refuse on what the source expects: it was asked for a plan and ran nothing."""


def panel(tone: Tone, picture: Icon, lines: Iterable[str]) -> str:
    """Returns a box with an icon. `lines` are HTML: whatever goes in is escaped already."""
    body = "".join(f"<p>{line}</p>" for line in lines)
    return f'<div class="gh-panel gh-{tone}" role="status">{icon(picture)}<div>{body}</div></div>'


def said(verdict: Verdict, title: str, sentence: str = "") -> str:
    """Returns a box with a bold beginning and one sentence."""
    first = f"<strong>{escape(title)}</strong> {escape(text.clip(sentence, 2_000))}".rstrip()
    return panel(verdict.tone, verdict.icon, [first])


def denied(refusal: Refusal, *, halted: bool = False) -> str:
    """Returns the refusal: what, why, by which rule, and the way out.

    `halted` says that a run ended with it, whose earlier statements were sent.
    """
    title, nothing = _what_happened(refusal.rule)
    if halted:
        title, nothing = "Halted.", " This statement was not sent."
    held = refusal.rule == HELD
    lines = [f"<strong>{title}</strong> {_sentence(refusal.reason)}{nothing}"]
    if refusal.alternative and not held:
        lines.append(_sentence(refusal.alternative))
    rule = f"Rule {code(refusal.rule)}"
    if refusal.part and refusal.part not in refusal.reason:
        rule += f" on {code(text.line(refusal.part, 120))}"
    if refusal.access_request:
        wanted = code(text.line(refusal.access_request.name, 120))
        rule += f". An admin can grant access to {wanted}."
    lines.append(f'<span class="gh-note">{rule}</span>')
    return panel("wait", "clock", lines) if held else panel("bad", "block", lines)


def _what_happened(rule: str) -> tuple[str, str]:
    """Returns how a refusal begins, and what it says of the database."""
    sent = next((title for start, title in _AFTER_SENDING.items() if rule.startswith(start)), None)
    if sent is not None:
        return sent, ""
    if rule.startswith(_PLANNED):
        return "Not run.", " The database planned it and ran nothing."
    return "Not run.", " Nothing was sent to the database."


def pending(card: ChangeCard) -> str:
    """Returns what waits for review."""
    return panel(
        "wait",
        "clock",
        [
            "<strong>Waiting for review. Nothing has changed yet.</strong> "
            f"{effect(card.tables)} A reviewer other than you decides."
        ],
    )


def became(card: ChangeCard, votes: Sequence[Decided]) -> str:
    """Returns what became of a request, and who decided what."""
    word, tone, picture = state_look(card.state)
    done = f" {effect(card.tables, done=True)}" if card.state == "executed" else ""
    if card.state == "expired":
        done = " Nobody decided on it in time, or it was not applied in time. Nothing was changed."
    lines = [f"<strong>{word}.</strong>{done}"]
    for vote in votes:
        if not vote.void:
            verb = "Approved" if vote.decision == "approve" else "Rejected"
            said = f": {_sentence(vote.comment)}" if vote.comment else "."
            lines.append(f'<span class="gh-note">{verb} by {escape(vote.by)}{said}</span>')
    return panel(tone, picture, lines)


def effect(tables: Iterable[Count], *, done: bool = False) -> str:
    """Returns how many rows of which tables a change touches, as one sentence of HTML each."""
    return " ".join(_effect(count, done) for count in tables)


def _effect(count: Count, done: bool) -> str:
    found = ((count.updated, "changed"), (count.inserted, "added"), (count.deleted, "removed"))
    kinds = [(number, word) for number, word in found if number]
    total = sum(number for number, _ in kinds)
    rows = f"{text.count(total, 'row')} in {code(text.line(count.table, 80))}"
    if len(kinds) == 1:
        were = "was" if total == 1 else "were"
        return f"{rows} {were if done else 'would be'} {kinds[0][1]}."
    listed = ", ".join(f"{number:,} {word}" for number, word in kinds)
    return f"{rows} {'changed' if done else 'would change'} ({listed})."


def code(value: str) -> str:
    """Returns a name or rule in a fixed-width face."""
    return f'<span class="gh-code">{escape(value)}</span>'


def note(html: str) -> str:
    """Returns a quiet line; `html` is escaped already."""
    return f'<p class="gh-note">{html}</p>'


def _sentence(words: str) -> str:
    return escape(text.clip(words, 2_000))
