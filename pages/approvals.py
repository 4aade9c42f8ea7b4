"""Decide on changes from their exact rows; analysts see their own requests here."""

from ui import identity
from ui.reviewing import page

page.draw(identity.require("analyst", "reviewer", "admin"))
