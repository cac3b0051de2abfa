"""Tells which records of the journal and of the postings are believed, and on whose word.

A record is ours if its MAC says so (`streams.privacy.macs`). From the place of a genuine `keys`
record on, a partition of the journal has records of ours alone; what came before is believed
without a MAC, as it was written by versions that made none. A control record's id counts once in a
partition, so that a copy of a genuine one does nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Protocol

import orjson

from streams.engine.ports import Record
from streams.privacy.macs import PlaceMac

Verdict = Literal["ours", "foreign", "repeated"]
"""A record counts, or nobody of ours wrote it, or it is a copy of a control record."""

KEYS: Final = "keys/"
"""Beginning of the ids of records `keys`."""


class MarkedRecord(Protocol):
    """A record as a MAC sees it; a header that somebody wrote may have no content."""

    @property
    def key(self) -> bytes | None:
        """Its key."""

    @property
    def value(self) -> bytes | None:
        """Its value."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Its headers."""


class JournalBelief:
    """Judges the records of one partition of the journal.

    Every record may be judged again, with the same verdict. `checked_from` is the offset of the
    first genuine `keys` record, None before it was met; `controls` are the offsets of the control
    records that count, by their ids. A reader that begins in the middle is given both.
    """

    def __init__(
        self,
        mac: PlaceMac | None,
        checked_from: int | None = None,
        controls: Mapping[str, int] | None = None,
    ) -> None:
        """Without a `mac` nothing can be checked: all records are taken for ours."""
        self._mac = mac
        self.checked_from = checked_from
        self.controls = dict(controls or {})

    def of(self, record: Record) -> Verdict:
        """Judge a record."""
        mac, checked_from = self._mac, self.checked_from
        if mac is None:
            return "ours"
        key = record.key
        checks = checked_from is not None and record.offset > checked_from
        if checks and not mac.is_of(key, record.value, record.headers):
            return "foreign"
        return "ours" if key else self._of_control(mac, record, checks)

    def proves_report(self, record: Record) -> bool:
        """Tell whether a record is a citizen's, stands where MACs are checked, and has ours."""
        mac, checked_from, key = self._mac, self.checked_from, record.key
        if not key or checked_from is None or record.offset <= checked_from or mac is None:
            return False
        return mac.is_of(key, record.value, record.headers)

    def is_proved(self, record: Record) -> bool:
        """Tell whether a MAC says that a record is ours."""
        return self._mac is not None and is_marked(self._mac, record)

    def _of_control(self, mac: PlaceMac, record: Record, checks: bool) -> Verdict:
        """Judge a record without a key that may be ours, and remember it if it has a MAC.

        One without could not be copied to where records are checked.
        """
        control = control_id(record.value)
        if control is None or not is_marked(mac, record):
            return "foreign" if control and control.startswith(KEYS) else "ours"
        if self.controls.setdefault(control, record.offset) != record.offset:
            return "repeated" if checks else "ours"
        if control.startswith(KEYS) and self.checked_from is None:
            self.checked_from = record.offset
        return "ours"


class PostingOrder:
    """Tells copies of a partition's postings: a citizen's revisions only grow, and so do runs."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def is_copy(self, message: Mapping[str, Any]) -> bool:
        """Tell whether a message, read in its order, is a copy of one before."""
        is_run = message["type"] == "run"
        name, number = ("", message["run"]) if is_run else (message["citizen"], message["revision"])
        if number <= self._numbers.get(name, -1):
            return True
        self._numbers[name] = number
        return False


def is_marked(mac: PlaceMac, record: MarkedRecord) -> bool:
    """Tell whether a MAC says that a record is ours."""
    return mac.is_of(record.key, record.value, record.headers)


def control_id(value: bytes | None) -> str | None:
    """Return the id by which a control record counts once; None for what is none.

    >>> control_id(b'{"type":"run","run":82}'), control_id(b'{"type":"rules","id":"kfg"}')
    ('run/82', 'rules/kfg')
    """
    try:
        record: Any = orjson.loads(value or b"")
        number = record["run"] if record["type"] == "run" else record["id"]
        return f"{record['type']}/{number}"
    except (ValueError, KeyError, TypeError):
        return None
