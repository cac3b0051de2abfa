"""Checks the topic `access`: each writer's chain, and that approved acts had a second person.

Records are read in their order, and of each a hash and a few fields are kept.
"""

from collections.abc import Iterator
from contextlib import aclosing

from projections.audit.violations import Violation, Violations
from streams.acts.chain import (
    PARTITION,
    AccessRecord,
    ChainHead,
    Entry,
    entry_of,
    is_genuine,
)
from streams.audit.snapshot import Snapshot
from streams.kafka.reading import TopicReader
from streams.kafka.topics import ACCESS
from streams.privacy.macs import MacKeys
from streams.settings import Settings, SettingsError


class AccessChains:
    """The chains of all writers, as far as they were read."""

    def __init__(self, topic: str, macs: MacKeys | None) -> None:
        """Without `macs` it is not known who wrote the records."""
        self._topic = topic
        self._macs = macs
        self._last: dict[str, ChainHead] = {}
        self._hashes: set[str] = set()
        self._asked: dict[str, str] = {}
        self._approved: set[str] = set()
        self._done: set[str] = set()
        self.alone = 0
        """Number of acts that need two persons and were done while four eyes were off."""

    def add(self, record: AccessRecord) -> Iterator[Violation]:
        """Yield what is wrong with the next record."""
        entry = entry_of(record)
        if entry is None or (self._macs is not None and not is_genuine(self._macs, record)):
            yield self._violation(record, "nobody of ours wrote this record: its MAC is not right")
            return
        for text in (*self._breaks(entry), *self._lacks(entry)):
            yield self._violation(record, text)

    def _violation(self, record: AccessRecord, text: str) -> Violation:
        return Violation("access", self._topic, PARTITION, record.offset, text)

    def _breaks(self, entry: Entry) -> Iterator[str]:
        """Yield how a record does not continue the chain of its writer."""
        head = entry.head
        last = self._last.get(head.writer, ChainHead(head.writer))
        if head.number <= last.number:
            yield f"record {head.number} of its writer is there twice: its state folder was copied"
        elif head.number > last.number + 1:
            gone = f"{last.number + 1} to {head.number - 1}"
            yield f"records {gone} of its writer are gone"
        elif entry.fields["before"] != last.hash:
            yield "it does not follow the record before it: one of the two was changed"
        seen = entry.fields.get("seen")
        if isinstance(seen, list) and seen[-1:] and seen[-1] not in self._hashes:
            yield "the record that its writer saw before it is gone"
        self._last[head.writer] = max(last, head, key=lambda each: each.number)
        self._hashes.add(head.hash)

    def _lacks(self, entry: Entry) -> Iterator[str]:
        """Yield what an act for two persons lacks."""
        fields = entry.fields
        request: str = fields.get("request") or ""
        match fields["type"]:
            case "request":
                self._asked[fields["id"]] = fields["user"]
            case "approval" if self._asked.get(request) not in (None, fields["user"]):
                self._approved.add(request)
            case "approval":
                yield "it approves a request of the same user, or one that nobody asked for"
            case "act" if fields.get("four_eyes") == "off":
                self.alone += 1
            case "act" if fields.get("four_eyes") == "approved" and request in self._done:
                yield "its request was carried out before; see which of the two was done"
            case "act" if fields.get("four_eyes") == "approved":
                self._done.add(request)
                if request not in self._approved:
                    yield "nobody else approved its request before it"


async def check_acts(
    reader: TopicReader, settings: Settings, snapshot: Snapshot, violations: Violations
) -> int:
    """Check the topic `access`, and return how many records it has."""
    name = settings.topic(ACCESS)
    try:
        macs = settings.macs()
    except SettingsError:
        macs = None
    chains, count = AccessChains(name, macs), 0
    start, end = snapshot.bounds(name, PARTITION)
    if start > 0:
        text = f"{start} records before this one are gone"
        violations.add(Violation("access", name, PARTITION, start, text))
    async with aclosing(reader.records(name, PARTITION, start, end)) as records:
        async for each in records:
            count += 1
            record = AccessRecord(each.offset, each.key, each.value, each.headers)
            for violation in chains.add(record):
                violations.add(violation)
    if chains.alone and not settings.demo:
        violations.notes["acts for two persons were done by one, with four eyes off"] += (
            chains.alone
        )
    if count and macs is None:
        violations.notes["acts whose MAC was not checked: the keys are not set"] += count
    return count
