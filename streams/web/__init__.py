"""The site `refusion web`: pages on a server, rights of each route, log-on, public pages.

Touches: HTTP, settings, and what the rooms below read. Nothing above `streams.cli` imports it, and
no other room knows a web library. Start with `app.py`, then `rights.py`.
"""
