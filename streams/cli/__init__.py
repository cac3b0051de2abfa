"""The program `refusion`: one module for each command, and the console that they share.

It uses every room below. Only this room and the `render` modules of `explain` use `click` and
`rich`. A command imports what it needs when it runs, so that help and errors come at once. Start
with `main.py`.
"""
