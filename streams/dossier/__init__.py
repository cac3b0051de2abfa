"""The auditor's package of a run: a zip file that a stranger can check without our topics.

Touches: the topics through `streams/audit`, the ledger, acts and explanations; never a CPR number.
Start with `package.py`, which makes it, and `check.py`, which computes it again.
"""
