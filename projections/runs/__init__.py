"""Describes a monthly run: its files, its totals, and whether its input is complete.

Touches: the domain. Rows and records come in; reading topics and ledgers is the caller's.
Start with `files.py` (contract section 4), then `completeness.py`.
"""
