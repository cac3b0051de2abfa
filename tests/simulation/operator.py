"""People who act while things fail: runs, rules, recalculations, openings, freed ids, strangers.

A control record goes to every partition of the journal in one transaction, as by
`streams.kafka.control`: whoever writes fences the writer before, looks whether the record is there
already, and writes. A writer may die half-way, or not hear whether its commit counts; then the
same record is written again, by the same steps.
"""

import asyncio
from typing import Any

import orjson
from aiokafka.errors import ConcurrentTransactions, KafkaError

from domain.basics.weeks import month_text
from domain.citizen.reports import Freeing, KeysRecord, Recalculation, RulesRecord, Scope
from streams.kafka.control import TRANSACTION_S
from streams.kafka.errors import is_outage
from streams.wire import journal
from streams.wire.cloudevents import event_headers
from streams.wire.control_records import run_of
from streams.wire.outcomes import AcceptedOpening
from streams.wire.partitioner import partition_of
from tests.simulation.clock import PROCESS, Process
from tests.simulation.logs import COMMIT
from tests.simulation.merging import Merging
from tests.simulation.names import JOURNAL
from tests.simulation.population import FIRST_MONTH, opening_rows, reports_in

KINDS = ("run", "run", "run", "recalculate", "recalculate", "rules", "free")
AT = "2024-02-01T08:00:00Z"
COMMIT_S = 30.0
AGAIN_S = 1.0


class DiedError(Exception):
    """The writer died in the middle of a transaction."""


class Operator:
    """Everybody but the workers. `confirmed` are the control records that surely were written."""

    def __init__(self, world) -> None:
        self._world = world
        self._rng = world.plan.chance("operator")
        self._process = Process("operator")
        self._month = FIRST_MONTH
        self.confirmed: list[bytes] = []
        self.foreign: set[tuple[int, int]] = set()
        """Partition and offset of the journal's records that nobody of ours wrote."""

    async def act(self) -> None:
        """Do all that the plan has, one act after the other."""
        PROCESS.set(self._process)
        world, plan = self._world, self._world.plan
        acts: list[Any] = [self._control] * plan.operator_acts
        acts += [self._load_openings] * bool(plan.openings) + [self._forge] * plan.foreign
        merging = Merging(world, self._answered)
        acts += [merging.merge] * plan.merges
        self._rng.shuffle(acts)
        for number, act in enumerate(acts):
            await asyncio.sleep(self._rng.uniform(0, 1.6 * plan.faulty_s / len(acts)))
            world.trace("operator", act.__name__.strip("_"))
            await act(number)

    # --- control records --------------------------------------------------------------------------

    async def state_keys(self) -> None:
        """From here on, records of the journal need their MAC."""
        PROCESS.set(self._process)
        identity = self._world.identity
        record = KeysRecord(
            "ours",
            identity.pseudonym_key_id,
            identity.seal_key_ids,
            identity.macs.key_ids,
            True,
        )
        await self._write_everywhere("keys", journal.encode_control(record, AT))
        self._world.has_stated_keys = True

    async def _control(self, number) -> None:
        kind = self._rng.choice(
            ("run", "run", "run", "recalculate", "recalculate", "rules", "free")
        )
        await self._write_everywhere(kind, getattr(self, f"_{kind}")(f"x{number}"))

    def _run(self, _id) -> bytes:
        text = month_text(self._month)
        marker = {"schema": 1, "type": "run", "run": run_of(self._month)}
        self._month += 1
        return orjson.dumps(marker | {"closed_at": f"{text}-28T12:00:00Z", "data_month": text})

    def _recalculate(self, number) -> bytes:
        scopes = [Scope(), Scope(), Scope(municipality="730")]
        scopes += [Scope(citizen=citizen) for citizen, _ in self._persons()]
        return journal.encode_control(Recalculation(number, self._rng.choice(scopes)), AT)

    def _rules(self, number) -> bytes:
        name = self._rng.choice(("R-2", "R-1"))
        return journal.encode_control(RulesRecord(number, name, self._world.laws.digest(name)), AT)

    def _free(self, number) -> bytes:
        place = "0" * 32, "12345678", "unknown"
        for citizen, report in self._persons():
            place = citizen, report["reporter"], report["report_id"]
        return journal.encode_freeing(Freeing(number, *place), "given twice", AT)

    def _persons(self):
        """Draw a citizen with a report of theirs; nobody where nobody has reports."""
        reports = reports_in(self._world.lines)
        for line in self._rng.sample(reports, min(1, len(reports))):
            report = orjson.loads(line)
            yield self._world.identity.of(report["cpr"])[0], report

    async def _write_everywhere(self, kind, value) -> None:
        headers = event_headers(
            f"{kind}/1".encode(), f"refusion.{kind}".encode(), b"refusion/x", AT
        )
        while value not in self.confirmed:
            try:
                async with asyncio.timeout(COMMIT_S):
                    await self._write_once(kind, value, headers)
                self.confirmed.append(value)
            except (DiedError, KafkaError, TimeoutError) as error:
                self._world.trace("operator", f"{kind}: {type(error).__name__}; once more")
                await asyncio.sleep(AGAIN_S)

    async def _write_once(self, kind, value, headers) -> None:
        """Fence, look, write to every partition, commit."""
        world, coordinator = self._world, self._world.coordinator
        place = "transactions", kind
        _, epoch = await self._answered(place, lambda: coordinator.init(kind, TRANSACTION_S))
        if await self._is_there(value):
            return
        for partition in range(world.plan.partitions):
            mac = world.identity.macs.at("reports", partition).header(
                None, f"refusion.{kind}".encode(), value
            )
            messages = [(None, value, [*headers, mac])]
            await self._answered(
                place, lambda at=partition: coordinator.add(kind, epoch, JOURNAL, at)
            )
            await self._answered(
                ("log", JOURNAL, partition),
                lambda at=partition, sent=messages: coordinator.produce(
                    kind, epoch, JOURNAL, at, 0, sent
                ),
            )
            if not world.is_calm and self._rng.random() < 0.05:
                raise DiedError
        await self._answered(place, lambda: coordinator.end(kind, epoch, COMMIT))

    async def _is_there(self, value) -> bool:
        log = self._world.log(JOURNAL, 0)
        records = await self._answered(("log", JOURNAL, 0), log.committed)
        return any(record.value == value for record in records)

    async def _answered(self, place, act):
        while True:
            try:
                return await self._world.network.call(place, act, again=True)
            except ConcurrentTransactions:
                await asyncio.sleep(AGAIN_S / 10)
            except KafkaError as error:
                if not is_outage(error):
                    raise
                await asyncio.sleep(AGAIN_S / 10)

    # --- openings, and strangers ------------------------------------------------------------------

    async def _load_openings(self, _number) -> None:
        """Load rows of an earlier system, now and then all of them a second time."""
        world = self._world
        for row in opening_rows(world.plan, world.lines) * self._rng.choice((1, 2)):
            accepted = world.opening_validator.parse(orjson.dumps(row))
            assert isinstance(accepted, AcceptedOpening), accepted
            opening, cpr = accepted
            citizen, sealed = world.identity.of(cpr)
            key = citizen.encode()
            partition = partition_of(key, world.plan.partitions)
            value = journal.encode_opening(opening, sealed, AT)
            mac = world.identity.macs.at("reports", partition).header(
                key, journal.OPENING_EVENT, value
            )
            headers = [*journal.opening_headers(opening, AT), mac]
            world.log(JOURNAL, partition).append([(key, value, headers)], world.now())

    async def _forge(self, _number) -> None:
        """Somebody writes to the journal who has no key: a report, rubbish, or a copy of ours."""
        world = self._world
        if not world.has_stated_keys:
            return
        partition = self._rng.randrange(world.plan.partitions)
        log = world.log(JOURNAL, partition)
        found = log.committed()
        if not found:
            return
        real = self._rng.choice(found)
        forged = self._rng.choice(("copy", "changed", "moved", "rubbish"))
        if forged == "copy" and real.key:
            return  # a copy of a report is a report that came again
        value, headers = real.value, list(real.headers)
        if forged == "changed":
            value = (real.value or b"").replace(b"0", b"1")
        elif forged == "moved":
            headers = [each for each in headers if each[0] != "mac"]
        elif forged == "rubbish":
            value = self._rng.randbytes(30)
        if forged != "copy" and (value, headers) == (real.value, list(real.headers)):
            return
        self.foreign.add((partition, log.end))
        log.append([(real.key, value, headers)], world.now())
