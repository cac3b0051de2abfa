"""Somebody merges numbers while things fail, and parts them again.

The steps are those of `streams.operations.merges`: fence the writers of run markers, begin with
the records `moved` and `joined`, read what lies before them, and write the reports behind them; all
of that is one transaction. Whoever dies half-way, or does not hear whether a commit counts, looks
whether it is there and begins anew.
"""

import asyncio

import orjson
from aiokafka.errors import KafkaError

from domain.citizen.reports import Move, RulesRecord
from streams.citizens.rule_sets import LawBook
from streams.kafka.control import TRANSACTION_S
from streams.kit.foreign import Foreign
from streams.operations.merge_past import CitizenPast, MergeError, PastRecord
from streams.operations.merge_plan import MergeWriting, records_of
from streams.wire.belief import JournalBelief
from streams.wire.partitioner import partition_of
from streams.wire.readers import journal_reader
from tests.simulation.logs import COMMIT
from tests.simulation.names import JOURNAL
from tests.simulation.population import reports_in

AT = "2024-02-01T08:00:00Z"
COMMIT_S = 30.0
AGAIN_S = 1.0
REASON = "the same person"
WRITER = "run"
"""The transactional id, which run markers have too."""
PLACE = "transactions", WRITER


class DiedError(Exception):
    """The writer died in the middle of a transaction."""


class Merging:
    """One who merges; `answered` asks the simulated brokers until one answers."""

    def __init__(self, world, answered) -> None:
        self._world = world
        self._rng = world.plan.chance("merging")
        self._answered = answered
        self._merged: list[tuple[str, str]] = []

    async def merge(self, number) -> None:
        """Merge two numbers of the population, or part two that were merged."""
        undo = bool(self._merged) and self._rng.random() < 0.4
        if undo:
            pair = self._rng.choice(self._merged)
        else:
            known = reports_in(self._world.lines)
            persons = sorted({orjson.loads(line)["cpr"] for line in known})
            if len(persons) < len(("former", "new")):
                return
            former, to = self._rng.sample(persons, 2)
            of = self._world.identity.of
            pair = of(former)[0], of(to)[0]
        while not await self._is_done(pair, f"m{number}", undo=undo):
            await asyncio.sleep(AGAIN_S)

    async def _is_done(self, pair, number, *, undo) -> bool:
        try:
            async with asyncio.timeout(COMMIT_S):
                await self._write(pair, number, undo=undo)
        except MergeError as error:
            self._world.trace("operator", f"merge: {error}")
            return True
        except (DiedError, KafkaError, TimeoutError) as error:
            self._world.trace("operator", f"merge: {type(error).__name__}; once more")
            return False
        (self._merged.remove if undo else self._merged.append)(pair)
        return True

    async def _write(self, pair, number, *, undo) -> None:
        world, coordinator = self._world, self._world.coordinator
        _, epoch = await self._answered(PLACE, lambda: coordinator.init(WRITER, TRANSACTION_S))
        pasts = [await self._past(citizen) for citizen in pair]
        if any(self._is_there(past, number) for past in pasts):
            return
        former, to = (past for past, _ in pasts)
        records = records_of(former, to, number, undo=undo)
        macs = world.identity.macs
        writing = MergeWriting(JOURNAL, world.plan.partitions, macs, REASON, AT)
        written: list[int] = [0] * world.plan.partitions
        first = [
            writing.first(past, each) for past, each in zip((former, to), records, strict=True)
        ]
        begins: dict[int, int] = {}
        for at, message in first:
            end = await self._produce(epoch, at, [message], written)
            begins.setdefault(at, end - 1)
        for at, begin in begins.items():
            while world.log(JOURNAL, at).stable_end < begin:
                await asyncio.sleep(AGAIN_S / 10)
        former, to = [(await self._past(citizen))[0] for citizen in pair]
        records_of(former, to, number, undo=undo)
        behind = writing.behind(former, to, number)
        if not world.is_calm and self._rng.random() < 0.1:
            raise DiedError
        for at in sorted({at for at, _ in behind}):
            await self._produce(epoch, at, [each for to_, each in behind if to_ == at], written)
        await self._answered(PLACE, lambda: coordinator.end(WRITER, epoch, COMMIT))

    async def _produce(self, epoch, at, messages, written) -> int:
        coordinator = self._world.coordinator
        await self._answered(PLACE, lambda: coordinator.add(WRITER, epoch, JOURNAL, at))
        sequence = written[at]
        end = await self._answered(
            ("log", JOURNAL, at),
            lambda: coordinator.produce(WRITER, epoch, JOURNAL, at, sequence, messages),
        )
        written[at] += len(messages)
        return end

    async def _past(self, citizen):
        """Read what the journal has of a citizen, and the ids of the merges among it."""
        world = self._world
        at = partition_of(citizen.encode(), world.plan.partitions)
        past, ids = CitizenPast(citizen, at, LawBook()), set()
        belief = JournalBelief(world.identity.macs.at("reports", at))
        reader = journal_reader(JOURNAL, at, belief)
        log = world.log(JOURNAL, at)
        for record in await self._answered(("log", JOURNAL, at), log.committed):
            entry = reader.read(record)
            if isinstance(entry, Foreign):
                continue
            named = entry.citizen, getattr(entry.report, "citizen", "")
            if citizen in named or isinstance(entry.report, RulesRecord):
                past.take(PastRecord(record, entry))
                if isinstance(entry.report, Move):
                    ids.add(entry.report.id)
        return past, ids

    @staticmethod
    def _is_there(past, number) -> bool:
        return number in past[1]
