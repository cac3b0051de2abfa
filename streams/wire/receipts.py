"""Writes and reads receipts: what became of each report, told to whoever sent it.

A receipt names a report by its id and by the place of its raw record, and nobody by a CPR number.
Source: contract section 8.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
import orjson

from streams.engine.ports import Headers, Message, Output, Record
from streams.wire.cloudevents import event_headers
from streams.wire.partitioner import partition_of
from streams.wire.readers import ForeignError, RecordReader

EVENT: Final = b"refusion.receipt"
SOURCE: Final = b"refusion/projections"
REPORTER: Final = re.compile("[0-9]{8}")
_PLACE: Final = re.compile(r"[A-Za-z0-9._-]{1,249}/[0-9]{1,9}/[0-9]{1,18}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


class Receipt(msgspec.Struct, omit_defaults=True, tag_field="type", tag="receipt", kw_only=True):
    """A receipt. `raw` is the place of the raw record, `journal` that in the journal.

    Of a report without a raw record that is known, `raw` is left out, and so is `report_id` where
    none can be told.
    """

    schema: int
    status: Literal["accepted", "rejected", "noticed", "ignored"]
    reporter: Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{8}\Z")]
    report_id: str = ""
    raw: str = ""
    journal: str = ""
    reason: str = ""
    field: str = ""
    code: str = ""
    day: str = ""
    deliveries: int = 0


_ENCODE: Final = msgspec.json.Encoder().encode
_DECODER: Final = msgspec.json.Decoder(Receipt)


def receipt_message(receipt: Receipt, event_id: str, time: str) -> Message:
    """Make the message of a receipt; `event_id` is the place of the record that it follows from.

    An event's time may be left out, and is where none can be told.
    """
    headers = event_headers(event_id.encode(), EVENT, SOURCE, time)
    if not _TIME.fullmatch(time):
        headers = [each for each in headers if each[0] != "ce_time"]
    return receipt.reporter.encode(), _ENCODE(receipt), headers


def outputs_of(messages: list[Message], topic: str, partitions: int) -> list[Output]:
    """Sort receipts to the partitions of their reporters, so that each has its own in order."""
    sorted_out: dict[int, list[Message]] = {}
    for message in messages:
        at = partition_of(message[0] or b"", partitions)
        sorted_out.setdefault(at, []).append(message)
    return [Output(topic, partition, own) for partition, own in sorted(sorted_out.items())]


def receipt_reader(topic: str, partition: int) -> RecordReader[Receipt]:
    """A reader of a partition of `receipts`."""
    return RecordReader(_receipt, topic, partition)


def _receipt(record: Record) -> Receipt:
    receipt = _DECODER.decode(record.value or b"")
    if receipt.reporter.encode() != record.key:
        raise ForeignError("the key is another reporter")
    return receipt


def place_in(headers: Headers | Any, name: str) -> str:
    """Return the place that a header names; "" where it names none."""
    for each, value in headers:
        if each == name:
            text = (value or b"").decode("ascii", "replace")
            return text if _PLACE.fullmatch(text) else ""
    return ""


def time_in(record: Mapping[str, Any]) -> str:
    """Return the time at which a record says that it was reported."""
    text = record.get("reported_at")
    return text if isinstance(text, str) and _TIME.fullmatch(text) else ""


def loaded(value: bytes) -> dict[str, Any]:
    """Read a JSON object; empty where the bytes are none."""
    try:
        found = orjson.loads(value)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
