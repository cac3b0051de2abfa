"""Runs stages: one process for each core, with metrics and health for whoever watches.

Touches: every room below but the command line's.
Start with `app.py`: the Faust app that hosts the stages; `supervisor.py` keeps several running.
"""
