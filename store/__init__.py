"""What survives a restart: SQLAlchemy tables, Alembic migrations, one repository module an idea.

Open a `Store` once, then hand the connection of `store.read()` or `store.write()` to the functions
of `accounts`, `websessions`, `conversations`, `turns`, `steps`, `changes`, `approvals`, `ledger`,
`policies`, `semantics` and `saved`. Several calls in one `write` are one transaction.
"""

from sqlalchemy import Connection

from store.database import Store
from store.errors import IllegalMove, StoreBusy, StoreConflict, StoreError

__all__ = ["Connection", "IllegalMove", "Store", "StoreBusy", "StoreConflict", "StoreError"]
