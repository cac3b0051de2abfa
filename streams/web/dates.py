"""Writes days and times as people read them, in Danish time."""

from datetime import UTC, date, datetime
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.web.words import Language

PLACE: Final = "Europe/Copenhagen"
_MONTHS: Final[dict[Language, tuple[str, ...]]] = {
    "da": ("januar", "februar", "marts", "april", "maj", "juni", "juli", "august", "september",
           "oktober", "november", "december"),
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December"),
}  # fmt: skip


@cache
def _zone() -> ZoneInfo | None:
    try:
        return ZoneInfo(PLACE)
    except ZoneInfoNotFoundError:
        return None


def day_text(day: date, language: Language = "da") -> str:
    """Write a day.

    >>> day_text(date(2026, 11, 7)), day_text(date(2026, 11, 7), "en")
    ('7. november 2026', '7 November 2026')
    """
    dot = "." if language == "da" else ""
    return f"{day.day}{dot} {_MONTHS[language][day.month - 1]} {day.year}"


def month_words(month: str, language: Language = "da") -> str:
    """Write a month such as `2026-11`.

    >>> month_words("2026-11")
    'november 2026'
    """
    return f"{_MONTHS[language][int(month[5:7]) - 1]} {month[:4]}"


def moment_text(moment: datetime | str, language: Language = "da") -> str:
    """Write a moment, in UTC where this machine does not know Danish time."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    zone = _zone()
    local = moment.astimezone(zone or UTC)
    clock = local.strftime("kl. %H.%M" if language == "da" else "at %H:%M")
    return f"{day_text(local.date(), language)} {clock}" + ("" if zone else " UTC")
