"""explain and diff say the same from a live system as from a file, with the rows as posted."""

import json
import os
import subprocess
from collections import Counter
from typing import Any

import orjson
import pytest

from domain.basics.weeks import day, week_of
from streams.explain.diff import differences_of
from streams.explain.why import ExplainRequest, explain_to
from streams.kafka import topics
from streams.kit.errors import UserError
from streams.settings import Settings
from streams.worker.app import STAGES
from tests.support.pipeline import DONE_S, PROGRAM

RUN, NEXT = 42, 43
ANNA = "6101801234"
HEAD = {"schema": 1, "cpr": ANNA, "reporter": "12345678", "reported_at": "2023-08-01T08:00:00Z"}
PLACE = {"paying_municipality": "730", "financing_municipality": "730", "channel": "eindkomst"}


def line(report):
    return orjson.dumps(HEAD | report)


def paid(report_id, start, end, amount_ore=1_200_000, benefit="FLT", **others):
    body = {
        "type": "benefit_payment",
        "report_id": report_id,
        "benefit": benefit,
        "amount_ore": amount_ore,
    }
    return line(body | {"period_start": start, "period_end": end} | PLACE | others)


def wage(report_id, start, end):
    body = {
        "type": "income",
        "report_id": report_id,
        "kind": "flex_job_wage",
        "amount_ore": 500_000,
        "pension_ore": 0,
    }
    return line(body | {"period_start": start, "period_end": end})


HALVED = """
name: halved
based_on: R-1
valid_from: 2014-07-01
valid_to: null
note: hvad hvis
overrides:
  fleksbidrag.yaml:
    fleksbidrag:
      cap_percent:
        value: 12
        unit: percent of B
        valid_from: 2016-01-01
        valid_to: null
        before_first: not_in_force
        reference: "tænkt"
        evidence: assumed
"""
BEFORE_THE_RUN = [
    paid("2021", "2021-01-04", "2022-01-03"),
    paid("2022", "2022-01-04", "2022-12-31"),
    wage("w1", "2023-05-01", "2023-05-31"),  # it changes nothing until the supplement comes
    paid("may", "2023-05-01", "2023-05-31"),
    paid("may", "2023-05-01", "2023-05-31"),
]
AFTER_THE_RUN = [paid("late", "2020-12-28", "2021-01-03"), paid("june", "2023-06-01", "2023-06-30")]


@pytest.fixture
def given(settings):
    """The settings as the environment of the program."""
    return {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }


@pytest.fixture
def explained(given):
    """Explains here, as the command does it; gives what it says as JSON."""

    def explain(citizen=None, **options):
        asked: dict[str, Any] = dict.fromkeys(("week", "row", "run", "reports", "rules"))
        asked |= {"whole_journal": False} | options
        said: list[str] = []
        explain_to(said.append, ExplainRequest(citizen, as_json=True, **asked), given)
        return json.loads("".join(said))

    return explain


@pytest.fixture
def refusion(given):
    """Runs the program; gives its standard output, words one space apart."""

    def run(*arguments, cpr=""):
        command = [str(PROGRAM), *map(str, arguments)]
        done = subprocess.run(
            command,
            input=cpr,
            env=os.environ | given,
            capture_output=True,
            text=True,
            check=False,
            timeout=DONE_S,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return " ".join(done.stdout.split())

    return run


def number(monday):
    return week_of(day(monday))


def test_a_life_a_week_a_row_and_a_run_are_explained_from_ledger_and_journal(
    pipeline, given, explained, refusion, lives, tmp_path
):
    worker = pipeline.start(*STAGES)
    pipeline.publish([*lives[0], *BEFORE_THE_RUN])
    pipeline.wait_until_settled(STAGES)
    pipeline.close_run("2023-06")
    pipeline.publish([*lives[1], *AFTER_THE_RUN])
    pipeline.wait_until_settled(STAGES)
    pipeline.close_run("2023-07")
    pipeline.wait_until_settled(STAGES)
    pipeline.stop(worker)
    messages = [
        orjson.loads(record.value)
        for records in pipeline.records(topics.POSTINGS).values()
        for record in records
        if b'"type":"postings"' in record.value
    ]

    # --- the citizen with most messages, and Anna, whose wage changed nothing when it came
    reports = tmp_path / "reports.jsonl"
    reports.write_bytes(b"\n".join([*lives[0], *BEFORE_THE_RUN, *lives[1], *AFTER_THE_RUN]) + b"\n")
    busiest = Counter(message["citizen"] for message in messages).most_common(1)[0][0]
    life = explained(busiest)
    from_file = explained(busiest, reports=str(reports))["explanation"]
    assert life["explanation"] | {"reports": []} == from_file | {"reports": []}
    whole = explained(busiest, whole_journal=True)
    assert whole["source"]["from"] == "journal"
    assert whole["explanation"] == from_file
    citizen = Settings.load(given).identity().of(ANNA)[0]
    anna = explained(citizen)
    assert anna["source"]["from"] == "journal", "the ledger alone cannot know of the wage"
    assert anna["explanation"] == explained(citizen, reports=str(reports))["explanation"]
    assert [report["fate"] for report in anna["explanation"]["reports"]].count(
        "delivered_again"
    ) == 1
    assert json.loads(refusion("explain", "--json", cpr=ANNA)) == anna

    halved = tmp_path / "halved.yaml"
    halved.write_text(HALVED)

    # --- a week with its rows, and the way back from a row
    week = explained(citizen, week=number("2021-01-25"))
    assert [(row["rate"], row["run"], row["stands"]) for row in week["posted"]] == [
        (80, RUN, False),
        (80, NEXT, False),
        (40, NEXT, True),
    ]
    first, takes_back, stands = week["posted"]
    assert week["posted_is_due"]
    assert week["explanation"]["rows"][0]["result_ore"] == stands["refusion_ore"]
    for run in (None, RUN):
        row = explained(row=first["id"], run=run)
        assert row["row"] | {"stands": False} == first
        assert row["explanation"] == week["explanation"]
    told = refusion("explain", "--row", first["id"])
    assert f"It was reversed by {takes_back['id']} (run {NEXT}), for 12345678/late" in told
    assert "stands FLT in 2021-01" in told
    assert "not what is due" not in told
    may = refusion("explain", citizen, "--week", "2023-05-01")
    assert "not what is due" not in may
    assert "Fleksbidrag of 2023-05" in may
    assert "not what is due" in refusion(
        "explain", citizen, "--week", "2023-05-01", "--rules", halved
    )

    # --- what a run changed
    differences = differences_of(citizen, NEXT, given)
    changed = json.loads(differences.as_json())
    assert [
        (each["cause"], each["reason"], each["report"]["what"]) for each in changed["messages"]
    ] == [
        ("12345678/late", "late_report", "FLT"),
        ("12345678/june", "late_report", "FLT"),
    ]
    moved = [change for change in changed["messages"][0]["changes"] if change["before"]]
    assert {change["because"] for change in moved} >= {"benefit week 5 instead of 4"}
    rows = [
        row
        for message in messages
        if message["citizen"] == citizen and message["cause"] in ("12345678/late", "12345678/june")
        for row in message["rows"]
    ]
    assert changed["difference_ore"]["refusion"] == sum(row["refusion_ore"] for row in rows) != 0
    assert "12345678/late: a report came after its month was closed" in refusion(
        "diff", citizen, "--run", NEXT
    )

    # --- what is wrong is said in a line
    for options, said in (
        ({"citizen": "0" * 32}, "no report of citizen"),
        ({"citizen": "0" * 32, "whole_journal": True}, "is in the journal"),
        ({"row": "1" * 25}, "no row 111"),
        ({"row": first["id"], "run": NEXT}, f"--run {NEXT} must be the run of their file"),
        ({"row": "x'--"}, "is no id of a row"),
    ):
        with pytest.raises(UserError, match=said):
            explained(**options)
    for who, run, said in (
        (citizen, 7, rf"\(the last one is {NEXT}\)"),
        ("0" * 32, NEXT, "holds nothing of citizen"),
    ):
        with pytest.raises(UserError, match=said):
            differences_of(who, run, given)
    given["REFUSION_BOOTSTRAP"] = "127.0.0.1:1"
    with pytest.raises(UserError, match="no Kafka answers"):
        explained(citizen)
