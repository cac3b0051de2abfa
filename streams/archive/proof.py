"""Proves a backup whole from itself alone: no Kafka is asked.

Without keys the chain, the sizes and the SHA-256 of all files are looked at, which anybody can make
anew: nothing that was forged is found. With the keys of backups, that is with the seal keys alone,
signatures are checked and each segment is opened: its records are counted, and their offsets follow
each other. With keys for MACs the records without one of ours are counted.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from streams.archive.manifest import Chain, Link, read_chain, uneven
from streams.archive.object_store import ArchiveError, ArchiveStore
from streams.archive.segments import ArchivedRecord, Segment, check_bytes, unpacked
from streams.kafka import topics
from streams.privacy.archive_keys import ArchiveKeys
from streams.privacy.macs import MacKeys, Role
from streams.wire.belief import is_marked

SEGMENTS: Final = "segments"
ROLES: Final[dict[str, Role]] = {
    topics.REPORTS.name: "reports",
    topics.POSTINGS.name: "postings",
    topics.ACCESS.name: "access",
}
"""The topics of a backup, by whose names records are marked."""
SHOWN: Final = 20


@dataclass
class CheckedBackup:
    """The findings of a check: what is wrong, what is worth knowing, and sums."""

    wrong: list[str] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    links: int = 0
    segments: int = 0
    records: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    last_at: str | None = None
    opened: bool = False
    marks_checked: bool = False

    @property
    def result(self) -> Literal["whole", "broken", "unsigned"]:
        """The verdict in a word; a backup is whole only where signatures were checked."""
        if self.wrong:
            return "broken"
        return "whole" if self.opened else "unsigned"

    def as_json(self) -> dict[str, Any]:
        """Return it for a program."""
        return vars(self) | {
            "fine": self.result == "whole",
            "result": self.result,
            "notes": dict(self.notes),
            "records": dict(self.records),
        }

    def sentences(self) -> Iterator[str]:
        """Say it to people."""
        yield from self.wrong[:SHOWN]
        if len(self.wrong) > SHOWN:
            yield f"… and {len(self.wrong) - SHOWN:,} more; --json lists all"
        for note, number in sorted(self.notes.items()):
            yield f"note: {number:,} {note}"
        if not self.opened:
            yield "note: without REFUSION_SEAL_KEY the segments were not opened"
        elif not self.marks_checked:
            yield "note: without a key for MACs those of the records were not looked at"
        of_topics = ", ".join(f"{number:,} of {name}" for name, number in self.records.items())
        yield (
            f"{self.links:,} links, {self.segments:,} segments, {self.bytes / 1e6:,.1f} MB, last"
            f" whole link of {self.last_at or 'no time'}; records: {of_topics or 'none'}"
        )
        yield self._verdict()

    def _verdict(self) -> str:
        if self.result == "broken":
            return f"{len(self.wrong):,} THINGS WRONG"
        if self.result == "unsigned":
            return (
                "NO SIGNATURE WAS CHECKED: the files are those that the manifests name, and whether"
                " these are ours only REFUSION_SEAL_KEY tells"
            )
        return "the backup is whole"


def check_backup(
    store: ArchiveStore,
    keys: ArchiveKeys | None,
    macs: MacKeys | None,
    progress: Callable[[int, int], None],
) -> CheckedBackup:
    """Check a backup. Raises ArchiveError where there is none that can be read."""
    checked = CheckedBackup(opened=keys is not None, marks_checked=None not in (keys, macs))
    try:
        chain = read_chain(store, keys)
    except ArchiveError as error:
        checked.wrong.append(str(error))
        return checked
    if not chain.links:
        raise ArchiveError(f"there is no backup in {store.uri}")
    _check_whole(checked, chain)
    sizes = store.sizes(SEGMENTS)
    total = sum(len(link.segments) for link in chain.links)
    for link in chain.links:
        for segment in link.segments:
            _check_segment(checked, store, (link, segment), keys, macs, sizes)
            progress(checked.segments, total)
    if unnamed := len(sizes):
        checked.notes["files of segments that no link names, from a backup that died"] = unnamed
    return checked


def _check_whole(checked: CheckedBackup, chain: Chain) -> None:
    """Say how far the backup can be restored."""
    checked.links = len(chain.links)
    for link in chain.links:
        checked.last_at = link.at if link.whole else checked.last_at
    if not chain.links[-1].whole:
        partitions = chain.links[0].topics[topics.REPORTS.name].partitions
        lacking = uneven(chain.controls, partitions)
        why = f" ({', '.join(lacking)} are not in all partitions)" if lacking else ""
        left = len(chain.links) - len(chain.up_to_whole())
        checked.notes[f"links at the end that are not whole yet{why}: take a backup again"] = left


def _check_segment(
    checked: CheckedBackup,
    store: ArchiveStore,
    place: tuple[Link, Segment],
    keys: ArchiveKeys | None,
    macs: MacKeys | None,
    sizes: dict[str, int],
) -> None:
    link, segment = place
    checked.segments += 1
    checked.bytes += segment.size
    checked.records[segment.topic] += segment.records
    if sizes.pop(segment.file, None) is None:
        checked.wrong.append(f"{segment.file} is gone")
        return
    try:
        content = store.read(segment.file)
        if keys is None:
            check_bytes(segment, content)
            return
        records = unpacked(keys, segment, link.topics[segment.topic].id, content)
    except ArchiveError as error:
        checked.wrong.append(str(error))
        return
    if macs is not None:
        checked.notes.update(_unmarked(segment, records, macs))


def _unmarked(segment: Segment, records: list[ArchivedRecord], macs: MacKeys) -> Counter[str]:
    """Count the records without our MAC, as the topic has them too."""
    mac = macs.at(ROLES[segment.topic], segment.partition)
    number = sum(not is_marked(mac, record) for record in records)
    return Counter({f"records of {segment.topic} without a MAC of ours": number} if number else {})
