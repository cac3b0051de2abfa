"""`refusion run` cuts a month in all partitions or none, once, in order, and not when in doubt."""

import asyncio
import json
import os
import subprocess

import pytest

from domain.citizen.doubts import ADVICE
from streams.kafka import topics
from streams.kafka.topics import TOPICS
from streams.kit.last_outcomes import RUN_CLOSE, last_outcome
from streams.kit.operating_user import operating_user
from streams.operations import runs
from streams.operations.run_checks import RunError
from streams.operations.runs import Closing
from tests.support.lines import changed
from tests.support.lines import payment as payment_line
from tests.support.pipeline import DONE_S, PROGRAM

STAGES = ("intake", "citizens")
MILLION = 1_000_000_00
UDK, JOBCENTRE = "11111111", "22222222"
EACH = 120
"""Reports a month, each of about the largest amount that there can be: only the sum counts."""


def close(pipeline, month, accept=("a test",), **asked):
    """Close a run, whatever its completeness, in this process."""
    return asyncio.run(
        runs.close(pipeline.settings, Closing(month, accept=accept, **asked), lambda *_: None)
    )


def status(pipeline):
    return asyncio.run(runs.status(pipeline.settings, lambda *_: None))


@pytest.fixture
def refusion(settings):
    """Runs the program: its status, what it says as JSON (or in lines), and the lines on stderr."""
    given = {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }

    def run(*arguments, form=("--json",), **environment):
        done = subprocess.run(
            [PROGRAM, "run", *arguments, *form],
            env=os.environ | given | environment,
            capture_output=True,
            check=False,
            timeout=DONE_S,
        )
        told = json.loads(done.stdout or "null") if form else done.stdout.decode().splitlines()
        return done.returncode, told, done.stderr.decode().splitlines()

    return run


def markers(pipeline, topic=topics.REPORTS):
    """The run markers in each partition, in their order; the same in all of them."""
    of_partition = [
        [value for record in records if (value := json.loads(record.value))["type"] == "run"]
        for records in pipeline.records(topic).values()
    ]
    assert all(each == of_partition[0] for each in of_partition)
    assert len(of_partition) == pipeline.settings.partitions
    return of_partition[0]


def everything(pipeline):
    """All that stands in the topics."""
    return {topic.name: pipeline.records(topic) for topic in TOPICS}


# --- a month after the other ----------------------------------------------------------------------


def test_months_are_cut_in_order_and_what_comes_late_is_a_correction(pipeline, lives):
    portion = lives[0] + lives[1]
    pipeline.publish(portion)
    before = everything(pipeline)
    dry = close(pipeline, "2023-05", dry_run=True)
    assert (dry.run, dry.closed, dry.left) == (41, False, len(portion))
    assert everything(pipeline) == before
    assert status(pipeline).last is None

    first = close(pipeline, "2023-05", wait=False)  # no worker runs: the run is empty
    assert (first.run, first.closed, first.left) == (41, True, len(portion))
    seen = status(pipeline)
    assert (seen.last.run, seen.last.closed_at, seen.lag["intake"]) == (
        41,
        first.closed_at,
        len(portion),
    )
    with pytest.raises(
        RunError,
        match=r"run 41 \(2023-05\) is closed: .* corrections in run 42 \(--month 2023-06\)",
    ):
        close(pipeline, "2023-05")
    with pytest.raises(
        RunError, match=r"run 40 \(2023-04\) is closed: the last one closed is 2023-05"
    ):
        close(pipeline, "2023-04")
    with pytest.raises(
        RunError, match=r"2023-07 would skip a month: .* close --month 2023-06 first"
    ):
        close(pipeline, "2023-07")

    second = asyncio.run(_close_while_intake_starts(pipeline, "2023-06"))
    assert (second.run, second.closed, second.left) == (42, True, 0)
    last_of_all = [records[-1] for records in pipeline.records(topics.REPORTS).values()]
    assert {json.loads(record.value)["type"] for record in last_of_all} == {"run"}, (
        "a report was not waited for"
    )
    assert [marker["run"] for marker in markers(pipeline)] == [41, 42]

    worker = pipeline.start(*STAGES)
    pipeline.publish(lives[2])
    pipeline.wait_until_settled(STAGES)
    pipeline.stop(worker)
    postings = pipeline.audit(crashed=False)
    assert markers(pipeline, topics.POSTINGS) == markers(pipeline)
    assert_late(postings, 42, "2023-06")
    seen = status(pipeline)
    assert seen.lag == {"intake": 0, "citizens": 0}
    assert_totals(seen.survey, postings, 42)
    dry = close(pipeline, "2023-07", dry_run=True)
    assert dry.survey.books.kinds == seen.survey.books.kinds
    assert {finding.code for finding in dry.findings} <= {"missing", "duplicate", "jump"}
    sums = dry.survey.books.control.values()
    assert sum(each.settled for each in sums) == sum(dry.survey.totals.settled.values()) != 0
    assert not any(each.difference for each in sums)


async def _close_while_intake_starts(pipeline, month):
    closing = asyncio.create_task(
        runs.close(pipeline.settings, Closing(month, accept=("a test",)), lambda *_: None)
    )
    worker = pipeline.start("intake")
    closed = await closing
    await asyncio.to_thread(pipeline.stop, worker)
    return closed


def behind(records, run):
    """The messages of a partition of postings that come after a run's marker."""
    values = [json.loads(record.value) for record in records]
    (cut,) = [at for at, value in enumerate(values) if value.get("run") == run]
    return values[cut + 1 :]


def assert_late(postings, run, month):
    """After a cut, whatever touches a closed month is late, and nothing else is."""
    reasons = set()
    for records in postings.values():
        for value in behind(records, run):
            is_late = any(row["month"] <= month for row in value["rows"])
            assert (value["reason"] == "late_report") == is_late
            reasons.add(value["reason"])
    assert {"late_report", "report"} <= reasons


def assert_totals(survey, postings, run):
    """Count what the open run holds, in another way."""
    messages = [value for records in postings.values() for value in behind(records, run)]
    rows = [row for message in messages for row in message["rows"]]
    totals = survey.totals
    assert (totals.messages, totals.rows) == (len(messages), len(rows))
    assert sum(ore for _, ore, _ in totals.money.values()) == sum(row["amount_ore"] for row in rows)
    of_101 = [
        row
        for row in rows
        if row["paying" if row["mechanism"] == "refusion" else "financing"] == "101"
    ]
    assert totals.municipalities["101"] == [
        len(of_101),
        sum(row["amount_ore"] for row in of_101),
        sum(row["refusion_ore"] + row["medfinansiering_ore"] for row in of_101),
    ]


# --- deaths, rivals, patience ---------------------------------------------------------------------


def test_a_close_that_dies_before_its_commit_leaves_no_marker_and_the_next_closes(
    pipeline, refusion
):
    assert refusion("close", "--month", "2023-01")[0] == 0
    killed = refusion("close", "--month", "2023-02", REFUSION_TEST_KILL="run:before_commit:1")
    assert killed == (-9, None, [])
    assert [marker["run"] for marker in markers(pipeline)] == [37]
    state, told, _ = refusion("close", "--month", "2023-02")
    assert (state, told["run"], told["closed"]) == (0, 38, True)
    assert [marker["run"] for marker in markers(pipeline)] == [37, 38]


def test_a_close_that_dies_after_its_commit_has_closed(pipeline, refusion):
    assert refusion("close", "--month", "2020-01", REFUSION_TEST_KILL="run:after_commit:1")[0] == -9
    state, _, (line,) = refusion("close", "--month", "2020-01")
    assert state == 2
    assert line.startswith("refusion: run 1 (2020-01) is closed: ")
    (marker,) = markers(pipeline)
    assert list(marker) == ["schema", "type", "run", "closed_at", "data_month"]


def test_who_closes_a_run_without_doubts_is_on_record_before_it_is_closed(pipeline, monkeypatch):
    def acts():
        found = [record for each in pipeline.records(topics.ACCESS).values() for record in each]
        return [json.loads(record.value) for record in found]

    original, before = runs._cut, []

    async def cut(*arguments):
        before.extend(await asyncio.to_thread(acts))
        await original(*arguments)

    monkeypatch.setattr(runs, "_cut", cut)
    close(pipeline, "2023-01", accept=(), dry_run=True)
    assert close(pipeline, "2023-01", accept=()).closed
    (act,) = acts()
    assert before == [act]
    assert (act["type"], act["act"], act["user"]) == ("act", "run close", operating_user().user)
    assert act["scope"] == {"run": 37, "month": "2023-01", "doubts": []}


def test_of_two_that_close_at_once_one_does(pipeline):
    async def both():
        closings = [
            runs.close(pipeline.settings, Closing("2023-01"), lambda *_: None) for _ in range(2)
        ]
        return await asyncio.gather(*closings, return_exceptions=True)

    done = asyncio.run(both())
    assert sorted(isinstance(each, RunError) for each in done) == [False, True], done
    assert [marker["run"] for marker in markers(pipeline)] == [37]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        pytest.param("_cut", r"run 37 \(2023-01\) is closed", id="before-step-3"),
        pytest.param("_write", "another `refusion run close` came in between", id="before-step-4"),
    ],
)
def test_one_that_was_overtaken_closes_nothing(pipeline, monkeypatch, step, said):
    original = getattr(runs, step)

    async def overtaken(*arguments):
        monkeypatch.setattr(runs, step, original)
        await runs.close(pipeline.settings, Closing("2023-01"), lambda *_: None)
        return await original(*arguments)

    monkeypatch.setattr(runs, step, overtaken)
    with pytest.raises(RunError, match=said):
        close(pipeline, "2023-01")
    assert [marker["run"] for marker in markers(pipeline)] == [37]


def test_it_does_not_wait_for_ever_for_an_intake_that_stands(pipeline, lives, monkeypatch):
    monkeypatch.setattr(runs, "STILL_S", 0.5)
    pipeline.publish(lives[0][:10])
    with pytest.raises(
        RunError, match=r"10 records of reports\.raw are before it; start `refusion worker intake`"
    ):
        close(pipeline, "2023-01")
    assert markers(pipeline) == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"month": "2019-12"}, "2019-12 has no run of its own, the first is 2020-01"),
        ({"month": "2024-13"}, "--month must be a month YYYY-MM"),
        ({"accept": ("about 010180-1234",)}, "looks like a CPR number"),
        ({"accept": (" ",)}, "must be a reason in words"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_looked_at(asked, said, settings):
    with pytest.raises(RunError, match=said):
        asyncio.run(runs.close(settings, Closing(**{"month": "2024-01"} | asked), lambda *_: None))


# --- the two scandals -----------------------------------------------------------------------------


def of_month(month, benefit, reporter, total_ore, channel="eindkomst"):
    """Reports of a benefit for a month, one for each of many citizens."""
    for number in range(EACH):
        yield payment_line(
            report_id=f"{benefit}-{month}-{channel}-{number}",
            reporter=reporter,
            benefit=benefit,
            cpr=f"6101{number % 90 + 10}{1000 + number}",
            period_start=f"2023-{month:02}-01",
            period_end=f"2023-{month:02}-28",
            amount_ore=total_ore // EACH,
            atp_ore=0,
            channel=channel,
        )


def _what_was_paid_is_held_against_it(refusion, folder):
    """The month of a run that is closed is read again where payments of it are expected."""
    line = {
        "type": "expected_payment", "payment": "a", "line": 1, "answered_at": "2023-08-05T08:00Z",
        "citizen": "c" * 32, "reporter": JOBCENTRE, "benefit": "LTS", "period_end": "2023-06-28",
        "period_start": "2023-06-01", "amount_ore": 960 * MILLION,
    }  # fmt: skip
    july = {"payment": "b", "period_start": "2023-07-01", "period_end": "2023-07-28"}
    expected = folder / "expected.jsonl"
    expected.write_text(json.dumps(line) + "\n" + json.dumps(line | july))
    state, told, _ = refusion("status", REFUSION_EXPECTED=str(expected))
    assert state == 0
    assert [
        (each["month"], each["expected_ore"], each["received_ore"], each["lacking"])
        for each in told["expected"]
    ] == [("2023-06", 960 * MILLION, 960 * MILLION, 1), ("2023-07", 960 * MILLION, 0, 1)]
    assert len(told["expected_of_citizens"]) == EACH + 2


def test_both_scandals_are_stopped_and_can_be_accepted(pipeline, refusion, tmp_path):
    """Sickness benefit of 1.2 bn kr. comes directly too, wage subsidies of 1 bn kr. do not come."""
    for month in range(1, 8):
        pipeline.publish(of_month(month, "SDP-B", UDK, 1_200 * MILLION))
        if month < 7:
            pipeline.publish(of_month(month, "LTS", JOBCENTRE, 960 * MILLION))
    pipeline.publish(of_month(7, "SDP-B", UDK, 1_200 * MILLION, channel="direct"))
    worker = pipeline.start(*STAGES)
    pipeline.wait_until_settled(STAGES)

    state, told, lines = refusion("close", "--month", "2023-07")
    assert (state, told["run"], told["closed"]) == (1, 43, False)
    assert [(each["code"], each["reporter"], each["amount_ore"]) for each in told["findings"]] == [
        ("jump", UDK, 2_400 * MILLION),
        ("duplicate", UDK, 1_200 * MILLION),
        ("missing", JOBCENTRE, 960 * MILLION),
    ]
    assert (
        "missing: reporter 22222222, LTS, 2023-07: nothing came, about 960,000,000.00 kr. was"
        " expected" in lines[3]
    )
    assert markers(pipeline) == []
    state, told, _ = refusion("close", "--month", "2023-07", "--dry-run", form=())
    assert (state, told[-4]) == (0, "Run 43 (2023-07) would be held.")
    assert refusion("close", "--month", "2023-07")[0] == 1
    kept = last_outcome(pipeline.settings.state_dir, RUN_CLOSE) or {}
    assert (kept["fine"], kept["month"]) == (False, "2023-07"), "status mails are made of it"

    state, told, _ = refusion("close", "--month", "2023-07", "--accept", "asked both, sag 4711")
    assert (state, told["closed"], told["accepted"]) == (0, True, ["asked both, sag 4711"])
    assert (last_outcome(pipeline.settings.state_dir, RUN_CLOSE) or {})["fine"] is True
    assert told["control_sums"]["difference_ore"] == 0
    assert told["control_sums"]["settled_ore"] == (8 * 1_200 + 6 * 960) * MILLION
    (marker,) = markers(pipeline)
    assert marker["accepted"] == ["asked both, sag 4711"]
    pipeline.wait_until_settled(STAGES)
    pipeline.stop(worker)
    assert markers(pipeline, topics.POSTINGS) == [marker]
    state, told, _ = refusion("status", form=())
    closed_at = marker["closed_at"]
    last = f"The last run closed is 43 (2023-07), {closed_at}; accepted: asked both, sag 4711."
    assert (state, told[0], told[1]) == (
        0,
        last,
        "The open run has 0 reports, 0 messages with 0 rows.",
    )
    _what_was_paid_is_held_against_it(refusion, tmp_path)
    notices = [
        (record.key, json.loads(record.value))
        for records in pipeline.records(topics.NOTICES).values()
        for record in records
        if b"missing_reporter" in record.value
    ]
    expected = changed(
        {}, schema=1, type="notice", code="missing_reporter", reporter=JOBCENTRE, cause="run/43"
    )
    missing = {"benefit": "LTS", "month": "2023-07", "expected_ore": 960 * MILLION}
    detail = missing | {"advice": ADVICE["missing_reporter"]}
    assert notices == [(JOBCENTRE.encode(), json.loads(expected) | {"detail": detail})], (
        "written once"
    )
