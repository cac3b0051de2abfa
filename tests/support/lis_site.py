"""A site over the ledger and the marts of random lives, for tests of its pages about LIS."""

import random
from pathlib import Path

from streams.settings import Settings
from tests.properties.test_lis import built
from tests.support.run_histories import ledger_of_lives
from tests.support.site_client import a_site

OWN = "751"
"""A municipality that has rows."""


def lis_folder(folder: Path, seed: int = 2) -> Path:
    """Make a ledger of random lives and its marts."""
    ledger_of_lives(random.Random(seed), seed, folder / "ledger")
    built(folder)
    return folder


def lis_environment(folder: Path) -> dict[str, str]:
    """Return the settings of a site, or of a command, over that folder."""
    places = {name: str(folder / name.lower()) for name in ("LEDGER", "LIS", "STATE_DIR")}
    return {f"REFUSION_{name}": place for name, place in places.items()} | {"REFUSION_DEMO": "1"}


def lis_site(folder, **more):
    """Make a site over that folder."""
    return a_site(Settings.load(lis_environment(folder)), **more)
