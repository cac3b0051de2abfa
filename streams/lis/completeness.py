"""The completeness of runs, as `refusion run close` has found it: lines of a table that is kept."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from projections.lis.run_tables import COMPLETENESS
from projections.runs.completeness import Received
from streams.lis.kept_tables import KeptTable

KEPT: Final = KeptTable("-completeness", COMPLETENESS.columns)


class Kept(NamedTuple):
    """A row of the table: `projections.lis.tables.COMPLETENESS` has the meaning of each column."""

    run: int
    reporter: str
    benefit: str
    month: str
    received: int
    received_ore: int
    expected_ore: int | None
    deviation_ore: int | None
    hold: str | None
    accepted: str | None


def kept_lines(run: int, lines: Iterable[Received], accepted: Sequence[str]) -> list[Kept]:
    """Make the rows of a run. The reasons were given for all that held it together."""
    reasons = "; ".join(accepted)
    return [
        Kept(
            run,
            *line[:5],
            line.expected_ore,
            None if line.expected_ore is None else line.received_ore - line.expected_ore,
            line.hold,
            reasons if line.hold and reasons else None,
        )
        for line in lines
    ]
