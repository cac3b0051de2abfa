"""Explains figures to people: from a file, or from one citizen in the live system.

Touches: `domain.explain` for the reasons, ledger and journal for the rows.
Start with `why.py`; `render.py` alone makes sentences and tables.
"""
