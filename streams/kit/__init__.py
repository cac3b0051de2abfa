"""Small tools of any program: errors, progress, stopping, logs, temporary files.

Touches: nothing of ours. Start with `errors.py`: what a user's mistake looks like.
"""
