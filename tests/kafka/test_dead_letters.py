"""`refusion dead-letters` finds refused records, shows them masked, sends the same bytes again."""

import asyncio
import subprocess

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from streams.kafka import topics
from tests.support.lines import CANARY, PAYMENT, changed
from tests.support.pipeline import PROGRAM

FICTIVE = "6101801234"
GOOD = changed(PAYMENT, cpr=FICTIVE, benefit="KTH", atp_ore=0)
BAD = changed(PAYMENT, report_id="bad", period_end="2024-01-01")


@pytest.fixture
def dead_letters(pipeline):
    """The program; status, what it says for programs (or for people), and its errors."""

    def run(*arguments, form=("--json",), **environment):
        given = {
            name: value
            for name, (value, origin) in pipeline.settings.values.items()
            if origin == "environment"
        }
        command = [PROGRAM, "dead-letters", *arguments, *form]
        done = subprocess.run(
            command, env=given | environment, capture_output=True, text=True, check=False
        )
        told = orjson.loads(done.stdout) if form and done.returncode == 0 else done.stdout
        return done.returncode, told, done.stderr

    return run


def settle(pipeline, *lines, **environment):
    """A worker that takes in some lines and ends."""
    worker = pipeline.start(**environment)
    if lines:
        pipeline.publish(lines)
    pipeline.wait_until_settled()
    pipeline.stop(worker)


def all_of(pipeline, topic):
    return [record for records in pipeline.records(topic).values() for record in records]


def headers_of(record):
    return {name: value.decode() for name, value in record.headers}


def to_journal(pipeline, key, value):
    """A record of ours that intake did not write."""

    async def send():
        async with AIOKafkaProducer(bootstrap_servers=pipeline.settings.bootstrap) as producer:
            mac = pipeline.settings.macs().at("reports", 0).header(key, b"", value)
            await producer.send_and_wait(
                pipeline.topic(topics.REPORTS), value, key, partition=0, headers=[mac]
            )

    asyncio.run(send())


def test_they_are_listed_by_reason_stage_reporter_and_time(pipeline, dead_letters):
    other = changed(PAYMENT, report_id="odd", reporter="87654321", benefit="NONE")
    settle(
        pipeline, BAD, other, b"{", GOOD, changed(PAYMENT, cpr=FICTIVE, benefit="KTH", atp_ore=1)
    )
    status, told, _ = dead_letters("list")
    assert (status, told["count"]) == (0, 4)
    assert {
        (each["stage"], each["reason"], each["reporter"]): each["count"] for each in told["by"]
    } == {
        ("intake", "bad_period", "12345678"): 1,
        ("intake", "unknown_benefit", "87654321"): 1,
        ("intake", "not_json", ""): 1,
        ("citizens", "conflicting_duplicate", "12345678"): 1,
    }
    assert dead_letters("list", "--reporter", "87654321", "--stage", "intake")[1]["count"] == 1
    *lines, last = dead_letters("list", form=())[1].splitlines()
    assert last == "4 dead letters"
    assert sum("intake: bad_period (period_end)" in line for line in lines) == 1
    assert CANARY not in str(told)


def test_a_record_is_shown_masked_and_whole_only_with_a_line_in_the_access_log(
    pipeline, dead_letters
):
    settle(pipeline, BAD)
    place = dead_letters("list")[1]["letters"][0]["place"]
    log = pipeline.settings.state_dir / "access-log.jsonl"
    status, told, _ = dead_letters("show", place)
    assert status == 0
    assert orjson.loads(told["record"]) == orjson.loads(BAD) | {"cpr": "**********"}
    assert CANARY not in str(told)
    assert not log.exists()
    status, text, _ = dead_letters("show", place, "--cpr", form=())
    assert (status, text.splitlines()[1]) == (0, BAD.decode())
    entry = orjson.loads(log.read_bytes())
    assert (entry["purpose"], entry["letter"], entry["persons"]) == ("dead-letter", place, 1)
    assert CANARY not in str(entry)
    status, _, said = dead_letters("show", place, "--cpr", REFUSION_SEAL_KEY="ab" * 32)
    assert status == 2
    assert "sealed with a key that is not in REFUSION_SEAL_KEY" in said
    assert dead_letters("list", REFUSION_SEAL_KEY="ab" * 32)[1]["letters"][0]["reporter"] == ""


def test_a_place_that_is_none(pipeline, dead_letters):
    pipeline.publish([])
    for place in ("0/99", "7/0", "first"):
        status, _, said = dead_letters("show", place)
        assert status == 2, said
        assert said.startswith("refusion: ")
        assert said.count("\n") == 1


def test_an_error_in_content_is_for_its_reporter(pipeline, dead_letters):
    settle(pipeline, BAD)
    place = dead_letters("list")[1]["letters"][0]["place"]
    status, _, said = dead_letters("retry", place)
    assert status == 2
    assert "is an error in content (bad_period): its reporter corrects it and reports anew" in said
    assert dead_letters("retry")[1] == {"sent": [], "chosen": [], "left_out": 0}
    assert len(all_of(pipeline, topics.RAW)) == 1


def test_what_a_repair_lets_pass_is_accepted_byte_for_byte_and_bears_where_it_comes_from(
    pipeline, dead_letters
):
    keys = dict.fromkeys(("REFUSION_PSEUDONYM_KEY", "REFUSION_SEAL_KEY"), "ab" * 32)
    settle(pipeline, GOOD, REFUSION_DEMO="0", **keys)  # where fictive persons are not known yet
    (letter,) = all_of(pipeline, topics.DEAD_LETTERS)
    place = f"{letter.partition}/{letter.offset}"
    status, told, _ = dead_letters("retry", place, "--unchanged", "--dry-run", **keys)
    assert (status, told["sent"], told["chosen"]) == (0, [], [place])
    status, told, _ = dead_letters("retry", place, "--unchanged", **keys)
    assert (status, len(told["sent"])) == (0, 1)
    first, again = sorted(all_of(pipeline, topics.RAW), key=lambda record: record.timestamp)
    assert first.value == again.value == GOOD
    settle(pipeline, **keys)
    (report,) = all_of(pipeline, topics.REPORTS)
    assert headers_of(report)["retry-of"] == f"{letter.topic}/{place}"
    assert len(all_of(pipeline, topics.POSTINGS)) == 1
    status, _, said = dead_letters("retry", place, "--unchanged", **keys)
    assert status == 2
    assert f"dead letter {place} was sent again before" in said
    assert len(all_of(pipeline, topics.RAW)) == 2


def test_one_that_fails_again_points_to_the_first(pipeline, dead_letters):
    pipeline.publish([])
    to_journal(pipeline, b"9" * 32, b"\xffnot a report")
    settle(pipeline)
    (first,) = all_of(pipeline, topics.DEAD_LETTERS)
    name = f"{first.topic}/{first.partition}/{first.offset}"
    assert headers_of(first)["reason"] == "internal_error"
    status, told, _ = dead_letters("retry")
    assert (status, told["chosen"], told["left_out"]) == (
        0,
        [f"{first.partition}/{first.offset}"],
        0,
    )
    assert dead_letters("retry")[1] == {"sent": [], "chosen": [], "left_out": 1}
    settle(pipeline)
    second = max(all_of(pipeline, topics.DEAD_LETTERS), key=lambda record: record.timestamp)
    assert headers_of(second)["retry-of"] == headers_of(second)["first"] == name
    sent = dead_letters("retry")[1]["sent"]
    assert [each["place"] for each in sent] == [f"{second.partition}/{second.offset}"]
    settle(pipeline)
    third = max(all_of(pipeline, topics.DEAD_LETTERS), key=lambda record: record.timestamp)
    assert headers_of(third)["retry-of"] == f"{second.topic}/{second.partition}/{second.offset}"
    assert headers_of(third)["first"] == name
    records = pipeline.records(topics.REPORTS)[0]
    assert {(record.key, record.value) for record in records} == {(b"9" * 32, b"\xffnot a report")}
    letters = {each["place"]: each["sent_again"] for each in dead_letters("list")[1]["letters"]}
    assert list(letters.values()) == [True, True, False]


def test_a_publisher_cannot_smuggle_text_into_the_journal_by_these_headers(pipeline):
    async def send():
        async with AIOKafkaProducer(bootstrap_servers=pipeline.settings.bootstrap) as producer:
            headers = [
                ("retry-of", CANARY.encode()),
                ("first", f"{CANARY}/1/2".encode()),
                ("x", b"y"),
            ]
            for line in (GOOD, BAD):
                await producer.send_and_wait(pipeline.topic(topics.RAW), line, headers=headers)

    worker = pipeline.start()
    pipeline.publish([])
    asyncio.run(send())
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    (report,), (letter,) = all_of(pipeline, topics.REPORTS), all_of(pipeline, topics.DEAD_LETTERS)
    assert not {"retry-of", "first", "x"} & (headers_of(report).keys() | headers_of(letter).keys())


def test_no_dead_letters_is_no_error(pipeline, dead_letters):
    pipeline.publish([])
    assert dead_letters("list")[1] == {"count": 0, "by": [], "letters": []}
    assert dead_letters("retry")[1]["sent"] == []


def test_topics_that_are_not_there_are_not_made(dead_letters, settings):
    status, _, said = dead_letters("list")
    assert status == 2
    assert f"there is no topic {settings.prefix}dead-letters" in said
