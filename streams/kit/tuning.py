"""What makes a long-running Python process faster and smaller, in one place."""

import ctypes
import gc

YOUNG_OBJECTS = 500_000
"""Citizens' state is lists without cycles: the collector finds next to nothing, so it may look seldom. More than the
batches at work have at a time (270,000), which it would look at in vain: 2 to 3 µs a report at
100,000."""

LARGE_BYTES = 1_000_000
"""From here on a buffer, such as the answer to a fetch, has pages of its own, which go back to the system when it is
freed. glibc begins so too, but raises its limit with the first large buffer that is freed; large
ones then stand between small objects and leave holes. With a quarter of it (and fetches half as
large) the peak was 35 MB lower, but a report cost 5 µs more: batches of messages are between the
two."""
TOP_BYTES = 16 << 20
"""So much may stay free at the heap's end: it is not given back only to be asked for again."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def tune_garbage_collection() -> None:
    """Call once when all modules and rules are loaded: what is there now is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 50, 100)


def tune_allocation() -> None:
    """Call once at the start. Where the C library is not glibc it has ways of its own, and nothing is done."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, TOP_BYTES)
