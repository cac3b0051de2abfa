"""The reasons for a citizen's weeks, as plain values.

It uses everything below in the domain, and computes no law of its own. Start with `reasons.py` (the
result), then `week.py` and `life.py` (how it is made).
"""
