"""The cost of a citizen a year: processor time, disks and network, by a table of prices.

The table is `bench/prices.csv`, or the file in PRICES: what, unit, kroner, the day when the price
was seen, and where. It is no part of the product, so its amounts are plain numbers.
"""

import csv
import os
from pathlib import Path
from typing import Final, NamedTuple

from bench.rig import BenchError, Figure

PRICES: Final = Path(os.environ.get("PRICES") or Path(__file__).parent / "prices.csv")
PROCESSOR, DISK, MOVED = "processor", "disk", "moved"
PEER_KRONER: Final = 4.75
"""Kroner an inhabitant a year that the system it replaces is invoiced at (KOMBIT's FAQ)."""
INHABITANTS_A_CITIZEN: Final = 6.0 / 1.4
"""Six million inhabitants to 1.4 million citizens who have had a benefit."""
REPLICAS: Final = 3
"""Brokers that have each record in operation; here it was one."""
READERS: Final = 2
"""Readers of each record: the next stage, and a ledger or an audit."""
STANDING_CORES: Final = 10
"""Cores that stand there all year, used or not: three brokers and two workers of two each."""
HOUR_S: Final = 3600
YEAR_HOURS: Final = 24 * 365
MONTHS: Final = 12
YEARS: Final = 10


class Used(NamedTuple):
    """The use of a year by all citizens; bytes on disk are those at its end.

    `raw_bytes` are those of the raw reports: they are moved like the others, and gone after a week.
    """

    citizens: int
    cpu_s: float
    topic_bytes: int
    other_bytes: int
    raw_bytes: int

    @property
    def disk_bytes(self) -> int:
        """The bytes on all disks, each record of Kafka on three brokers."""
        return REPLICAS * self.topic_bytes + self.other_bytes

    @property
    def moved_bytes(self) -> int:
        """The bytes between machines: to a broker, to its replicas, and to readers."""
        return (REPLICAS + READERS) * (self.topic_bytes + self.raw_bytes)

    def of_a_year(self, months: int) -> "Used":
        """Return what a year would use, if it went on as in so many months."""
        each = (self.topic_bytes, self.other_bytes, self.raw_bytes)
        sizes = (size * MONTHS // months for size in each)
        return Used(self.citizens, self.cpu_s * MONTHS / months, *sizes)


def read_prices(path: Path) -> dict[str, float]:
    """Read the kroner of each price. Raises BenchError where one is missing or no number."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [*csv.DictReader(file, delimiter=";")]
    try:
        prices = {row["what"]: float(row["kroner"]) for row in rows}
        return {what: prices[what] for what in (PROCESSOR, DISK, MOVED)}
    except (KeyError, ValueError) as error:
        raise BenchError(f"{path}: a price is missing or no number: {error}") from None


def cost(used: Used, prices: dict[str, float]) -> dict[str, float]:
    """Return the kroner a citizen and year, by price.

    A disk that is full at the end of the year is paid for from its beginning.
    """
    giga = 1e9 * used.citizens
    return {
        PROCESSOR: prices[PROCESSOR] * used.cpu_s / HOUR_S / used.citizens,
        DISK: prices[DISK] * MONTHS * used.disk_bytes / giga,
        MOVED: prices[MOVED] * used.moved_bytes / giga,
    }


def cost_rows(used: Used) -> list[Figure]:
    """Make the rows of the table: each part, and all beside the system that it replaces."""
    prices = read_prices(PRICES)
    parts = cost(used, prices)
    whole = sum(parts.values())
    stand = prices[PROCESSOR] * STANDING_CORES * YEAR_HOURS / used.citizens
    standing = whole - parts[PROCESSOR] + stand
    amounts = {
        PROCESSOR: f"{used.cpu_s / used.citizens * 1000:,.1f} ms",
        DISK: f"{used.disk_bytes / used.citizens:,.0f} bytes at the end of the year",
        MOVED: f"{used.moved_bytes / used.citizens:,.0f} bytes",
    }
    return [
        *(
            (f"a citizen and year: {what}", amounts[what], f"{100 * kroner:.3f} øre")
            for what, kroner in parts.items()
        ),
        ("all of what is used", *_beside(whole)),
        (
            f"with the disks of the {YEARS}th year, as nothing is deleted",
            *_beside(whole + (YEARS - 1) * parts[DISK]),
        ),
        (
            f"with {STANDING_CORES} cores that stand there all year instead",
            *_beside(standing),
        ),
    ]


def _beside(kroner: float) -> tuple[str, str]:
    """Write the kroner of a citizen, and what that is of the other system's price.

    The price is one of an inhabitant, so a citizen's cost is shared by so many.
    """
    an_inhabitant = kroner / INHABITANTS_A_CITIZEN
    ratio = an_inhabitant / PEER_KRONER
    return f"{100 * kroner:.3f} øre", f"{100 * an_inhabitant:.3f} øre an inhabitant: {ratio:.5f}"
