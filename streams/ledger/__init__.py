"""Keeps the ledger (a Delta Lake table) and makes and delivers a run's files from it.

Touches: wire, kafka and below. `deltalake` is used here alone.
Start with `table.py`, then `export.py`.
"""
