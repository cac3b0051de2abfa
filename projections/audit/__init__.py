"""Checks what stands in topics and files against each other and against the law.

Touches: the domain, and `projections.runs` for the files' form.
Start with `partition.py` (one partition of journal and postings); `deep.py` recomputes a citizen.
"""
