"""Settings of the interpreter and the C library that make a long process faster and smaller."""

import ctypes
import gc

YOUNG_OBJECTS = 500_000
"""Objects after which the garbage collector looks at new ones. A citizen's state has no cycles, so
it finds next to nothing and may look seldom: at more objects than the batches at work have at a
time (270,000). With 100,000 a report would cost 2 to 3 µs more."""

LARGE_BYTES = 1_000_000
"""Bytes from which a buffer, such as the answer to a fetch, has pages of its own, which go back to
the system when it is freed. glibc begins so too, but raises its limit with the first large buffer
that is freed; large ones then lie between small objects and leave holes. With a quarter of it (and
fetches half as large) the peak was 35 MB lower, but a report cost 5 µs more: batches of messages
are between the two."""
TOP_BYTES = 16 << 20
"""Bytes that may stay free at the heap's end: given back, they would be asked for again."""
FEW_HEAPS = 2
"""Heaps that the threads of a site share. Each thread would have its own, up to eight for each
processor, and what the others free is of no use to it: 17 MB with sixteen visitors."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def tune_garbage_collection() -> None:
    """Never collect the objects that exist now; called once, when modules and rules are loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 50, 100)


def tune_allocation() -> None:
    """Set the limits of large buffers, once at the start. Without glibc nothing is done."""
    _set({_M_MMAP_THRESHOLD: LARGE_BYTES, _M_TRIM_THRESHOLD: TOP_BYTES})


def share_heaps() -> None:
    """Let all threads share a few heaps; called before there are any. Without glibc: nothing."""
    _set({_M_ARENA_MAX: FEW_HEAPS})


def _set(limits: dict[int, int]) -> None:
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        for name, value in limits.items():
            mallopt(name, value)
