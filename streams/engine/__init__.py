"""The batch loop: exactly once between Kafka, a stage's state and its outputs.

Touches: kit. It imports no client library; Kafka and disks stand behind `ports.py`.
Start with `loop.py`: its docstring is the protocol, step by step.
"""
