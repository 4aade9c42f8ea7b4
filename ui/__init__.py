"""The shell, signing in, and how results, decisions and the trail look."""
