"""Upstream's own formats become reports here (contract sections 8 and 9).

`answers` reads eIndkomst's XML, `lines` makes reports of it by dated tables (`tables`, with those
of the program in `eindkomst/`), `conversion` does so for files. `table_conversion` makes reports of
any other table by a mapping (`column_map`). Nothing here touches a topic. Start with
`conversion.py`.
"""
