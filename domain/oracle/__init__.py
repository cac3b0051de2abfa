"""Computes the law a second time, from scratch, slowly and plainly.

Touches: ruledata alone, so that a fault of the product cannot hide here too.
Tests, `verify --deep` and `make run` compare the product with it. Start with `reference.py`.
"""
