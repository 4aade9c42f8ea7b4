"""What the promises about writes share between servers: approved, killed on the way, taken back."""

from __future__ import annotations

import pytest

from guard.errors import Illegal
from tests.promises.postgres_shop import PostgresShop

ONE_MORE = "UPDATE orders SET total = total + 1 WHERE id = 2"
KILL_POINTS = ("claimed", "run", "recorded", "before commit", "after commit", "after done")
_COMMITTED = ("after commit", "after done")


def killer(*, shop: str, engine: str, captured: str) -> str:
    """Returns the script of a process that applies a change and dies at one of `KILL_POINTS`.

    `shop` is the class to open as `module:name`, `engine` the one that commits, and `captured` what
    its module calls once the statement has run.
    """
    shop_module, shop_name = shop.split(":")
    engine_module, engine_name = engine.split(":")
    return f"""
from {shop_module} import {shop_name}
import {engine_module} as engine, guard.settlement as settlement
shop, change = {shop_name}(home, secrets), int(given[0])
if point == "claimed": after(changes, "claim")
if point == "run": after(engine, "{captured}")
if point == "recorded": after(changes, "record_execution")
if point == "before commit": engine.{engine_name}._commit = die
if point == "after commit": after(engine.{engine_name}, "_commit")
if point == "after done": after(settlement.Settlement, "committed")
shop.parts.review.apply(change, shop.caller("rita"))
"""


def approved(shop: PostgresShop) -> int:
    """Returns a request that would raise a total, approved by another person."""
    change = shop.propose(ONE_MORE)
    shop.approve(change)
    assert shop.state(change) == "approved"
    return change


def settles_once(shop: PostgresShop, change: int, point: str) -> None:
    """Sees that what the kill at `point` left is settled, applied if it was not, and recorded."""
    shop.parts.recover()
    expected = "executed" if point in _COMMITTED else "approved"
    assert shop.state(change) == expected
    if expected == "approved":
        shop.parts.review.apply(change, shop.caller("rita"))
    assert shop.state(change) == "executed"
    assert shop.log.open_intents() == ()
    assert shop.log.verify().status == 0


def taken_back(shop: PostgresShop, change: int) -> None:
    """Sees that an applied request is taken back by another, which needs a review of its own."""
    undo = shop.parts.review.undo(change, shop.caller("ana"), "It was wrong.").change
    with pytest.raises(Illegal):
        shop.parts.review.apply(undo, shop.caller("rita"))
    shop.approve(undo)
    shop.parts.review.apply(undo, shop.caller("rita"))
    assert (shop.state(change), shop.state(undo)) == ("undone", "executed")
