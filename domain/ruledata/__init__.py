"""Reads the dated rules into one checked value, a `RuleSet`.

The data stands in `domain/rules` (YAML): each value with its dates, unit, § and evidence mark.
Touches: nothing else of ours. Parsed files come in; reading them from disk is the caller's.
Start with `ruleset.py` (the result), then `reading.py` (how it is made).
"""
