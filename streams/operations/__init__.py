"""Operations on a running system: runs, replays, openings, dead letters, publishing.

Touches: stages, ledger, citizens and below; never a command line.
Start with `runs.py` (closing a month).
"""
