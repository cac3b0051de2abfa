"""A defect of ours costs the record that met it, and no batch more than twice its work."""

import pytest

from streams.citizens.outcomes import DEFECT
from streams.citizens.settler import Partition
from streams.citizens.store_port import MemoryStore
from tests.support import product
from tests.support.lives import THEMES, life


class Defective(Partition):
    """Settles, and then fails, for the records that `is_struck` names; counts its work."""

    def __init__(self, store, is_struck):
        super().__init__(product.law(), store)
        self.is_struck = is_struck
        self.settled = 0

    def settle(self, record):
        self.settled += 1
        outcome = super().settle(record)
        if self.is_struck(record):
            raise ZeroDivisionError("a defect of ours")
        return outcome


def batch_of_two_citizens():
    reports = [life(theme, 4711, citizen) for theme in sorted(THEMES)[:4] for citizen in (0, 1)]
    return [
        product.record_of({**report, "report_id": f"{number}-{report['report_id']}"})
        for number, lines in enumerate(reports)
        for report in lines
        if report["type"] == "benefit_payment" and not report.get("reverses")
    ]


@pytest.mark.parametrize("struck_of_seven", [1, 3, 6, 7])
def test_no_record_of_a_batch_is_settled_more_than_twice(struck_of_seven):
    records = batch_of_two_citizens()
    struck = {id(record) for at, record in enumerate(records) if at % 7 < struck_of_seven}
    partition = Defective(MemoryStore(), lambda record: id(record) in struck)
    outcomes = partition.settle_batch(records)
    assert [outcome is DEFECT for outcome in outcomes] == [
        id(record) in struck for record in records
    ]
    assert partition.settled <= 2 * len(records)


@pytest.mark.parametrize("struck_of_seven", [1, 3, 6])
def test_the_others_are_settled_as_if_the_struck_records_had_never_come(struck_of_seven):
    records = batch_of_two_citizens()
    struck = {id(record) for at, record in enumerate(records) if at % 7 < struck_of_seven}
    left = [record for record in records if id(record) not in struck]
    expected_store = MemoryStore()
    expected = Partition(product.law(), expected_store)
    store = MemoryStore()
    partition = Defective(store, lambda record: id(record) in struck)
    for start in range(0, len(records), 500):
        part = records[start : start + 500]
        outcomes = [outcome for outcome in partition.settle_batch(part) if outcome is not DEFECT]
        rest = [record for record in part if id(record) not in struck]
        assert outcomes == expected.settle_batch(rest)
        assert sorted(partition.posted) == sorted(expected.posted)
        product.write(partition, store)
        product.write(expected, expected_store)
    assert store == expected_store
    assert left


def test_changes_that_are_held_back_are_read_before_the_store():
    records = batch_of_two_citizens()
    store = MemoryStore()
    partition = Defective(store, lambda record: record is records[0])
    partition.settle_batch(records)
    assert store == {}
    assert partition.changes()
    assert partition.changes() == []


def test_no_record_is_to_blame_where_the_machine_has_no_memory():
    records = batch_of_two_citizens()
    store = StoreOfLittleMemory()
    partition = Partition(product.law(), store)
    for _ in range(3):
        with pytest.raises(MemoryError):
            partition.settle_batch(records[:20])
        partition.forget()
    store.is_short = False
    assert DEFECT not in partition.settle_batch(records[:20])


class StoreOfLittleMemory(MemoryStore):
    """A store whose reads find no memory for a while."""

    is_short = True

    def get(self, key, default=None):
        if self.is_short:
            raise MemoryError
        return super().get(key, default)
