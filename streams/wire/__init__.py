"""The edge: bytes become records and records become bytes.

Touches: the domain's types, the form of a CPR number. No Kafka client: records are bytes and
headers. Start with `shapes.py` (the types on the wire) and `validator.py` (reports from upstream),
then `journal.py` (what we keep).
"""
