"""Writes posting messages as JSON text, and decides nothing.

Touches: the domain, whose `citizen/posting.py` decides which rows are posted.
Start with `messages.py`.
"""
