"""The whole calculation without Kafka: reports in, posting messages out.

Touches: citizens, wire and below. Start with `settle.py`.
"""
