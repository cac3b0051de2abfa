"""`refusion merge` makes two numbers one person, or parts them again.

    1. Permission: the act needs two persons.
    2. Read what the journal has of both citizens, by the index of their partitions.
    3. One transaction: first the records `moved` and `joined`. Whatever came for one of the two
       before them is read now, since it cannot become more; behind them come the reports of the
       former citizen as copies (or, where a merge is undone, those of both once more). So a merge
       is in the journal as a whole or not at all, and nothing slips through between.

The transactional id is that of run markers. So a merge lies before or behind a marker in all
partitions, and a run has both sides of it or none.

Several pairs of one call are one act with one permission. Then steps 2 and 3 are done for one pair
after the other, so that a pair may go on where the one before it ended.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from streams.acts.acts import Act, checked_reason
from streams.acts.four_eyes import GuardedAct, permission
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.control import (
    COMMIT_S,
    ControlWriter,
    OvertakenError,
    UnconfirmedError,
    UnwrittenError,
    control_writer,
)
from streams.kafka.errors import KafkaError, explained, is_outage, refusal
from streams.kafka.reading import open_topics
from streams.kafka.topic_layout import ensure_topics_of
from streams.kit.errors import UserError
from streams.operations.citizen_past import PastReader, Shown
from streams.operations.freed_ids import new_record_id
from streams.operations.key_gate import check_keys
from streams.operations.merge_pairs import Merged, MergedPairs, MergePair, PairNotDone, check_pairs
from streams.operations.merge_past import MergeError
from streams.operations.merge_plan import MergeWriting, records_of
from streams.operations.stated_keys import begin_journal
from streams.settings import Settings
from streams.wire.journal_checks import journal_checks
from streams.wire.partitioner import partition_of

CLIENT: Final = "merge"
WRITER: Final = "run"
"""The ending of the transactional id, which run markers have too."""
ADVICE: Final = "ask for it again: nothing was written"


class UnreachedError(MergeError):
    """Kafka does not answer, or refuses us: the next pair would meet the same."""


class UnknownMergeError(UnreachedError):
    """Kafka has not confirmed a merge: it is in the journal as a whole, or not at all."""


async def merge(
    settings: Settings, pairs: Sequence[MergePair], reason: str, *, undo: bool, shown: Shown
) -> MergedPairs:
    """Merge citizens, or part them, with permission. Raises UserError, AwaitingApproval."""
    checked_reason("--reason", reason)
    check_pairs(pairs)
    with explained(settings.bootstrap, MergeError, advice=ADVICE):
        await ensure_topics_of(settings)
        await check_keys(settings)
        await permission(settings, _guarded(pairs, reason, undo=undo))
        await begin_journal(settings)
    return await one_by_one(pairs, _Merging(settings, shown, reason, undo=undo).run)


async def one_by_one(
    pairs: Sequence[MergePair], run: Callable[[MergePair], Awaitable[Merged]]
) -> MergedPairs:
    """Run each pair by itself; none behind one for which Kafka could not be reached."""
    found = MergedPairs([], [], [])
    unreached = ""
    for pair in pairs:
        if unreached:
            why = f"not tried, for what was said of a pair before it: {unreached}"
            found.not_done.append(PairNotDone(*pair, why))
            continue
        try:
            found.merged.append(await run(pair))
        except (UserError, OSError) as error:
            unreached = str(error) if isinstance(error, UnreachedError) else ""
            is_unknown = isinstance(error, UnknownMergeError)
            left = found.unknown if is_unknown else found.not_done
            left.append(PairNotDone(*pair, str(error)))
    return found


def _guarded(pairs: Sequence[MergePair], reason: str, *, undo: bool) -> GuardedAct:
    names = [name for pair in pairs for name in pair]
    command = [CLIENT, *names, f"--reason={reason}", *["--undo"] * undo]
    scope: dict[str, Any] = {"former": names[0], "to": names[1], "undo": undo}
    if len(pairs) == 1:
        return GuardedAct(Act(CLIENT, scope, reason), command)
    scope |= {"former": [pair.former for pair in pairs], "to": [pair.to for pair in pairs]}
    return GuardedAct(Act(CLIENT, scope, reason), command, about={"pairs": len(pairs)})


class _Merging:
    """A merge at work."""

    def __init__(self, settings: Settings, shown: Shown, reason: str, *, undo: bool) -> None:
        self._settings = settings
        self._shown = shown
        self._reason = reason
        self._undo = undo
        self._clients = KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")
        self._topic = settings.topic(topics.REPORTS)

    async def run(self, pair: MergePair) -> Merged:
        """Do steps 2 and 3 for a pair. Raises UserError and OSError."""
        bootstrap = self._settings.bootstrap
        try:
            return await self._run(pair)
        except KafkaError as error:
            is_lasting = is_outage(error) or refusal(error, bootstrap) is not None
            with explained(
                bootstrap,
                UnreachedError if is_lasting else MergeError,
                no_answer=f"; {ADVICE}",
                advice="nothing was written",
            ):
                raise

    async def _run(self, pair: MergePair) -> Merged:
        settings, macs = self._settings, self._settings.macs()
        async with open_topics(self._clients) as opened:
            self._checks = await journal_checks(opened, self._topic, macs)
        pasts = [self._new_past(citizen) for citizen in pair]
        for past in pasts:
            await past.read_on(0)
        try:
            name = f"{settings.prefix}{WRITER}"
            async with control_writer(self._clients, macs, name, CLIENT) as writer:
                return await self._write(writer, pasts)
        except OvertakenError:
            raise MergeError(
                "a run was closed, or others were merged, in between: nothing was written; ask for"
                " it again"
            ) from None
        except UnwrittenError:
            raise UnreachedError(
                f"Kafka has not taken the records in {COMMIT_S:.0f} s; {ADVICE}"
            ) from None
        except UnconfirmedError:
            raise UnknownMergeError(
                f"Kafka has not confirmed the records in {COMMIT_S:.0f} s: they were written all or"
                " none; ask for it again, which says so where they were"
            ) from None

    def _new_past(self, citizen: str) -> PastReader:
        at = partition_of(citizen.encode(), self._settings.partitions)
        return PastReader(self._settings, self._clients, citizen, at, self._checks, self._shown)

    async def _write(self, writer: ControlWriter, pasts: list[PastReader]) -> Merged:
        """Do step 3."""
        undo = self._undo
        former, to = (past.past for past in pasts)
        number, at = new_record_id(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        records = records_of(former, to, number, undo=undo)
        writing = MergeWriting(
            self._topic, self._settings.partitions, self._settings.macs(), self._reason, at
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
