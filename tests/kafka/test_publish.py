"""Publishing: all acknowledged, in order, byte for byte, or an error that says how much was."""

import asyncio
import random
import threading
from dataclasses import replace

import pytest

from streams.devtools.local_kafka import QUICK_START, LocalKafka
from streams.kafka import bulk, topics
from streams.kafka.clients import KafkaClients
from streams.kafka.topics import Topic, TopicError, ensure_topics
from streams.operations.publish import MAX_LINE_BYTES, PublishError, publish, record_key
from streams.settings import Settings, SettingsError
from tests.support.pipeline import settings_for
from tests.support.records import records_of

STARTS = 8
"""Publishers that start after a loss. A request of theirs goes to the lost broker first by a chance
of one in three."""
CPRS = [f"010190{number:04}" for number in range(40)]


def nothing(_acknowledged):
    pass


def report(cpr, number):
    return b'{"schema": 1, "report_id": "r-%d", "cpr": "%s", "filler": "%s"}\n' % (
        number,
        cpr.encode(),
        b"x" * 150,
    )


def reports(count):
    return [report(CPRS[number * number % len(CPRS)], number) for number in range(count)]


def published(lines, settings, progress=nothing):
    return asyncio.run(publish(lines, settings, progress))


def raw(settings):
    """Read the records of `reports.raw` by partition."""
    return asyncio.run(records_of(settings.bootstrap, f"{settings.prefix}reports.raw"))


def values(settings):
    return [record.value for records in raw(settings).values() for record in records]


def test_every_line_arrives_byte_for_byte_and_blank_lines_do_not(settings):
    lines = [
        report(CPRS[0], 1),
        b"\n",
        b"\r\n",
        b"no json \xff\n",
        b'  {"cpr": 7}  \r\n',
        report(CPRS[1], 2).rstrip(),
    ]
    told: list[int] = []
    done = published(lines, settings, told.append)
    sent = [line.rstrip(b"\r\n") for line in lines if line.strip()]
    assert sorted(values(settings)) == sorted(sent)
    assert (done.records, done.bytes) == (4, sum(map(len, sent)))
    assert max(told) == 4


def test_nothing_to_publish_is_fine(settings):
    assert published([], settings).records == 0


def test_reports_of_a_citizen_keep_their_order(settings):
    lines = reports(20_000)
    assert published(lines, settings).records == len(lines)
    there = raw(settings)
    assert sum(len(records) for records in there.values()) == len(lines)
    assert all(there.values())
    for cpr in CPRS:
        mine = [line.rstrip() for line in lines if cpr.encode() in line]
        found = [
            [each.value for each in records if cpr.encode() in each.value]
            for records in there.values()
        ]
        assert sorted(found) == sorted([mine] + [[]] * (len(there) - 1))


def test_a_key_names_nobody(settings):
    published(reports(500), settings)
    keys = {record.key for records in raw(settings).values() for record in records}
    assert all(len(key) == 4 for key in keys)
    many = {record_key(b'{"cpr": "%010d"}' % number) for number in range(200_000)}
    assert len(many) > 50_000  # spread over all keys, each of them shared


@pytest.mark.parametrize("line", [b'{"cpr":"0101900001","x":1}', b'{"x": 2, "cpr" : "0101900001"}'])
def test_the_key_depends_on_the_cpr_alone(line):
    assert record_key(line) == record_key(b'{"cpr": "0101900001"}')


def test_the_largest_line_goes_and_a_larger_one_is_named(settings):
    largest = random.Random(1).randbytes(MAX_LINE_BYTES).replace(b"\n", b"_").replace(b"\r", b"_")
    assert published([largest], settings).records == 1
    assert values(settings) == [largest]
    secret = CPRS[0].encode() * 110_000
    with pytest.raises(
        PublishError, match=r"line 2 has 1,100,000 bytes .* publish everything again"
    ) as caught:
        published([report(CPRS[0], 1), secret], settings)
    assert CPRS[0] not in str(caught.value)


def test_two_publishers_at_once(settings):
    first, second = reports(3_000), reports(6_000)[3_000:]

    async def both():
        return await asyncio.gather(
            publish(first, settings, nothing), publish(second, settings, nothing)
        )

    assert [done.records for done in asyncio.run(both())] == [3_000, 3_000]
    assert sorted(values(settings)) == sorted(line.rstrip() for line in first + second)


def test_a_broker_killed_on_the_way_loses_and_doubles_nothing(kafka, settings):
    """Lines go on coming until the broker is back."""
    lines: list[bytes] = []
    restarter = threading.Thread(target=lambda: (kafka.kill(), kafka.restart()))

    def endless():
        while not lines or restarter.is_alive() or restarter.ident is None:
            lines.extend(reports(10_000))
            yield from lines[-10_000:]

    def kill_once(_acknowledged):
        if restarter.ident is None:
            restarter.start()

    done = published(endless(), settings, kill_once)
    restarter.join()
    assert done.records == len(lines)
    assert len(values(settings)) == len(lines)
    assert set(values(settings)) == {line.rstrip() for line in lines}


@pytest.mark.long
def test_a_broker_that_stays_away_is_an_error_with_what_was_acknowledged(
    kafka, settings, monkeypatch
):
    monkeypatch.setattr(bulk, "SILENCE_S", 2.0)
    monkeypatch.setattr(bulk, "REQUEST_TIMEOUT_MS", 1_000)
    told: list[int] = []

    def endless():
        while True:
            if told:
                kafka.kill()
            yield from reports(10_000)

    try:
        with pytest.raises(PublishError, match="acknowledged nothing for 2 s; ") as caught:
            published(endless(), settings, told.append)
        assert f"; {told[-1]:,} of the " in str(caught.value)
    finally:
        kafka.restart()


@pytest.mark.long
def test_the_loss_of_one_broker_of_three_stops_no_publisher(tmp_path):
    """Those at work go on, as do those that start before the cluster has noticed the loss.

    Until then every broker names the lost one too, and some requests would go to it first.
    """
    lines, late = reports(30_000), [report(CPRS[0], number) for number in range(STARTS)]
    with LocalKafka(nodes=3, java_options=QUICK_START) as cluster:
        settings = settings_for(cluster, "lost.", tmp_path)
        lost: list[bool] = []

        def lose_one(_acknowledged):
            if not lost:
                cluster.kill(2)
                lost.append(True)

        async def publish_late(line):
            while not lost:
                await asyncio.sleep(0.01)
            return await publish([line], settings, nothing)

        async def all_at_once():
            return await asyncio.gather(
                publish(lines, settings, lose_one), *map(publish_late, late)
            )

        first, *others = asyncio.run(all_at_once())
        assert (first.records, len(values(settings))) == (len(lines), len(lines) + STARTS)
        assert [done.records for done in others] == [1] * STARTS


def test_no_broker_is_an_error_that_names_the_address(settings):
    values = dict(settings.values) | {"REFUSION_BOOTSTRAP": ("127.0.0.1:1", "environment")}
    with pytest.raises(
        PublishError, match=r"no Kafka answers at 127\.0\.0\.1:1 .*; 0 of the 0 records"
    ):
        published(reports(1), replace(settings, values=values))


def test_an_interruption_says_what_was_acknowledged(settings):
    async def interrupted():
        heard = asyncio.Event()
        task = asyncio.create_task(
            publish(reports(15_000), settings, lambda _acknowledged: heard.set())
        )
        hearing = asyncio.create_task(heard.wait())
        await asyncio.wait({task, hearing}, return_when=asyncio.FIRST_COMPLETED)
        task.cancel()
        await task

    with pytest.raises(PublishError, match=r"interrupted; [1-9][\d,]* of the"):
        asyncio.run(interrupted())


def test_a_topic_that_would_lose_records_is_refused(settings):
    compacted = Topic(topics.RAW.name, by_citizen=False, settings={"cleanup.policy": "compact"})
    asyncio.run(ensure_topics(settings.bootstrap, settings.prefix, 1, topics=[compacted]))
    with pytest.raises(TopicError, match=r"has cleanup\.policy=compact and would lose data"):
        published(reports(1), settings)


def test_no_topic_is_made_or_looked_at_but_that_of_the_reports(settings):
    asyncio.run(ensure_topics(settings.bootstrap, settings.prefix, 3, topics=[topics.POSTINGS]))
    published(reports(1), settings)
    there = asyncio.run(described(settings))
    assert there == {settings.topic(topics.RAW), settings.topic(topics.POSTINGS)}


async def described(settings):
    async with KafkaClients(settings.bootstrap, "refusion-test").admin() as admin:
        return {name for name in await admin.list_topics() if name.startswith(settings.prefix)}


def test_a_setting_that_is_missing_is_named():
    with pytest.raises(SettingsError, match="REFUSION_BOOTSTRAP is not set"):
        published(reports(1), Settings.load({"REFUSION_DEMO": "1"}))
