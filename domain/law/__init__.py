"""Computes counters, steps and rates: the Act without the citizen's administration.

Touches: basics and ruledata.
Start with `counters.py` (weeks on benefits, weeks of self-support), then `staircase.py` (the rate
and result of a cell), then `old_cases.py` (cases from before 1 July 2014).
"""
