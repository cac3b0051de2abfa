"""The views of one small municipality, as texts that a reviewer can read and reckon after.

Where a text is right and differs, LIS_GOLDEN=write makes it anew.
"""

import os
import random
from pathlib import Path
from typing import Any

import pytest

from projections.lis.answers import shown_value
from projections.lis.questions import LisQuestion
from projections.lis.views import VIEWS
from streams.citizens.rule_sets import chosen_rule_set
from streams.lis.inquiry import ask
from streams.lis.marts import open_marts
from tests.properties.test_lis import built
from tests.properties.test_run_files import write_with_deaths
from tests.support import product
from tests.support.lives import RULES
from tests.support.places import ROOT
from tests.support.run_histories import population

GOLDEN = Path(__file__).parent / "golden"
PLACE, MONTH, RUN = "751", "2024-03", 51
OF_A_MONTH: dict[str, Any] = {"month": MONTH}
ASKED: dict[str, dict[str, Any]] = {
    "beloeb": OF_A_MONTH,
    "udgifter": OF_A_MONTH,
    "personer": OF_A_MONTH,
    "afregning": {},
    "korrektioner": {"based_on": "settled", "run": RUN},
    "anciennitet": {},
    "paa-vej-ned": {"weeks": 26},
    "genoptjening": {},
    "sammenligning": OF_A_MONTH,
    "udvikling": OF_A_MONTH,
    "mellemkommunalt": OF_A_MONTH,
    "overgange": OF_A_MONTH,
    "fleksbidrag": OF_A_MONTH,
    "kontrol": OF_A_MONTH,
    "landet": OF_A_MONTH,
    "ugens-vaerdi": {},
    "prognose": {"by": ("step",), "month": "2024-04"},
    "prognosefejl": {},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The ledger and the marts of a population in three municipalities."""
    made = tmp_path_factory.mktemp("golden")
    for partition, records in enumerate(population(9100)):
        found = product.outcomes(records, batch=50)
        values = [outcome.posting for outcome in found if outcome.posting]
        write_with_deaths(random.Random(1), made / "ledger", partition, values)
    built(made)
    return made


def written(answer):
    """Write an answer as a text: a line for each row, columns under each other."""
    rows = [[figure.heading for figure in answer.figures]]
    for row in answer.rows:
        told = zip(answer.figures, row, strict=True)
        rows.append([_cell(figure.name, shown_value(figure.kind, value)) for figure, value in told])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        " | ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([f"{answer.title} ({answer.as_of()})", "", *lines, ""])


def _cell(name, text):
    return text[:8] if name == "citizen" else text


@pytest.mark.parametrize("view", ASKED)
def test_a_view_of_a_small_municipality_is_as_it_was_reviewed(folder, view):
    with open_marts(str(folder / "lis")) as marts:
        question = LisQuestion(view, municipality=PLACE, **ASKED[view])
        text = written(ask(marts, RULES, question, str(folder / "ledger"), {}))
    path = GOLDEN / f"{view}.txt"
    if os.environ.get("LIS_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_every_view_of_the_marts_has_a_text():
    """But for those that are asked about somebody, or with something, of one's own."""
    assert set(VIEWS) - set(ASKED) == {"afstemning", "borger", "forventet", "fuldstaendighed"}
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(ASKED)


def test_another_law_tells_other_money_for_the_same_persons(folder):
    names = ("persons", "amount_ore", "refusion_ore", "net_ore")
    told = []
    for other in (None, str(ROOT / "examples" / "what-if" / "halved-staircase.yaml")):
        with open_marts(str(folder / "lis")) as marts:
            if other is not None:
                marts.price_by(RULES, chosen_rule_set(other), None)
            answer = ask(marts, RULES, LisQuestion("prognose", PLACE), str(folder / "ledger"), {})
            places = [answer.names.index(name) for name in names]
            told.append([tuple(row[at] for at in places) for row in answer.rows])
    for (persons, base, refusion, net), other_law in zip(*told, strict=True):
        assert other_law[:2] == (persons, base)
        assert other_law[2] < refusion
        assert other_law[3] > net
