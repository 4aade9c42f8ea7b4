"""What runs inside an embedded engine's worker process. Imports nothing else of Gatehouse."""
