"""The walk that follows source columns to the outputs of a query."""

from guard.tracing.flows import Flows
from guard.tracing.plan import Plan
from guard.tracing.queries import Traced, Walk
from guard.tracing.scopes import Output

__all__ = ["Flows", "Output", "Plan", "Traced", "Walk"]
