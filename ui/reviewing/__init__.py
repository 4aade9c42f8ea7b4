"""The approvals page: the inbox, one request in full, and the decision on it."""
