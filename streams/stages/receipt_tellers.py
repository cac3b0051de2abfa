"""Tellers make receipts of what the journal, the dead letters and the notices say of reports.

That a delivery repeats a report is known from all that came before. So the teller of the journal
keeps on disk (`seen_reports.py`) a digest of each report of its partition; a disk that is behind,
or empty, is brought to the committed position from the journal, without telling anything again.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from domain.citizen.reports import (
    CaseFact,
    Freeing,
    Income,
    Payment,
    Reversal,
    cause,
    content_digest,
)
from streams.engine.ports import (
    Kafka,
    Message,
    Record,
)
from streams.kit.foreign import Foreign
from streams.privacy.cpr import may_hold_cpr, spells
from streams.privacy.identity import Identity, SealError
from streams.stages.dead_letter import RETRY_OF
from streams.stages.seen_reports import FirstDelivery, SeenReports
from streams.wire.belief import JournalBelief
from streams.wire.ids import is_id
from streams.wire.readers import LetterHeaders, journal_reader, letter_reader, notice_reader
from streams.wire.receipts import (
    REPORTER,
    Receipt,
    loaded,
    place_in,
    receipt_message,
    time_in,
)

RAW: Final = "raw"


# --- accepted -------------------------------------------------------------------------------------


class _Delivered(NamedTuple):
    """A report of the journal: its name among the reports, and what it says."""

    name: str
    report: Payment | Income | CaseFact | Reversal
    at: str
    said: FirstDelivery
    is_sent_again: bool


class AcceptedTeller:
    """Tells of the reports of a partition of the journal."""

    def __init__(
        self, kafka: Kafka, identity: Identity, topic: str, partition: int, folder: Path
    ) -> None:
        """`folder` belongs to this process alone."""
        self._kafka = kafka
        self._topic = topic
        self._partition = partition
        self._mac = identity.macs.at("reports", partition)
        self._reader = journal_reader(topic, partition)
        self._seen = SeenReports(folder / f"receipts-{partition}.sqlite")

    async def restore(self) -> None:
        """Open what is kept; nothing of it is believed where it is of another journal."""
        async with self._kafka.changelog(self._topic, self._partition) as journal:
            self._seen.open(journal.identity)
        self._belief = JournalBelief(self._mac, self._seen.checked_from, self._seen.controls)

    async def position(self, committed: int | None) -> int | None:
        """Bring what is kept to the committed position.

        Kafka forgets the position of a group that has had no members for a while; then what is kept
        says where to go on, at most one batch before it.
        """
        if committed is None:
            return self._seen.position or None
        if self._seen.position < committed:
            async with self._kafka.changelog(self._topic, self._partition) as journal:
                async for batch in journal.read(self._seen.position):
                    before = [each for each in batch.records if each.offset < committed]
                    self.messages(before, min(batch.position, committed))
                    await self.keep()
                    if batch.position >= committed:
                        break
        return committed

    def messages(self, records: Sequence[Record], position: int) -> list[Message]:
        """Tell of the reports that came for the first time; count the others by their day."""
        self._seen.begin(position)
        made: list[Message] = []
        ignored: dict[tuple[str, str], list[int]] = {}
        for record in records:
            if (delivered := self._delivered(record)) is None:
                continue
            verdict = self._judge(delivered)
            if verdict == "first":
                made.append(self._accepted(delivered))
            elif verdict == "repeated":
                of_day = ignored.setdefault((delivered.report.reporter, delivered.at[:10]), [])
                of_day.append(record.offset)
        made += [self._ignored(*place, offsets) for place, offsets in ignored.items()]
        self._seen.believed(self._belief.checked_from, self._belief.controls)
        return made

    def _delivered(self, record: Record) -> "_Delivered | None":
        """Read a record, where it is a report of ours; an id that is freed is forgotten."""
        if self._belief.of(record) != "ours":
            return None
        entry = self._reader.read(record)
        if isinstance(entry, Foreign):
            return None
        report = entry.report
        if isinstance(report, Freeing):
            self._seen.forget(f"{report.citizen}/{report.name}")
        if not isinstance(report, (Payment, Income, CaseFact, Reversal)):
            return None
        said = FirstDelivery(
            content_digest(report) + report.group, place_in(record.headers, RAW), record.offset
        )
        again = any(name == RETRY_OF for name, _ in record.headers)
        return _Delivered(f"{entry.citizen}/{cause(report)}", report, entry.at, said, again)

    def _judge(self, delivered: "_Delivered") -> Literal["first", "repeated", "other"]:
        """Tell whether a report is the first under its id, or says the same once more.

        One that was sent again after a refusal counts as the first. One with other content is
        rejected at settling. One with the same raw record was delivered once, and written twice by
        an intake that died.
        """
        seen, said = self._seen.get(delivered.name), delivered.said
        if seen is None:
            self._seen.add(delivered.name, said)
        if seen is None or seen.offset == said.offset or delivered.is_sent_again:
            return "first"
        is_same = seen.content == said.content and (not said.raw or said.raw != seen.raw)
        return "repeated" if is_same else "other"

    def _place(self, offset: int) -> str:
        return f"{self._topic}/{self._partition}/{offset}"

    def _accepted(self, delivered: "_Delivered") -> Message:
        report, journal = delivered.report, self._place(delivered.said.offset)
        receipt = Receipt(
            schema=1,
            status="accepted",
            reporter=report.reporter,
            report_id=report.report_id,
            raw=delivered.said.raw,
            journal=journal,
        )
        return receipt_message(receipt, journal, delivered.at)

    def _ignored(self, reporter: str, day: str, offsets: Sequence[int]) -> Message:
        receipt = Receipt(
            schema=1, status="ignored", reporter=reporter, day=day, deliveries=len(offsets)
        )
        return receipt_message(receipt, f"{self._place(offsets[-1])}/ignored/{day}", "")

    async def keep(self) -> None:
        """Keep the reports of the batch on disk."""
        self._seen.keep()

    async def close(self) -> None:
        """Close the file."""
        self._seen.close()


# --- rejected and noticed -------------------------------------------------------------------------


class _Stateless:
    """Goes on where the group has committed."""

    async def restore(self) -> None:
        """Do nothing: nothing is kept."""

    async def position(self, committed: int | None) -> int | None:
        """Return the group's position."""
        return committed

    async def keep(self) -> None:
        """Do nothing: nothing is kept."""

    async def close(self) -> None:
        """Do nothing: nothing is open."""


class RejectedTeller(_Stateless):
    """Tells of the records that were rejected; they are opened to see whose they are."""

    def __init__(self, identity: Identity, journal: str, topic: str, partition: int) -> None:
        self._identity = identity
        self._journal = journal
        self._read = letter_reader(topic, partition).read

    def messages(self, records: Sequence[Record], _position: int) -> list[Message]:
        """Tell whoever can be told; a record that names no reporter is nobody's."""
        made = []
        for record in records:
            letter = self._read(record)
            if isinstance(letter, Foreign) or letter.reason == "foreign_record":
                continue
            try:
                content = loaded(self._identity.unseal_record(record.value or b""))
            except SealError:
                continue
            reporter = content.get("reporter")
            if isinstance(reporter, str) and REPORTER.fullmatch(reporter):
                made.append(self._rejected(letter, reporter, content))
        return made

    def _rejected(
        self, letter: LetterHeaders, reporter: str, content: dict[str, object]
    ) -> Message:
        place = f"{letter.topic}/{letter.partition}/{letter.offset}"
        in_journal = letter.topic == self._journal
        receipt = Receipt(
            schema=1,
            status="rejected",
            reporter=reporter,
            report_id=_id_in(content, is_looked_at=in_journal),
            raw=letter.raw if in_journal else place,
            journal=place if in_journal else "",
            reason=letter.reason,
            field="" if may_hold_cpr(letter.field) else letter.field,
        )
        return receipt_message(receipt, f"{place}/rejected", time_in(content))


def _id_in(content: dict[str, object], *, is_looked_at: bool) -> str:
    """Return the id of a rejected report; "" where it is none, or may hold a CPR number.

    What stands in the journal was looked at before.
    """
    name, cpr = content.get("report_id"), content.get("cpr")
    if not (isinstance(name, str) and is_id(name)):
        return ""
    if is_looked_at:
        return name
    is_known = isinstance(cpr, str) and len(cpr) == 10 and cpr.isascii() and cpr.isdigit()
    return "" if (spells(name, str(cpr)) if is_known else may_hold_cpr(name)) else name


class NoticedTeller(_Stateless):
    """Tells of notices about reports."""

    def __init__(self, topic: str, partition: int) -> None:
        self._read = notice_reader(topic, partition).read

    def messages(self, records: Sequence[Record], _position: int) -> list[Message]:
        """Tell the reporter whose report, or whose missing money, a notice is about."""
        made = []
        for record in records:
            notice = self._read(record)
            if isinstance(notice, Foreign):
                continue
            of_report = "citizen" in notice
            reporter, _, report_id = str(notice["cause"] if of_report else "").partition("/")
            reporter = reporter if of_report else str(notice["reporter"])
            if not REPORTER.fullmatch(reporter):
                continue
            journal = place_in(record.headers, "ce_id") if of_report else ""
            receipt = Receipt(
                schema=1,
                status="noticed",
                reporter=reporter,
                report_id=report_id,
                raw=place_in(record.headers, RAW),
                journal=journal,
                code=str(notice["code"]),
            )
            time = next((value for name, value in record.headers if name == "ce_time"), b"") or b""
            event_id = f"{journal or reporter}/{receipt.code}"
            made.append(receipt_message(receipt, event_id, time.decode("ascii", "replace")))
        return made
