"""A possible duplicate, and a report that comes after its reversal, is applied and noticed."""

from itertools import permutations
from typing import Any

import pytest

from domain.citizen.doubts import ADVICE, ONE_REPORTER
from tests.support import product
from tests.support.lives import THEMES, life
from tests.support.noticing import HEAD, at, death, kinds, noticed, payment, reversal

# Possible duplicates


@pytest.mark.parametrize(
    "others", [{"reporter": "87654321"}, {"channel": "direct"}], ids=["reporter", "channel"]
)
def test_the_second_payment_of_one_benefit_period_and_amount_is_noticed_whichever_arrives_first(
    others,
):
    one, other = payment("P1"), payment("P2", **others)
    assert noticed(one, other) == [("possible_duplicate", "P2")]
    assert noticed(other, one) == [("possible_duplicate", "P1")]


def test_the_notice_names_the_other_report():
    (notice,) = product.settle_all([payment("P1"), payment("P2", channel="direct")]).notices
    assert notice["detail"]["other"] == "12345678/P1"
    assert {name: notice[name] for name in ("schema", "type", "cause")} == {
        "schema": 1,
        "type": "notice",
        "cause": "12345678/P2",
    }
    assert notice["citizen"] == product.IDENTITY.of(HEAD["cpr"])[0]


@pytest.mark.parametrize(
    "others",
    [
        {"channel": "direct", "amount_ore": 1_000_001},
        {"channel": "direct", "start": "2024-01-02"},
        {"channel": "direct", "end": "2024-01-30"},
        {"channel": "direct", "benefit": "UDH"},
    ],
)
def test_what_differs_in_benefit_period_or_amount_is_no_duplicate(others):
    assert noticed(payment("P1"), payment("P2", **others)) == []


def test_a_duplicate_is_applied_all_the_same():
    books = product.settle_all([payment("P1"), payment("P2", channel="direct")])
    assert sum(row["amount_ore"] for row in books.rows) == 2_000_000


def test_a_reversed_payment_is_nobodys_duplicate():
    assert noticed(payment("P1"), reversal("P1"), payment("P2", channel="direct")) == []
    assert noticed(reversal("P1"), payment("P1"), payment("P2", channel="direct")) == []
    assert noticed(reversal("P2"), payment("P1"), payment("P2", channel="direct")) == []


@pytest.mark.parametrize(
    "others",
    [
        {"paying_municipality": "751"},
        {"outside_act": True},
        {"reported_at": "2035-01-01T08:00:00Z"},
        {"atp_ore": 500},
    ],
    ids=["municipality", "outside the Act", "years later", "ATP"],
)
def test_what_else_the_two_say_does_not_hide_a_duplicate(others):
    one, other = payment("P1"), payment("P2", channel="direct", **others)
    assert noticed(one, other) == [("possible_duplicate", "P2")]
    assert noticed(other, one) == [("possible_duplicate", "P1")]


@pytest.mark.parametrize(
    "start", ["2014-06-16", "2024-01-01"], ids=["from before counting", "across months"]
)
def test_a_duplicate_is_found_by_its_first_month_that_counts(start):
    period = {"start": start, "end": f"{start[:4]}-08-31"}
    one, other = payment("P1", **period), payment("P2", channel="direct", **period)
    elsewhere = payment("P3", start=period["end"], end=period["end"])
    assert ("possible_duplicate", "P2") in noticed(one, elsewhere, other)
    assert ("possible_duplicate", "P1") in noticed(other, elsewhere, one)


def test_a_duplicate_that_is_reversed_and_comes_again_is_noticed_again():
    one, other, again = (
        payment("P1"),
        payment("P2", channel="direct"),
        payment("P3", channel="direct"),
    )
    expected = [("possible_duplicate", "P2"), ("possible_duplicate", "P3")]
    assert noticed(one, other, reversal("P2"), again) == expected
    assert noticed(one, other, reversal("P1"), again) == expected, "a repeat of P2"
    assert noticed(one, other, reversal("P1"), reversal("P2", "R2"), again) == [
        ("possible_duplicate", "P2")
    ]


def test_the_same_payment_under_a_new_id_is_noticed_as_a_repeat_and_paid_all_the_same():
    """A retry that makes a new id is the commonest cause of double payments."""
    one, again = payment("P1"), payment("P2", reported_at="2026-01-05T08:00:00Z")
    assert kinds(one, again) == [("repeat", "P2", "12345678/P1")]
    assert kinds(one, again, again) == [("repeat", "P2", "12345678/P1")]
    books = product.settle_all([one, again])
    assert sum(row["amount_ore"] for row in books.rows) == 2_000_000


def test_one_from_elsewhere_goes_before_a_repeat():
    reports = payment("P1"), payment("P2", channel="direct"), payment("P3")
    assert kinds(*reports) == [
        ("channel", "P2", "12345678/P1"),
        ("channel", "P3", "12345678/P2"),
    ]


def test_a_repeat_of_what_was_reversed_is_none():
    assert kinds(payment("P1"), reversal("P1"), payment("P2")) == []
    assert kinds(reversal("P2"), payment("P1"), payment("P2")) == []


def test_duplicates_of_every_life_are_those_that_the_definition_gives():
    """Counted plainly: for each payment that counts when it comes, those before it that stand."""
    found_kinds = []
    for theme in THEMES:
        for seed in range(9000, 9012):
            reports = life(theme, seed)
            expected: list[tuple[str, str]] = []
            standing: dict[str, Any] = {}
            gone: set[str] = set()
            seen: set[str] = set()
            for report in reports:
                name = f"{report['reporter']}/{report['report_id']}"
                if name in seen:
                    continue
                seen.add(name)
                if report["type"] == "reversal":
                    gone.add(f"{report['reporter']}/{report['reverses']}")
                    standing.pop(f"{report['reporter']}/{report['reverses']}", None)
                if report["type"] != "benefit_payment" or name in gone:
                    continue
                paid = ("benefit", "period_start", "period_end", "amount_ore")
                alike = [
                    (other["reporter"], other["channel"])
                    for other in standing.values()
                    if all(other[field] == report[field] for field in paid)
                ]
                own = report["reporter"], report["channel"]
                if report["period_end"] >= "2014-06-30" and alike:
                    kind = "repeat" if set(alike) == {own} else "channel"
                    expected.append((kind, report["report_id"]))
                standing[name] = report
            assert [found[:2] for found in kinds(*reports)] == expected
            found_kinds += [kind for kind, _ in expected]
    assert found_kinds.count("repeat") > 20
    assert found_kinds.count("channel") > 20


# Reversals and what they name


def test_a_report_that_comes_again_after_its_reversal_is_noticed_once():
    paid, taken_back = payment("P1"), reversal("P1")
    assert noticed(paid, taken_back, paid) == [("reversed_before", "P1")]
    assert noticed(paid, taken_back, paid, paid) == [("reversed_before", "P1")]
    assert noticed(taken_back, paid, paid) == [("reversed_before", "P1")]
    assert noticed(paid, paid, taken_back, taken_back) == []
    assert noticed(death("2024-01-31"), reversal("D1"), death("2024-01-31")) == [
        ("reversed_before", "D1")
    ]
    assert product.settle_all([paid, taken_back, paid]).rows == []
    found = product.outcomes([paid, taken_back, paid, paid], restarts=True)
    assert [notice["detail"] for notice in product.books(found).notices] == [
        {
            "benefit": "KTH",
            "period_start": "2024-01-01",
            "period_end": "2024-01-31",
            "municipalities": ["730"],
            "advice": ADVICE["reversed_before"],
        }
    ]


def test_other_content_under_a_reversed_id_is_a_conflict_and_no_notice():
    assert noticed(payment("P1"), reversal("P1"), payment("P1", amount_ore=1)) == []


def test_a_reversal_that_waits_for_over_a_month_is_noticed_once_when_the_next_report_comes():
    early = at("2024-01-01", reversal("P9"))
    in_time = at("2024-02-01", payment("P1"))
    late = at("2024-02-02", payment("P2", "2024-02-01", "2024-02-29"))
    later = at("2024-06-02", payment("P3", "2024-03-01", "2024-03-31"))
    assert noticed(early, in_time) == []
    assert noticed(early, in_time, late, later) == [("reversed_before_reported", "P2")]
    (notice,) = product.books(
        product.outcomes([early, in_time, late, later], restarts=True)
    ).notices
    assert notice["detail"] == {
        "reports": ["12345678/P9"],
        "reversals": ["12345678/R1"],
        "date": "2024-01-01",
        "advice": ADVICE["reversed_before_reported"],
    }


def test_the_awaited_report_itself_is_noticed_where_it_comes_late_and_ends_the_waiting_else():
    early = at("2024-01-01", reversal("P1"))
    later = at("2025-01-01", payment("P2", "2024-02-01", "2024-02-29"))
    assert noticed(early, at("2024-02-01", payment("P1")), later) == []
    assert noticed(early, at("2023-12-01", payment("P1")), later) == []
    assert noticed(early, at("2024-02-02", payment("P1")), later) == [
        ("reversed_before_reported", "P1")
    ]
    assert noticed(early, later, at("2025-02-02", payment("P1"))) == [
        ("reversed_before_reported", "P2")
    ]


def test_reversals_that_wait_stay_few_in_the_state():
    """A reporter that sends reversals without end makes no head grow without end."""
    waiting = [reversal(f"P{number}", f"R{number}") for number in range(102)]
    (notice,) = product.settle_all(waiting, batch=40).notices
    assert notice["cause"] == "12345678/R100"
    assert len(notice["detail"]["reports"]) == 101


def test_of_two_that_stand_one_is_noticed_in_every_order_with_their_reversals():
    """Exactly when both have stood together: the later of the two is the cause."""
    reports = [
        payment("P1"),
        payment("P2", channel="direct"),
        reversal("P1"),
        payment("P3", reporter="87654321"),
    ]
    for order in permutations(reports):
        standing: set[str] = set()
        expected = []
        gone = False
        for report in order:
            if report["type"] == "reversal":
                gone = True
                standing.discard("P1")
            elif not (gone and report["report_id"] == "P1"):
                expected += [("possible_duplicate", report["report_id"])] * bool(standing)
                standing.add(report["report_id"])
        assert noticed(*order) == expected, [report["report_id"] for report in order]


@pytest.mark.parametrize(
    ("others", "advice"),
    [
        ({}, ONE_REPORTER),
        ({"channel": "direct"}, ONE_REPORTER),
        ({"reporter": "23456789"}, ADVICE["possible_duplicate"]),
    ],
)
def test_whoever_has_to_be_asked_about_a_duplicate_is_named(others, advice):
    (notice,) = product.settle_all([payment("P1"), payment("P2", **others)]).notices
    assert notice["detail"]["advice"] == advice
