"""Keeps the marts up with the ledger while the stage `projections` runs.

The process that has the first partition of `postings` does it, so it is done once. A build is a
process of its own, `refusion lis build`: it takes a gigabyte for a minute, may be killed at any
moment, and settles nothing. It begins

* when a run's marker has passed in the first partition: until the last partition has it too, a
  build leaves the run out, and is tried again;
* for the open run, when something was posted since the last build: every five minutes at most,
  and never more than a tenth of the time.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from streams.kit.errors import UserError, kind_and_place
from streams.lis.first_partition import FirstPartitionWork
from streams.lis.store import local_folder, read_build

FIRST_PARTITION: Final = 0
LOOK_S: Final = 10.0
"""Seconds between two looks at what is to be built."""
AGAIN_S: Final = 30.0
"""Seconds after which a run that was not complete, or could not be built, is tried again."""
REFRESH_S: Final = 300.0
"""The least time between two builds of the open run."""
REST: Final = 9
"""A build of the open run is followed by a rest of this many times its own length."""
COMMAND: Final = (sys.executable, "-c", "from streams.cli.main import main; main()", "lis", "build")
LONGEST: Final = 300

log = logging.getLogger("refusion")


class Ended(NamedTuple):
    """The end of a build: its exit status, and what it wrote to standard error."""

    status: int
    said: str


class MartKeeper(FirstPartitionWork):
    """Decides when to build, and does it."""

    def __init__(
        self,
        place: str,
        run: Callable[[Sequence[str]], Awaitable[Ended]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`place` is REFUSION_LIS; `run` runs a command, and tests give their own."""
        super().__init__()
        self._folder = local_folder(place)
        self._run = run or run_command
        self._clock = clock
        self._closed = 0
        self._posted = False
        self._told = ""
        self._next_run = self._next_refresh = 0.0

    def passed(self, last_run: int) -> None:
        """Note that entries of the first partition came, and its last closed run."""
        self._posted = True
        self._closed = max(self._closed, last_run)

    async def _keep(self) -> None:
        self._next_refresh = self._clock() + REFRESH_S
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Build if it is time; a build that fails, or cannot begin, is told, and tried again."""
        now = self._clock()
        try:
            built = await asyncio.to_thread(read_build, self._folder)
        except Exception as error:  # noqa: BLE001 - a defect is tried again too
            if self._is_news(told := _told(error)):
                log.warning("lis: %s", told)
            return
        last_run = (built.last_run or 0) if built else 0
        is_run = self._closed > last_run and now >= self._next_run
        if not is_run and not (self._posted and now >= self._next_refresh):
            return
        self._posted = False
        if not await self._build():
            self._posted = True
        after = self._clock()
        self._next_run = after + AGAIN_S
        self._next_refresh = after + max(REFRESH_S, REST * (after - now))

    async def _build(self) -> bool:
        """Build, and return whether it is done; where it is not, the log says why.

        The machine may have no room for a further process.
        """
        try:
            ended = await self._run(COMMAND)
        except Exception as error:  # noqa: BLE001 - a defect is tried again too
            if self._is_news(told := _told(error)):
                log.warning("lis: the marts were not built: %s", told)
            return False
        self._told = ""
        if ended.status:
            log.warning("lis: the marts were not built: %s", ended.said[-LONGEST:])
        return not ended.status

    def _is_news(self, told: str) -> bool:
        """Return whether an error is another one than the last that was told."""
        former, self._told = self._told, told
        return told != former


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, UserError) else kind_and_place(error)


async def run_command(command: Sequence[str]) -> Ended:
    """Run a command with our environment, and kill it where we are cancelled."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return Ended(process.returncode or 0, " ".join(said.decode(errors="replace").split()))
