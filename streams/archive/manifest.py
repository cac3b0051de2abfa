"""The manifest of a backup is a chain of links, each a file that is written once.

    manifest/000001.json   a JSON object, a line feed, its signature, a line feed
    manifest/000002.json   names the SHA-256 of the file before it
    segments/…             the records (`streams.archive.segments`), named with their SHA-256

A link is written when all its segments are there. A backup that dies leaves segments that no link
names; the next one goes on after the last link. A link is `whole` if the control records up to it
are in all partitions: a restore takes what is up to the last link of this kind.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from streams.archive.object_store import ArchiveError, ArchiveStore
from streams.archive.segments import Segment
from streams.privacy.archive_keys import ArchiveKeys

FORMAT: Final = 1
FOLDER: Final = "manifest/"
_DIGITS: Final = 6

Positions = dict[tuple[str, int], int]
"""Offsets by topic and partition."""
Controls = dict[str, set[int]]
"""The control records of the journal by their ids, with the partitions that have them."""


def add_controls(controls: Controls, more: Mapping[str, Iterable[int]]) -> None:
    """Add where further control records were met."""
    for name, partitions in more.items():
        controls.setdefault(name, set()).update(partitions)


def uneven(controls: Controls, partitions: int) -> list[str]:
    """Return the control records that some of the partitions lack."""
    return sorted(name for name, having in controls.items() if len(having) < partitions)


class ArchivedTopic(msgspec.Struct, frozen=True):
    """A topic of a backup: its full name, the id that the cluster gave it, its first offsets."""

    name: str
    id: str
    starts: dict[int, int]

    @property
    def partitions(self) -> int:
        """The number of its partitions."""
        return len(self.starts)


class Link(msgspec.Struct, frozen=True):
    """A link of the chain. `since` is the moment from which on the backup has records, if any.

    `controls` are the control records of its segments by id, with the partitions that have them.
    """

    format: int
    number: int
    before: str | None
    at: str
    whole: bool
    since: str | None
    topics: dict[str, ArchivedTopic]
    segments: list[Segment]
    controls: dict[str, list[int]]
    notes: list[str]


def file_of(number: int) -> str:
    """Return the name of a link's file.

    >>> file_of(7)
    'manifest/000007.json'
    """
    return f"{FOLDER}{number:0{_DIGITS}}.json"


def encode(link: Link, keys: ArchiveKeys) -> bytes:
    """Write a link with its signature."""
    content = msgspec.json.encode(link)
    return content + b"\n" + keys.sign(content).encode() + b"\n"


def decode(name: str, file: bytes, keys: ArchiveKeys | None) -> Link:
    """Read a link; its signature is checked where there are keys. Raises ArchiveError."""
    content, _, signature = file.partition(b"\n")
    if keys is not None and not keys.is_signed(
        content, signature.decode("ascii", "replace").strip()
    ):
        raise ArchiveError(
            f"{name} is not signed by a key of REFUSION_SEAL_KEY: it was changed, or is another"
            " system's"
        )
    try:
        version: Mapping[str, Any] = msgspec.json.decode(content, type=dict[str, Any])
        if version.get("format") != FORMAT:
            raise ArchiveError(
                f"{name} has format {version.get('format')}, which this version does not read"
            )
        return msgspec.json.decode(content, type=Link)
    except (msgspec.DecodeError, RecursionError):
        raise ArchiveError(f"{name} is no manifest of a backup") from None


class Chain:
    """The links of a backup in their order, and the SHA-256 of the last one's file."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.digest: str | None = None
        self.positions: Positions = {}
        """Offset after the last record of each partition that has one."""
        self.controls: Controls = {}

    def up_to_whole(self) -> list[Link]:
        """Return the links up to the last whole one."""
        last = max((at for at, link in enumerate(self.links, 1) if link.whole), default=0)
        return self.links[:last]

    def append(self, link: Link, file: bytes) -> None:
        """Add a link that was written."""
        self.links.append(link)
        self.digest = sha256(file).hexdigest()
        self.positions |= {
            (segment.topic, segment.partition): segment.next for segment in link.segments
        }
        add_controls(self.controls, link.controls)


def segments_of(links: Iterable[Link]) -> Iterator[Segment]:
    """Yield all segments of links."""
    for link in links:
        yield from link.segments


def read_chain(store: ArchiveStore, keys: ArchiveKeys | None) -> Chain:
    """Read the chain of a place; empty where there is none. Raises ArchiveError where it breaks."""
    chain = Chain()
    for number, name in enumerate(store.sizes(FOLDER.rstrip("/")), 1):
        if name != file_of(number):
            raise ArchiveError(f"{store.uri} has no {file_of(number)}: a link of the chain is gone")
        file = store.read(name)
        link = decode(name, file, keys)
        if link.before != chain.digest or link.number != number:
            raise ArchiveError(
                f"{name} does not follow the link before it: one of the two is not as it was"
            )
        check_going_on(name, chain, link)
        chain.append(link, file)
    return chain


def check_going_on(name: str, chain: Chain, link: Link) -> None:
    """Raise ArchiveError where segments do not begin where those of their partition ended."""
    positions = dict(chain.positions)
    first = chain.links[0] if chain.links else link
    if link.topics != first.topics:
        raise ArchiveError(f"{name} is of other topics than the links before it")
    for segment in link.segments:
        at = segment.topic, segment.partition
        topic = link.topics.get(segment.topic)
        start = None if topic is None else topic.starts.get(segment.partition)
        if segment.first != positions.get(at, start) or segment.next <= segment.first:
            raise ArchiveError(f"{segment.file} does not begin where the segment before it ended")
        positions[at] = segment.next
