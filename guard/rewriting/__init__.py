"""The steps of a rewrite, one a file; `guard.rewrite` puts them in order."""
