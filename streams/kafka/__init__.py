"""Kafka behind the ports of `streams/engine`: the only room that imports `aiokafka`.

Touches: engine and kit, and the version of the domain's state.
Start with `clients.py`, which makes every client, and `reading.py`, by which all rooms read topics;
`brokers.py` is the batch loop's side. `patches.py` lists the changes to the client, with reasons.
"""
