"""Checks the records of topics and the lines of files against each other and against the law.

Touches: the domain, and `projections.runs` for the files' form. It shares no code with what wrote
the records. Start with `partition.py` (one partition of journal and postings); `deep.py` recomputes
a citizen, `records.py` checks single records, `run_files.py` the files.
"""
