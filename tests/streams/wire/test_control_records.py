"""Control records are read where they are expected, and rejected with reason and field."""

from typing import Any

import pytest

from domain.basics.weeks import month_number
from domain.citizen.reports import Recalculation, RulesRecord, RunMarker, Scope
from streams.citizens.rule_sets import load_rule_set
from streams.wire.rejections import Rejection
from streams.wire.validator import Validator
from tests.support.lines import ABSENT, CANARY, recalculate, rules, run

SETTLE = Validator(load_rule_set(), demo=True, markers=True)


def test_a_run_marker_is_read_where_markers_are_expected():
    assert SETTLE.parse(run()) == RunMarker(82, "2026-11-02T08:00:00Z", month_number("2026-10"))


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"run": 81}, "wrong_type", "run"),
        ({"run": "82"}, "wrong_type", "run"),
        ({"run": ABSENT}, "missing_field", "run"),
        ({"closed_at": "2026-11-02"}, "wrong_type", "closed_at"),
        ({"closed_at": "2026-11-02T08:00:00+02:00"}, "wrong_type", "closed_at"),
        ({"data_month": "2026-13"}, "wrong_type", "data_month"),
        ({"data_month": "2026-10-01"}, "wrong_type", "data_month"),
        ({"cpr": CANARY}, "unknown_field", "cpr"),
        ({"schema": 2}, "unsupported_schema", "schema"),
    ],
)
def test_a_wrong_run_marker_is_rejected(changes, reason, field):
    outcome = SETTLE.parse(run(**changes))
    assert isinstance(outcome, Rejection)
    assert (outcome.reason, outcome.field) == (reason, field)


def test_the_other_control_records_are_read_where_they_are_expected():
    assert SETTLE.parse(rules(digest="0f")) == RulesRecord("r-1", "R-1", "0f")
    assert SETTLE.parse(recalculate()) == Recalculation("r-1", Scope())
    for scope in ({"municipality": "730"}, {"citizen": "0f" * 16}):
        assert SETTLE.parse(recalculate(scope=scope)) == Recalculation("r-1", Scope(**scope))


WRONG_SCOPES: list[Any] = [
    *("none", {}, {"municipality": "000"}, {"municipality": 730}, {"citizen": CANARY}, None),
    {"citizen": "0f" * 16, "municipality": "730"},
]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (rules(rules="no such name"), "rules"),
        (rules(digest="xyz"), "digest"),
        (rules(written_at="today"), "written_at"),
        (rules(id=""), "id"),
        *(
            (recalculate(scope=scope), "scope")
            for scope in ("none", {}, {"municipality": "000"}, {"municipality": 730})
        ),
        *(
            (recalculate(scope=scope), "scope")
            for scope in ({"citizen": CANARY}, {"citizen": "0f" * 16, "x": 1}, None)
        ),
    ],
)
def test_a_wrong_control_record_is_rejected(line, field):
    outcome = SETTLE.parse(line)
    assert isinstance(outcome, Rejection)
    assert (outcome.reason, outcome.field) == ("wrong_type", field)
    assert CANARY not in outcome.detail
