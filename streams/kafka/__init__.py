"""Kafka behind the ports of `streams/engine`: the only room that imports `aiokafka`.

Touches: engine and kit.
Start with `brokers.py`; `patches.py` lists what is changed in the client, with reasons.
"""
