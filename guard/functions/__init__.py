"""Which functions a read may call, one reviewed list per engine."""

from guard.functions.lists import FunctionList, functions_of

__all__ = ["FunctionList", "functions_of"]
