"""Word lists, one idea a file; `redaction.lists` reads them."""
