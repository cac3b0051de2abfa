"""Whatever others write between our records, whoever reads a topic says the same, and a note."""

import asyncio
import os
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from domain.law.staircase import Law
from streams.citizens.rule_sets import LawBook, load_rule_set
from streams.engine.ports import Batch
from streams.kit.foreign import PASSED_OVER
from streams.ledger.run_notices import _read as read_notices
from streams.operations.dead_letters import DeadLetterReader, Wanted
from streams.operations.run_survey import OTHERS, RunTopics
from streams.settings import Settings
from streams.stages.citizens import CitizenStage, CitizenTopics
from streams.wire.journal_checks import journal_checks
from streams.wire.readers import once_each
from tests.support.audit_run import audit
from tests.support.foreign_records import HEADERS, VALUES, keys, moved
from tests.support.lines import PAYMENT, changed
from tests.support.population import reports_of_some_lives
from tests.support.stages_in_memory import StagesInMemory

STEP = 10
MARKED = ("reports", "postings", "citizens")
PARTITIONS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder for states, in memory where the machine has one: they are made and removed often."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder in it that is made safely
    if not os.access(memory, os.W_OK):
        yield tmp_path_factory.mktemp("states")
        return
    with TemporaryDirectory(dir=memory) as made:
        yield Path(made)


@pytest.fixture(scope="module")
def clean(folder):
    """The topics of two runs of a few lives, whose journal begins with its keys."""
    folder = folder / "clean"
    settings = Settings.load(
        {
            "REFUSION_BOOTSTRAP": "127.0.0.1:1",
            "REFUSION_PREFIX": "test.",
            "REFUSION_PARTITIONS": str(PARTITIONS),
            "REFUSION_STATE_DIR": str(folder),
            "REFUSION_DEMO": "1",
        }
    )
    stages = StagesInMemory(settings, folder)
    stages.topics.step = STEP
    lines = reports_of_some_lives()[0][:60]
    bad = [orjson.dumps(orjson.loads(line) | {"type": "gift"}) for line in lines[:8]]
    try:
        stages.state_keys()
        stages.publish([*lines[:30], *bad, changed(PAYMENT), changed(PAYMENT, report_id="2")])
        stages.settle()
        stages.close_run("2023-01")
        stages.publish(lines[30:])
        stages.settle()
        stages.close_run("2023-02")
        stages.publish(lines[:5])
        stages.settle()
    finally:
        stages.close()
    return stages.topics


def reader_of(topics):
    """A reader of topics in memory, for what takes one."""

    async def entered():
        async with topics.open()(topics.settings) as reader:
            return reader

    return asyncio.run(entered())


# --- what each reader says ------------------------------------------------------------------------


def said_by_run_status(topics):
    reader = reader_of(topics)

    async def asked():
        runs = RunTopics(topics.settings, reader)
        last = await runs.last_run(lambda *_: None)
        survey = await runs.survey(Law(load_rule_set()), last, None, lambda *_: None)
        survey.books.kinds.clear()  # a copied report counts there, as one that came twice
        ours = survey._replace(records=0, settled_to={})  # places move with what others write
        return last, ours, await runs.newer_run()

    return asyncio.run(asked())


def said_by_dead_letters(topics):
    letters = DeadLetterReader(topics.settings, reader_of(timed(topics)))
    return asyncio.run(letters.letters(Wanted()))


def timed(topics):
    """The same topics, whose dead letters have a time."""
    copied = topics.copy()
    for at, records in copied.of["dead-letters"].items():
        copied.of["dead-letters"][at] = [
            SimpleNamespace(**record._asdict(), timestamp=0) for record in records
        ]
    return copied


def said_by_notices(topics):
    spans = dict.fromkeys(range(PARTITIONS), (-1, 10**9))
    return asyncio.run(read_notices(reader_of(topics), topics.name("notices"), spans))


def said_by_readers_of_postings(topics):
    """Read what replay and its follower take in."""
    reader = reader_of(topics)

    async def read():
        journal, postings = topics.name("reports"), topics.name("postings")
        checks = await journal_checks(reader, journal, topics.settings.macs())
        return [
            record.offset
            for at in range(PARTITIONS)
            async for record, _ in once_each(postings, at, checks.mac("postings", at)).ours(
                reader.records(postings, at, 0, 10**9)
            )
        ]

    return asyncio.run(read())


def said_by_citizens_stage(topics, folder):
    """The postings and notices that the stage makes of the whole journal."""
    stages = StagesInMemory(topics.settings, folder)
    stages.topics.of["reports"] = topics.of["reports"]
    try:
        stages.settle()
    finally:
        stages.close()
    shutil.rmtree(folder)
    made = stages.topics.of
    return [
        [record.value for at in range(PARTITIONS) for record in made[topic][at]]
        for topic in ("postings", "notices")
    ]


def said_by_restore(topics, folder):
    """The state that the stage restores, and where it goes on."""
    names = map(topics.name, ("reports", "postings", "notices", "citizens", "dead-letters"))
    identity = topics.settings.identity()
    kafka: Any = LogsInMemory(topics)
    stage = CitizenStage(
        CitizenTopics._make([*names, PARTITIONS]), LawBook(None), identity, kafka, folder
    )
    found: list[Any] = []
    for at in range(PARTITIONS):
        work = stage.work(at)
        asyncio.run(work.restore())
        found.append(asyncio.run(work.position(None)))
        store = work._disk.store
        state = {key: store.get(key) for key in store.keys(b"")}
        state.pop(b"_checkpoint", None)
        found.append(state)
        asyncio.run(work.close())
    shutil.rmtree(folder)
    return found


class LogsInMemory:
    """The port `Kafka`, as far as a stage asks for it: the partitions of topics in memory."""

    def __init__(self, topics) -> None:
        self._topics = topics

    @asynccontextmanager
    async def changelog(self, topic, partition):
        records = self._topics.of[topic.removeprefix(self._topics.settings.prefix)][partition]
        yield LogInMemory(records)


class LogInMemory:
    """A partition, read committed."""

    identity = "memory"

    def __init__(self, records) -> None:
        self._records = records
        self.end = records[-1].offset + 1 if records else 0

    async def is_whole(self):
        return True

    async def read(self, start):
        yield Batch([each for each in self._records if each.offset >= start], self.end)


READERS: dict[str, Any] = {
    "run status and run close": said_by_run_status,
    "dead-letters": said_by_dead_letters,
    "export and deliver": said_by_notices,
    "replay": said_by_readers_of_postings,
}
STAGES: dict[str, Any] = {
    "citizens": said_by_citizens_stage,
    "restore of citizens": said_by_restore,
}


@pytest.fixture(scope="module")
def said(clean, folder):
    """Ask each reader where nobody else wrote."""
    folder = folder / "expected"
    expected = {name: ask(clean) for name, ask in READERS.items()}
    expected |= {name: ask(clean, folder) for name, ask in STAGES.items()}
    assert expected["run status and run close"][0].run == 38
    assert all(expected.values())
    return expected


# --- what others write ----------------------------------------------------------------------------


@st.composite
def spoilt(draw, clean, topic):
    """Topics of which one has records of others between ours. Returns how many it has."""
    topics = clean.copy()
    genuine = {at: list(records) for at, records in topics.of[topic].items()}
    all_genuine = [record for records in genuine.values() for record in records]
    citizens = sorted({record.key for record in all_genuine if record.key})[:20]
    number = draw(st.integers(1, 8))
    for _ in range(number):
        at = draw(st.integers(0, PARTITIONS - 1))
        records = topics.of[topic][at]
        taken = {record.offset for record in records}
        between = draw(st.integers(0, max(taken, default=0) // STEP)) * STEP
        free = [each for each in range(between + 1, between + STEP) if each not in taken]
        offset = draw(st.sampled_from(free))
        key, value = draw(keys(citizens)), draw(VALUES)
        copies = [
            each
            for each in (all_genuine if topic in MARKED else genuine[at])
            if each.offset < offset
        ]
        ways = ["new", "key", "value", "copy"] + ["header"] * (topic in MARKED)
        how = draw(st.sampled_from(ways)) if copies else "new"
        if how == "new":
            headers = draw(st.sampled_from(HEADERS))
            record = all_genuine[0]._replace(key=key, value=value, headers=headers)
        else:
            record = moved(draw(st.sampled_from(copies)), key, value, how)
        topics.of[topic][at] = sorted(
            [*records, record._replace(offset=offset)], key=lambda each: each.offset
        )
    return topics


def check(said, topics, folder, names):
    PASSED_OVER.forget()
    for name in names:
        ask = READERS.get(name)
        found = ask(topics) if ask else STAGES[name](topics, folder)
        assert found == said[name], name
    PASSED_OVER.forget()


FEW, MANY = (
    examples(
        max_examples=number,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink one takes minutes
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    for number in (3, 60)
)


ASKED: dict[str, list[str]] = {
    "reports": ["run status and run close", "replay", "citizens"],
    "postings": ["run status and run close", "replay"],
    "citizens": ["restore of citizens"],
    "notices": ["export and deliver"],
    "dead-letters": ["run status and run close", "dead-letters"],
}


def check_topic(clean, said, folder, topic, data):
    topics = data.draw(spoilt(clean, topic))
    check(said, topics, folder / "spoilt", ASKED[topic])
    if topic not in MARKED:
        return
    assert not {
        (violation.topic, violation.code)
        for violation in audit(topics).violations.named
        if violation.topic != topics.name(topic) or violation.offset % STEP == 0
    }, "only copies are named: a record that was taken twice, with other headers"


@pytest.mark.parametrize("topic", ASKED)
@FEW
@given(st.data())
def test_what_others_write_changes_nothing_for_who_reads(clean, said, folder, topic, data):
    check_topic(clean, said, folder, topic, data)


def test_no_words_of_somebody_else_lengthen_what_is_said_of_a_run(clean, said):
    """Whoever writes to `dead-letters` chooses the reasons: they are counted under one name."""
    topics = clean.copy()
    (first, *_) = topics.of["dead-letters"][0]
    for number in range(200):
        words = {"stage": "intake", "reason": f"r{'abcdefghij'[number % 10] * (number // 10 + 1)}"}
        topics.append(
            "dead-letters",
            0,
            None,
            first.value,
            [
                (
                    name,
                    (words | {"offset": str(10**6 + number)}).get(name, content.decode()).encode(),
                )
                for name, content in first.headers
            ],
        )
    _, survey, _ = said_by_run_status(topics)
    _, expected, _ = said["run status and run close"]
    assert survey.rejected == expected.rejected | {OTHERS: 200}


@pytest.mark.long
@pytest.mark.parametrize("topic", ASKED)
@MANY
@given(st.data())
def test_much_that_others_write_changes_nothing_for_who_reads(clean, said, folder, topic, data):
    check_topic(clean, said, folder, topic, data)
