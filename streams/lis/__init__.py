"""Keeps the marts of LIS: Delta tables that are made from the ledger by DuckDB, and asked by it.

Touches: ledger and below. `duckdb` is used here alone.
Start with `marts.py` (what is there), then `build.py` (how it is made).
"""
