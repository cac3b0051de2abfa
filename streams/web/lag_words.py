"""Says in words how far a stage is behind, in minutes, hours or days."""

from streams.operations.stage_lags import DAY_S, HOUR_S, LONGER_S, MINUTE_S
from streams.web.words import Word


def lag_text(word: Word, waited_s: int) -> str:
    """Say for about how long the first record before a stage has waited.

    >>> from streams.web.words import words_in
    >>> lag_text(words_in("en"), 0), lag_text(words_in("en"), 180), lag_text(words_in("da"), 3600)
    ('Up to date', 'Behind by about 3 minutes', 'Bagud med omkring en time')
    """
    if waited_s == 0:
        return word("operation.up_to_date")
    if waited_s <= MINUTE_S:
        return word("operation.behind_little")
    if waited_s >= LONGER_S:
        return word("operation.behind_long", length=_length(word, LONGER_S - 1))
    return word("operation.behind", length=_length(word, waited_s))


def _length(word: Word, seconds: int) -> str:
    for name, unit_s in (("days", DAY_S), ("hours", HOUR_S), ("minutes", MINUTE_S)):
        if seconds >= unit_s:
            return word(f"operation.{name}", number=seconds // unit_s)
    raise ValueError("a lag is a minute or more")
