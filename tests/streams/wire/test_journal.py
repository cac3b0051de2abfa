"""The journal's codec, and the partition of a citizen."""

import orjson
import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from domain.basics.weeks import day, month_number
from domain.citizen.reports import (
    CaseFact,
    Income,
    Payment,
    Recalculation,
    Report,
    Reversal,
    RulesRecord,
    RunMarker,
    Scope,
)
from streams.wire.journal import JournalEntry, decode, decode_own, encode
from streams.wire.partitioner import partition_of

AT = "2024-02-01T08:00:00.5Z"
REPORTED = day("2024-02-01")
PERIOD = day("2024-01-01"), day("2024-01-31")
REPORTS: list[Report] = [
    Payment("12345678", "æ 1", "KTH", *PERIOD, -5, -1, "730", None, "dfdg", True, REPORTED),
    Income("12345678", "2", "wage", *PERIOD, 100, 10, REPORTED),
    CaseFact("12345678", "3", "death", PERIOD[0], REPORTED),
    Reversal("12345678", "4", "1", REPORTED),
    Payment("12345678", "5", "KTH", *PERIOD, -5, -1, "730", None, "dfdg", True, REPORTED, "g"),
    Income("12345678", "6", "wage", *PERIOD, 100, 10, REPORTED, "g"),
    CaseFact("12345678", "7", "death", PERIOD[0], REPORTED, "g"),
    Reversal("12345678", "8", "1", REPORTED, "g"),
    Reversal("12345678", "9", "", REPORTED, "", "g"),
]


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_what_was_written_is_read(report):
    entry = decode(b"c" * 32, encode(report, "k1.x", AT))
    assert entry == JournalEntry("c" * 32, "k1.x", report, AT)
    assert type(entry.report) is type(report)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_a_report_that_is_proved_to_be_ours_is_read_as_any_other(report):
    value = encode(report, "k1.x", AT)
    assert decode_own(b"c" * 32, value) == decode(b"c" * 32, value)


@pytest.mark.parametrize("read", [decode, decode_own])
def test_what_is_nested_deeper_than_anything_of_ours_is_no_record(read):
    value = encode(REPORTS[0], "k1.x", AT).replace(b'"type":', b'"type":' + b"[" * 2_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        read(b"c" * 32, value)


def test_a_run_marker_is_read():
    value = {"schema": 1, "type": "run", "run": 49, "closed_at": AT, "data_month": "2024-01"}
    assert decode(None, orjson.dumps(value)).report == RunMarker(49, AT, month_number("2024-01"))


@pytest.mark.parametrize(
    ("value", "record"),
    [
        (
            {"type": "rules", "id": "a", "rules": "R-2", "digest": "0f"},
            RulesRecord("a", "R-2", "0f"),
        ),
        ({"type": "recalculate", "id": "a", "scope": "all"}, Recalculation("a", Scope())),
        (
            {"type": "recalculate", "id": "a", "scope": {"municipality": "730"}},
            Recalculation("a", Scope("730")),
        ),
    ],
)
def test_a_control_record_is_read(value, record):
    value |= {"schema": 1, "written_at": AT}
    assert decode(None, orjson.dumps(value)) == JournalEntry("", "", record, AT)


@pytest.mark.parametrize(
    "value",
    [None, b"", b"[]", b"{}", b'{"type":"rules"}', b'{"type":"benefit_payment"}']
    + [orjson.dumps(orjson.loads(encode(report, "k1.x", AT)) | {"schema": 3}) for report in REPORTS]
    + [
        orjson.dumps({"schema": 2, "type": "rules", "id": "a", "rules": "R-2", "written_at": AT}),
        encode(REPORTS[0], "k1.x", AT).replace(b'"schema":1', b'"schema":"1"'),
    ],
)
def test_what_is_no_record_of_ours_is_an_error(value):
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode(b"c" * 32, value)


@given(st.binary(min_size=16, max_size=16), st.integers(1, 100))
def test_the_partition_is_that_of_other_producers(citizen, partitions):
    key = citizen.hex().encode()
    assert partition_of(key, partitions) == (murmur2(key) & 0x7FFFFFFF) % partitions
