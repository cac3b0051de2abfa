"""`refusion worker` runs the stages in a Faust app, in one process or in several.

    refusion worker [STAGE…] --processes N

With N = 1 this process does the work itself. With more it starts N children, each with a state
folder of its own, and looks after them (`streams.worker.supervisor`). Children end when their
parent does, however that ended: each watches a pipe from it.

Faust hosts the stages, and carries no data: its own Kafka client and its web server (which would
serve `/router/` and table contents) are not started.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import faust
import uvloop
from faust.app.base import BootStrategy

from streams.citizens.register_file import make_validator, sources_of
from streams.citizens.rule_sets import LawBook
from streams.engine.budget import Budget
from streams.engine.clock_skew import ClockSkew
from streams.engine.liveness import Outage
from streams.engine.loop import BatchLoop
from streams.engine.ports import Stage
from streams.engine.timing import BATCHES_AT_WORK
from streams.kafka import topics
from streams.kafka.brokers import KafkaBrokers
from streams.kit.errors import UnworkableError, UserError
from streams.kit.logs import set_up_logs
from streams.kit.private_files import keep_files_private, keep_memory_private
from streams.kit.secrets import kept_from_children, own_environment
from streams.kit.standard_streams import open_closed_streams
from streams.kit.threads import leave
from streams.kit.tuning import tune_allocation, tune_garbage_collection
from streams.operations.key_gate import DEMO_KEYS, check_demo_keys
from streams.settings import Settings
from streams.stages.citizens import CitizenStage, CitizenTopics
from streams.stages.intake import Intake, IntakeTopics
from streams.wire.reporters import NO_SOURCE
from streams.worker.preparation import prepare
from streams.worker.state_folder import StateFolder, take
from streams.worker.supervisor import USER_ERROR, supervise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.stages.ledger import LedgerStage
    from streams.worker.metrics import Metrics

STAGES: Final = ("intake", "citizens", "projections")
BATCHES_FOR_LEDGER: Final = 3
"""Batches of the ledger at a time: a budget of its own, for they wait seconds for their commit."""
CHILD: Final = "--child"
"""Argument by which the supervisor starts a child."""

log = logging.getLogger("refusion")


# --- one process ----------------------------------------------------------------------------------


class _StagesAlone(BootStrategy):
    """Starts our services and nothing of Faust's own."""

    enable_kafka = False
    enable_web = False
    enable_sensors = False


class WorkerApp(faust.App):
    """The Faust app that hosts the stages."""

    BootStrategy = _StagesAlone


class StageService(faust.Service):
    """A stage's batch loop as a service: stopping it finishes the commits under way."""

    def __init__(self, batch_loop: BatchLoop, stopping: asyncio.Event, **kwargs: Any) -> None:
        """`stopping` ends the process; what its operator has to mend is then in `failure`."""
        super().__init__(**kwargs)
        self.failure: UnworkableError | None = None
        self._batch_loop = batch_loop
        self._stopping = stopping
        self._ended = asyncio.Event()

    async def on_start(self) -> None:
        """Let the loop run beside us; its failure is the service's and the app's."""
        self.add_future(self._run())

    async def _run(self) -> None:
        try:
            await self._batch_loop.run()
        except UnworkableError as error:
            self.failure = error
            self._stopping.set()
        finally:
            self._ended.set()

    async def on_stop(self) -> None:
        """Wait until the loop has ended in good order."""
        self._batch_loop.stop()
        await self._ended.wait()


def make_app() -> faust.App:
    """The app, without services."""
    return WorkerApp("refusion", store="memory://", web_enabled=False, web_tables_enabled=False)


def make_loops(
    names: Sequence[str],
    settings: Settings,
    folder: StateFolder,
    outage: Outage,
    clock: ClockSkew,
    measuring: "Measuring",
) -> list[BatchLoop]:
    """The stages of one process, each in its loop and counted there."""
    kafka = KafkaBrokers(settings.bootstrap, folder.worker_id, clock)
    budget = Budget(BATCHES_AT_WORK)
    stages = make_stages([name for name in names if name != "projections"], settings, folder, kafka)
    loops = [
        BatchLoop(
            measuring.metered(stage),
            kafka,
            settings.group(stage.name),
            outage,
            budget,
            count_unread=partial(measuring.count_unread, stage.name),
        )
        for stage in stages
    ]
    if "projections" in names:
        ledger = _ledger_stage(settings, kafka)
        group, of_ledger = settings.group(ledger.name), budget.beside(BATCHES_FOR_LEDGER)
        loops.append(BatchLoop(measuring.metered(ledger), kafka, group, outage, of_ledger))
        for told in _receipt_stages(settings, folder, kafka) if settings.receipts else ():
            group = settings.group(told.name)
            loops.append(BatchLoop(measuring.metered(told), kafka, group, outage, of_ledger))
    return loops


def _receipt_stages(settings: Settings, folder: StateFolder, kafka: KafkaBrokers) -> list[Stage]:
    from streams.stages.receipts import KINDS, ReceiptStage, ReceiptTopics  # noqa: PLC0415 - SQLite

    names = (topics.REPORTS, topics.DEAD_LETTERS, topics.NOTICES, topics.RECEIPTS)
    told, identity = ReceiptTopics(*map(settings.topic, names)), settings.identity()
    make = partial(ReceiptStage, told, settings.partitions, identity, kafka, folder.path)
    return [make(kind) for kind in KINDS]


def _ledger_stage(settings: Settings, kafka: KafkaBrokers) -> "LedgerStage":
    """Imported here: Delta Lake has 20 MB that a worker without a ledger does not need."""
    from streams.ledger.writer import LedgerWriter  # noqa: PLC0415
    from streams.lis.act_keeper import ActKeeper  # noqa: PLC0415
    from streams.lis.keeper import MartKeeper  # noqa: PLC0415
    from streams.stages.ledger import LedgerStage  # noqa: PLC0415
    from streams.stages.posting_checks import PostingChecks  # noqa: PLC0415

    topic = settings.topic(topics.POSTINGS)
    checks = PostingChecks(settings.topic(topics.REPORTS), topic, settings.macs())
    writer = LedgerWriter(settings.ledger, topic, settings.partitions)
    keepers: list[MartKeeper | ActKeeper] = [ActKeeper(settings)]
    if "://" in settings.lis:
        log.warning("lis: no marts are built: REFUSION_LIS is no folder of this machine")
    else:
        keepers.append(MartKeeper(settings.lis))
    return LedgerStage(topic, writer, kafka, checks, keepers)


def make_stages(
    names: Iterable[str], settings: Settings, folder: StateFolder, kafka: KafkaBrokers
) -> list[Stage]:
    """The stages that write to Kafka."""
    laws = LawBook(settings.rules)
    identity = settings.identity()
    reports, postings, citizens, notices, dead = (
        settings.topic(topic)
        for topic in (
            topics.REPORTS,
            topics.POSTINGS,
            topics.CITIZENS,
            topics.NOTICES,
            topics.DEAD_LETTERS,
        )
    )
    number = settings.partitions
    stages: list[Stage] = []
    if topics.INTAKE in names:
        validator = make_validator(settings, laws.catalogue())
        stages += [
            Intake(
                IntakeTopics(settings.topic(topics.raw_of(source)), reports, dead, number),
                validator.of_source(source),
                identity,
                kafka,
                topics.intake_of(source),
            )
            for source in (NO_SOURCE, *sources_of(settings))
        ]
    if "citizens" in names:
        citizen_topics = CitizenTopics(reports, postings, notices, citizens, dead, number)
        stages.append(CitizenStage(citizen_topics, laws, identity, kafka, folder.path))
    return stages


class Measuring(Protocol):
    """Counts what stages do, if anybody asks for metrics."""

    def metered(self, stage: Stage) -> Stage:
        """Wrap a stage so that it is counted."""

    def count_unread(self, stage: str, partition: int, records: int) -> None:
        """Count records that were gone before a stage read them."""


class _Unmeasured:
    """Wraps no stage: nobody asks for metrics."""

    def metered(self, stage: Stage) -> Stage:
        """The stage itself."""
        return stage

    def count_unread(self, stage: str, partition: int, records: int) -> None:
        """Count nothing."""

    def begin(
        self, settings: Settings, outage: Outage, clock: ClockSkew, stages: Sequence[Stage]
    ) -> None:
        """Watch nothing."""


class _Measured:
    """Metrics are served by `metrics_server`."""

    def __init__(self, metrics: "Metrics") -> None:
        from streams.worker.metrics import beat  # noqa: PLC0415

        self._metrics = metrics
        self._tasks = [asyncio.create_task(beat(metrics))]

    def metered(self, stage: Stage) -> Stage:
        """The stage, counted."""
        from streams.worker.metrics import MeteredStage  # noqa: PLC0415

        return MeteredStage(stage, self._metrics)

    def count_unread(self, stage: str, partition: int, records: int) -> None:
        """Count records that were gone before a stage read them."""
        self._metrics.unread.labels(stage, partition).inc(records)

    def begin(
        self, settings: Settings, outage: Outage, clock: ClockSkew, stages: Sequence[Stage]
    ) -> None:
        """The stages begin: from now on it is known how far they are."""
        from streams.worker.broker_watch import watch  # noqa: PLC0415

        self._metrics.begins(outage)
        self._metrics.follow_clock(clock)
        self._tasks.append(asyncio.create_task(watch(self._metrics, settings, stages)))

    def end(self) -> None:
        """They have ended."""
        for task in self._tasks:
            task.cancel()


@contextmanager
def _measured(settings: Settings, folder: StateFolder) -> "Iterator[_Measured | _Unmeasured]":
    """Serve metrics if they are asked for."""
    if settings.metrics_port is None:
        yield _Unmeasured()
        return
    from streams.worker.metrics import Metrics  # noqa: PLC0415
    from streams.worker.metrics_server import serve  # noqa: PLC0415

    metrics = Metrics()
    measuring, end = _Measured(metrics), serve(metrics, settings, folder.number)
    try:
        yield measuring
    finally:
        measuring.end()
        end()


async def _serve(
    names: Sequence[str], settings: Settings, folder: StateFolder, stopping: asyncio.Event
) -> None:
    """Run stages until told to stop."""
    outage, clock = Outage(), ClockSkew()
    with _measured(settings, folder) as measuring:
        await prepare(names, settings, outage, stopping)
        loops = make_loops(names, settings, folder, outage, clock, measuring)
        measuring.begin(settings, outage, clock, [batch_loop.stage for batch_loop in loops])
        await _run(loops, stopping)


async def _run(loops: Sequence[BatchLoop], stopping: asyncio.Event) -> None:
    """Host the loops in the app until told to stop. Raises what has ended one of them."""
    app = make_app()
    await app.start()
    services = [StageService(batch_loop, stopping, beacon=app.beacon) for batch_loop in loops]
    for service in services:
        await app.add_runtime_dependency(service)
    tune_garbage_collection()
    await app.wait(stopping.wait())
    for batch_loop in loops:
        batch_loop.stop()  # all at once; the app stops its services one after the other
    await app.stop()
    for failure in (app.crash_reason, *(service.failure for service in services)):
        if failure is not None:
            raise failure


def work(names: Sequence[str], settings: Settings, parent: int | None = None) -> None:
    """Be a worker process until SIGTERM or SIGINT, or until the pipe from the parent closes.

    Raises TopicError where the topics cannot be worked with, UnworkableError where the journal or
    the state cannot.
    """
    if settings.has_demo_keys:
        log.warning("%s", DEMO_KEYS)
    settings.identity()
    check_demo_keys(settings)
    tune_allocation()
    folder = take(settings.state_dir)
    log.info("starts %s with state in %s", " and ".join(names), folder.path)

    async def main() -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        if parent is not None:
            # Nothing is ever written to it: it becomes readable at its end.
            loop.add_reader(parent, stopping.set)
        await _serve(names, settings, folder, stopping)

    uvloop.run(main())
    log.info("stopped")


# --- the program ----------------------------------------------------------------------------------


def run_worker(names: Sequence[str], settings: Settings, processes: int) -> int:
    """Do what `refusion worker` asks for. Returns the exit status."""
    open_closed_streams()
    keep_files_private()
    keep_memory_private()
    set_up_logs()
    chosen = [name for name in STAGES if name in names or not names]
    if processes == 1:
        return _guarded(chosen, lambda: settings, None)
    settings.identity()  # what is missing is said once, by us
    _ = settings.bootstrap
    command = [sys.executable, "-m", "streams.worker.app", CHILD, *chosen]
    return supervise(command, processes, own_environment())


def _guarded(names: Sequence[str], load: Callable[[], Settings], parent: int | None) -> int:
    """Work; what a restart cannot mend is one line and a status of its own."""
    status = 0
    try:
        work(names, load(), parent)
    except UserError as error:
        log.error("%s", error)  # noqa: TRY400 - where it was raised is of no use to an operator
        status = USER_ERROR
    leave(status)
    return status


def main(arguments: Sequence[str]) -> int:
    """A child of the supervisor."""
    open_closed_streams()
    keep_files_private()
    keep_memory_private()
    set_up_logs()
    with kept_from_children():
        return _guarded(list(arguments), Settings.load, sys.stdin.fileno())


def started_with(arguments: Sequence[str]) -> int:
    """Be the worker of a command line: a child of the supervisor, or one process alone."""
    if arguments[:1] == [CHILD]:
        return main(arguments[1:])
    return run_worker(arguments, Settings.load(), 1)


if __name__ == "__main__":
    sys.exit(started_with(sys.argv[1:]))
