"""Asks the ledger itself for the sums that a view has from the marts."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

import duckdb
from duckdb import DuckDBPyConnection as Connection

from projections.ledger.entries import ROW_KINDS
from projections.lis.answers import Answer, shown_value, sums_of_columns
from projections.lis.questions import LisQuestion
from projections.lis.statements import MUNICIPALITY
from streams.ledger.cuts import MARKERS, Cut, cuts_among, cuts_of, entries_of
from streams.ledger.kept_open import KeptOpen
from streams.ledger.sql import sql_text, sql_texts
from streams.ledger.table import LedgerTable, run_before, unusable
from streams.lis.engine import Share, engine, entries_in
from streams.lis.kept_values import MOST_CELLS, KeptValues

CHECKED: Final = {"beloeb": "TRUE", "udgifter": "TRUE", "landet": "TRUE",
                  "afregning": f"kind IN {sql_texts(ROW_KINDS)}"}  # fmt: skip
"""The views whose rows are all rows of the ledger, with the condition for those."""
SHARE: Final = Share(memory_mb=300, threads=1, at_once=1, gives_back=True)
"""The share of an engine that sums the ledger: it keeps a few sums, and what it decodes.

Each footer is read once, and those of a ledger take 100 MB."""
FILES_AT_ONCE: Final = 4
"""Files of the ledger in one query, which holds the footers of them all."""
LOOK_S: Final = 2.0
"""The pause between two looks for a newer version of a ledger whose sums are kept."""
MONEY: Final = ("amount_ore", "atp_ore", "refusion_ore", "medfinansiering_ore")
Sums = dict[tuple[str, str], tuple[int, int]]
"""Amount and result in øre, by municipality and month."""


class _Summed(NamedTuple):
    """Files of a ledger, and their sums."""

    files: frozenset[str]
    sums: Sums


class FileSums:
    """Keeps the sums of files that stay as they are: those of runs closed some time ago.

    A ledger that is written on has a new version every two seconds. To sum one of ten years takes
    eight seconds, and what is new in it is in a hundredth of its files.
    """

    def __init__(self) -> None:
        self._kept = KeptValues[_Summed](MOST_CELLS, MOST_CELLS // 2)

    def among(self, key: Hashable, files: frozenset[str]) -> _Summed:
        """Return what is kept of some files; nothing where another file was among them."""
        found = self._kept.find(key)
        return found if found and found.files <= files else _Summed(frozenset(), {})

    def keep(self, key: Hashable, summed: _Summed) -> None:
        """Keep the sums of more files than before, or of others."""
        self._kept.keep(key, summed, 4 * len(summed.sums) + len(summed.files))


def sums_at(uri: str, question: LisQuestion) -> list[tuple[Any, ...]]:
    """Sum amounts and results of the ledger at an address. Raises LedgerError."""
    return ledger_sums(LedgerTable.open(uri), question)


class KeptLedgerSums:
    """Keeps sums of versions of a ledger, those of all municipalities: they take no more time.

    For several threads.
    """

    def __init__(self, opened: KeptOpen, clock: Callable[[], float] = time.monotonic) -> None:
        self._opened = opened
        self._clock = clock
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._state = ("", 0)
        self._kept = KeptValues[list[tuple[Any, ...]]](MOST_CELLS, MOST_CELLS // 2)
        self._files = FileSums()

    def state(self) -> tuple[str, int]:
        """Return the table and its version, `LOOK_S` old at most. Raises LedgerError."""
        with self._lock:
            if self._clock() - self._looked >= LOOK_S:
                self._state, self._looked = self._newest(), self._clock()
            return self._state

    def sums(self, uri: str, question: LisQuestion) -> list[tuple[Any, ...]]:
        """Return the sums of a question's municipality. Raises LedgerError."""
        place, of_all = question.municipality, replace(question, municipality=None)
        state = self._newest()
        if (rows := self._kept.find((state, of_all))) is None:
            ledger = LedgerTable.open(uri)  # of its own: to sum takes long
            rows = ledger_sums(ledger, of_all, self._files)
            self._kept.keep((ledger.state, of_all), rows, 4 * len(rows))
        return [row for row in rows if place in (None, row[0])]

    def _newest(self) -> tuple[str, int]:
        with self._opened.newest() as ledger:
            return ledger.state


def ledger_sums(
    ledger: LedgerTable, question: LisQuestion, kept: FileSums | None = None
) -> list[tuple[Any, ...]]:
    """Sum amounts and results by municipality and month, as the question sees them.

    Files whose sums are kept are not read. A ledger in an object store is read by its own library.
    Raises LedgerError.
    """
    if "://" in ledger.uri:
        return [*ledger.rows(_query(partial(cuts_of, ledger, question.run or 0), question))]
    of_month = [] if question.month is None else [("month", "=", question.month)]
    files = frozenset(ledger.files_with(*of_month))
    key = ledger.state[0], question
    if kept is None or question.based_on == "settled":  # which asks for others after each closing
        kept = FileSums()
    known = kept.among(key, files)
    rest = sorted(files - known.files)
    last = max((run_before(file) for file in files), default=0)
    stay = [file for file in rest if run_before(file) < last - 1]
    with engine(SHARE) as connection:
        try:
            marked = ledger.files_with(("kind", "=", "run"))
            # Asked by the ledger's own library, which would begin for it, they took 11 MB.
            markers = _asked(connection, marked, MARKERS)
            cuts = partial(cuts_among, markers, ledger.partitions, question.run or 0)
            query = _query(cuts, question)
            known = _Summed(
                known.files.union(stay), _added(known.sums, _asked(connection, stay, query))
            )
            kept.keep(key, known)
            others = [file for file in rest if file not in known.files]
            sums = _added(known.sums, _asked(connection, others, query))
        except duckdb.Error as error:
            raise unusable("be read", ledger.uri, error) from error
    return [(*key, *found) for key, found in sums.items()]


def _query(cuts: Callable[[], list[Cut]], question: LisQuestion) -> str:
    """Write the question for the sums of a ledger."""
    return (
        f"SELECT {MUNICIPALITY} AS place, month, {_sum('amount_ore')},"
        f" {_sum('refusion_ore + medfinansiering_ore')} FROM ledger"
        f" WHERE {_condition(cuts, question)} GROUP BY place, month"
    )


def _added(sums: Sums, rows: Iterable[tuple[Any, ...]]) -> Sums:
    """Return sums with those of some rows."""
    found = defaultdict(lambda: (0, 0), sums)
    for place, month, amount, result in rows:
        before = found[place, month]
        found[place, month] = before[0] + amount, before[1] + result
    return dict(found)


def _asked(connection: Connection, files: Sequence[str], query: str) -> Iterator[tuple[Any, ...]]:
    """Ask some files of a ledger at a time for the rows of a query."""
    for at in range(0, len(files), FILES_AT_ONCE):
        some = entries_in(files[at : at + FILES_AT_ONCE])
        connection.execute(f"CREATE OR REPLACE VIEW ledger AS {some}")
        yield from connection.execute(query).fetchall()


def _sum(column: str) -> str:
    return f"CAST(sum({column}) AS BIGINT)"


def sum_line(uri: str, question: LisQuestion, answer: Answer) -> str:
    """Say whether the sums of a view are those of the ledger; empty where they are not compared."""
    if answer.view not in CHECKED or question.by:
        return ""
    ledger = LedgerTable.open(uri)
    sums = dict(zip(answer.names, sums_of_columns(answer), strict=True))
    names = [name for name in MONEY if name in sums]
    columns = ", ".join(f"sum({name})" for name in names)
    cuts = partial(cuts_of, ledger, question.run or 0)
    condition = f"{_condition(cuts, question)} AND {CHECKED[answer.view]}"
    (found,) = ledger.rows(f"SELECT {columns} FROM ledger WHERE {condition}")
    said = [
        f"{name.removesuffix('_ore')} {shown_value('ore', sums[name])}"
        + ("" if sums[name] == (ore or 0) else f" mod {shown_value('ore', ore or 0)} i ledger")
        for name, ore in zip(names, found, strict=True)
    ]
    agree = all(sums[name] == (ore or 0) for name, ore in zip(names, found, strict=True))
    what = "summen er ledgerens" if agree else "summen er IKKE ledgerens"
    return f"{what}: {', '.join(said)}"


def _condition(cuts: Callable[[], list[Cut]], question: LisQuestion) -> str:
    """Write the rows of a question as a condition on the ledger."""
    parts = ["kind NOT IN ('run', 'counters')"]  # the ids of rows take longer than all the rest
    if question.based_on == "settled":
        parts += [entries_of(cuts()), f"kind IN {sql_texts(ROW_KINDS)}"]
    elif question.based_on == "of":  # the next run that is closed after these is N or before it
        parts.append(f"after_run < {question.run}")
    for column, value in (
        (MUNICIPALITY, question.municipality),
        ("month", question.month),
        ("benefit", question.benefit),
    ):
        if value is not None:
            parts.append(f"{column} = {sql_text(value)}")
    return " AND ".join(parts)
