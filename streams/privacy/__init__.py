"""Names and seals citizens, and records who looked: the only room that knows a CPR's form.

Touches: nothing of ours. Start with `identity.py`.
"""
