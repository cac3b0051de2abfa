"""The law as pure functions and dated data: no clock, no I/O, no framework (docs/decisions)."""
