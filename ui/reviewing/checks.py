"""What is known of a request before anybody decides, as a list of facts with a verdict each."""

from __future__ import annotations

from html import escape

from guard.changes import ChangeView
from ui import panels, text
from ui.frame import Desk
from ui.reviewing import costs
from ui.verdict import Verdict, badge


def listed(desk: Desk, view: ChangeView) -> str:
    """Returns the checks as HTML. Titles and details are escaped here."""
    found = [
        _preview(view),
        _cost(desk, view),
        _cap(desk, view),
        _undo(view),
        _scope(view),
        *_decided(view),
    ]
    items = "".join(
        f"<li>{badge(verdict)}<div><b>{escape(title)}</b><p>{detail}</p></div></li>"
        for verdict, title, detail in found
    )
    return f'<ul class="gh-checks">{items}</ul>{_sealed(view)}'


Check = tuple[Verdict, str, str]


def _preview(view: ChangeView) -> Check:
    if view.fingerprint is None:
        return Verdict.TO_DO, "No preview yet", "Without one it cannot be approved."
    return (
        Verdict.DONE,
        "Run once, captured and rolled back",
        "The rows shown are what the statement did in a transaction that was rolled back, triggers "
        "and cascades included.",
    )


def _cap(desk: Desk, view: ChangeView) -> Check:
    cap, rows = desk.parts.policy.approvals.max_rows, view.card.rows
    if rows > cap:
        return Verdict.DENIED, "Over the row cap", f"{rows:,} rows; one change may touch {cap:,}."
    return (
        Verdict.DONE,
        "Within the row cap",
        f"{rows:,} of {cap:,} rows that one change may touch.",
    )


def _cost(desk: Desk, view: ChangeView) -> Check:
    """What running it for the preview took, and what that leaves in the source."""
    source = desk.parts.policy.sources.get(view.card.source)
    took = f"It took {view.elapsed_us / 1_000_000:.1f} s. "
    left = costs.LEFT_BEHIND.get(source.engine if source else "", costs.UNKNOWN)
    return Verdict.RECORDED, "What the preview cost", f"{took}{escape(left)}"


def _undo(view: ChangeView) -> Check:
    if view.card.undo == "exact" and view.undo_verified:
        return (
            Verdict.DONE,
            "Undo was tried",
            "It was undone inside the same transaction, and every table was as before.",
        )
    if view.card.undo == "none":
        return Verdict.DENIED, "Cannot be undone", "See the notes above."
    return Verdict.TO_DO, "Undo was not proven", "It may leave something behind; see the notes."


def _scope(view: ChangeView) -> Check:
    hidden = [panels.code(text.line(t.table, 60)) for t in view.diff if t.hidden]
    if hidden:
        return (
            Verdict.DENIED,
            "Part of it is hidden from you",
            f"You cannot read {', '.join(hidden)}.",
        )
    return Verdict.DONE, "You can read every row of it", "Values you may not see are masked."


def _decided(view: ChangeView) -> list[Check]:
    return [
        (
            Verdict.REVIEW,
            "Some values are decided when it runs",
            f"{panels.code(text.line(t.table, 60))}: "
            f"{', '.join(panels.code(text.line(c, 60)) for c in t.decided)}",
        )
        for t in view.diff
        if t.decided
    ]


def _sealed(view: ChangeView) -> str:
    if view.fingerprint is None:
        return ""
    votes = f"{view.approvals} of {text.count(view.approvers_needed, 'approval')} so far."
    return panels.note(
        f"{votes} An approval binds to the fingerprint {panels.code(view.fingerprint[:16])}; when "
        "the rows change before it is applied, nothing runs."
    )
