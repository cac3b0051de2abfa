"""Turns files of earlier systems into records of ours.

Touches: the domain. Lines in, records or a listed reason out.
Start with `opening_files.py`.
"""
