"""Benchmarks, each beside a peer in the same run.

Absolute figures depend on the machine; ratios hardly do. Start with `__main__.py`; `rig.py` holds
what the Kafka benchmarks share.
"""
