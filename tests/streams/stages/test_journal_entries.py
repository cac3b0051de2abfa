"""Records of the journal that are not settled are told, and counted."""

from collections import Counter
from typing import Any

import orjson
import pytest

from domain.citizen.reports import Payment
from streams.citizens.outcomes import NOTHING
from streams.kit.errors import UnworkableError
from streams.kit.foreign import Foreign
from streams.operations.stated_keys import keys_record
from streams.settings import Settings
from streams.stages.journal_entries import FOREIGN, JournalEntries
from streams.wire import journal
from streams.wire.belief import JournalBelief
from streams.wire.readers import journal_reader
from tests.support.topics_in_memory import StoredRecord

SETTINGS = Settings.load({"REFUSION_DEMO": "1"})
RUN = orjson.dumps(
    {"schema": 1, "type": "run", "run": 48, "closed_at": "2024-01-03T08:00:00Z",
     "data_month": "2023-12"}
)  # fmt: skip


def record(offset, value, macs=None, key=None):
    macs = macs or SETTINGS.macs()
    header = macs.at("reports", 0).header(key, b"", value)
    made: Any = StoredRecord(offset, key, value, [header])
    return made


@pytest.fixture
def events() -> Counter[str]:
    return Counter()


@pytest.fixture
def entries(events):
    macs = SETTINGS.macs()
    belief = JournalBelief(macs.at("reports", 0), checked_from=0)
    return JournalEntries("citizens/0", journal_reader("t", 0), belief, macs.key_ids, events)


def test_a_copied_marker_is_passed_over_and_counted(entries, events, caplog):
    bare = record(3, RUN)._replace(headers=[])
    _, *others = entries.read([record(1, RUN), record(2, RUN), bare])
    assert others == [NOTHING, FOREIGN]
    assert events == {"copied_controls": 1}
    assert "copied in the journal, first t/0/2" in caplog.text
    assert "that nobody of ours wrote, first t/0/3" in caplog.text


def test_a_record_of_ours_that_states_a_key_which_we_lack_ends_the_work(entries):
    other = Settings.load({"REFUSION_DEMO": "1", "REFUSION_JOURNAL_KEY": "ab" * 32})
    stated = journal.encode_control(keys_record(other), "2024-02-01T08:00:00Z")
    assert entries.read([record(1, stated, other.macs())]) == [FOREIGN]
    with pytest.raises(UnworkableError, match="states a key for its MACs"):
        entries.read([record(1, stated)])


PAID = Payment("12345678", "1", "KTH", 738900, 738930, 9, 0, "730", None, "dfdg", False, 738917)


def test_a_record_of_ours_whose_schema_we_do_not_know_ends_the_work(entries):
    """A newer version wrote it: passed over, its money would be left out without a word."""
    known = journal.encode(PAID, "k1.x", "2024-02-01T08:00:00Z")
    (entry,) = entries.read([record(1, known, key=b"c" * 32)])
    assert entry.report == PAID
    for value, key in ((known, b"c" * 32), (RUN, None)):
        newer = orjson.dumps(orjson.loads(value) | {"schema": 3})
        with pytest.raises(UnworkableError, match="the record t/0/7 has schema 3"):
            entries.read([record(7, newer, key=key)])
        belief = JournalBelief(SETTINGS.macs().at("reports", 0), checked_from=0)
        read = journal_reader("t", 0, belief).read
        with pytest.raises(UnworkableError, match="the record t/0/7 has schema 3"):
            read(record(7, newer, key=key))
        bare = record(8, newer, key=key)._replace(headers=[])
        assert entries.read([bare]) == [FOREIGN]
        assert read(bare) == Foreign("t", 0, 8)


def test_texts_are_searched_where_no_mac_proves_them(entries):
    """Before the journal states its keys anybody may have written an id that is none."""
    value = journal.encode(PAID, "k1.x", "2024-02-01T08:00:00Z")
    spoiled = orjson.dumps(orjson.loads(value) | {"report_id": "line\nbreak"})
    (proved,) = entries.read([record(1, spoiled, key=b"c" * 32)])
    assert proved.report.report_id == "line\nbreak"
    assert entries.read([record(0, spoiled, key=b"c" * 32)._replace(headers=[])]) == [FOREIGN]
    assert entries.read([record(1, spoiled, key=b"c" * 32)._replace(headers=[])]) == [FOREIGN]
