"""Makes the pages of runs from the marts, the receipts, and the last look at the open run."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson

from domain.basics.weeks import month_number, month_text
from projections.lis.questions import LisQuestion
from projections.lis.run_sums import (
    CauseSums,
    DoubtLine,
    RunSums,
    corrections_by_cause,
    doubts_of,
    sums_of_municipalities,
    sums_of_runs,
)
from projections.runs.completeness import Finding
from projections.runs.files import COLUMNS, file_name
from streams.ledger.receipts import RECEIPTS
from streams.operations.runs import Closed
from streams.web.desk.chores import Chore
from streams.web.lis_desk import LisDesk, LisRun
from streams.web.lis_figures import Speaker
from streams.web.words import catalogue

MOST_RUNS: Final = 60
"""Closed runs in the list, the newest ones: five years."""
MOST_FINDINGS: Final = 200
MOST_RECEIPTS: Final = 500
LARGEST_RECEIPTS: Final = 16 << 20
"""Bytes of the receipts that are read, from the end: the newest ones."""
FRESH: Final = timedelta(hours=4)
"""The age up to which a look at the open run is good enough to close it by."""
_NOTHING: Final = RunSums(0, 0, 0, 0, 0)


@dataclass(frozen=True)
class RunOverview:
    """The runs: closed ones with their sums, the newest first, and what stands in the open one."""

    closed: Sequence[tuple[LisRun, RunSums]]
    open_run: int | None
    open_month: str
    open_sums: RunSums
    municipalities: Mapping[str, RunSums]
    causes: Sequence[CauseSums]

    @property
    def last(self) -> LisRun | None:
        """The run that was closed last."""
        return self.closed[0][0] if self.closed else None


@dataclass(frozen=True)
class RunDetails:
    """A closed run: its sums, corrections by cause, the doubts that were accepted, deliveries."""

    run: LisRun
    sums: RunSums
    municipalities: Mapping[str, RunSums]
    causes: Sequence[CauseSums]
    doubts: Sequence[DoubtLine]
    receipts: Sequence[Mapping[str, Any]] = field(default_factory=list)


def run_overview(desk: LisDesk, place: str | None) -> RunOverview:
    """Sum the runs of a municipality, or of all. Raises LisRefusedError."""
    with desk.scope(LisQuestion("afregning", place)) as (_, scope, runs):
        sums = sums_of_runs(scope)
        last = runs[-1] if runs else None
        following = month_text(month_number(last.data_month) + 1) if last else ""
        return RunOverview(
            [(run, sums.get(run.run, _NOTHING)) for run in reversed(runs[-MOST_RUNS:])],
            last.run + 1 if last else None,
            following,
            sums.get(None, _NOTHING),
            sums_of_municipalities(scope, None),
            corrections_by_cause(scope, None),
        )


def run_details(
    desk: LisDesk, operations_dir: Path, place: str | None, run: int, *, tells_doubts: bool
) -> RunDetails | None:
    """Sum a closed run; None where there is no such run. Raises LisRefusedError."""
    with desk.scope(LisQuestion("afregning", place)) as (_, scope, runs):
        found = next((each for each in runs if each.run == run), None)
        if found is None:
            return None
        return RunDetails(
            found,
            sums_of_runs(scope).get(run, _NOTHING),
            sums_of_municipalities(scope, run),
            corrections_by_cause(scope, run),
            doubts_of(scope, run) if tells_doubts else [],
            receipts_of(operations_dir, run, place),
        )


def receipts_of(operations_dir: Path, run: int, place: str | None) -> list[Mapping[str, Any]]:
    """List the files of a run that were delivered from this machine, the newest first."""
    found: list[Mapping[str, Any]] = []
    with suppress(OSError):
        for line in _last_lines(operations_dir / RECEIPTS):
            with suppress(ValueError, KeyError, TypeError):
                receipt = orjson.loads(line)
                parts = receipt["file"].split("-")
                if int(parts[4]) == run and place in (None, parts[3]):
                    found.append(receipt)
    return found[::-1][:MOST_RECEIPTS]


def _last_lines(path: Path) -> list[bytes]:
    """Return the lines at the end of a file, so many as a page can read; the first is a whole one.

    Raises OSError.
    """
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - LARGEST_RECEIPTS)
        file.seek(start)
        lines = file.read(LARGEST_RECEIPTS).splitlines()
    return lines[1:] if start else lines


# --- the look at the open run ---------------------------------------------------------------------


@dataclass(frozen=True)
class RunLook:
    """Tells what a look at the open run has found: what holds it, what is in it, which files."""

    run: int
    month: str
    at: datetime
    reports: int
    rows: int
    left: int
    waiting: int
    rejected: Mapping[str, int]
    findings: Sequence[str]
    more_findings: int
    files: Sequence[str]
    municipalities: int

    @property
    def is_fresh(self) -> bool:
        """True if the run may be asked to be closed on the ground of it."""
        return datetime.now(UTC) - self.at < FRESH


def look_of(chore: Chore | None, speaker: Speaker) -> RunLook | None:
    """Return what the last look has found; None as long as there is none."""
    if chore is None or not isinstance(chore.outcome, Closed):
        return None
    closed: Closed = chore.outcome
    survey, told = closed.survey, closed.findings[:MOST_FINDINGS]
    places = sorted(survey.totals.municipalities)
    at = chore.ended or chore.began
    first = places[0] if places else "000"
    return RunLook(
        closed.run,
        closed.data_month,
        at,
        survey.books.kinds.total() - survey.books.kinds["Opening"],
        survey.totals.rows,
        closed.left,
        survey.books.waiting,
        {_rejected_as(name, speaker): count for name, count in survey.rejected.items()},
        [doubt_text(doubt, survey.names.get(doubt.reporter, ""), speaker) for doubt in told],
        len(closed.findings) - len(told),
        [file_name(kind, first, closed.run, at.isoformat()) for kind in COLUMNS],
        len(places),
    )


def _rejected_as(name: str, speaker: Speaker) -> str:
    """Say in words where and why reports were refused, as `intake: bad_cpr`."""
    stage, _, reason = name.partition(": ")
    keys = [f"letters.stage_{stage}", f"letters.reason_{reason}"]
    if not all(key in catalogue() for key in keys):
        return speaker.word("runs.rejected_otherwise")
    return ": ".join(speaker.word(key) for key in keys)


def doubt_text(doubt: Finding, name: str, speaker: Speaker) -> str:
    """Say what holds a run, with the reporter and the amount at stake."""
    who = f"{doubt.reporter} {name}".strip()
    return speaker.word(
        f"runs.doubt_{doubt.code}",
        who=who,
        benefit=doubt.benefit,
        month=speaker.month(doubt.month) if doubt.month else "",
        amount=speaker.kroner(doubt.amount_ore),
        expected=speaker.kroner(doubt.expected_ore),
        other=doubt.other,
    )
