"""Explanations of figures for people: from a file, or of one citizen in the live system.

It uses `domain.explain` for the reasons, and ledger and journal for the rows. Start with `why.py`;
only the `render` modules write tables, and the catalogues of `streams/kit` have the sentences.
"""
