"""The three stages of the stream: intake, citizens and ledger, behind the loop's ports.

Touches: citizens, ledger, wire, kafka, engine. The protocol itself is `streams/engine`.
Start with `intake.py`, the smallest, then `citizens.py`.
"""
