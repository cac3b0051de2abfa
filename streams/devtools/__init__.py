"""Tools for developers: a local Kafka, and documents written from code and data.

Touches: wire and below. Nothing here runs in production.
Start with `local_kafka.py`.
"""
