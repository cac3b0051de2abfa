"""`make bench`: the benchmarks, a table at the end; `python -m bench NAME…`: some of them.

The environment sets the size of the memory figures: CITIZENS for `settle`, KAFKA_CITIZENS for a
worker on Kafka, LEDGER_ROWS for a month's export (4000000 is a national one), LIS_RUNS and LIS_ROWS
for the tables of LIS (12 runs of 4000000 rows) and the site's pages over them, which are measured
only when they are named, WEB_REQUESTS (200) for how often a page is asked, WEB_CITIZENS (300) for
the citizens with a journal whose explanations are, MASS_CITIZENS (3500) for the mass correction
(`make bench mass`), COUNTRY_CITIZENS (1400000) and COUNTRY_MONTHS (12) for a country's year (`make
bench country`), whose prices are in the file in PRICES; with COUNTRY_FOLDER and COUNTRY_MINUTES it
is done in several sittings.
"""

import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench import (
    aggregate,
    books,
    country,
    law,
    lis,
    mass_correction,
    pipeline,
    replaying,
    settling,
    web,
    web_explained,
)
from bench.rig import Figure
from streams.kit.stopping import Stopped, unwind_on_signals

MEMORY_CITIZENS: Final = int(os.environ.get("CITIZENS", "100000"))
KAFKA_CITIZENS: Final = int(os.environ.get("KAFKA_CITIZENS", "100000"))
PIPELINE_CITIZENS: Final = 6_000
REPLAY_CITIZENS: Final = 6_000
LEDGER_ROWS: Final = int(os.environ.get("LEDGER_ROWS", "400000"))

SECTIONS: Final[dict[str, Callable[[Path], list[Figure]]]] = {
    "aggregate": aggregate.figures,
    "law": law.figures,
    "settle": lambda folder: settling.figures(folder, MEMORY_CITIZENS),
    "books": lambda folder: books.figures(folder, LEDGER_ROWS),
    "lis": lis.figures,
    "web": lambda folder: [*web.figures(folder), *web_explained.figures(folder)],
    "mass": mass_correction.figures,
    "country": country.figures,
    "kafka": lambda folder: pipeline.figures(folder, PIPELINE_CITIZENS, KAFKA_CITIZENS),
    "replay": lambda folder: replaying.figures(folder, REPLAY_CITIZENS),
}
"""The sections by name; each is a module with a function `figures`.

A fast path that is measured with and without it is a section too: its module sets the switch.
"""


ONLY_NAMED: Final = frozenset({"country", "lis", "mass", "web"})
"""The sections that take so long that they are measured only when they are named."""


def main(names: list[str]) -> None:
    """Measure the sections with these names, or all, and show the table."""
    if unknown := set(names) - SECTIONS.keys():
        sys.exit(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    table = Table("measurement", "figure", "ratio to the peer or the first line")
    with tempfile.TemporaryDirectory(prefix="refusion-bench-") as folder:
        for name in names or [name for name in SECTIONS if name not in ONLY_NAMED]:
            for figure in SECTIONS[name](Path(folder)):
                table.add_row(*figure)
            table.add_section()
    Console(width=110).print(table)


if __name__ == "__main__":
    unwind_on_signals()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # an error ends the run and is shown
    try:
        main(sys.argv[1:])
    except Stopped as stopped:
        sys.exit(stopped.status)
