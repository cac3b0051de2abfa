"""What makes a long-running Python process faster, in one place."""

import gc

YOUNG_OBJECTS = 100_000
"""Citizens' state is lists without cycles: the collector finds next to nothing, so it may look seldom."""


def tune_garbage_collection() -> None:
    """Call once when all modules and rules are loaded: what is there now is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 50, 100)
