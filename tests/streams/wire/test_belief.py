"""A record of the journal is believed or not: all of before its keys, and records of ours alone
from there."""

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from streams.privacy.macs import MacKeys
from streams.wire.belief import JournalBelief

MAC = MacKeys([b"k" * 32]).at("reports", 0)
CITIZEN = b"9f" * 16
KEYS = orjson.dumps({"schema": 1, "type": "keys", "id": "first"})
RUN = orjson.dumps({"schema": 1, "type": "run", "run": 82})


def record(offset, key: bytes | None, value: bytes, *, ours: bool = True) -> Any:
    headers = [MAC.header(key, b"", value)] if ours else []
    return SimpleNamespace(offset=offset, key=key, value=value, headers=headers)


def verdicts(*records, belief=None):
    belief = belief or JournalBelief(MAC)
    return [belief.of(each) for each in records]


def test_a_journal_of_before_is_believed_until_its_keys_are_stated():
    records = [
        record(0, CITIZEN, b"{}", ours=False),
        record(1, None, RUN, ours=False),
        record(2, CITIZEN, b"{}"),
        record(3, None, KEYS),
        record(4, CITIZEN, b"{}", ours=False),
        record(5, None, RUN, ours=False),
        record(6, CITIZEN, b"{}"),
    ]
    expected = ["ours"] * 4 + ["foreign"] * 2 + ["ours"]
    belief = JournalBelief(MAC)
    assert verdicts(*records, belief=belief) == expected
    assert verdicts(*reversed(records), belief=belief) == expected[::-1]
    noted = JournalBelief(MAC, belief.checked_from, belief.controls)
    assert verdicts(*records, belief=noted) == expected


def test_a_copied_control_record_counts_once_and_may_be_looked_at_again():
    records = [record(at, None, value) for at, value in enumerate((KEYS, RUN, RUN, KEYS, RUN))]
    assert verdicts(*records) == ["ours", "ours", "repeated", "repeated", "repeated"]
    belief = JournalBelief(MAC)
    assert verdicts(records[1], records[1], belief=belief) == ["ours", "ours"]


def test_copies_in_a_journal_of_before_count_as_they_did():
    assert verdicts(*(record(at, None, RUN) for at in (0, 1))) == ["ours", "ours"]
    assert verdicts(*(record(at, None, RUN, ours=False) for at in (0, 1))) == ["ours", "ours"]


@pytest.mark.parametrize("value", [KEYS, b'{"type":"keys","id":7}'])
def test_forged_keys_turn_nothing_on(value):
    forged = record(0, None, value, ours=False)
    assert verdicts(forged, record(1, CITIZEN, b"{}", ours=False)) == ["foreign", "ours"]


def test_without_the_key_nothing_can_be_checked():
    records = [record(0, None, KEYS), record(1, CITIZEN, b"{}", ours=False)]
    assert verdicts(*records, belief=JournalBelief(None)) == ["ours", "ours"]
