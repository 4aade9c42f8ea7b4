"""Errors nobody foresaw: the person sees an id, the log the same id and where it happened.

Exception texts may quote rows or names the reader may not see, so they reach neither the screen nor
the log: the log keeps types, files and lines. Errors written for people are shown as they are.
"""

from __future__ import annotations

import logging
import traceback

import streamlit as st

from store.ids import new_id
from ui import markup
from ui.webparts import UNUSABLE

_log = logging.getLogger("gatehouse")


def report(error: Exception) -> bool:
    """Handles an error of a page (`st.App(on_script_error=...)`); True: nothing else is shown."""
    if isinstance(error, UNUSABLE):
        st.html(markup.notice("This page cannot work now.", str(error)))
        return True
    incident = new_id()
    _log.error("incident %s\n%s", incident, where(error))
    st.html(
        markup.notice(
            "Something went wrong on this page.",
            f"Load it again. If it happens again, give an operator this number: {incident}.",
        )
    )
    return True


def where(error: BaseException) -> str:
    """Returns the error's type and traceback, and those of its causes, without any message."""
    lines = [f"{type(error).__module__}.{type(error).__qualname__}"]
    for frame in traceback.extract_tb(error.__traceback__):
        lines.append(f"  {frame.filename}:{frame.lineno} in {frame.name}")
    cause = error.__cause__ or error.__context__
    if cause is not None:
        lines.append(f"caused by {where(cause)}")
    return "\n".join(lines)


class _NoMessages(logging.Filter):
    """Drops Streamlit's own log of the same error, which has the message in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is None


def silence_streamlit() -> None:
    """Leaves `report` as the only one that logs errors of pages."""
    logger = logging.getLogger("streamlit.error_util")
    if not any(isinstance(f, _NoMessages) for f in logger.filters):
        logger.addFilter(_NoMessages())
