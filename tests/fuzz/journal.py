"""Records of the journal, spoiled: the citizens stage settles their neighbours as if they were not.

Half of the records keep the MAC of the sample, as forged ones do; the others have one of ours, as
if a defect of ours had written them.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import orjson

from streams.citizens.rule_sets import LawBook
from streams.citizens.store_port import MemoryStore
from streams.kit.errors import UserError
from streams.stages.citizens import CitizenStage, CitizenTopics, CitizenWork
from streams.wire import journal
from streams.wire.journal import JournalEntry, decode_own
from streams.wire.readers import journal_reader
from tests.fuzz.kinds import Case, check_told
from tests.fuzz.mutations import by_bytes_or, spoil_bytes, spoil_json
from tests.fuzz.records import FREE, KEYS
from tests.streams.wire.test_readers import OPENING
from tests.support import plain_checker, product
from tests.support.lines import RECALCULATE, REPORTS, RULES, RUN
from tests.support.lives import life

TOPICS: Final = CitizenTopics("reports", "postings", "notices", "citizens", "dead-letters", 1)
MACS: Final = product.IDENTITY.macs.at("reports", 0)
CITIZEN, SEALED = product.IDENTITY.of("6101801234")
AT: Final = "2024-03-01T10:00:00Z"
LAWS: Final = LawBook()


class DiskInMemory:
    """The partition's disk as the stage sees it: changes over a state that stays as it is."""

    def __init__(self, state: MemoryStore) -> None:
        self.store = MemoryStore(state)
        self.position = 0
        self.is_distrusted = False

    async def open(self, _changelog: Any) -> None:
        """Begin where the state is."""

    async def write(self, changes: Any, position: int, _last: int) -> None:
        self.store.write(changes)
        self.position = position

    def kept(self) -> None:
        """Nothing is noted."""

    def distrust(self) -> None:
        self.is_distrusted = True

    async def close(self) -> None:
        """Nothing is open."""


class NoKafka:
    """A changelog that has nothing more than the disk."""

    identity, end = "memory", 0

    @asynccontextmanager
    async def changelog(self, _topic: str, _partition: int) -> Any:
        yield self

    async def is_whole(self) -> bool:
        return True

    async def read(self, _start: int) -> Any:
        return
        yield


class StageInMemory(CitizenStage):
    """The citizens stage over a state in memory."""

    def __init__(self, state: MemoryStore) -> None:
        kafka: Any = NoKafka()
        super().__init__(TOPICS, LAWS, product.IDENTITY, kafka, Path())
        self.state = state
        self.last: Any = None

    def disk(self, _partition: int) -> Any:
        self.last = DiskInMemory(self.state)
        return self.last


def record(offset: int, key: bytes | None, value: bytes | None, mac_of: Any = None) -> Any:
    """A record with the MAC of another key and value, or else with its own."""
    header = MACS.header(*(mac_of or (key, b"", value or b"")))
    return SimpleNamespace(offset=offset, key=key, value=value, headers=[header])


def reports_of(seed: int) -> list[tuple[bytes, bytes]]:
    """Keys and values of the reports of a life in the journal; each seed is another citizen."""
    found = []
    for line in life("plan_of", seed):
        settled: Any = product.record_of(line | {"cpr": f"6{seed}01901357"})
        citizen, sealed, report = settled
        found.append((citizen.encode(), journal.encode(report, sealed, AT)))
    return found


class Worked:
    """The work of a stage on records: messages by topic and key, and the disk."""

    def __init__(self, stage: StageInMemory, records: Sequence[Any]) -> None:
        self.messages: list[tuple[str, Any, Any, Any]] = []
        self._loop = _LOOP
        work = stage.work(0)
        self._loop.run_until_complete(work.restore())
        self._settle(work, records)
        self.disk = stage.last

    def _settle(self, work: CitizenWork, records: Sequence[Any]) -> None:
        end = records[-1].offset + 1
        left, chunks = list(records), 0
        while left:
            processed = work.process(left, end)
            for output in processed.outputs:
                for key, value, headers in output.messages:
                    self.messages.append((output.topic, key, value, headers))
            left = left[processed.done :]
            at = left[0].offset if left else end
            self._loop.run_until_complete(work.keep({"citizens": chunks + 1}, at))
            chunks += 1
            assert chunks < 50, "a recalculation comes to no end"

    def of(self, citizens: set[bytes]) -> list[Any]:
        return [
            message
            for message in self.messages
            if message[0] in ("postings", "notices") and message[1] in citizens
        ]

    def refused(self) -> list[bytes]:
        return [
            dict(headers)["reason"]
            for topic, _, _, headers in self.messages
            if topic == "dead-letters"
        ]


_LOOP: Final = asyncio.new_event_loop()


def settled_state(reports: Sequence[tuple[bytes, bytes]]) -> MemoryStore:
    """The state after a record of keys and some reports."""
    stage = StageInMemory(MemoryStore())
    keys = orjson.dumps(KEYS)
    records = [record(0, None, keys)]
    records += [record(at, key, value) for at, (key, value) in enumerate(reports, 1)]
    return Worked(stage, records).disk.store


class JournalRecords:
    """Records of the journal, with their key in the first line."""

    name = "journal"

    def __init__(self) -> None:
        self._lives = [reports_of(seed) for seed in (3, 4)]
        (self._one, self._other) = [reports[-1] for reports in self._lives]
        before = [report for reports in self._lives for report in reports[:-1]]
        own = [(CITIZEN.encode(), self._stored(report)) for report in REPORTS]
        self._stage = StageInMemory(settled_state([*before, own[0]]))
        self.samples: dict[str, bytes] = {
            **{f"report{at}": key + b"\n" + value for at, (key, value) in enumerate(own)},
            "opening": CITIZEN.encode() + b"\n" + orjson.dumps(OPENING | {"cpr_sealed": SEALED}),
            **{
                str(value["type"]): b"\n" + orjson.dumps(value)
                for value in (RUN, RULES, RECALCULATE, FREE, KEYS | {"id": "keys-2"})
            },
        }
        self._neighbours = {self._one[0], self._other[0]}
        self._alone = Worked(self._stage, self._three(None)).of(self._neighbours)
        assert {message[1] for message in self._alone} == self._neighbours
        self._read = journal_reader("reports", 0).read

    @staticmethod
    def _stored(report: dict[str, Any]) -> bytes:
        fields = {name: value for name, value in report.items() if name != "cpr"}
        return orjson.dumps({**fields, "cpr_sealed": SEALED})

    def spoil(self, chance: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
        key, _, value = whole.partition(b"\n")
        values = [other.partition(b"\n")[2] for other in others]
        if chance.random() < 0.05:
            key = spoil_bytes(chance, key, others)
        return key.replace(b"\n", b"") + b"\n" + by_bytes_or(spoil_json, chance, value, values)

    def check(self, case: Case) -> bool:
        key, value = _split(case.content)
        sample = _split(self.samples[case.sample])
        forged = record(100, key, value, (sample[0], b"", sample[1] or b""))
        if (key, value) != sample:
            worked = Worked(self._stage, self._three(forged))
            assert worked.of(self._neighbours) == self._alone
            assert worked.refused() == [b"foreign_record"]
            assert b"revision" not in value or not worked.disk.is_distrusted
        return self._check_ours(record(100, key, value))

    def _check_ours(self, ours: Any) -> bool:
        """Try a record with a MAC: a sentence stops the stage, or the neighbours are settled."""
        entry = self._read(ours)
        if isinstance(entry, JournalEntry):
            _check_entry(entry, ours.value)
        try:
            worked = Worked(self._stage, self._three(ours))
        except UserError as error:
            _check_unknown_here(error, ours.value)
            return False
        settled = worked.of(self._neighbours)
        is_control = isinstance(entry, JournalEntry) and not entry.citizen
        if is_control or ours.key in self._neighbours:
            assert {message[1] for message in settled} == self._neighbours
        else:
            assert settled == self._alone
        assert not worked.disk.is_distrusted
        if not (isinstance(entry, JournalEntry) or _is_read_on_our_word(ours)):
            assert worked.refused() == [b"internal_error"]
        return not worked.refused()

    def _three(self, middle: Any) -> list[Any]:
        """The record between two good ones."""
        one, other = record(99, *self._one), record(101, *self._other)
        return [one, other] if middle is None else [one, middle, other]


def _check_unknown_here(error: UserError, value: bytes) -> None:
    """Check that a schema, rule set or key stops the stage that is not known here, and is named."""
    if schema := journal.newer_schema(value):
        form = rf"[^\n]* has schema {schema}, which this program does not know[^\n]*"
        check_told(error, value.replace(b"%d" % schema, b""), form)
        return
    told = orjson.loads(value)
    if told["type"] == "keys":
        names, form = told["journal_keys"], r"[^\n]*states a key for its MACs[^\n]*"
    else:  # whatever further fields stand in it
        names, form = [told["rules"]], r"[^\n]*rule set[^\n]*"
    for name in names:
        value = value.replace(name.encode(), b"")
    check_told(error, value, form)


def _split(content: bytes) -> tuple[bytes | None, bytes]:
    key, _, value = content.partition(b"\n")
    return key or None, value


def _is_read_on_our_word(record: Any) -> bool:
    """Tell whether a record is read because its MAC is ours, whose texts are not searched again."""
    try:
        return bool(decode_own(record.key or b"", record.value or b""))
    except (ValueError, KeyError, TypeError):
        return False


def _check_entry(entry: JournalEntry, value: bytes) -> None:
    """The journal is read as intake writes it, as far as no rule set is needed.

    Further fields may stand in it, which a later version has added.
    """
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError:  # in a field that is not read
        return
    if (kind := record["type"]) not in plain_checker.FIELDS:
        assert plain_checker.is_text("reported_at", entry.at)
        return
    known = plain_checker.COMMON | plain_checker.FIELDS[kind]
    known |= plain_checker.OPTIONAL if kind == "benefit_payment" else set()
    told = {name: held for name, held in record.items() if name in known and held is not None}
    assert plain_checker.has_fields(told | {"schema": 1, "cpr": "", "report_id": "of old"})
    assert plain_checker.is_text("reverses", record["report_id"])
    if "period_start" in record:
        assert plain_checker.is_period(
            date.fromisoformat(record["period_start"]), date.fromisoformat(record["period_end"])
        )
        assert plain_checker.has_small_amounts(told)
