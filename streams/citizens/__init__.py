"""Settles the citizens of one partition, and keeps their state on disk.

Touches: the domain; `rocksdict` is used in `store.py` alone; no Kafka.
Start with `settler.py`.
"""
