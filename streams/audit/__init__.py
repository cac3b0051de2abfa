"""Audits the live topics (`refusion verify`), partition by partition.

Touches: `projections.audit` for what is checked; citizens, wire and kafka for reading.
Start with `verify.py`.
"""
