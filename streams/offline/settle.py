"""The whole calculation without Kafka: reports in, posting messages out (`refusion settle`).

Lines are settled in blocks. With several jobs each citizen belongs to one process for good, so
every process sees its citizens' reports in their order. The outputs of a block are put back in the
order of its lines, and the outputs of one line (a recalculation) in the order of citizens: the
bytes are those of one process.
"""

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from functools import cache, partial
from itertools import groupby, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zlib import crc32

import orjson

from domain.basics.named import made
from domain.citizen.reports import ControlRecord, Freeing, Recalculation, RunMarker
from domain.law.staircase import Law
from domain.ruledata.ruleset import RuleSet
from streams.citizens.outcomes import NOTHING, Outcome
from streams.citizens.register_file import make_validator
from streams.citizens.rule_sets import LawBook, load_rule_set
from streams.citizens.settler import CONTROLS, OF_CITIZENS, Partition, Settleable
from streams.citizens.store_port import DiskError, store_on_disk
from streams.kit.processes import pool_of, told_of_the_end
from streams.kit.tuning import tune_garbage_collection
from streams.offline.totals import Totals
from streams.privacy.cpr import cpr_of_line
from streams.settings import Settings
from streams.wire.outcomes import Accepted, AcceptedOpening
from streams.wire.rejections import REFUSED, Rejection

BLOCK_LINES = 4_000
"""The lines of a block.

It is so large that its overhead does not matter, and so small that memory stays small.
"""

FEW_LINES = 50
USUAL_BYTES = 8_192
"""Bytes from which lines are long: on average of FEW_LINES of them. A report has some 350."""

BLOCKS_AHEAD = 3
"""The number of blocks that wait for each process, so that none is idle while another is slower."""

HEADS_KEPT = 8_192
"""The heads kept in memory by each process.

Its one partition may keep more than one of a worker's many.
"""

LOOKED_AT = 200
"""The number of citizens of a recalculation whose changes are written at once."""

Line = tuple[int, bytes]
"""A line of the input and its number, from 1."""


Valid = Accepted | AcceptedOpening | ControlRecord
Parsed = Valid | Rejection


class LineOutput(NamedTuple):
    """The output of a line: bytes for each of the three outputs, each empty or whole lines."""

    number: int
    postings: bytes
    rejects: bytes = b""
    notices: bytes = b""


class LineSettler:
    """One process's share of the work: it validates, settles, and keeps its citizens' state."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        rules: RuleSet,
        *,
        leads: bool,
        source: str | None = None,
    ) -> None:
        laws = LawBook(settings.rules)
        catalogue = laws.catalogue(rules)
        self._validator = make_validator(settings, catalogue, markers=True).of_source(source)
        self._identity = settings.identity()
        self._store = store_on_disk(folder)
        law = laws.law(rules.name) if rules.name in laws.names() else Law(rules)
        self._partition = Partition(law, self._store, kept=HEADS_KEPT, laws=laws)
        self._leads = leads  # every process closes a run, only the leading one posts the marker
        tune_garbage_collection()

    def settle(self, lines: Sequence[Line]) -> list[LineOutput]:
        """Settle lines in their order; lines without output are left out."""
        parse = self._validator.parse
        parsed = [parse(line) for _, line in lines]
        if not any(kind in OF_CITIZENS for kind in set(map(type, parsed))):  # nearly always
            return self._settle(lines, parsed)
        outputs: list[LineOutput] = []
        for is_recalculation, group in groupby(
            range(len(parsed)), lambda at: isinstance(parsed[at], OF_CITIZENS)
        ):
            places = [*group]
            part = slice(places[0], places[-1] + 1)
            settle = self._recalculate_all if is_recalculation else self._settle
            outputs += settle(lines[part], parsed[part])
        return outputs

    def _settle(self, lines: Sequence[Line], parsed: Sequence[Parsed]) -> list[LineOutput]:
        outcomes = iter(self._partition.settle_batch(self._records(parsed)))
        self._store.write(self._partition.changes())
        outputs: list[LineOutput] = []
        for (number, line), result in zip(lines, parsed, strict=True):
            if type(result) is Rejection:
                outputs.append(_rejected(number, line, result))
                continue
            outcome = next(outcomes)
            posting, notices, refused, anew = outcome
            if posting and not (notices or refused or anew or type(result) is RunMarker):
                outputs.append(made(LineOutput, (number, posting + b"\n", b"", b"")))
            elif outcome is not NOTHING and (self._leads or not isinstance(result, RunMarker)):
                outputs.append(_settled(number, line, outcome))
        return outputs

    def _records(self, parsed: Iterable[Parsed]) -> list[Settleable]:
        """Return the valid records, with citizens by pseudonym."""
        of = self._identity.of
        records: list[Settleable] = []
        for result in parsed:
            if isinstance(result, (Accepted, AcceptedOpening)):
                citizen, cpr_sealed = of(result.cpr)
                records.append((citizen, cpr_sealed, result.report))
            elif isinstance(result, CONTROLS):
                records.append(result)
        return records

    def _recalculate_all(
        self, lines: Sequence[Line], parsed: Sequence[Parsed]
    ) -> Iterator[LineOutput]:
        for (number, _), recalculation in zip(lines, parsed, strict=True):
            assert isinstance(recalculation, OF_CITIZENS)
            yield from self._recalculate(number, recalculation)

    def _recalculate(
        self, number: int, recalculation: Recalculation | Freeing
    ) -> Iterator[LineOutput]:
        """Recalculate this process's citizens, in their order."""
        after, is_over = "", False
        while not is_over:
            chunk = self._partition.recalculate(recalculation, after, LOOKED_AT)
            self._store.write(self._partition.changes())
            for _, posting in chunk.postings:
                yield LineOutput(number, posting + b"\n")
            after, is_over = chunk.after, not chunk.after

    def close(self) -> None:
        """Close the state, which nobody needs any more: no error of it hides another."""
        with suppress(DiskError):
            self._store.close()


def _settled(number: int, line: bytes, outcome: Outcome) -> LineOutput:
    refused = outcome.refused
    rejects = _rejected(number, line, REFUSED[refused]).rejects if refused else b""
    return LineOutput(number, _lines(outcome.postings), rejects, _lines(outcome.notices))


def _lines(messages: Iterable[bytes]) -> bytes:
    return b"".join([message + b"\n" for message in messages])


def _rejected(number: int, line: bytes, rejection: Rejection) -> LineOutput:
    value = {
        "line": number,
        "reason": rejection.reason,
        "field": rejection.field,
        "detail": rejection.detail,
        "record": line.decode(errors="backslashreplace"),
    }
    return LineOutput(number, b"", orjson.dumps(value) + b"\n", b"")


def numbered(lines: Iterable[bytes]) -> Iterator[Line]:
    """Number lines and strip their ends; blank lines are counted and skipped."""
    for number, line in enumerate(lines, 1):
        record = line.rstrip(b"\r\n")
        if record and not record.isspace():
            yield number, record


def blocks(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Divide lines into blocks of at most BLOCK_LINES, with few lines where they are long."""
    rest = iter(lines)
    while part := [*islice(rest, FEW_LINES)]:
        block = part
        while len(block) < BLOCK_LINES and part and _bytes(part) < FEW_LINES * USUAL_BYTES:
            part = [*islice(rest, FEW_LINES)]
            block += part
        yield block


def _bytes(lines: Iterable[Line]) -> int:
    return sum([len(line) for _, line in lines])


class SettlePool:
    """The processes that settle, each with its own citizens and folder; the parent ends them."""

    def __init__(
        self, settings: Settings, folder: Path, rules: RuleSet, jobs: int, source: str | None
    ) -> None:
        settings.identity()  # a missing key is an error here, not in each process
        catalogue = LawBook(settings.rules).catalogue(rules)
        self._validator = make_validator(settings, catalogue, markers=True)
        self._processes = [
            pool_of(1, _start_process, (settings, folder / str(at), rules, at == 0, source))
            for at in range(jobs)
        ]
        for process in self._processes:
            process.submit(_settle_in_process, [])

    def submit(self, block: list[Line]) -> list[Future[list[LineOutput]]]:
        """Give each line of a block to the processes whose citizens it concerns."""
        shares: list[list[Line]] = [[] for _ in self._processes]
        for line in block:
            for share in self._shares_of(line[1], shares):
                share.append(line)
        return [
            process.submit(_settle_in_process, share)
            for process, share in zip(self._processes, shares, strict=True)
        ]

    def _shares_of(self, line: bytes, shares: list[list[Line]]) -> list[list[Line]]:
        cpr = cpr_of_line(line)
        if cpr is not None:
            return [shares[crc32(cpr) % len(shares)]]
        # Rare: a control record, an odd spelling, or a line to reject.
        parsed = self._validator.parse(line)
        if isinstance(parsed, (*CONTROLS, *OF_CITIZENS)):
            return shares
        return [
            shares[0 if isinstance(parsed, Rejection) else crc32(parsed.cpr.encode()) % len(shares)]
        ]

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.shutdown(wait=True, cancel_futures=True)


_settler: Callable[[], LineSettler]


def _start_process(
    settings: Settings, folder: Path, rules: RuleSet, leads: bool, source: str | None
) -> None:
    """Say what a process is; an error here would break the pool, and nobody would hear why."""
    global _settler  # noqa: PLW0603 - a pool's process has no other place for its state
    _settler = cache(partial(LineSettler, settings, folder, rules, leads=leads, source=source))


def _settle_in_process(lines: list[Line]) -> list[LineOutput]:
    return _settler().settle(lines)


def settled_blocks(
    lines: Iterable[Line],
    settings: Settings,
    jobs: int,
    rules: RuleSet,
    source: str | None = None,
) -> Iterator[tuple[int, list[LineOutput]]]:
    """Settle all lines, with the state in a temporary folder.

    Yields for each block the number of its lines, and their outputs in order.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="refusion-")))
        if jobs == 1:
            settler = LineSettler(settings, folder / "0", rules, leads=True, source=source)
            stack.callback(settler.close)
            for block in blocks(lines):
                yield len(block), settler.settle(block)
            return
        pool = SettlePool(settings, folder, rules, jobs, source)
        stack.callback(pool.close)
        waiting: deque[tuple[int, list[Future[list[LineOutput]]]]] = deque()
        for block in blocks(lines):
            waiting.append((len(block), pool.submit(block)))
            if len(waiting) > BLOCKS_AHEAD:
                yield _collected(*waiting.popleft())
        while waiting:
            yield _collected(*waiting.popleft())


def _collected(size: int, futures: list[Future[list[LineOutput]]]) -> tuple[int, list[LineOutput]]:
    with told_of_the_end("what was written is not all: settle again, with fewer --jobs"):
        return size, sorted(output for future in futures for output in future.result())


def settle(
    lines: Iterable[bytes],
    settings: Settings,
    jobs: int,
    postings: BinaryIO,
    rejects: BinaryIO | None = None,
    notices: BinaryIO | None = None,
    progress: Callable[[int], None] | None = None,
    rules: RuleSet | None = None,
    source: str | None = None,
) -> Totals:
    """Settle published reports and control records, one JSON object a line.

    With a `source` the lines are taken to come from its raw topic.
    """
    totals = Totals()
    all_blocks = settled_blocks(numbered(lines), settings, jobs, rules or load_rule_set(), source)
    for size, outputs in all_blocks:
        _, *columns = zip(*outputs, strict=True) if outputs else ((),) * len(LineOutput._fields)
        written = [b"".join(column) for column in columns]
        for out, content in zip((postings, rejects, notices), written, strict=True):
            if out and content:
                out.write(content)
        totals.add(size, *written)
        if progress:
            progress(totals.lines)
    return totals
