"""The pages of those who run and audit the system: runs, approvals, rules, dead letters, access.

Touches: the rooms below by `works.py` alone, which tests replace; topics, the marts of LIS and the
rules. Start with `works.py`, then the module of a route.
"""
