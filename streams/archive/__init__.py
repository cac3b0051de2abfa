"""The journal outside of its topic: backups of it, and journals that are made anew from it.

Touches: object stores (the only room that imports `obstore`), Kafka's readers, keys of backups.
Start with `manifest.py`, which says what a backup is, then `backup.py` and `restore.py`.
"""
