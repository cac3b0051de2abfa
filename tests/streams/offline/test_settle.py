"""`streams.offline.settle`: what is written for each line, whatever the blocks, processes and
stores.
"""

import io
import json
import os
import random
import subprocess
import sys
from functools import cache
from typing import NamedTuple

import pytest

from domain.basics.weeks import month_number
from domain.citizen.aggregate import apply_report
from streams.citizens.rule_sets import load_rule_set
from streams.citizens.store import RocksStore
from streams.kit.errors import UserError
from streams.offline import settle as settling
from streams.offline.settle import LineSettler, numbered, settle
from streams.offline.totals import Totals
from streams.settings import Settings
from streams.simulation import SimulationOptions, simulate
from streams.wire.rejections import REASONS
from tests.support.bad_lines import AT_SETTLING, BAD_LINES, OF_THE_REGISTER
from tests.support.lines import CANARY, payment, recalculate, reversal, rules, run
from tests.support.places import ROOT, RULES
from tests.support.small_disk import on_a_small_disk, small_disk

DEMO = Settings.load({"REFUSION_DEMO": "1", "REFUSION_DEMO_ANYWHERE": "1"})
REAL = Settings.load({"REFUSION_PSEUDONYM_KEY": "0f" * 32, "REFUSION_SEAL_KEY": "a1" * 32})


REPLACEMENTS = Settings.load(
    {
        "REFUSION_PSEUDONYM_KEY": "0f" * 32,
        "REFUSION_SEAL_KEY": "a1" * 32,
        "REFUSION_REPLACEMENT_NUMBERS": "1",
    }
)


class Outputs(NamedTuple):
    postings: bytes
    rejects: bytes
    notices: bytes
    totals: Totals


def settled(lines, jobs=1, settings=DEMO) -> Outputs:
    postings, rejects, notices = io.BytesIO(), io.BytesIO(), io.BytesIO()
    totals = settle(lines, settings, jobs, postings, rejects, notices)
    return Outputs(postings.getvalue(), rejects.getvalue(), notices.getvalue(), totals)


def objects(output: bytes) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


def month_of_benefits(month: int, **changes) -> bytes:
    """Sygedagpenge for four weeks of a month of 2024, and of 2025 from month 13."""
    year, month = 2024 + (month - 1) // 12, (month - 1) % 12 + 1
    name = f"{year}-{month:02d}"
    period = {"period_start": f"{name}-01", "period_end": f"{name}-28"}
    return payment(**{"report_id": name, "reported_at": f"{name}-28T10:00:00Z"} | period | changes)


@cache
def population() -> tuple[bytes, ...]:
    """Two years of 250 citizens with bad lines, conflicting duplicates, blank lines and run
    markers among them.
    """
    out = io.BytesIO()
    simulate(
        SimulationOptions(250, month_number("2022-07"), month_number("2024-06"), 3, jobs=1), out
    )
    lines = out.getvalue().splitlines(keepends=True)
    rng = random.Random(5)
    for _, line, _, _ in BAD_LINES:
        lines.insert(rng.randrange(len(lines)), line.replace(b"\n", b" ") + b"\n")
    for place in rng.sample(range(len(lines)), 20):
        lines.insert(place + 1, lines[place].replace(b'"amount_ore":', b'"amount_ore":1'))
    for number, place in enumerate(range(1000, len(lines), 1000)):
        marker = {
            "run": 31 + number,
            "data_month": f"2022-{7 + number:02d}" if number < 6 else f"2023-{number - 5:02d}",
        }
        lines.insert(place, run(**marker) + b"\n")
    return tuple(lines)


@cache
def of_population() -> Outputs:
    return settled(population())


# --- control records ----------------------------------------------------------------------------

OTHER = RULES
WITH_OTHER = Settings.load(
    {"REFUSION_DEMO": "1", "REFUSION_DEMO_ANYWHERE": "1", "REFUSION_RULES": str(OTHER)}
)


def test_other_rules_and_recalculations_give_the_same_bytes_with_any_number_of_processes():
    lines = list(population())
    for place, line in (
        (len(lines), recalculate()),
        (len(lines) - 1500, recalculate(scope={"municipality": "730"})),
        (5000, rules(rules="second-step-35")),
    ):
        lines.insert(place, line + b"\n")
    alone = settled(lines, settings=WITH_OTHER)
    assert settled(lines, jobs=3, settings=WITH_OTHER) == alone
    found = [message for message in objects(alone.postings) if message["type"] == "postings"]
    reasons = {message["reason"]: message["cause"] for message in found}
    assert reasons["rule_change"] == "recalculate/r-1"
    assert {message["cause"] for message in found if message["reason"] == "rule_change"} > {
        "rules/second-step-35"
    }
    assert alone.totals.posted == len(objects(alone.postings))


def test_a_rule_set_that_is_not_known_or_has_other_content_stops_before_anything_is_settled():
    lines = [payment() + b"\n", rules(rules="second-step-35", digest="0f") + b"\n"]
    out = io.BytesIO()
    with pytest.raises(
        UserError, match=r"second-step-35 is not known here; known are R-1.*REFUSION_RULES"
    ):
        settle(lines, DEMO, 1, out)
    with pytest.raises(
        UserError, match=r"second-step-35 of this program is another .*digest .*, not 0f"
    ):
        settle(lines, WITH_OTHER, 1, out)
    assert out.getvalue() == b""


# --- rejects ------------------------------------------------------------------------------------


def test_a_reject_has_line_reason_field_detail_and_the_record_as_it_came():
    bad = payment(paying_municipality="999")
    outputs = settled([payment() + b"\n", b"\n", b"  \r\n", bad + b"\r\n", b"\xff\n"])
    first, second = objects(outputs.rejects)
    assert list(first) == ["line", "reason", "field", "detail", "record"]
    assert first | {"detail": ""} == {
        "line": 4,
        "reason": "unknown_municipality",
        "field": "paying_municipality",
        "detail": "",
        "record": bad.decode(),
    }
    assert (second["line"], second["reason"], second["field"], second["record"]) == (
        5,
        "not_json",
        None,
        "\\xff",
    )
    assert outputs.totals.rejected == 2
    assert len(outputs.postings.splitlines()) == 1


def test_every_bad_line_reaches_the_rejects_with_its_reason_and_no_cpr_in_the_detail():
    # Blank lines are skipped, and `settle` reads run markers, which intake does not take from
    # upstream.
    bad = [each for each in BAD_LINES if each[1].strip() and b'"type": "run"' not in each[1]]
    outputs = settled([line for _, line, _, _ in bad], settings=REAL)
    rejects = objects(outputs.rejects)
    assert [(each["reason"], each["field"]) for each in rejects] == [
        (reason, field) for *_, reason, field in bad
    ]
    assert [each["record"] for each in rejects] == [
        line.decode(errors="backslashreplace") for _, line, _, _ in bad
    ]
    assert CANARY not in "".join(each["detail"] for each in rejects)
    assert {reason for *_, reason, _ in bad} == set(REASONS) - AT_SETTLING - OF_THE_REGISTER
    assert outputs.postings == outputs.notices == b""


def test_of_conflicting_duplicates_the_first_stands_and_the_other_is_rejected():
    first, other = payment(), payment(amount_ore=1)
    outputs = settled([first, other, first])
    (reject,) = objects(outputs.rejects)
    assert (reject["line"], reject["reason"], reject["field"]) == (
        2,
        "conflicting_duplicate",
        "report_id",
    )
    assert outputs.postings == settled([first]).postings


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_conflicting_duplicate_stays_one_when_the_first_was_reversed(jobs):
    lines = [payment(), reversal(reverses="2024-02-0001", report_id="back"), payment(amount_ore=1)]
    outputs = settled(lines, jobs)
    assert [each["reason"] for each in objects(outputs.rejects)] == ["conflicting_duplicate"]
    assert [each["reason"] for each in objects(outputs.postings)] == ["report", "reversal"]


def test_a_defect_rejects_its_line_and_harms_no_other(monkeypatch):
    """The defect strikes after the fold has changed the citizen, amid a block with the citizen's
    other reports.
    """
    lines = list(population()[:3000])
    at = next(
        number for number, line in enumerate(lines) if number > 1500 and b'"benefit":"KTH"' in line
    )
    expected = settled([*lines[:at], b"\n", *lines[at + 1 :]])
    broken = json.loads(lines[at])
    key = DEMO.identity().of(broken["cpr"])[0], broken["reporter"], broken["report_id"]

    def breaking_apply(law, citizen, report, name):
        settling_of = apply_report(law, citizen, report, name)
        if (citizen.id, report.reporter, report.report_id) == key:
            raise ZeroDivisionError("a defect of ours")
        return settling_of

    monkeypatch.setattr("streams.citizens.settler.apply_report", breaking_apply)
    outputs = settled(lines)
    rejects = objects(outputs.rejects)
    struck = [each for each in rejects if each["reason"] == "internal_error"]
    assert [each["line"] for each in struck] == [at + 1]
    assert struck[0]["record"] == lines[at].decode().rstrip("\n")
    assert [each for each in rejects if each not in struck] == objects(expected.rejects)
    assert outputs.postings == expected.postings
    assert outputs.notices == expected.notices


# --- notices and run markers --------------------------------------------------------------------


def test_a_notice_names_code_citizen_cause_and_the_doubt():
    outputs = settled([payment(), payment(reporter="87654321", report_id="x")])
    (notice,) = objects(outputs.notices)
    citizen = objects(outputs.postings)[0]["citizen"]
    assert {name: notice[name] for name in ("schema", "type", "code", "citizen", "cause")} == {
        "schema": 1,
        "type": "notice",
        "code": "possible_duplicate",
        "citizen": citizen,
        "cause": "87654321/x",
    }
    assert len(objects(outputs.postings)) == 2, "what is doubtful is applied"


def test_a_report_for_a_month_whose_run_is_cut_is_late():
    marker = run(run=49, data_month="2024-01")
    outputs = settled([month_of_benefits(2), marker, month_of_benefits(3), month_of_benefits(1)])
    before, cut, after, late = objects(outputs.postings)
    assert cut == json.loads(marker)
    assert [each["reason"] for each in (before, after, late)] == ["report", "report", "late_report"]
    assert any("reverses" in row for row in late["rows"]), "February moves down the staircase"


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_marker_stands_once_whatever_the_processes(jobs):
    lines = [month_of_benefits(month, cpr=f"01018012{month:02d}") for month in range(1, 7)]
    outputs = settled([*lines, run(run=54, data_month="2024-06"), *lines], jobs)
    assert [each["type"] for each in objects(outputs.postings)] == ["postings"] * 6 + ["run"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (run(run=1), "wrong_type"),
        (run(data_month="2026-13"), "wrong_type"),
        (run(cpr=CANARY), "unknown_field"),
        (run(schema=2), "unsupported_schema"),
        (b'{"schema": 1, "type": "run"}', "missing_field"),
    ],
)
def test_a_bad_marker_is_rejected_and_cuts_nothing(line, reason):
    outputs = settled([line, month_of_benefits(1)])
    assert [each["reason"] for each in objects(outputs.rejects)] == [reason]
    assert [each["reason"] for each in objects(outputs.postings)] == ["report"]


# --- the same bytes -----------------------------------------------------------------------------


def test_the_population_of_the_following_tests_has_everything_in_it():
    outputs = of_population()
    kinds = [each["type"] for each in objects(outputs.postings)]
    assert kinds.count("run") > 3
    assert {each["reason"] for each in objects(outputs.postings) if "reason" in each} >= {
        "report",
        "late_report",
    }
    others = (AT_SETTLING - {"conflicting_duplicate"}) | OF_THE_REGISTER
    assert {each["reason"] for each in objects(outputs.rejects)} == set(REASONS) - others
    assert outputs.totals.noticed > 50
    assert len(population()) > settling.BLOCK_LINES, "more than one block"


@pytest.mark.parametrize("jobs", [2, 3])
def test_the_number_of_processes_cannot_be_seen(jobs):
    assert settled(population(), jobs) == of_population()


@pytest.mark.parametrize("lines_a_block", [1, 7, 1_000_000])
def test_the_size_of_blocks_cannot_be_seen(monkeypatch, lines_a_block):
    monkeypatch.setattr(settling, "BLOCK_LINES", lines_a_block)
    assert settled(population()) == of_population()


class DictStore(dict):
    def __init__(self, _folder):
        super().__init__()

    def write(self, changes):
        self.update(changes)

    def close(self):
        pass


def test_a_dict_serves_as_well_as_rocksdb(monkeypatch):
    monkeypatch.setattr(settling, "store_on_disk", DictStore)
    monkeypatch.setattr(settling, "BLOCK_LINES", 100)  # so that much is read back
    assert settled(population()) == of_population()


def test_the_totals_tell_what_was_written():
    postings, rejects, notices, totals = of_population()
    assert totals == Totals(
        lines=sum(1 for _ in numbered(population())),
        rejected=len(rejects.splitlines()),
        noticed=len(notices.splitlines()),
        posted=len(postings.splitlines()),
    )


def test_outputs_that_nobody_asked_for_are_not_written():
    postings = io.BytesIO()
    assert settle(population(), DEMO, 1, postings) == of_population().totals
    assert postings.getvalue() == of_population().postings


# --- no CPR -------------------------------------------------------------------------------------


def test_no_cpr_is_in_the_state(tmp_path):
    lines = [month_of_benefits(month) for month in range(1, 25)]
    lines += [payment(benefit="XYZ"), reversal(reverses="2024-03"), payment(reporter="87654321")]
    settler = LineSettler(DEMO, tmp_path, load_rule_set(), leads=True)
    outputs = settler.settle(list(numbered(lines)))
    settler.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert [
        path for path in files if CANARY.encode() in path.read_bytes() or CANARY in path.name
    ] == []
    store = RocksStore(tmp_path)  # the files are compressed, so look at what they hold too
    entries: list[tuple[bytes, bytes]] = list(store._database.items())  # type: ignore[arg-type]  # raw mode
    store.close()
    assert len(entries) > 24, "the state must have reached the disk"
    assert not any(CANARY.encode() in part for entry in entries for part in entry)
    assert not any(CANARY.encode() in output.postings + output.notices for output in outputs)


def test_a_replacement_number_is_a_persons_number_outside_demo_mode_where_the_setting_says_so():
    line = payment(cpr="6101901357")
    assert objects(settled([line], settings=REPLACEMENTS).postings)
    (reject,) = objects(settled([line], settings=REAL).rejects)
    assert reject["reason"] == "bad_cpr"
    assert "REFUSION_REPLACEMENT_NUMBERS=1" in reject["detail"]


# --- a full disk --------------------------------------------------------------------------------


SETTLE = """
from streams.citizens import store
from streams.cli.main import main
from streams.offline import settle
store.MEMTABLE_BYTES = 64 << 10
settle.BLOCK_LINES = 100
main()
"""


@pytest.mark.long
@on_a_small_disk
def test_a_full_temporary_disk_is_told_in_one_sentence(tmp_path):
    """It fills while state is written, or has no room from the start; closing fails too."""
    lines = tmp_path / "reports.jsonl"
    lines.write_bytes(b"\n".join(population()[:2500]))
    for size, jobs in (("300k", 1), ("20k", 1), ("20k", 2)):
        with small_disk(tmp_path / size / str(jobs), size) as disk:
            done = subprocess.run(
                [sys.executable, "-c", SETTLE, "settle", "--jobs", str(jobs), lines],
                env=os.environ | {"TMPDIR": str(disk.folder), "REFUSION_DEMO": "1"},
                cwd=ROOT, capture_output=True, check=False,
            )  # fmt: skip
        told = done.stderr.decode()
        assert done.returncode == 2, (size, jobs, told)
        assert "Traceback" not in told
        assert "cannot be written: No space left on device" in told
