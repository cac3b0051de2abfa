"""Keeps one citizen: reports in, changed rows out.

Touches: basics, ruledata and law. Storage is behind the port `Store` in `state.py`.
Start with `aggregate.py`, then `state.py` (what is kept) and `posting.py` (what is posted).
"""
