"""Defines the marts of LIS: the tables that are made from the ledger.

Touches: ledger's names and the domain. No engine: `streams/lis` runs the statements.
Start with `tables.py` (what each table and column means).
"""
