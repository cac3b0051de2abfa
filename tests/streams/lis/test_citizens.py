"""A record of a look at citizens has the whole question, so that it can be asked again."""

from dataclasses import fields, replace
from typing import Any

import pytest

from projections.lis.questions import LisQuestion
from streams.lis.citizens import acts_about

ASKED = LisQuestion("genoptjening")
OTHERS: dict[str, Any] = {
    "view": "anciennitet",
    "municipality": "730",
    "month": "2026-01",
    "run": 73,
    "benefit": "KTH",
    "based_on": "settled",
    "by": ("month",),
    "others": ("751",),
    "weeks": 4,
    "citizen": "c" * 32,
    "alike": 5,
    "reporters": True,
}
"""Each option with another value; the books of `afstemning` name nobody and are not kept."""


def scope(question):
    (act,) = acts_about(question, ["d" * 32], "sag 1", names_cpr=False, ledger_version=3)
    return act.scope


@pytest.mark.parametrize("name", [f.name for f in fields(LisQuestion) if f.name != "books"])
def test_each_option_of_a_question_is_in_its_record(name):
    assert scope(replace(ASKED, **{name: OTHERS[name]})) != scope(ASKED)
