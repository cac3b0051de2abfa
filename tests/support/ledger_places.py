"""Names the places of a ledger: its own, and those of the tables that are made beside it."""

from collections.abc import Iterable
from pathlib import PurePath

from streams.lis.act_table import ActTable
from streams.lis.completeness import KEPT
from streams.lis.control_sums import KEPT_SUMS
from streams.lis.expected import KEPT_EXPECTED
from streams.settings import Settings


def places_outside(settings: Settings, folders: Iterable[str]) -> list[str]:
    """Return the places of the ledger and of LIS that are in none of some folders."""
    ledger, within = settings.ledger, [*folders]
    places = [ledger, ActTable(ledger, settings.macs()).place, settings.lis]
    places += [table.beside(ledger) for table in (KEPT, KEPT_SUMS, KEPT_EXPECTED)]
    return [
        place
        for place in places
        if not any(PurePath(place).is_relative_to(folder) for folder in within)
    ]
