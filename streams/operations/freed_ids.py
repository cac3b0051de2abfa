"""`refusion free-id` frees a report id that a false report, or a reversal in advance, has taken.

A control record in every partition of the journal says so; the citizens stage carries it out in the
partition of the citizen (`domain.citizen.freed_ids`). It needs two persons.
"""

import re
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from domain.citizen.reports import Freeing
from streams.acts.acts import Act, checked_reason
from streams.acts.four_eyes import GuardedAct, permission
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.control import (
    COMMIT_S,
    ControlRecord,
    OvertakenError,
    UnconfirmedError,
    control_writer,
)
from streams.kafka.errors import explained
from streams.kafka.topic_layout import ensure_topics_of
from streams.kit.errors import UserError
from streams.operations.citizen_past import past_of
from streams.operations.key_gate import check_keys
from streams.operations.merge_past import CitizenPast
from streams.operations.stated_keys import begin_journal
from streams.settings import Settings
from streams.wire import journal
from streams.wire.cloudevents import event_headers
from streams.wire.ids import is_id_of_old

CLIENT: Final = "free-id"


class FreeingError(UserError):
    """The id cannot be freed; the message says why and what to do."""


def freeing_of(citizen: str, reporter: str, report_id: str) -> Freeing:
    """Make the control record for a citizen's report id. Raises FreeingError."""
    if not re.fullmatch("[0-9]{8}", reporter):
        raise FreeingError("--reporter must be the eight digits of the report's reporter")
    if not is_id_of_old(report_id):
        raise FreeingError("--report-id must be the report_id that a false report has taken")
    return Freeing(new_record_id(), citizen, reporter, report_id)


def new_record_id() -> str:
    """Make the id of a record, in letters: nobody takes a part of it for a CPR number."""
    digits_as_letters = str.maketrans("0123456789", "ghijkmnpqr")
    return uuid4().hex[:12].translate(digits_as_letters)


async def free_id(settings: Settings, freeing: Freeing, reason: str) -> None:
    """Write the control record, with permission. Raises UserError, and AwaitingApproval."""
    checked_reason("--reason", reason)
    with explained(settings.bootstrap, FreeingError, advice="free the id again: twice is once"):
        await ensure_topics_of(settings)
        await check_keys(settings)
        check_place(await past_of(settings, _clients(settings), freeing.citizen))
        await permission(settings, _guarded(freeing, reason))
        await begin_journal(settings)
        await _write(settings, freeing, reason)


def check_place(past: CitizenPast) -> None:
    """Raise FreeingError for a former number: the ids of its reports are the new one's."""
    if past.moved is not None:
        raise FreeingError(
            f"citizen {past.citizen} was merged with citizen {past.moved.to}, for whom all reports"
            " count now: free the id there, for both numbers"
        )


def _clients(settings: Settings) -> KafkaClients:
    return KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")


def _guarded(freeing: Freeing, reason: str) -> GuardedAct:
    scope = freeing._asdict()
    del scope["id"]  # another one each time
    named = ["--reporter", freeing.reporter, f"--report-id={freeing.report_id}"]
    command = [CLIENT, freeing.citizen, *named, f"--reason={reason}"]
    return GuardedAct(Act(CLIENT, scope, reason), command)


async def _write(settings: Settings, freeing: Freeing, reason: str) -> None:
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event_id = f"free/{freeing.id}".encode()
    headers = event_headers(event_id, b"refusion.free", b"refusion/free-id", at)
    record = ControlRecord(journal.encode_freeing(freeing, reason, at), headers)
    try:
        macs, name = settings.macs(), f"{settings.prefix}{CLIENT}"
        async with control_writer(_clients(settings), macs, name, CLIENT) as writer:
            await writer.write(settings.topic(topics.REPORTS), settings.partitions, [record])
    except OvertakenError:
        raise FreeingError("somebody else freed an id in between; free yours again") from None
    except UnconfirmedError:
        raise FreeingError(
            f"Kafka has not confirmed the record in {COMMIT_S:.0f} s; free the id again: twice is"
            " once"
        ) from None
