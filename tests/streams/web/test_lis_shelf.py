"""The marts that the pages of LIS ask: always those of the newest build."""

import shutil
from functools import partial

import pytest

from streams.lis.store import MartStore
from streams.web.lis_shelf import LOOK_S, MartsShelf
from tests.properties.test_lis import built
from tests.support.lis_site import lis_folder

RUNS = "SELECT run FROM runs WHERE run IS NOT NULL ORDER BY run"


@pytest.mark.long
def test_marts_that_were_deleted_and_built_again_under_the_same_number_are_read(tmp_path):
    folder = lis_folder(tmp_path)
    times = iter(range(0, 1_000, int(2 * LOOK_S)))
    shelf = MartsShelf(str(folder / "lis"), partial(next, times))
    with shelf.marts() as marts:
        before, former = marts.rows(RUNS), shelf.build
    shutil.rmtree(folder / "lis")
    built(folder)
    again = MartStore(str(folder / "lis")).build()
    assert again is not None
    assert former is not None
    assert (again.number, again.ledger_version) == (former.number, former.ledger_version)
    with shelf.marts() as marts:
        assert marts.rows(RUNS) == before
        assert shelf.build == again != former
    shelf.close()
