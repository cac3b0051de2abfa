"""The program as a library: what `make run` shows."""
