"""Audits the live topics (`refusion verify`), partition by partition, while workers go on.

Touches: `projections.audit` for what is checked; citizens, wire and kafka for reading.
Start with `verify.py`: it names the steps, and the file of each.
"""
