"""`refusion lis hvad-hvis` shows the difference that settling twice and adding up gives."""

import csv
import io
import json

import orjson
import pytest
from click.testing import CliRunner

from domain.law.staircase import Law
from streams.citizens.rule_sets import chosen_rule_set
from streams.cli.main import main
from streams.lis.whatif import what_if_answer
from streams.offline.compare import compare_lines
from streams.operations.kept_differences import kept_differences
from streams.settings import Settings
from tests.support import lis_reference as plain
from tests.support import product
from tests.support.run_histories import population

RULES = """\
name: R-share
based_on: R-1
valid_from: 2014-07-01
valid_to: null
note: "Hvad hvis staten betaler 7 procentpoint mere af kontanthjælp?"
state_share:
  - {benefits: [KTH, SDP-B], points: 7, unit: percentage points, reference: "x", evidence: assumed}
"""
KEYS = {"REFUSION_PSEUDONYM_KEY": bytes(32).hex(), "REFUSION_SEAL_KEY": bytes(range(32)).hex()}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A rule set, and a population's reports."""
    folder = tmp_path_factory.mktemp("what-if")
    (folder / "R-share.yaml").write_text(RULES, encoding="utf-8")
    reports = [each for journal in population(5) for each in journal if each["type"] != "run"]
    (folder / "reports.jsonl").write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in reports))
    return folder, reports


@pytest.fixture(scope="module")
def settled(files):
    """The rows of the reports under each rule set."""
    folder, reports = files
    laws = (product.law(), Law(chosen_rule_set(str(folder / "R-share.yaml"))))
    return [
        [
            row
            for outcome in product.outcomes(reports, batch=500, settled_by=law)
            if outcome.posting
            for row in orjson.loads(outcome.posting)["rows"]
        ]
        for law in laws
    ]


@pytest.fixture(scope="module")
def compared(files):
    """The comparison that the command makes."""
    folder, _ = files
    rule_sets = (chosen_rule_set("R-1"), chosen_rule_set(str(folder / "R-share.yaml")))
    settings = Settings.load(KEYS | {"REFUSION_DEMO": "1"})
    with (folder / "reports.jsonl").open("rb") as file:
        return compare_lines(file, settings, 1, *rule_sets, lambda *_: None).comparison


@pytest.mark.parametrize("place", [None, "730"])
@pytest.mark.parametrize("by", ["municipality", "benefit", "band", "month"])
def test_figures_are_those_of_settling_twice(compared, settled, by, place):
    found = what_if_answer(compared, "R-1 R-share", by, place)
    expected = plain.difference(settled, by, place)
    assert {row[0]: row[1:] for row in found.rows} == expected
    assert any(row[-1] for row in expected.values())


def what_if(folder, *arguments):
    command = ["lis", "hvad-hvis", "R-1", str(folder / "R-share.yaml")]
    done = CliRunner().invoke(
        main,
        [*command, str(folder / "reports.jsonl"), *arguments],
        env=KEYS | {"REFUSION_DEMO": "1", "REFUSION_STATE_DIR": str(folder / "state")},
    )
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_csv_and_parquet_have_the_rows_of_json(files, tmp_path):
    folder, _ = files
    told = json.loads(what_if(folder, "--json"))
    assert (told["view"], told["as"], told["run"]) == ("hvad-hvis", "known", None)
    rows = told["rows"]
    written = what_if(folder, "--csv", "--parquet", str(tmp_path / "rows.parquet"))
    lines = [*csv.DictReader(io.StringIO(written.removeprefix("\ufeff")), delimiter=";")]
    assert [line["municipality"] for line in lines] == [row["municipality"] for row in rows]
    assert [line["difference"].replace(",", "") for line in lines] == [
        f"{row['difference_ore']:03d}" for row in rows
    ]
    assert (tmp_path / "rows.parquet").stat().st_size > 0


def test_what_is_kept_for_the_site_is_what_was_shown(files):
    folder, _ = files
    rows = json.loads(what_if(folder, "--json"))["rows"]
    assert kept_differences(folder / "state") == []
    what_if(folder, "--keep")
    (kept,) = kept_differences(folder / "state")
    moved = {code: each.net_ore for code, each in kept.by_municipality().items()}
    assert moved == {
        row["municipality"]: row["difference_ore"]
        for row in rows
        if row["difference_ore"] or row["refusion_a_ore"] != row["refusion_b_ore"]
    }
    assert (kept.holding, kept.answer, kept.run) == ("R-1", "", None)
