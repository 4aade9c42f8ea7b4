"""Where the records are and how far they are proven: sealed, signed, anchored elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from audit import LogHead, Segment
from ui import panels, text
from ui.verdict import Icon, Tone, Verdict, icon


def line(head: LogHead) -> str:
    """Returns in one sentence how far the log is anchored outside itself."""
    if head.anchored >= head.size:
        return f"{text.count(head.size, 'event')}, all anchored outside the log."
    return f"{text.count(head.size, 'event')}, anchored outside the log up to {head.anchored:,}."


def ranges(head: LogHead, sealed: Sequence[Segment], gone: Sequence[Segment]) -> str:
    """Returns the ranges as an HTML list. `gone` are the sealed ones whose records expired."""
    items = "".join(
        f"<li>{icon(picture)}<span><strong>{escape(which)}</strong> {escape(said)}</span></li>"
        for picture, which, said in _ranges(head, sealed, gone)
    )
    return f'<ul class="gh-notes">{items}</ul>'


def _ranges(
    head: LogHead, sealed: Sequence[Segment], gone: Sequence[Segment]
) -> Iterator[tuple[Icon, str, str]]:
    lost = {one.last for one in gone}
    kept = [one for one in sealed if one.last not in lost]
    if gone:
        span = _span(gone[0].first, gone[-1].last)
        yield "stop", span, "expired. Their manifests stay, so that what follows remains provable."
    if kept:
        files = text.count(len(kept), "file")
        yield (
            "hidden",
            _span(kept[0].first, kept[-1].last),
            f"sealed in {files}. Search looks into them when it is asked to, and so does zgrep on"
            " the files in audit/segments. Replay begins after them. A whole export holds them.",
        )
    first = sealed[-1].last + 1 if sealed else 1
    yield "dot", _span(first, head.size), "can be searched and replayed here."
    yield "check", _span(1, head.size), "covered by the checkpoint signed with the newest event."
    if head.anchored:
        yield "check", _span(1, head.anchored), "anchored in the file of checkpoints."
    else:
        yield "error", "No event", "is anchored in the file of checkpoints."
    for name, state in sorted(head.remote.items()):
        covered = _span(1, state.size) if state.size else "No event"
        trouble = f" It fails now: {state.failing}." if state.failing else ""
        yield "error" if trouble else "check", covered, f"anchored with {name}.{trouble}"
    for name, kind in sorted(head.failing.items()):
        yield "error", name, f"does not take checkpoints now: {kind}."
    if head.overdue:
        yield "error", "Nothing new runs", "until a place outside takes a checkpoint."


def _span(first: int, last: int) -> str:
    return f"Event {first:,}" if first == last else f"Events {first:,} to {last:,}"


def inclusion(seq: int, head: LogHead, fits: bool) -> str:
    """Returns the state of one record as HTML. `fits` says that its hash is that of its text."""
    if not fits:
        said = "The hash that is stored for this event is not that of its text. Verify the chain."
        return panels.said(Verdict.FAILED, "This event was changed.", said)
    files = ["the file of checkpoints"] if head.anchored >= seq else []
    elsewhere = [name for name, state in sorted(head.remote.items()) if state.size >= seq]
    said = f"The checkpoint signed over {text.count(head.size, 'event')} includes it."
    if not files and not elsewhere:
        return f"{_badge('wait', 'clock', 'Not anchored yet')} {_note(said)}"
    up_to = max([head.anchored, *(head.remote[name].size for name in elsewhere)])
    places = text.joined([*files, *elsewhere])
    said += f" Anchored outside the log with {places}, up to event {up_to:,}."
    return f"{_badge('ok', 'check', 'Included')} {_note(said)}"


def _badge(tone: Tone, picture: Icon, word: str) -> str:
    return f'<span class="gh-badge gh-{tone}">{icon(picture)}{escape(word)}</span>'


def _note(said: str) -> str:
    return f'<span class="gh-note">{escape(said)}</span>'
