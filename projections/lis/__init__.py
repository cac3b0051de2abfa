"""Defines the marts of LIS: their tables, and the SQL that makes them from the ledger.

Touches: ledger's names and the domain. No engine: `streams/lis` runs the statements.
Start with `tables.py` (what each table and column means), then `statements.py`.
"""
