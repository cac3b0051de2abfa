"""Says why a week is what it is: reasons as plain values, without sentences.

Touches: everything below in the domain, but computes no law of its own.
Start with `reasons.py` (the result), then `week.py` (how it is made).
"""
