"""The auditor: what is true after a seed, by means that the program under test does not choose.

* Each raw record has become a report in the journal or a dead letter; none is missing.
* The postings of each partition are, byte for byte, what its journal gives when it is settled from
  its start, in one go, without a fault: nothing lost, nothing twice.
* Revisions of a citizen have no gap, and no row has an id that another has.
"""

from collections import defaultdict
from typing import Any

import orjson

from streams.stages.citizens import CitizenStage, CitizenTopics
from tests.simulation import world as simulated


class FoundError(AssertionError):
    """Something is wrong after a seed."""


async def audit(world) -> None:
    """Raise FoundError for the first thing that is wrong."""
    _nothing_is_missing(world)
    for partition in range(world.plan.partitions):
        await _postings_are_those_of_the_journal(world, partition)
        _revisions_have_no_gap(world, partition)


def _nothing_is_missing(world) -> None:
    taken_in = set()
    for partition in range(world.plan.partitions):
        for entry in world.log(simulated.JOURNAL, partition).committed():
            taken_in.add(dict(entry.headers).get("raw"))
        for entry in world.log(simulated.DEAD, partition).committed():
            headers = dict(entry.headers)
            if headers["topic"].decode() == simulated.RAW:
                place = (headers["topic"], headers["partition"], headers["offset"])
                taken_in.add(b"/".join(place))
    for partition in range(world.plan.raw_partitions):
        for entry in world.log(simulated.RAW, partition).committed():
            name = f"{simulated.RAW}/{partition}/{entry.offset}"
            if name.encode() not in taken_in:
                raise FoundError(f"{name} is neither in the journal nor a dead letter")


async def _postings_are_those_of_the_journal(world, partition) -> None:
    expected = await _settled(world, partition)
    posted = [(e.key, e.value) for e in world.log(simulated.POSTINGS, partition).committed()]
    for at, (is_, should) in enumerate(zip(posted, expected, strict=False)):
        if is_ != should:
            raise FoundError(f"postings/{partition}: message {at} is {is_}, and should be {should}")
    if len(posted) != len(expected):
        raise FoundError(
            f"postings/{partition}: {len(posted)} messages, and should be {len(expected)}"
        )


async def _settled(world, partition) -> list[tuple[bytes | None, bytes | None]]:
    """Settle the partition's journal from its start with a worker that nothing happens to."""
    topics = CitizenTopics(
        simulated.JOURNAL,
        simulated.POSTINGS,
        simulated.NOTICES,
        simulated.STATE,
        simulated.DEAD,
    )
    kafka: Any = NoKafka()
    stage = CitizenStage(topics, simulated.LAWS, world.identity, kafka, world.audit_folder())
    work = stage.work(partition)
    await work.restore()
    records = world.log(simulated.JOURNAL, partition).committed()
    end, posted = 0, []
    while records:
        processed = work.process(records, records[-1].offset + 1)
        for output in processed.outputs:
            if output.topic == simulated.POSTINGS:
                posted += [(key, value) for key, value, _ in output.messages]
        end += 1
        await work.keep({simulated.STATE: end}, records[processed.done - 1].offset + 1)
        records = records[processed.done :]
    await work.close()
    return posted


class NoKafka:
    """Brokers whose changelog is empty."""

    def changelog(self, _topic, _partition):
        return EmptyChangelog()


class EmptyChangelog:
    """A changelog that nobody has written to, and its context."""

    identity = "audit"
    end = 0

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    async def is_whole(self):
        return True

    async def read(self, _start):
        return
        yield


def _revisions_have_no_gap(world, partition) -> None:
    revisions: defaultdict[str, int] = defaultdict(int)
    ids = set()
    for entry in world.log(simulated.POSTINGS, partition).committed():
        message = orjson.loads(entry.value)
        if message["type"] != "postings":
            continue
        citizen = message["citizen"]
        if message["revision"] != revisions[citizen] + 1:
            raise FoundError(
                f"postings/{partition}: revision {message['revision']} of a citizen follows"
                f" {revisions[citizen]}"
            )
        revisions[citizen] += 1
        for row in message["rows"]:
            if row["id"] in ids:
                raise FoundError(f"postings/{partition}: row {row['id']} is there twice")
            ids.add(row["id"])
