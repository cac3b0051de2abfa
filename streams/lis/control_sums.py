"""The control sums of runs, as `refusion run close` has found them: lines of a table that is kept.

The closer looks at the journal, and cuts it a little later. What comes in between is in the run and
not in the sums, so each line has the offsets up to which they go, and the ledger's side is cut
there too.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import orjson
from arro3.core import Array, DataType, Table

from domain.basics.weeks import month_text
from projections.lis.columns import Column
from projections.lis.run_tables import CONTROLS
from projections.runs.books import Books
from streams.lis.completeness import KEPT, Kept
from streams.lis.kept_tables import KeptTable

LOOKED_TO: Final = Column(
    "looked_to", "string", "JSON: the offset of each partition of the journal"
)
OF_LEDGER: Final = ("ledger_ore", "rows", "later_ore")
"""The columns of the mart that come from the ledger."""
KEPT_SUMS: Final = KeptTable(
    "-controls",
    (*(column for column in CONTROLS.columns if column.name not in OF_LEDGER), LOOKED_TO),
)


class KeptSum(NamedTuple):
    """A row of the table: `projections.lis.tables.CONTROLS` has the meaning of each column."""

    run: int
    reporter: str
    benefit: str
    month: str
    lines: int
    received_ore: int
    reversed_ore: int
    rejected_ore: int
    outside_ore: int
    opened_ore: int
    posted_ore: int
    looked_to: str


KeptLine = Kept | KeptSum


def kept_sums(run: int, books: Books, settled_to: Mapping[int, int]) -> list[KeptSum]:
    """Make the rows of a run, in order."""
    looked_to = orjson.dumps(dict(sorted(settled_to.items())), option=orjson.OPT_NON_STR_KEYS)
    return [
        KeptSum(
            *(run, reporter, benefit, month_text(month)),
            lines=sums.lines,
            received_ore=sums.reported - sums.reversed,
            reversed_ore=sums.reversed,
            rejected_ore=sums.rejected,
            outside_ore=sums.outside,
            opened_ore=sums.opened,
            posted_ore=sums.settled - sums.opened,
            looked_to=looked_to.decode(),
        )
        for (reporter, benefit, month), sums in sorted(books.control.items())
    ]


def kept_beside(ledger: str) -> list[KeptLine]:
    """Read what is kept of all runs: completeness, and control sums. Raises LisError."""
    return [
        *(Kept(*row) for row in KEPT.rows(ledger)),
        *(KeptSum(*row) for row in KEPT_SUMS.rows(ledger)),
    ]


def looked_to_table(sums: Iterable[KeptSum]) -> Table:
    """Make the table `looked`: up to which offset of each partition the sums of a run go."""
    places: dict[str, int] = {}
    for line in sums:
        places |= orjson.loads(line.looked_to)
    return Table.from_arrays(
        [
            Array([int(partition) for partition in places], type=DataType.int32()),
            Array([*places.values()], type=DataType.int64()),
        ],
        names=["partition", "looked_to"],
    )
