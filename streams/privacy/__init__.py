"""Knows the form of a CPR number, names and seals citizens, and records who looked.

Touches: the domain's basics. No other room has a pattern for a CPR number.
Start with `cpr.py`, then `identity.py`.
"""
