"""Upstream's own formats become reports here (contract sections 8 and 9).

`answers` reads eIndkomst's XML, `lines` makes reports of it by dated tables (`tables`, with those
of the program in `eindkomst/`), `conversion` does so for files. Nothing here touches a topic.
Start with `conversion.py`.
"""
