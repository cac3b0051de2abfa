"""`refusion verify`: a clean system has no violation; what is damaged on purpose is found, and named with its place.

The records come from a real run. A damaged copy is audited from memory, where each case takes a moment; one is written
to a real Kafka again and audited by the program.
"""

import asyncio
import json
import random
import re
import subprocess
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from projections.audit.records import BadRecordError, check_state
from streams.audit import verify as verifying
from streams.audit.fold import BY_ENGINES
from streams.audit.verify import Asked, Snapshot, verify
from streams.kafka import topics
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from streams.wire.journal import partition_of
from tests.support.lines import CASE_FACT, PAYMENT, REVERSAL, changed
from tests.support.pipeline import PROGRAM, Pipeline
from tests.support.places import RULES

CITIZEN_CPR = "6101801234"
TAKEN_OVER_CPR = "6101801236"
"""Of whom an earlier system settled weeks, before and after a report of ours."""
SIMPLE = {"KTH", "SDP-B", "ADP", "LTS", "UDH"}
"""Benefits whose rows hang on nothing but their payments and the count."""
AUDITED = topics.TOPICS


class Rec(NamedTuple):
    """A record, free to be changed."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]

    def with_value(self, **changes):
        return self._replace(value=orjson.dumps(orjson.loads(self.value or b"") | changes))

    def with_header(self, name, value):
        return self._replace(
            headers=[*((n, v) for n, v in self.headers if n != name), (name, value)]
        )


class Copy:
    """The topics of a run in memory, where a test damages them."""

    def __init__(self, settings, records):
        self.settings = settings
        self.starts = defaultdict(int)
        self.bounds = None
        self.of = {
            topic.name: {at: list(found) for at, found in records[topic.name].items()}
            for topic in AUDITED
        }

    def name(self, topic):
        return self.settings.prefix + topic

    def messages(self, which=lambda _: True):
        """Partition, index, record and message of the posting messages that fit."""
        for at, records in self.of["postings"].items():
            for index, record in enumerate(records):
                message = orjson.loads(record.value)
                if message["type"] == "postings" and which(message):
                    yield at, index, record, message

    def message(self, which=lambda _: True):
        return next(self.messages(which))

    def replace(self, topic, at, index, record):
        self.of[topic][at][index] = record
        return self.name(topic), at, record.offset

    def drop(self, topic, at, index):
        return self.of[topic][at].pop(index)

    def snapshot(self):
        ends = {
            self.name(topic): {
                at: records[-1].offset + 1 if records else 0 for at, records in found.items()
            }
            for topic, found in self.of.items()
        }
        starts = {name: {at: self.starts[name, at] for at in found} for name, found in ends.items()}
        return Snapshot(ends[self.name("reports.raw")], ends[self.name("reports")], starts, ends)

    def verify(self, monkeypatch, sample=0.0, fold=False):
        copy, snapshot = self, self.bounds or self.snapshot()

        class Look:
            async def snapshot(self):
                return snapshot

            async def raw_ends(self):
                return snapshot.taken_in

            def lag(self, _):
                return {}

        @asynccontextmanager
        async def looking(_):
            yield Look()

        async def records(settings, name, partition, _):
            for record in copy.of[name.removeprefix(settings.prefix)][partition]:
                yield record

        monkeypatch.setattr(verifying, "_looking", looking)
        monkeypatch.setattr(verifying, "_records", records)
        return verify(self.settings, Asked(sample, fold=fold), lambda *_: None)


def some_lines(lives):
    """The lives, a citizen with a reversal and late data, and what is refused by each stage."""
    mine = {
        "cpr": CITIZEN_CPR,
        "reporter": "12345678",
        "benefit": "KTH",
        "atp_ore": 0,
        "channel": "eindkomst",
    }
    months = [(f"2023-{month:02}-01", f"2023-{month:02}-28") for month in (3, 4, 5, 2, 6)]
    for number, (start, end) in enumerate(months):
        yield changed(
            PAYMENT, **mine, report_id=f"mine-{number}", period_start=start, period_end=end
        )
    yield changed(
        REVERSAL, cpr=CITIZEN_CPR, reporter="12345678", report_id="back", reverses="mine-4"
    )
    yield changed(
        PAYMENT, **mine, report_id="mine-0", period_start="2023-07-01", period_end="2023-07-31"
    )
    yield changed(
        PAYMENT, **mine, report_id="bad", period_start="2023-07-01", period_end="2023-06-30"
    )
    yield changed(CASE_FACT, cpr=CITIZEN_CPR)
    yield changed(
        PAYMENT, **mine | {"cpr": TAKEN_OVER_CPR}, report_id="own", period_start="2024-01-01"
    )
    for portion in lives:
        yield from portion


def load_openings(pipeline, *weeks):
    """Rows of an earlier system, whose results are not to be worked out again."""
    money = {"amount_ore": 270_000, "mechanism": "refusion", "rate": 80, "refusion_ore": 216_001}
    cell = {"benefit": "KTH", "paying": "730", "financing": "730"}
    common = {
        "schema": 1,
        "type": "opening",
        "reported_at": "2024-03-01T08:00:00Z",
        "cpr": TAKEN_OVER_CPR,
    }
    file = pipeline.settings.state_dir.parent / "openings.jsonl"
    rows = [common | cell | money | {"month": week[:7], "week": week} for week in weeks]
    file.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    given = {
        name: value
        for name, (value, origin) in pipeline.settings.values.items()
        if origin == "environment"
    }
    subprocess.run([PROGRAM, "opening", "load", file], env=given, check=True)


@pytest.fixture(scope="module")
def clean(kafka, lives, tmp_path_factory):
    """Settings and records of a run that went well, with a cut in the middle."""
    settings = Settings.load(
        {
            "REFUSION_BOOTSTRAP": kafka.bootstrap,
            "REFUSION_PREFIX": "clean.",
            "REFUSION_PARTITIONS": "4",
            "REFUSION_STATE_DIR": str(tmp_path_factory.mktemp("state")),
            "REFUSION_DEMO": "1",
        }
    )
    pipeline = Pipeline(settings)
    try:
        worker = pipeline.start()
        lines = list(some_lines(lives))
        load_openings(pipeline, "2023-01-09", "2024-01-08")
        pipeline.publish(lines[: len(lines) // 2])
        pipeline.wait_until_settled()
        load_openings(pipeline, "2024-01-15", "2023-01-16")
        pipeline.close_run("2023-05")
        pipeline.publish(lines[len(lines) // 2 :])
        pipeline.wait_until_settled()
        pipeline.stop(worker)
    finally:
        pipeline.clean_up()
    return settings, {
        topic.name: {
            at: [Rec(each.offset, each.key, each.value, list(each.headers)) for each in found]
            for at, found in pipeline.records(topic).items()
        }
        for topic in AUDITED
    }


@pytest.fixture
def copy(clean):
    return Copy(*clean)


def codes_at(done):
    """What was found where."""
    found = defaultdict(set)
    for violation in done.found.named:
        found[violation.topic, violation.partition, violation.offset].add(violation.code)
    return found


def refused_once(settings):
    """Run the program; exit status and what it says for programs."""
    given = {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }
    done = subprocess.run(
        [PROGRAM, "verify", "--json", "--jobs", "1"], env=given, capture_output=True, check=False
    )
    return done.returncode, orjson.loads(done.stdout) if done.stdout else None, done.stderr.decode()


# --- a clean system
# -----------------------------------------------------------------------------------


def test_a_clean_system_has_no_violation_and_every_citizen_is_true(copy, monkeypatch):
    done = copy.verify(monkeypatch, sample=100, fold=True)
    assert done.found.named == []
    assert done.deep_citizens == done.citizens > 100
    assert done.folded == sum(map(len, copy.of["postings"].values()))
    kinds = {row["kind"] for *_, message in copy.messages() for row in message["rows"]}
    assert kinds == {"result", "correction", "opening"}
    assert done.raw_kept == sum(map(len, copy.of["reports.raw"].values())) > 1_000
    assert sum(each["rows"] for each in done.partitions.values()) > 1_000


def test_the_program_finds_it_clean_whole_and_in_slices(clean, monkeypatch):
    settings, _ = clean
    status, told, _ = refused_once(settings)
    assert (status, told["violations"], told["notes"]) == (0, 0, {})
    monkeypatch.setattr(verifying, "SLICE_RECORDS", 300)

    sliced = verify(settings, Asked(sample_percent=30), lambda *_: None).as_json()
    for name in ("records", "citizens", "raw_kept", "partitions", "violations"):
        assert sliced[name] == told[name], name
    assert 0.1 < sliced["deep_citizens"] / sliced["citizens"] < 0.5


def test_it_is_clean_after_another_law_and_a_recalculation(pipeline, lives):
    given = {
        name: value
        for name, (value, origin) in pipeline.settings.values.items()
        if origin == "environment"
    }
    pipeline.settings = Settings.load(given | {"REFUSION_RULES": str(RULES)})
    worker = pipeline.start()
    pipeline.publish(lives[0])
    pipeline.wait_until_settled()
    pipeline.control(
        {
            "type": "rules",
            "id": "r-1",
            "rules": "second-step-35",
            "written_at": "2024-02-01T08:00:00Z",
        }
    )
    pipeline.publish(lives[1])
    pipeline.control(
        {"type": "recalculate", "id": "c-1", "scope": "all", "written_at": "2024-02-01T08:00:00Z"}
    )
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    reasons = {
        orjson.loads(r.value)["reason"]
        for found in pipeline.records(topics.POSTINGS).values()
        for r in found
    }
    assert "rule_change" in reasons
    done = verify(pipeline.settings, Asked(sample_percent=100, fold=True), lambda *_: None)
    assert (done.found.named, dict(done.found.notes), done.deep_citizens > 50) == ([], {}, True)
    assert done.folded == sum(map(len, pipeline.records(topics.POSTINGS).values()))


def test_where_it_cannot_look_it_says_so_and_why(settings):
    status, told, said = refused_once(settings)
    assert (status, told) == (2, None)
    assert re.fullmatch(
        r"refusion: there is no topic \S+reports\.raw; see REFUSION_PREFIX .*\n", said
    )


# --- damage
# -------------------------------------------------------------------------------------------


def test_a_lost_posting_is_found_at_the_next_of_its_citizen_and_at_its_report(copy, monkeypatch):
    at, index, lost, message = copy.message(
        lambda each: is_of_a_payment(each) and not is_last(copy, each)
    )
    after = (message["citizen"], message["revision"] + 1)
    *_, following, _ = copy.message(lambda each: (each["citizen"], each["revision"]) == after)
    copy.drop("postings", at, index)
    found = codes_at(copy.verify(monkeypatch))
    assert "revision" in found[copy.name("postings"), at, following.offset]
    source = int(dict(lost.headers)["ce_id"].rpartition(b"/")[2])
    assert found[copy.name("reports"), at, source] == {"not_reflected"}


def test_the_last_posting_of_a_citizen_is_missed_by_its_report(copy, monkeypatch):
    at, index, lost, _ = copy.message(lambda each: is_of_a_payment(each) and is_last(copy, each))
    copy.drop("postings", at, index)
    found = codes_at(copy.verify(monkeypatch))
    source = int(dict(lost.headers)["ce_id"].rpartition(b"/")[2])
    assert found[copy.name("reports"), at, source] == {"not_reflected"}


def test_a_lost_correction_shows_in_the_sums(copy, monkeypatch):
    at, index, _, message = copy.message(
        lambda each: each["reason"] == "reversal" and each["cause"] == "12345678/back"
    )
    copy.drop("postings", at, index)
    (violation,) = copy.verify(monkeypatch).found.named
    assert (violation.code, violation.partition) == ("sum", at)
    assert (
        violation.text
        == f"citizen {message['citizen']}, KTH: 1500000 øre more are posted than reported"
    )


def is_of_a_payment(message):
    """Whether a message must come of the payment that it names."""
    return message["reason"] == "report" and bool(
        {row["benefit"] for row in message["rows"]} & SIMPLE
    )


def is_last(copy, message):
    last = max(
        m["revision"] for *_, m in copy.messages(lambda each: each["citizen"] == message["citizen"])
    )
    return message["revision"] == last


def test_a_posting_that_came_twice(copy, monkeypatch):
    at, _, record, _ = copy.message()
    again = record._replace(offset=copy.of["postings"][at][-1].offset + 1)
    copy.of["postings"][at].append(again)
    assert codes_at(copy.verify(monkeypatch)) == {
        (copy.name("postings"), at, again.offset): {"revision", "order"}
    }


def spoil_row(message, position, **changes):
    message["rows"][position] |= changes
    return orjson.dumps(message)


def test_one_changed_ore_in_a_result(copy, monkeypatch):
    at, index, record, message = copy.message(lambda each: each["rows"])
    row = message["rows"][0]
    column = f"{row['mechanism']}_ore"
    place = copy.replace(
        "postings",
        at,
        index,
        record._replace(value=spoil_row(message, 0, **{column: row[column] + 1})),
    )
    assert "figures" in codes_at(copy.verify(monkeypatch))[place]


def test_one_changed_ore_in_an_amount_whose_result_is_still_right(copy, monkeypatch):
    at, index, record, message, position = standing_last(
        copy,
        lambda row: (
            row["rate"] == 40 and result(row["amount_ore"] + 1, 40) == row["refusion_ore"] > 0
        ),
    )
    amount_ore = message["rows"][position]["amount_ore"] + 1
    copy.replace(
        "postings",
        at,
        index,
        record._replace(value=spoil_row(message, position, amount_ore=amount_ore)),
    )
    (violation,) = copy.verify(monkeypatch).found.named
    assert violation.code == "sum"
    code = message["rows"][position]["benefit"]
    assert (
        violation.text
        == f"citizen {message['citizen']}, {code}: 1 øre more are posted than reported"
    )


def result(amount_ore, rate):
    return (amount_ore * rate + 50) // 100


def test_a_foreign_row_in_a_message(copy, monkeypatch):
    at, index, record, message = copy.message(
        lambda each: each["rows"] and each["rows"][0]["kind"] == "result"
    )
    *_, other = copy.message(lambda each: each["citizen"] != message["citizen"] and each["rows"])
    message["rows"].append(other["rows"][0])
    place = copy.replace("postings", at, index, record._replace(value=orjson.dumps(message)))
    assert "id" in codes_at(copy.verify(monkeypatch))[place]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"reverses": "0" * 25}, "link", id="it-names-another-row"),
        pytest.param({"ordinal": 999}, "link", id="it-is-not-the-row-negated"),
        pytest.param({"kind": "result"}, "link", id="it-is-called-a-result"),
        pytest.param({"month": "2019-01"}, "format", id="its-week-is-not-of-its-month"),
        pytest.param({"paying": "999"}, "format", id="a-municipality-that-is-none"),
        pytest.param({"amount_ore": 1.5}, "format", id="a-fraction"),
    ],
)
def test_a_reversing_row_that_is_not_as_it_must_be(copy, monkeypatch, changes, code):
    at, index, record, message = copy.message(
        lambda each: each["rows"] and "reverses" in each["rows"][0]
    )
    place = copy.replace(
        "postings", at, index, record._replace(value=spoil_row(message, 0, **changes))
    )
    assert code in codes_at(copy.verify(monkeypatch))[place]


def test_a_rate_of_another_step(copy, monkeypatch):
    def ends_with(row):
        return (row["benefit"], row["rate"], row["kind"]) == ("KTH", 80, "result")

    at, index, record, message = copy.message(
        lambda each: each["rows"] and ends_with(each["rows"][-1])
    )
    row = message["rows"][-1]
    wrong = spoil_row(message, -1, rate=40, refusion_ore=result(row["amount_ore"], 40))
    place = copy.replace("postings", at, index, record._replace(value=wrong))
    assert "figures" in codes_at(copy.verify(monkeypatch))[place]


def standing_last(copy, which):
    """A message with a row of a kind that stands to the end."""
    reversed_ids = {
        row["reverses"] for *_, m in copy.messages() for row in m["rows"] if "reverses" in row
    }
    for at, index, record, message in copy.messages():
        for position, row in enumerate(message["rows"]):
            if (
                row["id"] not in reversed_ids
                and "reverses" not in row
                and row["benefit"] in SIMPLE
                and which(row)
            ):
                return at, index, record, message, position
    raise AssertionError("there is none")


def test_a_wrong_week_number_with_its_own_rate_is_found_by_the_deep_audit_alone(copy, monkeypatch):
    at, index, record, message, position = standing_last(
        copy, lambda row: (row["benefit"], row["rate"]) == ("KTH", 80)
    )
    amount_ore = message["rows"][position]["amount_ore"]
    wrong = spoil_row(message, position, ordinal=5, rate=40, refusion_ore=result(amount_ore, 40))
    copy.replace("postings", at, index, record._replace(value=wrong))
    assert copy.verify(monkeypatch).found.named == []
    (violation,) = copy.verify(monkeypatch, sample=100).found.named
    assert violation.code == "truth"
    assert message["citizen"] in violation.text
    assert "refusion 40 % of" in violation.text


def test_wrong_counters_are_found_by_the_deep_audit(copy, monkeypatch):
    at, index, record, message = next(each for each in copy.messages() if is_last(copy, each[3]))
    seniority = message["counters"]["seniority"] + 1
    copy.replace(
        "postings",
        at,
        index,
        record.with_value(counters=message["counters"] | {"seniority": seniority}),
    )
    assert [each.code for each in copy.verify(monkeypatch, sample=100).found.named] == ["counters"]


def test_a_closed_month_that_changed_without_a_reason_that_says_so(copy, monkeypatch):
    at, index, record, _ = copy.message(lambda each: each["reason"] == "late_report")
    place = copy.replace("postings", at, index, record.with_value(reason="report"))
    assert codes_at(copy.verify(monkeypatch)) == {place: {"reason"}}


@pytest.mark.parametrize(("topic", "code"), [("postings", "marker"), ("reports", "control")])
def test_a_marker_that_is_missing_in_one_partition(copy, monkeypatch, topic, code):
    index = next(number for number, record in enumerate(copy.of[topic][2]) if not record.key)
    copy.drop(topic, 2, index)
    done = copy.verify(monkeypatch)
    assert code in done.found.counts
    assert [each.partition for each in done.found.named if each.code == code] == [2]
    assert "the marker of run 41" in next(
        each.text for each in done.found.named if each.code == code
    )


def test_a_raw_record_that_became_nothing(copy, monkeypatch):
    at, index, lost = next(
        (at, index, record)
        for at, records in copy.of["dead-letters"].items()
        for index, record in enumerate(records)
        if dict(record.headers)["stage"] == b"intake"
    )
    copy.drop("dead-letters", at, index)
    headers = {name: value.decode() for name, value in lost.headers}
    place = headers["topic"], int(headers["partition"]), int(headers["offset"])
    assert codes_at(copy.verify(monkeypatch)) == {place: {"raw"}}


def test_an_accepted_report_that_is_gone(copy, monkeypatch):
    at, index = next((at, 0) for at, records in copy.of["reports"].items() if records[0].key)
    lost = copy.drop("reports", at, index)
    raw, partition, offset = dict(lost.headers)["raw"].decode().split("/")
    assert codes_at(copy.verify(monkeypatch))[raw, int(partition), int(offset)] == {"raw"}


def test_a_raw_record_that_stands_twice_is_no_fault(copy, monkeypatch):
    records = copy.of["reports"][1]
    again = records[-1]._replace(offset=records[-1].offset + 1)
    records.append(again)
    done = copy.verify(monkeypatch, sample=100)
    assert (done.found.named, done.raw_twice) == ([], 1)


def test_a_citizen_in_a_foreign_partition(copy, monkeypatch):
    record = next(record for record in copy.of["reports"][0] if record.key)
    moved = record._replace(offset=copy.of["reports"][3][-1].offset + 1)
    copy.of["reports"][3].append(moved)
    assert codes_at(copy.verify(monkeypatch))[copy.name("reports"), 3, moved.offset] == {
        "partition"
    }


def test_a_journal_that_has_lost_its_beginning(copy, monkeypatch):
    copy.starts[copy.name("reports"), 1] = 3
    assert codes_at(copy.verify(monkeypatch)) == {(copy.name("reports"), 1, 3): {"beginning"}}


# --- the journal folded again
# ---------------------------------------------------------------------------


def test_an_ore_between_two_cells_that_leaves_every_sum_right_is_found_by_the_fold(
    copy, monkeypatch
):
    """Two standing rows of one message at 40 %: an øre that no result shows goes from one to the other."""
    at, index, record, message, (one, other) = two_standing(copy)
    message["rows"][one]["amount_ore"] += 1
    message["rows"][other]["amount_ore"] -= 1
    place = copy.replace("postings", at, index, record._replace(value=orjson.dumps(message)))
    assert copy.verify(monkeypatch).found.named == []
    (violation,) = copy.verify(monkeypatch, fold=True).found.named
    assert (violation.code, violation.topic, violation.partition, violation.offset) == (
        "fold",
        *place,
    )
    first = min(one, other)
    assert violation.text == (
        f"citizen {message['citizen']}, revision {message['revision']} differs from the fold: rows[{first}].amount_ore"
    )


def two_standing(copy):
    """A message with two rows at 40 % that stand, whose results are the same with an øre more and one less."""
    reversed_ids = {
        row["reverses"] for *_, m in copy.messages() for row in m["rows"] if "reverses" in row
    }

    def bears(row, ore):
        amount_ore, is_simple = (
            row["amount_ore"],
            row["benefit"] in SIMPLE and row["id"] not in reversed_ids,
        )
        plain = is_simple and row["rate"] == 40 and "reverses" not in row and amount_ore > 100
        return plain and result(amount_ore + ore, 40) == row["refusion_ore"]

    for at, index, record, message in copy.messages():
        for code in SIMPLE:
            rows = [
                (number, row)
                for number, row in enumerate(message["rows"])
                if row["benefit"] == code
            ]
            more = [number for number, row in rows if bears(row, 1)]
            less = [number for number, row in rows if bears(row, -1) and number not in more[:1]]
            if more and less:
                return at, index, record, message, (more[0], less[0])
    raise AssertionError("there is none")


def test_a_lost_posting_and_one_too_many_are_one_difference_each(copy, monkeypatch):
    """Not all that comes after them; those of other citizens in between are what they must be."""
    at, index, lost, message = copy.message(is_of_a_payment)
    copy.drop("postings", at, index)
    source = int(dict(lost.headers)["ce_id"].rpartition(b"/")[2])
    again = copy.of["postings"][at][index + 5]
    copy.of["postings"][at].insert(index + 6, again)
    folded = [
        each for each in copy.verify(monkeypatch, fold=True).found.named if each.code == "fold"
    ]
    whose = f"citizen {message['citizen']}, revision {message['revision']}"
    assert {(each.topic, each.offset): each.text for each in folded} == {
        (
            copy.name("reports"),
            source,
        ): f"{whose} follows from this record, and does not stand in the postings",
        (
            copy.name("postings"),
            again.offset,
        ): "no such message follows from the record of the journal that it names",
    }


def test_a_fold_tells_bytes_apart_that_say_the_same(copy, monkeypatch):
    at, index, record, _ = copy.message()
    spaced = record._replace(value=record.value.replace(b'"schema":1', b'"schema": 1'))
    place = copy.replace("postings", at, index, spaced)
    done = copy.verify(monkeypatch, fold=True)
    assert codes_at(done) == {place: {"fold"}}
    assert done.found.named[0].text.endswith("its bytes alone: the same values, written otherwise")


def test_what_an_earlier_version_of_the_calculation_has_posted_is_not_folded(copy, monkeypatch):
    at, index, record, _ = copy.message(lambda each: each["reason"] == "report")
    copy.replace("postings", at, index, record.with_value(cause="engine/1", reason="rule_change"))
    done = copy.verify(monkeypatch, fold=True)
    assert "fold" not in done.found.counts
    assert list(done.found.notes) == [BY_ENGINES]


# --- a CPR number where none may be
# ---------------------------------------------------------------------

HIDDEN = "0101801234"


@pytest.mark.parametrize(
    ("topic", "damage"),
    [
        pytest.param("reports", lambda r: r._replace(key=HIDDEN.encode()), id="key"),
        pytest.param(
            "reports", lambda r: r.with_header("note", f"of {HIDDEN}".encode()), id="header"
        ),
        pytest.param("reports", lambda r: r.with_value(cpr=HIDDEN), id="field"),
        pytest.param(
            "postings", lambda r: r.with_value(remark=f"see {HIDDEN[:6]}-{HIDDEN[6:]}"), id="remark"
        ),
        pytest.param(
            "postings", lambda r: r.with_header("ce_id", HIDDEN.encode()), id="posting-header"
        ),
        pytest.param(
            "postings", lambda r: r._replace(value=b"cpr" + HIDDEN.encode()), id="not-json"
        ),
        pytest.param("notices", lambda r: r.with_value(detail={"who": HIDDEN}), id="notice"),
        pytest.param(
            "dead-letters",
            lambda r: r._replace(value=f'{{"cpr":"{HIDDEN}"}}'.encode()),
            id="dead-letter",
        ),
        pytest.param(
            "dead-letters",
            lambda r: r.with_header("hint", HIDDEN.encode()),
            id="dead-letter-header",
        ),
        pytest.param("reports.raw", lambda r: r._replace(key=HIDDEN.encode()), id="raw-key"),
        pytest.param("citizens", lambda r: r._replace(key=HIDDEN.encode()), id="state-key"),
        pytest.param(
            "citizens", lambda r: r._replace(key=r.key[:33] + HIDDEN.encode()), id="state-part"
        ),
        pytest.param("citizens", lambda r: r.with_header("of", HIDDEN.encode()), id="state-header"),
    ],
)
def test_a_cpr_number_is_found(copy, monkeypatch, topic, damage):
    at, index, record = next(
        (at, index, record)
        for at, records in copy.of[topic].items()
        for index, record in enumerate(records)
        if record.key or topic == "dead-letters"
    )
    place = copy.replace(topic, at, index, damage(record))
    done = copy.verify(monkeypatch)
    assert "cpr" in codes_at(done)[place]
    assert not any(HIDDEN in each.text for each in done.found.named)


def entries(copy, which):
    """Partition, index and record of the state's entries whose part fits."""
    for at, records in copy.of["citizens"].items():
        for index, record in enumerate(records):
            if record.value and which(record.key.partition(b"/")[2].decode()):
                yield at, index, record


def planted(copy, at, index, record, *path, text):
    """Put a text into an entry's JSON."""
    value = spot = orjson.loads(record.value)
    for step in path[:-1]:
        spot = spot[step]
    spot[path[-1]] = text
    return copy.replace("citizens", at, index, record._replace(value=orjson.dumps(value)))


@pytest.mark.parametrize("number", [HIDDEN, "6101801234", "101280-1234"])
@pytest.mark.parametrize(
    ("which", "path"),
    [
        pytest.param("head", (-1,), id="in-place-of-the-sealed-one"),
        pytest.param("head", (1,), id="a-head"),
        pytest.param("month", (1, 0, 9), id="a-line"),
        pytest.param("month", (3, 0, 1), id="a-group"),
    ],
)
def test_any_cpr_number_in_the_state_is_found(copy, monkeypatch, which, path, number):
    fits = str.isdecimal if which == "month" else "head".__eq__
    at, index, record = next(
        each
        for each in entries(copy, fits)
        if which == "head" or all(orjson.loads(each[2].value)[1::2])
    )
    place = planted(copy, at, index, record, *path, text=number)
    done = copy.verify(monkeypatch)
    assert codes_at(done) == {place: {"cpr"}}
    assert not any(number in each.text for each in done.found.named)


def test_a_citizens_own_cpr_number_in_the_state_is_found_where_others_may_be_running_numbers(
    copy, monkeypatch
):
    citizen = copy.settings.identity().of(CITIZEN_CPR)[0].encode()
    at, index, record = next(
        each
        for each in entries(copy, str.isdecimal)
        if each[2].key.startswith(citizen) and orjson.loads(each[2].value)[1]
    )
    planted(copy, at, index, record, 1, 0, 1, text=TAKEN_OVER_CPR)
    assert copy.verify(monkeypatch).found.named == []
    place = planted(copy, at, index, record, 1, 0, 1, text=CITIZEN_CPR)
    planted(copy, at, index, record, 1, 0, 5, text=int(CITIZEN_CPR))
    done = copy.verify(monkeypatch)
    assert codes_at(done) == {place: {"cpr"}}
    assert (
        done.found.named[0].text
        == f"the state of citizen {citizen.decode()} holds their CPR number"
    )


def test_weeks_and_amounts_in_the_state_are_no_cpr_numbers():
    key = b"0" * 32
    head = b'[2,"R-1",1,3,40,"3112801234",[],{"KTH":"3112801234"},{"SDP-B":"1101801234"},[],null,"k00000000.x"]'
    check_state(key + b"/head", head, None)
    part = b'[2,[["12345678","3112801234",3112801234]],[],[["KTH","1",null,[[3112801234,-1101801234,0]]]]]'
    check_state(key + b"/646", part, None)
    with pytest.raises(BadRecordError, match="looks like a CPR number"):
        check_state(key + b"/head", head.replace(b"R-1", b"3112801234"), None)


def with_id(copy, report_id):
    """The first report of a citizen under another id; it is named nowhere else then, which is found too."""
    at, index, record = next(
        (at, index, record)
        for at, records in copy.of["reports"].items()
        for index, record in enumerate(records)
        if record.key and b'"mine-0"' in record.value
    )
    named = record.with_value(report_id=report_id).with_header(
        "ce_id", f"12345678/{report_id}".encode()
    )
    return copy.replace("reports", at, index, named)


def test_a_citizens_own_cpr_number_in_a_report_id_is_certain(copy, monkeypatch):
    place = with_id(copy, f"kth-{CITIZEN_CPR[:6]}-{CITIZEN_CPR[6:]}")
    assert "cpr" in codes_at(copy.verify(monkeypatch))[place]


def test_a_running_number_that_looks_like_one_is_only_noted(copy, monkeypatch):
    with_id(copy, "3112995678")
    done = copy.verify(monkeypatch)
    assert "cpr" not in done.found.counts
    assert done.found.notes == {"report ids with ten digits that could be a CPR number": 1}


# --- any changed figure
# -----------------------------------------------------------------------------------


def test_any_changed_figure_of_any_row_is_found(copy, monkeypatch):
    """Seeded: one figure of one row is changed at a time; nothing of it escapes scan and deep audit together."""
    chance = random.Random(7)
    places = list(copy.messages(lambda each: each["rows"]))
    for _ in range(40):
        at, _, record, message = chance.choice(places)
        position = chance.randrange(len(message["rows"]))
        name = chance.choice(("amount_ore", "rate", "refusion_ore", "medfinansiering_ore"))
        value = message["rows"][position][name] + chance.choice((-100, -1, 1, 10, 12_345))
        spoilt = spoil_row(orjson.loads(record.value), position, **{name: value})
        alone = only(copy, message["citizen"], at, {record.offset: spoilt})
        done = alone.verify(monkeypatch, sample=100)
        assert done.violations, (message["citizen"], message["revision"], position, name, value)


def only(copy, citizen, at, values):
    """The records of one citizen and the control records, some with another value."""
    key = citizen.encode()
    few = Copy(copy.settings, copy.of)
    for topic in ("reports", "postings"):
        few.of[topic] = {
            number: [
                record._replace(value=values.get(record.offset, record.value))
                if topic == "postings"
                else record
                for record in records
                if not record.key or (record.key == key and number == at)
            ]
            for number, records in copy.of[topic].items()
        }
    for topic in ("notices", "citizens", "reports.raw"):
        few.of[topic] = {number: [] for number in few.of[topic]}
    few.bounds = copy.snapshot()
    return few


# --- on a real Kafka
# ---------------------------------------------------------------------------------------


def test_the_program_names_what_was_altered_in_live_topics(copy, settings):
    at, index, record, message = copy.message(lambda each: each["revision"] == 2 and each["rows"])
    copy.of["postings"][at][index] = record.with_value(revision=3)
    wanted = asyncio.run(written(copy, settings, record))
    status, told, said = refused_once(settings)
    assert (status, said) == (1, "")
    assert not told["fine"]
    first = next(each for each in told["first"] if each["code"] == "revision")
    assert (first["topic"], first["partition"], first["offset"]) == (
        settings.prefix + "postings",
        at,
        wanted,
    )
    assert first["text"] == f"revision 3 of citizen {message['citizen']} comes after 1"
    assert json.dumps(told).count(CITIZEN_CPR) == 0


async def written(copy, settings, marked):
    """Write a copy to topics of its own, the places in its headers new too. Returns the offset of a posting."""
    await ensure_topics(settings.bootstrap, settings.prefix, settings.partitions)
    places: dict[str, Any] = {}
    found = None
    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap) as producer:
        for topic, by_partition in copy.of.items():
            for at, records in by_partition.items():
                for record in records:
                    headers = [(name, moved(places, value)) for name, value in record.headers]
                    if topic == "dead-letters":
                        headers = moved_letter(places, record.headers)
                    sent = await producer.send(
                        settings.prefix + topic,
                        record.value,
                        record.key,
                        partition=at,
                        headers=headers,
                    )
                    places[f"{copy.name(topic)}/{at}/{record.offset}"] = sent
                await producer.flush()
                for record in records:
                    name = f"{copy.name(topic)}/{at}/{record.offset}"
                    places[name] = f"{settings.prefix}{topic}/{at}/{places[name].result().offset}"
                    if (
                        topic == "postings"
                        and record.offset == marked.offset
                        and record.key == marked.key
                    ):
                        found = int(places[name].rpartition("/")[2])
    await commit_all(settings)
    return found


def moved(places, value):
    text = value.decode()
    return places[text].encode() if text in places else value


def moved_letter(places, headers):
    given = {name: value.decode() for name, value in headers}
    topic, at, offset = places["{topic}/{partition}/{offset}".format(**given)].rsplit("/", 2)
    return [
        (n, {"topic": topic, "partition": at, "offset": offset}.get(n, v).encode())
        for n, v in given.items()
    ]


async def commit_all(settings):
    """As if the stages had got through all of it."""
    for stage, topic in (("intake", topics.RAW), ("citizens", topics.REPORTS)):
        parts = [
            TopicPartition(settings.prefix + topic.name, at) for at in range(settings.partitions)
        ]
        async with AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            group_id=settings.prefix + stage,
            enable_auto_commit=False,
        ) as consumer:
            consumer.assign(parts)
            ends = await consumer.end_offsets(parts)
            await consumer.commit({at: OffsetAndMetadata(end, "") for at, end in ends.items()})


def test_partitions_are_those_of_the_journal(copy):
    """What the audit takes from the product, held against what stands in Kafka."""
    for at, records in copy.of["postings"].items():
        assert {partition_of(record.key, 4) for record in records if record.key} <= {at}
