"""What `make run` shows, with a small population."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter

import pytest
from rich.console import Console

from examples import demo
from examples.ledger import JsonObject, Ledger, corrections
from examples.sentences import explained, kroner
from streams.rulefiles import load_rule_set
from tests.test_cli import is_alive, until
from tests.test_house import ROOT


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """One process, in which a defect can be planted."""
    monkeypatch.setattr(demo, "JOBS", 1)


def shown(citizens: int) -> tuple[int, str]:
    out = io.StringIO()
    status = demo.demonstrate(Console(file=out, width=120, soft_wrap=True), citizens, reference_seconds=60)
    return status, out.getvalue()


def test_it_shows_what_came_in_and_out_and_proves_it():
    status, text = shown(150)
    assert status == 0
    numbers = dict(re.findall(r"^ (\S.*?) {2,}([\d,]+) *$", text, re.MULTILINE))
    lines, accepted = (
        int(numbers[name].replace(",", "")) for name in ("in, bad ones and run markers included", "accepted")
    )
    rejected = {name: int(number) for name, number in numbers.items() if name.startswith("rejected: ")}
    assert lines - accepted == sum(rejected.values()) > 0
    assert {"rejected: conflicting_duplicate", "rejected: not_json", "rejected: unknown_municipality"} <= set(rejected)
    assert "messages for reason late_report" in numbers
    assert re.search(r"^ refusion 40 % +[\d,]+\.\d\d +[\d,]+\.\d\d", text, re.MULTILINE)
    assert len(re.findall(r"^  \* Citizen [0-9a-f]{8}…: .* \d+ % -> \d+ %; .* kr\. of .*\.$", text, re.MULTILINE)) == 3
    assert "citizens agree to the øre, none differs." in text
    assert "all have the same sums to the øre." in text
    assert "\x1b" not in text, "plain where nobody watches"


def test_no_cpr_is_shown():
    _, text = shown(40)
    cprs = {json.loads(line)["cpr"] for line in demo.simulated(40)}
    assert not any(cpr in text for cpr in cprs)


def test_a_wrong_share_is_found_by_the_reference_and_fails_the_run(monkeypatch):
    monkeypatch.setattr("domain.settlement.percentage", lambda amount_ore, rate: amount_ore * rate // 100 + 1)
    status, text = shown(20)
    assert status == 1
    assert "DO NOT." in text


def test_money_that_hangs_on_order_fails_the_run(monkeypatch):
    """The second settling, of shuffled reports, loses half of them."""
    settled = demo.settled
    calls: Counter[str] = Counter()

    def losing(lines):
        calls["settled"] += 1
        return settled(lines if calls["settled"] == 1 else lines[: len(lines) // 2])

    monkeypatch.setattr(demo, "settled", losing)
    status, text = shown(20)
    assert status == 1
    assert "DIFFER." in text


ROW = {
    "month": "2024-02", "week": "2024-01-29", "benefit": "KTH", "paying": "730", "financing": "730", "amount_ore": 1000,
    "mechanism": "refusion", "rate": 80, "refusion_ore": 800, "medfinansiering_ore": 0,
}  # fmt: skip
LATE = {
    "citizen": "0123456789abcdef", "cause": "12345678/a", "type": "postings", "reason": "late_report",
    "rows": [
        ROW | {"kind": "correction", "reverses": "x", "amount_ore": -1000, "refusion_ore": -800},
        ROW | {"kind": "correction", "rate": 40, "refusion_ore": 400},
        ROW | {"kind": "result", "week": "2024-01-22", "month": "2024-01"},
    ],
}  # fmt: skip
REPORT: JsonObject = {
    "type": "benefit_payment", "reporter": "12345678", "report_id": "a", "reported_at": "2024-03-01T10:00:00Z",
    "benefit": "KTH", "period_start": "2024-01-22", "period_end": "2024-01-28", "amount_ore": 123456,
}  # fmt: skip


def test_a_late_report_is_explained_in_a_sentence():
    assert explained(LATE, {"12345678/a": REPORT}, load_rule_set().benefits) == (
        "Citizen 01234567…: Kontanthjælp for 2024-01-22 to 2024-01-28 (1,234.56 kr.) came on 2024-03-01, 33 days after "
        "the period's end. One week took another rate, that of 2024-01-29 80 % -> 40 %; what had been posted was "
        "corrected in 1 row, by −4.00 kr. of refusion."
    )


def test_a_reversal_is_explained_by_what_it_reverses():
    reversal: JsonObject = {
        "type": "reversal",
        "reporter": "12345678",
        "reverses": "a",
        "reported_at": "2024-05-02T10:00:00Z",
    }
    reports = {"12345678/r": reversal, "12345678/a": REPORT}
    text = explained(LATE | {"cause": "12345678/r"}, reports, load_rule_set().benefits)
    assert "(1,234.56 kr.) was reversed on 2024-05-02." in text


def test_kroner_are_exact():
    assert [kroner(ore) for ore in (0, 5, -5, 123456789, -100)] == ["0.00", "0.05", "−0.05", "1,234,567.89", "−1.00"]


def test_a_ledger_adds_rows_and_is_empty_when_all_is_taken_out_again():
    line = json.dumps(LATE).encode()
    ledger = Ledger()
    ledger.post([line])
    ((before, after),) = corrections(LATE)
    assert (before["rate"], before["refusion_ore"]) == (80, 800)
    assert after is not None
    assert after["rate"] == 40
    assert ledger.largest["0123456789abcdef"].size_ore == 400
    assert ledger.subtract([line]) == 0
    assert ledger.subtract([line]) == 2


def test_ctrl_c_leaves_nothing_behind(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "examples.demo"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    until(lambda: len(list(tmp_path.glob("refusion-*/*/CURRENT"))) == (os.cpu_count() or 1))  # they are at work
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 128 + signal.SIGINT
    assert process.stderr.read() == b"stopped, nothing is left behind\n"
    assert list(tmp_path.iterdir()) == []
    until(lambda: not is_alive(process.pid), 5)
    process.stdout.close()
    process.stderr.close()
