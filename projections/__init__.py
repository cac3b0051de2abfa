"""Read models: turns what was posted into what people and systems read.

Touches: the domain. Pure, like the domain: values in, values out.
Rooms: postings (JSON text), ledger, runs (files, totals, completeness), audit, whatif, imports,
pages. Start with `postings/messages.py`.
"""
