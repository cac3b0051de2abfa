"""`refusion opening load` puts the rows of an earlier system into the journal, by citizen.

1. Read and check every file. A line that cannot be loaded is listed by file and line, and holds up
   no other.
2. Write each row as a record of its citizen into the journal, with the CPR sealed. The writes are
   idempotent and acknowledged, and the citizens stage passes over a row that came before: a load
   that died is done again from the start.

A cell that had another opening row before keeps it: the citizens stage puts the later one into
`dead-letters`.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from domain.basics.weeks import day_text
from domain.ruledata.ruleset import RuleSet
from projections.imports.opening_files import (
    COMPARED_COLUMNS,
    HEADER,
    Codes,
    Specifications,
    UnloadableLine,
)
from streams.engine.ports import Message
from streams.kafka.clients import KafkaClients, acknowledged, heard
from streams.kafka.errors import explained
from streams.kafka.topic_layout import ensure_topics_of
from streams.kafka.topics import REPORTS
from streams.kit.errors import UserError
from streams.kit.table_lines import cells_of
from streams.offline.inputs import CutLine, opened
from streams.operations.key_gate import check_keys
from streams.operations.stated_keys import begin_journal
from streams.privacy.identity import Identity
from streams.settings import Settings
from streams.wire import journal
from streams.wire.outcomes import AcceptedOpening
from streams.wire.partitioner import partition_of
from streams.wire.rejections import Rejection
from streams.wire.validator import Validator

ON_THE_WAY: Final = 20_000
"""Records that may wait for their acknowledgement: some 15 MB."""
AGAIN: Final = (
    "load everything again when the cause is mended: what is in the journal already changes nothing"
)
"""Advice after a load that did not get to its end."""
OF_MUNICIPALITY: Final = re.compile(r"-(\d{3})-\d+-\d{4}-\d\d-\d\d")
"""The municipality in the name of a file `beregning` (contract section 4)."""
NO_OPENING: Final = UnloadableLine(
    "",
    "unknown_type",
    "type",
    "the line is no opening row; publish reports with `refusion publish`",
)

OpeningRow = tuple[str, AcceptedOpening]
"""A row that can be loaded, after the place that it comes from: file and line."""


class OpeningError(UserError):
    """A file cannot be read, or some rows were not acknowledged; the message says what to do."""


@dataclass
class Loaded:
    """Sums of what was read and written; `listed` are the lines that could not be loaded."""

    rows: int = 0
    citizens: int = 0
    refusion_ore: int = 0
    medfinansiering_ore: int = 0
    listed: list[UnloadableLine] = field(default_factory=list)
    dry_run: bool = False
    lines: int = 0

    @property
    def holds_nothing(self) -> bool:
        """True if no row could be loaded, of lines that are no opening rows or of none at all."""
        return not self.rows and (bool(self.listed) or not self.lines)

    def sentence(self) -> str:
        """Say it to a person."""
        money = (self.refusion_ore + self.medfinansiering_ore) / 100
        done = "would be loaded" if self.dry_run else "loaded"
        return (
            f"{self.rows:,} opening rows of {self.citizens:,} citizens {done}, {money:,.2f} kr. of"
            f" refusion and medfinansiering; {len(self.listed):,} listed"
        )

    def as_json(self) -> dict[str, Any]:
        """Return it for a program."""
        reasons = Counter(line.reason for line in self.listed)
        return vars(self) | {
            "listed": [line._asdict() for line in self.listed],
            "reasons": dict(reasons),
        }


# --- reading --------------------------------------------------------------------------------------


class Files:
    """The rows of all files, those of a municipality's files together."""

    def __init__(
        self, rules: RuleSet, demo: bool, municipality: str | None, only_fictive: bool = False
    ) -> None:
        self._validator = Validator(rules, demo, markers=True, only_fictive=only_fictive)
        self._municipality = municipality
        self._known = rules.municipalities
        self._codes = Codes(
            {benefit.name: code for code, benefit in rules.benefits.items()},
            {name: code for code, name in rules.municipalities.items()},
            {code: benefit.mechanism for code, benefit in rules.benefits.items()},
        )
        self.listed: list[UnloadableLine] = []
        self.lines = 0
        """Lines read that are not blank, headers aside."""

    def rows(self, paths: Sequence[Path]) -> Iterator[OpeningRow]:
        """Every row that can be loaded. Raises OpeningError."""
        kinds = {path: _kind(path) for path in paths}
        specifications: defaultdict[str, list[Path]] = defaultdict(list)
        for path in paths:
            if kinds[path] == "csv":
                specifications[self._municipality_of(path)].append(path)
        for path in paths:
            if kinds[path] == "jsonl":
                yield from self._checked(self._json_lines(path))
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        for municipality, of_municipality in specifications.items():
            yield from self._checked(self._records(municipality, of_municipality, now))

    def _records(
        self, municipality: str, paths: Iterable[Path], now: str
    ) -> Iterator[tuple[str, bytes]]:
        whole = Specifications(municipality, self._codes)
        for path in paths:
            with ExitStack() as stack:
                lines = iter(opened(stack, str(path)))
                next(lines)
                self.listed += whole.add(path.name, self._cells(path, lines))
        for outcome in whole.records():
            if isinstance(outcome, UnloadableLine):
                self.listed.append(outcome)
            else:
                place, record = outcome
                yield place, orjson.dumps(record | {"reported_at": now})

    def _cells(self, path: Path, lines: Iterable[bytes]) -> Iterator[list[str] | None]:
        """Split each line of a table by itself, and count it."""
        for number, line in enumerate(lines, 2):
            try:
                text = line.decode().rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise OpeningError(
                    f"{path}: line {number} is not in UTF-8; convert the file"
                ) from error
            self.lines += bool(text.strip())
            yield None if isinstance(line, CutLine) else cells_of(text)

    def _checked(self, lines: Iterable[tuple[str, bytes]]) -> Iterator[OpeningRow]:
        for place, line in lines:
            outcome = self._validator.parse(line)
            if isinstance(outcome, AcceptedOpening):
                yield place, outcome
            else:
                refused = (
                    UnloadableLine(place, *outcome)
                    if isinstance(outcome, Rejection)
                    else NO_OPENING._replace(place=place)
                )
                self.listed.append(refused)

    def _json_lines(self, path: Path) -> Iterator[tuple[str, bytes]]:
        with ExitStack() as stack:
            for number, line in enumerate(opened(stack, str(path)), 1):
                if line.strip():
                    self.lines += 1
                    yield f"{path.name}:{number}", line.rstrip(b"\r\n")

    def _municipality_of(self, path: Path) -> str:
        match = OF_MUNICIPALITY.search(path.name)
        code = self._municipality or (match[1] if match else "")
        if code not in self._known:
            raise OpeningError(
                f"{path}: its name does not say whose it is (yr-ydelsesrefusion-beregning-730-…);"
                " give --municipality"
            )
        return code


def _kind(path: Path) -> str:
    """`csv` or `jsonl`."""
    try:
        with ExitStack() as stack:
            file = opened(stack, str(path))
            first = next(iter(file), b"").removeprefix(b"\xef\xbb\xbf").strip()
            odd = file.odd
    except OSError as error:
        raise OpeningError(f"{path}: cannot be read: {error.strerror}") from error
    if odd and odd.is_hopeless:
        raise OpeningError(f"{path} is {odd.words}")
    if first.startswith(b"{") or not first:
        return "jsonl"
    if first.split(b";")[:COMPARED_COLUMNS] == [
        name.encode() for name in HEADER[:COMPARED_COLUMNS]
    ]:
        return "csv"
    if not _is_utf8(first):
        raise OpeningError(f"{path}: line 1 is not in UTF-8; save it as CSV UTF-8")
    raise OpeningError(
        f"{path}: is neither a file `beregning` nor JSON Lines; its first line must be"
        f" {';'.join(HEADER)}"
    )


# --- writing --------------------------------------------------------------------------------------


async def load(
    settings: Settings,
    files: Files,
    paths: Sequence[Path],
    dry_run: bool,
    progress: Callable[[int], None],
) -> Loaded:
    """Load files. Raises OpeningError and other UserErrors."""
    done = Loaded(listed=files.listed, dry_run=dry_run)
    identity, citizens = settings.identity(), set[str]()
    rows = files.rows(paths)
    if dry_run:
        for _, accepted in rows:
            _count(done, citizens, identity.of(accepted.cpr)[0], accepted)
    else:
        await _write(settings, identity, rows, done, citizens, progress)
    done.citizens, done.lines = len(citizens), files.lines
    return done


def _count(done: Loaded, citizens: set[str], citizen: str, accepted: AcceptedOpening) -> None:
    citizens.add(citizen)
    done.rows += 1
    opening = accepted.report
    if opening.mechanism == "refusion":
        done.refusion_ore += opening.result_ore
    else:
        done.medfinansiering_ore += opening.result_ore


async def _write(
    settings: Settings,
    identity: Identity,
    rows: Iterable[OpeningRow],
    done: Loaded,
    citizens: set[str],
    progress: Callable[[int], None],
) -> None:
    topic, sent = settings.topic(REPORTS), []
    clients = KafkaClients(settings.bootstrap, "refusion-opening")
    with explained(settings.bootstrap, OpeningError, no_answer=f"; {AGAIN}", advice=AGAIN):
        await ensure_topics_of(settings)
        await check_keys(settings)
        await begin_journal(settings)
        async with clients.producer(
            enable_idempotence=True, compression_type="zstd", linger_ms=20
        ) as producer:
            for _, accepted in rows:
                citizen, message, partition = _message(identity, accepted, settings.partitions)
                key, value, headers = message
                future = await producer.send(topic, value, key, partition, headers=headers)
                future.add_done_callback(heard)
                sent.append(future)
                _count(done, citizens, citizen, accepted)
                if len(sent) >= ON_THE_WAY:
                    await acknowledged(sent)
                    sent.clear()
                    progress(done.rows)
            await acknowledged(sent)


def _message(
    identity: Identity, accepted: AcceptedOpening, partitions: int
) -> tuple[str, Message, int]:
    opening, cpr = accepted
    citizen, sealed = identity.of(cpr)
    at = day_text(opening.reported) + "T00:00:00Z"
    key = citizen.encode()
    value = journal.encode_opening(opening, sealed, at)
    partition = partition_of(key, partitions)
    mac = identity.macs.at("reports", partition).header(key, journal.OPENING_EVENT, value)
    return citizen, (key, value, [*journal.opening_headers(opening, at), mac]), partition


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
