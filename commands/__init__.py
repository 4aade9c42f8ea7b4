"""The commands behind `gatehouse`, one idea a file. `cli.py` registers them."""
