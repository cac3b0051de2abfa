"""Says what the site saw last of runs and stages, and keeps it in a file over its own end."""

import logging
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from domain.basics.weeks import month_number, month_text

NAME: Final = "site-seen.json"
log = logging.getLogger("refusion")


class ClosedRun(NamedTuple):
    """The last run that was closed; `delivered_at` is "" where no file of it is known to be."""

    run: int
    data_month: str
    closed_at: datetime
    delivered_at: str = ""


class Seen(NamedTuple):
    """The last run at a moment, how many records waited before each stage, and are in each topic.

    `records` are offsets in use, markers of transactions among them. `waited_s` says for about how
    long the first record before each stage has waited; `held_at` when the closing of the open run
    was held, "" where it was not.
    """

    at: datetime
    last: ClosedRun | None
    waiting: dict[str, int]
    records: Mapping[str, int] = {}
    waited_s: Mapping[str, int] = {}
    held_at: str = ""

    @property
    def open_month(self) -> str:
        """The month after the one that was closed last; "" before the first run."""
        return month_text(month_number(self.last.data_month) + 1) if self.last else ""

    @property
    def longest_s(self) -> int:
        """For about how long a record has waited, before whatever stage."""
        return max(self.waited_s.values(), default=0)

    def values(self) -> dict[str, int]:
        """Return all numbers by the names that samples give them."""
        waiting = {f"waiting/{stage}": number for stage, number in self.waiting.items()}
        return waiting | {f"records/{topic}": number for topic, number in self.records.items()}


class KeptSeen:
    """The file in a state folder that has what was seen last."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._is_told = False

    def read(self) -> Seen | None:
        """Return what was kept; None where there is nothing that can be used."""
        try:
            kept = orjson.loads(self._path.read_bytes())
            last = kept["last"]
            run = last and ClosedRun(
                int(last["run"]),
                month_text(month_number(last["data_month"])),
                datetime.fromisoformat(last["closed_at"]),
                str(last["delivered_at"]),
            )
            at = datetime.fromisoformat(kept["at"])
            waiting, waited_s = _numbers(kept["waiting"]), _numbers(kept["waited_s"])
            return Seen(at, run, waiting, _numbers(kept["records"]), waited_s, str(kept["held_at"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, seen: Seen) -> None:
        """Keep what was seen; where it cannot be written, the log says so once, until it can."""
        last = seen.last._asdict() if seen.last else None
        draft = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
                f.write(orjson.dumps(seen._asdict() | {"last": last}))
            draft.replace(self._path)
            self._is_told = False
        except OSError as error:
            if not self._is_told:
                log.warning("what was seen last cannot be kept: %s", type(error).__name__)
            self._is_told = True


def _numbers(kept: Mapping[str, int]) -> dict[str, int]:
    return {str(name): int(number) for name, number in kept.items()}
