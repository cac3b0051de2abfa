"""Whole numbers that the rest of the domain computes with: weeks, money, caches.

Touches: nothing else of ours.
Start with `weeks.py`: days, ISO weeks and months are integers everywhere in the domain.
"""
