"""Computes the law a second time, from scratch, slowly and plainly.

Touches: ruledata alone, so that an error of the product cannot hide here too.
Tests, `verify --deep` and `make run` compare the product with it. Start with `reference.py`, which
calls the other files in the order of the law: reports, payments, weeks, rows, fleksbidrag.
"""
