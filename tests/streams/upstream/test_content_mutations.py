"""Answers whose content is changed, and that remain well-formed, never crash and lose no money."""

import io
import json
import random
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from domain.basics.weeks import month_number
from streams.citizens.rule_sets import LawBook
from streams.settings import Settings
from streams.simulation import FAULTS, SimulationOptions, simulate
from streams.upstream import conversion
from streams.upstream.conversion import AnswerConversion
from streams.upstream.simulated_answers import AnswerWriter
from streams.upstream.tables import UpstreamTables
from tests.support.content_mutations import mutated
from tests.support.memory_folder import MEMORY
from tests.support.sizes import sized

DEMO = Settings.load({"REFUSION_DEMO": "1"})
SERVICES = (
    {"reversed_report": "marked"},
    {"reversed_report": "marked", "marked_beside_equal": "takes_back"},
    {"reversed_report": "marked", "marked_beside_equal": "stands"},
    {"reversed_report": "negative"},
    {"reversed_report": "left_out"},
)
FEW, MANY = 60, sized(2_000, 100_000)


@pytest.fixture(scope="module", autouse=True)
def _one_law_book():
    """The catalogue of benefits is made once: that takes longer than to convert a small answer."""
    catalogue = LawBook(DEMO.rules).catalogue()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            conversion, "LawBook", lambda _rules: SimpleNamespace(catalogue=lambda: catalogue)
        )
        yield


@pytest.fixture(scope="module")
def answers():
    """Answers of a small population with faults, and a folder of its tables for each setting.

    The folder is in memory, where the system has such a one.
    """
    with tempfile.TemporaryDirectory(prefix="answers-", dir=MEMORY) as name:
        yield written(Path(name))


def written(folder):
    plain = io.BytesIO()
    months = month_number("2024-01"), month_number("2024-02")
    simulate(SimulationOptions(3, *months, 5, None, FAULTS, 1), plain)
    AnswerWriter(folder).write(plain.getvalue().splitlines())
    texts = [path.read_text() for path in sorted(folder.glob("answer-*.xml"))]
    (folder / "facts.jsonl").unlink()
    tables = []
    for service in SERVICES:
        (folder / "service.yaml").write_text(json.dumps(service))
        tables.append(UpstreamTables(folder))
    return texts, tables


def converted(tables, text):
    path = tables.own_folder / "one.mutated"
    path.write_text(text)
    out = io.BytesIO()
    given = AnswerConversion(DEMO, tables, out, io.BytesIO())
    given.convert([str(path)])
    return sorted(out.getvalue().splitlines()), given.totals.as_object()


def check(answers, seeds):
    texts, tables = answers
    for seed in seeds:
        rng = random.Random(seed)
        text, own = mutated(rng.choice(texts), rng), rng.choice(tables)
        (own.own_folder / "lines.sqlite").unlink(missing_ok=True)
        reports, summary = converted(own, text)
        assert summary["difference_ore"] == 0, seed
        assert converted(own, text)[0] == reports, f"{seed}: the same answer gives other reports"
        assert all(json.loads(report)["schema"] == 2 for report in reports), seed


def test_content_that_was_changed_never_crashes_and_loses_no_money(answers):
    check(answers, range(FEW))


@pytest.mark.long
def test_content_that_was_changed_many_times(answers):
    check(answers, range(FEW, MANY))
