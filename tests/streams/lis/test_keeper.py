"""When the stage builds the marts: at a closed run, and now and then for the open one."""

import asyncio
import errno
import sys

import pytest
from deltalake import DeltaTable

from streams.ledger.table import LedgerTable
from streams.lis.build import BuildRequest, build
from streams.lis.keeper import AGAIN_S, REFRESH_S, Ended, MartKeeper, run_command
from streams.lis.store import FORMAT, MartStore
from tests.support import product
from tests.support.postings import ledger_of, marker, posting

ANNA = "6101801234"


class Builder:
    """Builds in this process, or does not."""

    def __init__(self, folder, works=True):
        self.folder = folder
        self.works = works
        self.times = 0
        ledger_of(folder / "ledger", [posting(ANNA, 1, {}), marker(49)])

    async def __call__(self, command):
        assert command[-2:] == ("lis", "build")
        self.times += 1
        if self.works:
            ledger = LedgerTable.open(str(self.folder / "ledger"))
            store = MartStore(str(self.folder / "lis"))
            build(ledger, store, lambda _: product.law(), [], BuildRequest(), lambda *_: None)
            return Ended(0, "")
        return Ended(2, "refusion: there is no room")


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def looked(keeper, clock, *times):
    """Let the keeper look at these times."""
    for now in times:
        clock.now = now
        asyncio.run(keeper.look())


def test_a_run_that_has_passed_is_built_once(tmp_path, clock):
    builder = Builder(tmp_path)
    keeper = MartKeeper(str(tmp_path / "lis"), builder, clock)
    keeper.passed(49)
    looked(keeper, clock, 0.0, 10.0, 20.0)
    assert builder.times == 1


def test_a_build_that_fails_is_told_and_tried_again_later(tmp_path, caplog, clock):
    builder = Builder(tmp_path, works=False)
    keeper = MartKeeper(str(tmp_path / "lis"), builder, clock)
    keeper.passed(49)
    looked(keeper, clock, 0.0, AGAIN_S - 1, AGAIN_S)
    assert builder.times == 2
    assert caplog.messages == ["lis: the marts were not built: refusion: there is no room"] * 2


def test_a_build_that_cannot_begin_is_told_once_and_tried_again_later(tmp_path, caplog, clock):
    """The machine has no room for a process more, and then it has."""
    builder = Builder(tmp_path)
    is_full = True

    async def begin(command):
        if is_full:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return await builder(command)

    keeper = MartKeeper(str(tmp_path / "lis"), begin, clock)
    keeper.passed(49)
    looked(keeper, clock, 0.0, 10.0, AGAIN_S, 2 * AGAIN_S)
    (line,) = caplog.messages
    assert line.startswith("lis: the marts were not built: BlockingIOError at test_keeper.py:")
    is_full = False
    looked(keeper, clock, 3 * AGAIN_S)
    assert builder.times == 1
    is_full = True
    keeper.passed(50)
    looked(keeper, clock, 4 * AGAIN_S)
    assert len(caplog.messages) == 2


def test_the_open_run_that_could_not_be_built_is_tried_again_without_further_postings(
    tmp_path, clock
):
    builder = Builder(tmp_path, works=False)
    keeper = MartKeeper(str(tmp_path / "lis"), builder, clock)
    keeper.passed(0)
    looked(keeper, clock, REFRESH_S, 2 * REFRESH_S - 1, 2 * REFRESH_S)
    assert builder.times == 2
    builder.works = True
    looked(keeper, clock, 3 * REFRESH_S, 4 * REFRESH_S)
    assert builder.times == 3


def test_marts_that_cannot_be_read_are_told_once(tmp_path, caplog, clock):
    asyncio.run(Builder(tmp_path)(("lis", "build")))
    DeltaTable(tmp_path / "lis" / "builds").update(updates={"format": str(FORMAT + 1)})
    keeper = MartKeeper(str(tmp_path / "lis"), None, clock)
    looked(keeper, clock, 0.0, 10.0)
    (line,) = caplog.messages
    assert line.startswith("lis: another version of the program built the marts")


def test_the_open_run_is_built_only_after_something_was_posted_and_a_rest(tmp_path, clock):
    builder = Builder(tmp_path)
    keeper = MartKeeper(str(tmp_path / "lis"), builder, clock)
    looked(keeper, clock, 0.0)
    assert builder.times == 0
    keeper.passed(0)
    looked(keeper, clock, 0.0)
    keeper.passed(49)
    looked(keeper, clock, 1.0, REFRESH_S - 1)
    assert builder.times == 1
    looked(keeper, clock, REFRESH_S, REFRESH_S)
    assert builder.times == 2


@pytest.mark.parametrize(
    ("program", "ended"),
    [
        ("pass", Ended(0, "")),
        ("import sys; sys.stderr.write('one\\ntwo\\n'); sys.exit(2)", Ended(2, "one two")),
    ],
)
def test_a_command_ends_with_its_status_and_what_it_said(program, ended):
    assert asyncio.run(run_command((sys.executable, "-c", program))) == ended


def test_a_keeper_that_stops_kills_the_build(tmp_path):
    async def stopped():
        build = asyncio.create_task(
            run_command((sys.executable, "-c", "import time; time.sleep(600)"))
        )
        await asyncio.sleep(0.2)
        build.cancel()
        await asyncio.gather(build, return_exceptions=True)
        return build.cancelled()

    assert asyncio.run(stopped())
    assert not (tmp_path / "lis").exists()


def test_a_tenure_that_ends_late_does_not_stop_the_keeper_of_the_next(tmp_path):
    async def still_kept():
        keeper = MartKeeper(str(tmp_path / "lis"))
        keeper.start("first tenure")
        keeper.start("next tenure")
        await keeper.stop("first tenure")
        work = keeper._work
        assert work is not None
        is_kept = not work.done()
        await keeper.stop("next tenure")
        return is_kept, work.cancelled()

    assert asyncio.run(still_kept()) == (True, True)
