"""The audit page: search, one record in full, verification and export."""
