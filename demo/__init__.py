"""The sample company: generated from fixed random states, the same for everybody."""

from demo.accounts import ACCOUNTS, Account
from demo.build import make
from demo.world import TODAY

__all__ = ["ACCOUNTS", "TODAY", "Account", "make"]
