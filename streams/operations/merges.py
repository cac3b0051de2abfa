"""`refusion merge` makes two numbers one person, or parts them again.

    1. Permission: the act needs two persons.
    2. Read what the journal has of both citizens, by the index of their partitions.
    3. One transaction: first the records `moved` and `joined`. Whatever came for one of the two
       before them is read now, since it cannot become more; behind them come the reports of the
       former citizen as copies (or, where a merge is undone, those of both once more). So a merge
       is in the journal as a whole or not at all, and nothing slips through between.

The transactional id is that of run markers. So a merge lies before or behind a marker in all
partitions, and a run has both sides of it or none.
"""

from datetime import UTC, datetime
from typing import Final, NamedTuple

from streams.acts.acts import Act, checked_reason
from streams.acts.four_eyes import GuardedAct, permission
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.control import (
    COMMIT_S,
    ControlWriter,
    OvertakenError,
    UnconfirmedError,
    control_writer,
)
from streams.kafka.errors import explained
from streams.kafka.reading import open_topics
from streams.kafka.topic_layout import ensure_topics_of
from streams.operations.citizen_past import PastReader, Shown
from streams.operations.freed_ids import new_record_id
from streams.operations.key_gate import check_keys
from streams.operations.merge_past import MergeError
from streams.operations.merge_plan import MergeWriting, records_of
from streams.operations.stated_keys import begin_journal
from streams.settings import Settings
from streams.wire.journal_checks import journal_checks
from streams.wire.partitioner import partition_of

CLIENT: Final = "merge"
WRITER: Final = "run"
"""The ending of the transactional id, which run markers have too."""


class Merged(NamedTuple):
    """A merge, or the end of one, and the number of records that count again."""

    id: str
    former: str
    to: str
    undone: bool
    records: int


async def merge(
    settings: Settings, former: str, to: str, reason: str, *, undo: bool, shown: Shown
) -> Merged:
    """Merge two citizens, or part them, with permission. Raises UserError, AwaitingApproval."""
    checked_reason("--reason", reason)
    if former == to:
        raise MergeError("the former number and the new one are the same: give two numbers")
    advice = "ask for it again: nothing was written, or all of it"
    with explained(settings.bootstrap, MergeError, advice=advice):
        await ensure_topics_of(settings)
        await check_keys(settings)
        await permission(settings, _guarded(former, to, reason, undo=undo))
        await begin_journal(settings)
        merging = _Merging(settings, shown)
        return await merging.run(former, to, reason, undo=undo)


def _guarded(former: str, to: str, reason: str, *, undo: bool) -> GuardedAct:
    scope = {"former": former, "to": to, "undo": undo}
    command = [CLIENT, former, to, f"--reason={reason}", *["--undo"] * undo]
    return GuardedAct(Act(CLIENT, scope, reason), command)


class _Merging:
    """A merge at work."""

    def __init__(self, settings: Settings, shown: Shown) -> None:
        self._settings = settings
        self._shown = shown
        self._clients = KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")
        self._topic = settings.topic(topics.REPORTS)

    async def run(self, former: str, to: str, reason: str, *, undo: bool) -> Merged:
        """Do steps 2 and 3."""
        settings, macs = self._settings, self._settings.macs()
        async with open_topics(self._clients) as opened:
            self._checks = await journal_checks(opened, self._topic, macs)
        pasts = [self._new_past(citizen) for citizen in (former, to)]
        for past in pasts:
            await past.read_on(0)
        try:
            name = f"{settings.prefix}{WRITER}"
            async with control_writer(self._clients, macs, name, CLIENT) as writer:
                return await self._write(writer, pasts, reason, undo=undo)
        except OvertakenError:
            raise MergeError(
                "a run was closed, or others were merged, in between: nothing was written; ask for"
                " it again"
            ) from None
        except UnconfirmedError:
            raise MergeError(
                f"Kafka has not confirmed the records in {COMMIT_S:.0f} s: they were written all or"
                " none; ask for it again, which says so where they were"
            ) from None

    def _new_past(self, citizen: str) -> PastReader:
        at = partition_of(citizen.encode(), self._settings.partitions)
        return PastReader(self._settings, self._clients, citizen, at, self._checks, self._shown)

    async def _write(
        self, writer: ControlWriter, pasts: list[PastReader], reason: str, *, undo: bool
    ) -> Merged:
        """Do step 3."""
        former, to = (past.past for past in pasts)
        number, at = new_record_id(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        records = records_of(former, to, number, undo=undo)
        writing = MergeWriting(
            self._topic, self._settings.partitions, self._settings.macs(), reason, at
        )
        first = [
            writing.first(past.past, record) for past, record in zip(pasts, records, strict=True)
        ]
        async with writer.transaction():
            offsets = await writer.append(self._topic, first)
            for past in pasts:  # both may be in one partition
                await past.read_on(
                    min(
                        offset
                        for offset, (at, _) in zip(offsets, first, strict=True)
                        if at == past.past.partition
                    )
                )
            records_of(former, to, number, undo=undo)  # what came in between may forbid it
            behind = writing.behind(former, to, number)
            await writer.append(self._topic, behind)
        return Merged(number, former.citizen, to.citizen, undo, len(behind))
