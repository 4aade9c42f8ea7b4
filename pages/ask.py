"""Ask questions of a source: each step is checked, and recorded beside the answer."""

from ui import identity
from ui.asking import page

page.draw(identity.require("analyst", "reviewer", "admin"))
