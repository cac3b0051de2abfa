"""Asks every view of LIS on national marts about one municipality after the other, and times it.

*Cold* is a new connection after the files have left the page cache, *warm* the same question again.
Each view is asked about LIS_ASKED municipalities (all 98), of which the largest is the first. The
figures are the median and the 95th percentile, in milliseconds of a clock and of the processor:
while others use the machine, only those of the processor say something.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Final

from bench.rig import Figure, Spent
from domain.ruledata.ruleset import RuleSet
from projections.lis.books import BookLine
from projections.lis.questions import LisQuestion
from projections.lis.views import VIEWS, View
from streams.citizens.rule_sets import load_rule_set
from streams.lis.inquiry import ask
from streams.lis.marts import Marts, open_marts

ASKED: Final = int(os.environ.get("LIS_ASKED", "98"))
LARGEST: Final = "101"
ALL_MONTHS: Final = frozenset({"afregning", "korrektioner", "udgifter", "udvikling"})
"""Views that are asked for all months: people look at their course."""
BOOKED_ORE: Final = 1_000_000_00


def view_figures(lis: Path, ledger: str, month: str) -> Iterator[Figure]:
    """Ask every view about municipalities, cold and warm, and those behind it that list persons."""
    rules = load_rule_set()
    for view in VIEWS.values():
        for persons in (False, True)[: 2 if view.behind else 1]:
            times = [
                _asked(lis, ledger, rules, question, persons=persons)
                for question in _questions(view, lis, rules, month)
            ]
            cold, warm = zip(*times, strict=True)
            name = f"{view.name}, citizens" if persons else view.name
            yield (f"LIS: {name}: cold (p50, p95), warm", _told(cold), _told(warm))


def municipalities(rules: RuleSet) -> list[str]:
    """Choose those that are asked about: the largest, and others evenly by their codes."""
    others = [code for code in sorted(rules.municipalities) if code != LARGEST]
    step = max(1, round(len(others) / max(1, ASKED - 1)))
    return [LARGEST, *others[::step]][:ASKED]


def _questions(view: View, lis: Path, rules: RuleSet, month: str) -> Iterator[LisQuestion]:
    """Write a view's question about each of the municipalities, as a page asks it."""
    has_month = view.name not in ALL_MONTHS and not {"month"} & set(view.not_by)
    of_place = "municipality" not in view.not_by
    for code in municipalities(rules):
        yield LisQuestion(
            view.name,
            code if of_place else None,
            month if has_month and not view.at_data_month and view.name != "prognose" else None,
            citizen=_citizen(lis, code) if view.name == "borger" else None,
            books=_books(month) if view.name == "afstemning" else (),
        )


def _citizen(lis: Path, code: str) -> str:
    """Find a citizen of a municipality."""
    with open_marts(str(lis)) as marts:
        ((citizen,),) = marts.rows(
            "SELECT min(citizen) FROM standing WHERE municipality = ? AND run = ?",
            [code, marts.last_run],
        )
    return str(citizen)


def _books(month: str) -> tuple[BookLine, ...]:
    return (BookLine("5.57.72", month, BOOKED_ORE),)


def _asked(
    lis: Path, ledger: str, rules: RuleSet, question: LisQuestion, *, persons: bool
) -> tuple[Spent, Spent]:
    """Ask twice, after the files of the marts have left the page cache."""
    leave_cache(lis)
    began, cpu = time.perf_counter(), time.process_time()
    with open_marts(str(lis)) as marts:
        answer = _answerer(marts, ledger, rules, question, persons=persons)
        answer()
        cold = Spent(time.perf_counter() - began, time.process_time() - cpu)
        began, cpu = time.perf_counter(), time.process_time()
        answer()
        return cold, Spent(time.perf_counter() - began, time.process_time() - cpu)


def _answerer(
    marts: Marts, ledger: str, rules: RuleSet, question: LisQuestion, *, persons: bool
) -> Callable[[], object]:
    return lambda: ask(marts, rules, question, ledger, {}, persons=persons)


def _told(spent: Sequence[Spent]) -> str:
    """Write the median and the 95th percentile of a clock and of the processor."""
    clock, cpu = zip(*spent, strict=True)
    return ", ".join(
        f"{quantiles(seconds, n=20)[9] * 1000:.0f} {quantiles(seconds, n=20)[18] * 1000:.0f} ms{of}"
        for seconds, of in ((clock, ""), (cpu, " of CPU"))
    )


def leave_cache(folder: Path) -> None:
    """Let the files of a folder leave the page cache."""
    for path in folder.rglob("*.parquet"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
