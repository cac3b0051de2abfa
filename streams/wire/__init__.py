"""The edge: bytes become records and records become bytes.

Touches: the domain's types. No Kafka client: records come and go as bytes and headers.
Start with `validator.py` (what upstream sends), then `journal.py` (what we keep).
"""
