"""Each reporter is told, once, what became of each of its reports, and of nobody's CPR number."""

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager
from typing import Any

import pytest

from streams.devtools.written_messages import ReceiptMessage
from streams.engine.ports import Batch
from streams.settings import Settings
from streams.stages.receipts import KINDS, ReceiptStage, ReceiptTopics
from streams.stages.seen_reports import FirstDelivery, SeenReports
from streams.wire.receipts import Receipt, receipt_reader
from tests.support.lines import CANARY, changed, payment
from tests.support.stages_in_memory import StagesInMemory
from tests.support.topics_in_memory import StoredRecord

SETTINGS = Settings.load({"REFUSION_DEMO": "1", "REFUSION_PARTITIONS": "2"})
REPORTER, OTHER = "12345678", "87654321"


class _Journal:
    """The port `Changelog` over a partition in memory."""

    identity = "one"

    def __init__(self, records):
        self._records = records

    async def read(self, start):
        for record in self._records:
            if record.offset >= start:
                yield Batch([record], record.offset + 1)


class Tellers:
    """The stages of receipts, on the topics of the stages in memory."""

    def __init__(self, folder):
        self.stages = StagesInMemory(SETTINGS, folder / "citizens")
        self.stages.state_keys()
        self.folder = folder
        self.committed: dict[tuple[str, int], int] = {}
        self.told: list[dict[str, Any]] = []
        self.journals = 0

    @asynccontextmanager
    async def changelog(self, topic, partition):
        self.journals += 1
        name = topic.removeprefix(SETTINGS.prefix)
        yield _Journal(self.stages.topics.of[name][partition])

    def publish(self, *lines):
        self.stages.publish(lines)
        self.stages.settle()

    def tell(self, *, batch=3, dies_before_keeping=False):
        """Let each stage do what is there, as the loop does: process, commit, keep."""
        named = (
            self.stages.topics.name(each)
            for each in ("reports", "dead-letters", "notices", "receipts")
        )
        topics = ReceiptTopics(*named)
        for kind in KINDS:
            kafka: Any = self
            stage = ReceiptStage(
                topics, SETTINGS.partitions, SETTINGS.identity(), kafka, self.folder, kind
            )
            for partition in range(SETTINGS.partitions):
                records = self.stages.topics.of[kind][partition]
                asyncio.run(
                    self._work(stage.work(partition), (kind, partition), records, batch,
                               dies_before_keeping)
                )  # fmt: skip
        return self.told

    async def _work(self, work, place, records, batch, dies_before_keeping):
        await work.restore()
        position = await work.position(self.committed.get(place))
        while new := [each for each in records if each.offset >= (position or 0)][:batch]:
            position = new[-1].offset + 1
            processed = work.process(new, position)
            assert processed.done == len(new)
            for output in processed.outputs:
                reader = receipt_reader(output.topic, output.partition)
                for key, value, headers in output.messages:
                    receipt = reader.read(StoredRecord(0, key, value, headers))
                    assert isinstance(receipt, Receipt)
                    assert receipt.reporter.encode() == key
                    told = json.loads(value)
                    assert set(told) <= set(ReceiptMessage.__annotations__)
                    self.told.append(told | {"headers": dict(headers)})
            self.committed[place] = position
            if dies_before_keeping:
                break
            await work.keep({}, position)
        await work.close()

    def of(self, status, *names):
        return [
            tuple(each.get(name) for name in names)
            for each in self.told
            if each["status"] == status
        ]


@pytest.fixture
def tellers(tmp_path):
    made = Tellers(tmp_path)
    yield made
    made.stages.close()


def test_what_became_of_a_report_is_told_with_its_id_and_the_place_of_its_raw_record(tellers):
    tellers.publish(
        payment(report_id="A"),
        payment(report_id="B", period_start="2024-03-02"),
        payment(report_id="C", reporter=OTHER, channel="direct"),
        payment(report_id="A", amount_ore=7),
        b"no JSON",
    )
    tellers.tell()
    assert sorted(tellers.of("accepted", "reporter", "report_id")) == [
        (REPORTER, "A"), (OTHER, "C"),
    ]  # fmt: skip
    assert sorted(tellers.of("rejected", "report_id", "reason", "field")) == [
        ("A", "conflicting_duplicate", "report_id"), ("B", "bad_period", "period_end"),
    ]  # fmt: skip
    assert tellers.of("noticed", "report_id", "code") == [("C", "possible_duplicate")]
    raw = tellers.stages.topics.of["reports.raw"]
    for each in tellers.told:
        _, partition, offset = each["raw"].split("/")
        record = raw[int(partition)][int(offset)]
        assert json.loads(record.value)["report_id"] == each["report_id"]
        assert each["headers"]["ce_type"] == b"refusion.receipt"
        assert {name for name in each if name != "headers"} >= {"schema", "type", "status"}
    assert CANARY not in str(tellers.told)


def test_a_delivery_that_is_ignored_is_counted_by_its_day_and_not_listed(tellers):
    again = payment(report_id="A", reported_at="2024-03-05T10:00:00Z")
    tellers.publish(payment(report_id="A"), *[again] * 3)
    tellers.tell(batch=2)
    assert tellers.of("accepted", "report_id") == [("A",)]
    (places,) = set(tellers.of("ignored", "reporter", "day"))
    assert places == (REPORTER, "2024-03-05")
    assert sum(number for (number,) in tellers.of("ignored", "deliveries")) == 3


def test_a_record_that_intake_wrote_twice_was_delivered_once(tellers):
    tellers.publish(payment(report_id="A"))
    journal = tellers.stages.topics
    at, records = next((at, each) for at, each in journal.of["reports"].items() if len(each) > 1)
    journal.append("reports", at, *records[-1][1:])
    tellers.tell()
    assert [each["status"] for each in tellers.told] == ["accepted"]


def test_nobody_is_told_of_what_nobody_of_ours_wrote(tellers):
    tellers.publish(payment(report_id="A"))
    for at, records in tellers.stages.topics.of["reports"].items():
        for record in [each for each in records if each.key]:
            forged = record.value.replace(b'"A"', b'"F"')
            tellers.stages.topics.append("reports", at, record.key, forged, record.headers)
    tellers.stages.topics.append("dead-letters", 0, None, b"x", [("reason", b"bad_cpr")])
    tellers.stages.topics.append("notices", 0, None, b"{}", [])
    tellers.stages.settle()
    tellers.tell()
    assert [each["report_id"] for each in tellers.told] == ["A"]


def test_a_disk_that_is_behind_or_lost_makes_nobody_be_told_again(tellers):
    tellers.publish(*[payment(report_id=f"R{number}") for number in range(4)])
    tellers.tell(batch=2, dies_before_keeping=True)
    tellers.tell(batch=2)
    tellers.publish(payment(report_id="R0"), payment(report_id="R9"))
    for file in tellers.folder.glob("receipts-*"):
        file.unlink()
    tellers.tell()
    accepted = Counter(tellers.of("accepted", "report_id"))
    assert accepted == {(name,): 1 for name in ("R0", "R1", "R2", "R3", "R9")}
    assert tellers.of("ignored", "deliveries") == [(1,)]
    for file in tellers.folder.glob("receipts-*.sqlite"):
        file.write_bytes(b"this is no database" * 100)
    tellers.publish(payment(report_id="R9"))
    tellers.tell()
    assert Counter(tellers.of("accepted", "report_id")) == accepted
    assert len(tellers.of("ignored", "deliveries")) == 2


def test_a_disk_of_another_journal_is_not_believed(tmp_path):
    path = tmp_path / "seen.sqlite"
    for identity, position in (("one", 7), ("one", 7), ("other", 0)):
        seen = SeenReports(path)
        seen.open(identity)
        if identity == "one":
            seen.begin(7)
            seen.add("a", FirstDelivery("!1", "t/0/1", 6))
            seen.keep()
        assert (seen.position, seen.get("a") is not None) == (position, position > 0)
        seen.close()


def test_a_group_whose_position_kafka_forgot_goes_on_by_the_disk(tellers):
    tellers.publish(payment(report_id="A"))
    tellers.tell()
    tellers.committed = {
        place: position for place, position in tellers.committed.items() if place[0] != "reports"
    }
    tellers.publish(payment(report_id="B"))
    tellers.tell()
    assert tellers.of("accepted", "report_id") == [("A",), ("B",)]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"report_id": f"X-{CANARY}"}, None),
        ({"report_id": f"X-{CANARY}", "cpr_sealed": "k1.x"}, None),
        ({"report_id": "Y", "cpr": "0000000000"}, "Y"),
        ({"report_id": "2024-02-0001", "cpr": 7}, None),
        ({"report_id": 7}, None),
        ({"report_id": "Z", CANARY: 1}, "Z"),
    ],
)
def test_a_rejected_report_is_told_without_what_may_be_a_cpr_number(tellers, fields, told):
    tellers.publish(changed(json.loads(payment()), **fields))
    tellers.tell()
    ((report_id, field),) = tellers.of("rejected", "report_id", "field")
    assert report_id == told
    assert CANARY not in str(tellers.told)
    assert CANARY not in str(field)


def test_a_receipt_of_another_form_or_key_is_foreign():
    reader = receipt_reader("t", 0)
    good = b'{"type":"receipt","schema":1,"status":"accepted","reporter":"12345678"}'
    assert isinstance(reader.read(StoredRecord(0, b"12345678", good, [])), Receipt)
    for key, value in ((b"87654321", good), (b"12345678", b"{}"), (None, None)):
        assert str(reader.read(StoredRecord(3, key, value, []))) == "t/0/3"
