"""A national ledger for LIS, made straight as the files of a Delta table, by DuckDB.

98 municipalities of unlike size, 1.4 million citizens, four million rows a month. Of the months of
a citizen a tenth is corrected once, within a year: the old row is reversed and a new one
posted. The same sizes give the same rows. Nothing of it is law; only the amounts of rows and their
spread are those of the country.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb
from arro3.core import Table
from deltalake import write_deltalake

from domain.basics.weeks import first_day, month_text, slices, week_text
from projections.ledger.entries import COLUMNS, Entry
from streams.citizens.rule_sets import load_rule_set
from streams.ledger.table import SORTED, LedgerTable, entries_batch

PARTITIONS: Final = 12
FIRST_RUN: Final = 49
FIRST_MONTH: Final = 2024 * 12
ROWS_A_CITIZEN: Final = 3.85
"""Rows of a run for each citizen that there is: six of ten have money in a month, of five weeks."""
CORRECTED_WITHIN: Final = 12
"""Months within which a tenth of all months is corrected."""
TOPIC: Final = "refusion.postings"
BENEFITS: Final = ("KTH", "SDP-B", "ADP", "REV", "FLT", "FPN", "LY", "UDH", "RFY", "JAF-B")
MOST_RUNS: Final = 130

PEOPLE: Final = """
CREATE TABLE people AS
SELECT i, md5(CAST(i AS VARCHAR)) AS citizen, CAST(i % {partitions} AS INTEGER) AS partition,
    codes[1 + CAST(floor(len(codes) * pow(hash(i, 1) % 10000 / 10000.0, 2)) AS INTEGER)] AS home,
    benefits[CAST(1 + hash(i, 2) % len(benefits) AS INTEGER)] AS benefit,
    CAST(hash(i, 3) % 260 AS INTEGER) - 130 AS began,
    CAST(200000 + hash(i, 4) % 90000 AS BIGINT) AS week_ore
FROM range({citizens}) AS numbered (i), (SELECT {codes} AS codes, {benefits} AS benefits)
"""
"""`began` is the week in which the citizen's count began, before or after the first month."""

WEEKS: Final = """
CREATE TABLE piece (number INTEGER, month VARCHAR, week_number INTEGER, week VARCHAR, days INTEGER);
CREATE VIEW weeks AS SELECT *, max(week) OVER (PARTITION BY number) AS last_week,
    row_number() OVER (PARTITION BY number ORDER BY week) - 1 AS place FROM piece
"""
RATE: Final = """
CASE WHEN ordinal < 5 THEN 80 WHEN ordinal < 27 THEN 40 WHEN ordinal < 53 THEN 30 ELSE 20 END"""

CELLS: Final = """
SELECT i, citizen, partition, home, paid.benefit, mechanism, of.number AS month_number, of.month,
    of.week, of.last_week, CAST(of.place AS INTEGER) AS place,
    CAST(week_ore * of.days // 7 AS BIGINT) AS amount_ore,
    1 + greatest(0, of.week_number - began) AS ordinal
FROM people AS person
JOIN (SELECT unnest({benefits}) AS benefit, unnest({mechanisms}) AS mechanism) AS paid
    USING (benefit)
JOIN weeks AS of ON {which}
WHERE hash(i, of.number // 3, 5) % 100 < 62
"""
"""The cells of citizens in months: a citizen has money in six of ten quarters of a year."""

ENTRIES: Final = """
SELECT CAST({run} - 1 AS INTEGER) AS after_run, partition,
    CAST({run} AS BIGINT) * 1000000000 + i * 100 + message AS "offset",
    CAST(place AS INTEGER) AS position, CAST(-1 AS BIGINT) AS journal_offset, kind, citizen,
    CAST({run} * 100 + message AS INTEGER) AS revision,
    '12345678/' || i AS cause, reason, 'R-1' AS rules, 'k0.x' AS cpr_sealed,
    substr(citizen, 1, 24) || {run} || place AS id, reverses, month, week, benefit,
    CASE WHEN mechanism = 'refusion' THEN home END AS paying, home AS financing,
    amount_ore * sign AS amount_ore, CAST(0 AS BIGINT) AS atp_ore,
    CAST(ordinal AS INTEGER) AS ordinal, mechanism, CAST(rate AS INTEGER) AS rate,
    CASE WHEN mechanism = 'refusion' THEN amount_ore * rate // 100 * sign ELSE 0 END
        AS refusion_ore,
    CASE WHEN mechanism = 'refusion' THEN 0 ELSE amount_ore * rate // 100 * sign END
        AS medfinansiering_ore,
    CAST(NULL AS VARCHAR) AS account, CAST(NULL AS INTEGER) AS run,
    CAST(NULL AS VARCHAR) AS closed_at, CAST(NULL AS VARCHAR) AS data_month,
    CASE WHEN place = 0 THEN last_week END AS counters_week,
    CASE WHEN place = 0 THEN CAST(ordinal AS INTEGER) END AS seniority,
    CASE WHEN place = 0 THEN
        CASE WHEN hash(i, 6) % 10 < 3 THEN '[["2023-05-01",' || 1 + hash(i, 7) % 20 || ']]'
        ELSE '[]' END END AS earned,
    CAST(NULL AS VARCHAR) AS after_transfer
FROM (
    SELECT *, 0 AS message, 1 AS sign, 'result' AS kind, 'report' AS reason,
        CAST(NULL AS VARCHAR) AS reverses, {rate} AS rate
    FROM ({now})
    UNION ALL BY NAME
    SELECT * REPLACE (
            amount_ore + CASE sign WHEN 1 THEN 10000 ELSE 0 END AS amount_ore,
            2 * place + CASE sign WHEN 1 THEN 1 ELSE 0 END AS place
        ), CAST(1 + month_number % 99 AS INTEGER) AS message, 'correction' AS kind,
        'late_report' AS reason,
        CASE sign WHEN 1 THEN NULL ELSE 'x' END AS reverses, {rate} AS rate
    FROM ({late}), (VALUES (-1), (1)) AS signs (sign)
)
"""


def month_of(number: int) -> str:
    """Name the data month of a run, counted from 0."""
    return month_text(FIRST_MONTH + number)


class NationalLedger:
    """A ledger that grows run by run, each of about so many rows."""

    def __init__(self, folder: Path, rows: int) -> None:
        self._folder = folder
        self._runs = 0
        self._connection = duckdb.connect(config={"memory_limit": "3GB"})
        self._connection.execute("SET enable_progress_bar = false")
        rules = load_rule_set()
        self._benefits = {
            "benefits": list(BENEFITS),
            "mechanisms": [str(rules.benefits[code].mechanism) for code in BENEFITS],
        }
        people = PEOPLE.format(
            partitions=PARTITIONS,
            citizens=int(rows / ROWS_A_CITIZEN),
            codes=sorted(rules.municipalities),
            benefits=list(BENEFITS),
        )
        self._connection.execute(people)
        self._connection.execute(WEEKS)
        self._connection.executemany("INSERT INTO piece VALUES (?, ?, ?, ?, ?)", list(_pieces()))
        LedgerTable.make(str(folder), TOPIC, "national", PARTITIONS)

    def __enter__(self) -> "NationalLedger":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def add_run(self) -> str:
        """Write a run's entries and markers, sorted as a closed run is; return its month."""
        number, run = self._runs, FIRST_RUN + self._runs
        self._runs += 1
        columns = ", ".join(f'"{name}"' for name in COLUMNS)
        entries = ENTRIES.format(run=run, rate=RATE, **self._cells(number))
        write_deltalake(
            self._folder,
            self._connection.sql(f"SELECT {columns} FROM ({entries}) ORDER BY partition, citizen"),
            mode="append",
            writer_properties=SORTED,
        )
        markers = Table.from_batches([entries_batch(list(_markers(run, month_of(number))))])
        write_deltalake(self._folder, markers, mode="append", writer_properties=SORTED)
        return month_of(number)

    def _cells(self, number: int) -> dict[str, str]:
        """Write the statements of a month's cells, and of those that are corrected with it."""
        first = max(0, number - CORRECTED_WITHIN)
        late = (
            f"of.number BETWEEN {first} AND {number - 1}"
            f" AND hash(i, of.number, 8) % {10 * CORRECTED_WITHIN} = {number} - of.number - 1"
        )
        return {
            "now": CELLS.format(which=f"of.number = {number}", **self._benefits),
            "late": CELLS.format(which=late, **self._benefits),
        }


def _pieces() -> Iterator[tuple[int, str, int, str, int]]:
    """Yield the weeks of each month from the first on, with the days that they have in it."""
    for number in range(MOST_RUNS):
        month = FIRST_MONTH + number
        for piece in slices(first_day(month), first_day(month + 1) - 1):
            yield number, month_text(month), piece.week, week_text(piece.week), piece.days


def _markers(run: int, data_month: str) -> Iterator[Entry]:
    marker = {"kind": "run", "run": run, "closed_at": "2026-01-10T10:00:00Z", "position": 0}
    marker |= {"after_run": run - 1, "journal_offset": -1, "data_month": data_month}
    for partition in range(PARTITIONS):
        whole = marker | {"partition": partition, "offset": (run + 1) * 10_000_000 - 1}
        yield tuple(whole.get(name) for name in COLUMNS)
