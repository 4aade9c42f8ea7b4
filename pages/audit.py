"""Read, verify and export the audit trail."""

from ui import identity
from ui.auditing import page

page.draw(identity.require("admin"))
