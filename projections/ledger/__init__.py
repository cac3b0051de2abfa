"""Turns posting messages into entries of a ledger, and a citizen's entries into a story.

Touches: nothing of ours but the domain's names.
Start with `entries.py` (message to entries), then `citizen.py` (what each message changed).
"""
