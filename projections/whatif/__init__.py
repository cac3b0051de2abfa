"""Compares what stands with what other rules or a recalculation would give.

Touches: the domain and `projections.postings`.
Start with `replay.py` (one citizen settled from scratch), then `comparison.py` (two rule sets).
"""
