"""Holds the marts against the ledger, for `refusion verify`: closed runs, which never change."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from projections.lis.statements import MUNICIPALITY
from projections.lis.tables import MARTS
from streams.ledger.table import LedgerTable
from streams.lis.engine import engine, view_of_entries, view_of_mart
from streams.lis.spans import spans_of
from streams.lis.store import files_of, local_folder, read_build

KEYS: Final = "municipality, month, benefit, rate"
SUMS: Final = ", ".join(
    f"CAST(sum({name}) AS BIGINT) AS {name}"
    for name in ("amount_ore", "refusion_ore", "medfinansiering_ore")
)
OF_LEDGER: Final = f"""
SELECT {KEYS}, {SUMS} FROM (
    SELECT {MUNICIPALITY} AS municipality, month, benefit, rate, amount_ore, refusion_ore,
        medfinansiering_ore
    FROM entries WHERE id IS NOT NULL
) AS named GROUP BY {KEYS}"""


class Unlike(NamedTuple):
    """A municipality's month, benefit and rate in a run whose sums are not those of the ledger."""

    mart: str
    run: int
    municipality: str
    month: str
    benefit: str
    rate: int


def unlike_the_ledger(
    ledger: LedgerTable, place: str, shown: Callable[[int, int], None]
) -> Iterator[Unlike]:
    """Find what in the marts of closed runs does not sum to the ledger; nothing without marts."""
    folder = local_folder(place)
    build = read_build(folder)
    if build is None or build.last_run is None:
        return
    spans = [span for span in spans_of(ledger) if span.run and span.run <= build.last_run]
    for done, span in enumerate(spans, 1):
        with engine() as connection:
            view_of_entries(connection, ledger, span)
            for name in ("money", "person_months"):
                view_of_mart(connection, MARTS[name], files_of(folder, build, name))
                of_mart = (
                    f"SELECT {KEYS}, {SUMS} FROM {name} WHERE run = {span.run} GROUP BY {KEYS}"
                )
                differing = (
                    f"SELECT DISTINCT {KEYS} FROM (({OF_LEDGER} EXCEPT {of_mart}) UNION ALL"
                    f" ({of_mart} EXCEPT {OF_LEDGER})) AS differing ORDER BY {KEYS}"
                )
                for row in connection.execute(differing).fetchall():
                    yield Unlike(name, span.run or 0, *row)
        shown(done, len(spans))
