"""Answers whose content is changed, and that remain well-formed, never crash and lose no money."""

import io
import json
import random

import pytest

from domain.basics.weeks import month_number
from streams.settings import Settings
from streams.simulation import FAULTS, SimulationOptions, simulate
from streams.upstream.conversion import AnswerConversion
from streams.upstream.simulated_answers import AnswerWriter
from streams.upstream.tables import UpstreamTables
from tests.support.content_mutations import mutated

DEMO = Settings.load({"REFUSION_DEMO": "1"})
SHOWN = ("marked", "negative", "left_out")


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Answers of a small population with faults, and a folder of its tables for each setting."""
    folder = tmp_path_factory.mktemp("answers")
    plain = io.BytesIO()
    months = month_number("2024-01"), month_number("2024-02")
    simulate(SimulationOptions(3, *months, 5, None, FAULTS, 1), plain)
    AnswerWriter(folder).write(plain.getvalue().splitlines())
    texts = [path.read_text() for path in sorted(folder.glob("answer-*.xml"))]
    (folder / "facts.jsonl").unlink()
    tables = {}
    for shown in SHOWN:
        (folder / "service.yaml").write_text(f"reversed_report: {shown}\n")
        tables[shown] = UpstreamTables(folder)
    return texts, tables


def converted(tables, text):
    path = tables.own_folder / "one.mutated"
    path.write_text(text)
    out = io.BytesIO()
    conversion = AnswerConversion(DEMO, tables, out, io.BytesIO())
    conversion.convert([str(path)])
    return sorted(out.getvalue().splitlines()), conversion.totals.as_object()


def check(answers, seeds):
    texts, tables = answers
    for seed in seeds:
        rng = random.Random(seed)
        text, own = mutated(rng.choice(texts), rng), tables[rng.choice(SHOWN)]
        (own.own_folder / "lines.sqlite").unlink(missing_ok=True)
        reports, summary = converted(own, text)
        assert summary["difference_ore"] == 0, seed
        assert converted(own, text)[0] == reports, f"{seed}: the same answer gives other reports"
        assert all(json.loads(report)["schema"] == 2 for report in reports), seed


def test_content_that_was_changed_never_crashes_and_loses_no_money(answers):
    check(answers, range(60))


@pytest.mark.long
def test_content_that_was_changed_many_times(answers):
    check(answers, range(60, 2_000))
