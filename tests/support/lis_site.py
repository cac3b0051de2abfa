"""A site over the ledger and the marts of random lives, for tests of its pages about LIS."""

import random
from pathlib import Path

from streams.lis.completeness import Kept
from streams.lis.expected import KEPT_EXPECTED, KeptExpected
from streams.settings import Settings
from tests.properties.test_lis import built
from tests.support.run_histories import ledger_of_lives
from tests.support.site_client import a_site

OWN = "751"
"""A municipality that has rows."""
SEED = 12
"""Random lives of which every view has rows, those about the data month too."""
REPORTER = "12345678"
KEPT = (
    Kept(51, REPORTER, "KTH", "2024-03", 3, 840_000, 900_000, -60_000, None, None),
    Kept(51, REPORTER, "SDP-B", "2024-03", 0, 0, 280_000, -280_000, None, None),
)
"""The completeness of a run, as `refusion run close` keeps it."""
EXPECTED = (
    KeptExpected(51, REPORTER, "KTH", "2024-03", None, 2, 900_000, 840_000, 1, 0),
    KeptExpected(51, REPORTER, "KTH", "2024-03", "ab" * 16, 1, 340_000, 280_000, 1, 0),
)
"""The payments that were expected of the run, beside those received."""


def lis_folder(folder: Path, seed: int = SEED) -> Path:
    """Make a ledger of random lives, what was kept beside it, and its marts."""
    ledger = folder / "ledger"
    ledger_of_lives(random.Random(seed), seed, ledger)
    KEPT_EXPECTED.keep(str(ledger), 51, EXPECTED)
    built(folder, KEPT)
    return folder


def lis_environment(folder: Path) -> dict[str, str]:
    """Return the settings of a site, or of a command, over that folder."""
    places = {name: str(folder / name.lower()) for name in ("LEDGER", "LIS", "STATE_DIR")}
    return {f"REFUSION_{name}": place for name, place in places.items()} | {"REFUSION_DEMO": "1"}


def lis_site(folder, **more):
    """Make a site over that folder."""
    return a_site(Settings.load(lis_environment(folder)), **more)
