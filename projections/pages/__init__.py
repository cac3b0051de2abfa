"""Writes documents from data, so that no document says what the data does not.

Touches: the domain. Start with `law.py`: the rule set as a Danish page.
"""
