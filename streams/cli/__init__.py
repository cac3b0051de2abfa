"""The program `refusion`: one module for each command, and the console they share.

Touches: every room below. `click` and `rich` are used here alone (and in `explain/render.py`).
A command imports what it needs when it runs, so that help and errors come at once.
Start with `main.py`.
"""
