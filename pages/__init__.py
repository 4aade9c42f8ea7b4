"""One screen a file: a role check and a call."""
