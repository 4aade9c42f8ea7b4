"""The policy in force, the sources, the people, and whether all is as it should be."""

from ui import identity
from ui.governing import page

page.draw(identity.require("admin"))
