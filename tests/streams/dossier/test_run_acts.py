"""The acts of a run for a package: those alone are kept of all that the topic `access` has."""

import asyncio

from streams.acts.chain import AccessRecord, ChainHead, encode, headers
from streams.dossier.run_acts import acts_of_run
from streams.dossier.run_part import RunPart
from streams.privacy.macs import MacKeys
from tests.support.acts_in_memory import MemoryActTopic

RUN = 49
CLOSED = RunPart(0, closed_at="2024-01-28T12:00:00Z", former_closed_at="2023-12-28T12:00:00Z")
WITHIN, BEFORE, AFTER = "2024-01-05T08:00:00Z", "2023-11-05T08:00:00Z", "2024-03-05T08:00:00Z"
MACS = MacKeys([b"a key of ours"])


class CountingTopic(MemoryActTopic):
    """Counts the records that it was asked to keep."""

    returned = 0

    async def records(self, wanted, since=None, start=0):
        found = await super().records(wanted, since, start)
        self.returned += len(found)
        return found


def record(at, *, kind="act", is_ours=True, **fields):
    said = {"type": kind, "id": "r1", "at": at, "act": "export", "scope": {"run": 3}} | fields
    value = encode(ChainHead("ops1/anna/hh"), said)
    made = headers(MACS, b"ops1/anna/hh", value) if is_ours else []
    return AccessRecord(0, b"ops1/anna/hh", value, made)


def kept_of(records):
    topic = CountingTopic()
    topic.kept = records
    entries = asyncio.run(acts_of_run(topic, MACS, RUN, CLOSED))
    assert topic.returned == len(entries)
    return [(entry.fields["type"], entry.fields["at"]) for entry in entries]


def test_nothing_is_kept_of_what_others_wrote_or_was_done_in_other_months():
    foreign = record(WITHIN, is_ours=False, scope={"run": RUN})
    assert kept_of([foreign] * 10_000 + [record(BEFORE), record(AFTER)] * 100) == []
    nonsense = [AccessRecord(0, None, value, []) for value in (None, b"", b"7", b"{", b"[]")]
    assert kept_of([*nonsense, record(AFTER, request=["r1"], scope=7)]) == []


def test_what_was_done_in_the_time_of_a_run_or_with_it_is_kept():
    assert kept_of([record(WITHIN), record(AFTER, scope={"run": RUN})]) == [
        ("act", WITHIN), ("act", AFTER)
    ]  # fmt: skip
    assert kept_of([record(WITHIN, act="site audit package", scope={"run": RUN})]) == []


def test_a_decision_about_a_request_for_the_run_is_kept_whenever_it_was_made():
    asked = record(BEFORE, kind="request", scope={"run": RUN})
    approval = record(AFTER, kind="approval", id="r2", request="r1", scope=None)
    other = record(AFTER, kind="approval", id="r3", request="r9", scope=None)
    assert kept_of([asked, approval, other]) == [("request", BEFORE), ("approval", AFTER)]
