"""The only door to a source. Other packages know it by the names exported here."""

from guard.catalog import Catalog, Column, ForeignKey, Table

__all__ = ["Catalog", "Column", "ForeignKey", "Table"]
