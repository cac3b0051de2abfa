"""A valid but doubtful report is applied and noticed (contract section 2)."""

from itertools import permutations
from typing import Any

import pytest

from domain.citizen.doubts import ADVICE
from domain.oracle.payments import money_of_slices
from domain.oracle.reports import valid_payments
from tests.support import product
from tests.support.lives import RULES, THEMES, life

HEAD: dict[str, Any] = {
    "schema": 1,
    "cpr": "6101000000",
    "reporter": "12345678",
    "reported_at": "2024-02-01T08:00:00Z",
}


def payment(report_id="P1", start="2024-01-01", end="2024-01-31", amount_ore=1_000_000, **others):
    """Kontanthjælp for January 2024 unless said otherwise."""
    body = {
        "type": "benefit_payment",
        "report_id": report_id,
        "benefit": "KTH",
        "period_start": start,
    }
    money = {
        "period_end": end,
        "amount_ore": amount_ore,
        "paying_municipality": "730",
        "channel": "eindkomst",
    }
    return HEAD | body | money | others


def reversal(reverses, report_id="R1", **others):
    return HEAD | {"type": "reversal", "report_id": report_id, "reverses": reverses} | others


def death(day, report_id="D1", **others):
    return (
        HEAD | {"type": "case_fact", "report_id": report_id, "fact": "death", "date": day} | others
    )


def noticed(*reports):
    """(code, report id of the cause) of every notice, in their order."""
    return [
        (notice["code"], notice["cause"].split("/")[1])
        for notice in product.settle_all(reports).notices
    ]


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


def kinds(*reports):
    """(kind, report id of the cause, the other report) of every possible duplicate."""
    return [
        (notice["detail"]["kind"], notice["cause"].split("/")[1], notice["detail"]["other"])
        for notice in product.settle_all(reports).notices
        if notice["code"] == "possible_duplicate"
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


def at(day, report):
    return report | {"reported_at": f"{day}T08:00:00Z"}


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


# After death


def test_a_payment_that_begins_after_death_is_noticed_whichever_arrives_first():
    paid = [
        payment("P1"),
        payment("P2", "2024-02-01", "2024-02-29"),
        payment("P3", "2024-03-01", "2024-03-31"),
    ]
    assert noticed(death("2024-01-31"), *paid) == [("after_death", "P2"), ("after_death", "P3")]
    assert noticed(*paid, death("2024-01-31")) == [("after_death", "D1")]
    (notice,) = product.settle_all([*paid, death("2024-01-31")]).notices
    assert notice["detail"] == {
        "date": "2024-01-31",
        "reports": ["12345678/P2", "12345678/P3"],
        "municipalities": ["730"],
        "advice": ADVICE["after_death"],
    }


def test_a_second_death_speaks_against_what_the_first_did_not():
    paid = [payment("P1"), payment("P2", "2024-02-01", "2024-02-29")]
    later, earlier = death("2024-01-31"), death("2023-12-31", "D2")
    assert noticed(*paid, later, death("2024-01-31", "D3")) == [("after_death", "D1")]
    notices = product.settle_all([*paid, later, earlier]).notices
    assert [notice["detail"]["reports"] for notice in notices] == [["12345678/P2"], ["12345678/P1"]]
    assert noticed(*paid, earlier, later) == [("after_death", "D2")]


def test_a_payment_that_begins_on_the_day_of_death_is_not_noticed():
    assert noticed(death("2024-01-01"), payment()) == []
    assert noticed(payment(), death("2024-01-01")) == []


def test_a_payment_that_was_reversed_is_not_noticed_for_a_death_whatever_months_it_has_days_in():
    assert (
        noticed(payment("P1", "2024-01-15", "2024-03-15"), reversal("P1"), death("2023-12-31"))
        == []
    )


def test_a_death_that_was_reversed_is_no_death():
    assert noticed(death("2023-12-31"), reversal("D1"), payment()) == []
    assert noticed(reversal("D1"), death("2023-12-31"), payment()) == []
    assert noticed(reversal("D1"), payment(), death("2023-12-31")) == []


# Facts of the case


def fact(kind, day, report_id="F1"):
    return HEAD | {"type": "case_fact", "report_id": report_id, "fact": kind, "date": day}


@pytest.mark.parametrize(
    ("benefit", "kind", "day", "doubts", "of_payment"),
    [
        ("FLT", "flex_referral", "2014-06-30", ["flex_referral"], []),
        ("FLS", "flex_referral", "2012-12-31", ["flex_referral"], []),
        ("LY", "flex_referral", "2014-06-30", ["flex_referral", "rate_missing"], []),
        ("FPN", "disability_pension_award", "2014-06-30", ["pension_award", "rate_missing"], []),
        ("LYG", "flex_referral", "2014-07-01", ["flex_referral"], ["rate_missing"]),
        ("FJG", "flex_referral", "2014-07-01", ["flex_referral"], []),
        ("FPG", "disability_pension_award", "2014-07-01", ["pension_award"], ["rate_missing"]),
        ("FLT", "flex_referral", "2014-07-01", [], []),
        ("LYG", "flex_referral", "2014-06-30", [], ["rate_missing"]),
        ("FJG", "flex_referral", "2014-06-30", [], []),
        ("FPN", "disability_pension_award", "2014-07-01", [], []),
        ("FPG", "disability_pension_award", "2014-06-30", [], ["rate_missing"]),
    ],
)
def test_a_payment_that_does_not_fit_the_facts_of_the_case_is_noticed_whichever_arrives_first(
    benefit, kind, day, doubts, of_payment
):
    """`of_payment` are the doubts that its code alone gives. A fact that is taken back is no
    fact.
    """
    paid, fact_ = payment(benefit=benefit, financing_municipality="730"), fact(kind, day)
    assert sorted(noticed(fact_, paid)) == sorted((doubt, "P1") for doubt in [*doubts, *of_payment])
    assert noticed(paid, fact_) == [(doubt, "P1") for doubt in of_payment] + [
        (doubt, "F1") for doubt in doubts
    ]
    assert noticed(reversal("F1"), fact_, paid) == [(doubt, "P1") for doubt in of_payment]
    assert noticed(paid, reversal("P1"), fact_) == [(doubt, "P1") for doubt in of_payment]


def test_a_month_of_fleksbidrag_in_a_year_without_a_basis_is_noticed_once_and_no_other():
    """53 weeks of ledighedsydelse, then fleksløntilskud on the 20 % step; B is known for 2025
    and not for 2026.
    """
    before = payment("P0", "2024-11-25", "2025-11-25", 52_000_000, benefit="LY")
    known = payment("P1", "2025-12-08", "2025-12-28", benefit="FLT")
    first, second = (
        payment("P2", "2026-01-05", "2026-01-18", benefit="FLT"),
        payment("P3", "2026-01-19", "2026-01-25"),
    )
    books = product.settle_all(
        [
            before,
            known,
            first | {"reported_at": "2026-02-01T08:00:00Z"},
            second | {"benefit": "FLT"},
        ]
    )
    missing = [notice for notice in books.notices if notice["code"] == "rate_missing"]
    assert [(notice["cause"], notice["detail"]["months"]) for notice in missing] == [
        ("12345678/P2", ["2026-01"])
    ]


@pytest.mark.parametrize(
    "day", ["1999-12-31", "2014-01-31", "2014-06-30", "2014-07-31", "2020-02-29", "2099-01-01"]
)
def test_the_same_payments_are_noticed_however_late_the_death_is_known(day):
    """They are told as causes of their own, or in the notice about the death."""
    months = [
        ("2014-06-01", "2014-07-31"),
        ("2014-08-01", "2014-08-31"),
        ("2016-01-01", "2016-01-31"),
        ("2020-03-01", "2020-03-31"),
    ]
    paid = [payment(f"P{at}", *month) for at, month in enumerate(months)]
    expected = {
        f"12345678/{report['report_id']}" for report in paid if report["period_start"] > day
    }
    for place in range(len(paid) + 1):
        books = product.settle_all([*paid[:place], death(day), *paid[place:]])
        found = [notice for notice in books.notices if notice["code"] == "after_death"]
        assert {
            name for notice in found for name in notice["detail"].get("reports", [notice["cause"]])
        } == expected


# One report alone


@pytest.mark.parametrize("benefit", ["LYG", "FPG"])
def test_money_at_an_old_percentage_is_noticed_and_gives_no_row(benefit):
    report = payment(benefit=benefit, financing_municipality="730")
    books = product.settle_all([report])
    assert [notice["code"] for notice in books.notices] == ["rate_missing"]
    assert books.rows == []
    assert noticed(report | {"outside_act": True}) == []  # gives no row whatever its percentage


@pytest.mark.parametrize(
    ("benefit", "start", "end", "codes"),
    [
        ("KTH", "2025-06-01", "2025-06-30", []),
        ("KTH", "2025-06-16", "2025-07-01", ["validity_partial"]),
        ("KTH25", "2025-06-30", "2025-07-06", ["validity_partial"]),
        ("KTH25", "2025-07-01", "2025-07-31", []),
        ("KTH", "2014-06-30", "2014-07-06", ["validity_partial"]),
    ],
)
def test_a_period_partly_outside_the_benefits_validity_is_applied_whole_and_noticed(
    benefit, start, end, codes
):
    report = payment(benefit=benefit, start=start, end=end, reported_at="2026-01-01T00:00:00Z")
    assert [code for code, _ in noticed(report)] == codes
    if start > "2016":
        assert sum(row["amount_ore"] for row in product.settle_all([report]).rows) == 1_000_000


def test_a_period_that_ends_more_than_62_days_after_it_was_reported_is_noticed():
    # 62 days after 30 November 2023 is 31 January 2024.
    assert noticed(payment(reported_at="2023-11-30T23:59:59Z")) == []
    assert noticed(payment(reported_at="2023-11-29T23:59:59Z")) == [("future_period", "P1")]


def test_one_report_can_be_doubtful_in_many_ways():
    report = payment(
        "P2", "2025-06-16", "2025-07-31", channel="direct", reported_at="2025-01-01T00:00:00Z"
    )
    same = report | {
        "report_id": "P1",
        "channel": "eindkomst",
        "reported_at": "2025-08-01T00:00:00Z",
    }
    found = noticed(death("2025-01-31"), same, report)
    codes = ("possible_duplicate", "after_death", "validity_partial", "future_period")
    assert [code for code, cause in found if cause == "P2"] == list(codes)


# Negative net


def test_a_month_whose_net_falls_below_zero_is_noticed_once():
    paid, repaid = payment("P1"), payment("P2", amount_ore=-1_000_001)
    assert noticed(paid, payment("P2", amount_ore=-1_000_000)) == []
    assert noticed(paid, repaid) == [("negative_net", "P2")]
    assert noticed(repaid, paid) == [("negative_net", "P2")]  # negative until the payment comes
    assert noticed(paid, repaid, payment("P3", amount_ore=-1)) == [("negative_net", "P2")]


def test_a_reversal_that_leaves_a_month_negative_is_its_cause():
    assert noticed(payment("P1"), payment("P2", amount_ore=-400_000), reversal("P1")) == [
        ("negative_net", "R1")
    ]


def test_the_net_is_that_of_the_benefit_over_reporters_and_municipalities():
    elsewhere = payment("P1", reporter="87654321", paying_municipality="751")
    assert noticed(elsewhere, payment("P2", amount_ore=-1_000_000)) == []
    assert noticed(elsewhere, payment("P2", amount_ore=-1_000_000, benefit="UDH")) == [
        ("negative_net", "P2")
    ]


def test_the_net_is_what_remains_after_atp():
    # -101 øre less -100 øre of ATP is -1 øre. January has 3 of the 10 days; the øre goes to the
    # first week of February.
    repaid = payment(
        benefit="ADP", start="2024-01-29", end="2024-02-07", amount_ore=-101, atp_ore=-100
    )
    (notice,) = product.settle_all([repaid | {"financing_municipality": "730"}]).notices
    assert (notice["code"], notice["detail"]["month"]) == ("negative_net", "2024-02")


def test_the_notice_names_benefit_and_month():
    notices = product.settle_all(
        [payment(amount_ore=-62, start="2024-01-01", end="2024-02-29")]
    ).notices
    told = {"benefit": "KTH", "municipalities": ["730"], "advice": ADVICE["negative_net"]}
    assert [notice["detail"] for notice in notices] == [
        told | {"month": "2024-01"},
        told | {"month": "2024-02"},
    ]


# Whom it concerns, and what to do


def test_a_notice_names_the_municipalities_of_what_it_is_about():
    one = payment("P1", paying_municipality="751", financing_municipality="101")
    (notice,) = product.settle_all([one, payment("P2", channel="direct")]).notices
    assert notice["detail"]["municipalities"] == ["101", "730", "751"]
    pension = payment("P3", benefit="FPG", paying_municipality=None, financing_municipality="360")
    (notice,) = product.settle_all([pension]).notices
    assert (notice["code"], notice["detail"]["municipalities"]) == ("rate_missing", ["360"])
    (notice,) = product.settle_all([pension | {"financing_municipality": None}]).notices
    assert "municipalities" not in notice["detail"]
    repaid = payment("P4", amount_ore=-5)
    (notice,) = product.settle_all(
        [repaid, payment("P5", amount_ore=1, paying_municipality="751")]
    ).notices
    assert notice["detail"]["municipalities"] == ["730"]


def test_every_notice_of_every_life_says_what_to_do_and_nothing_of_a_person():
    codes = set()
    for theme in THEMES:
        for seed in range(9000, 9006):
            for notice in product.settle_all(life(theme, seed), batch=50).notices:
                codes.add(notice["code"])
                assert notice["detail"]["advice"] == ADVICE[notice["code"]]
                assert not [name for name in notice["detail"] if name.endswith("_ore")]
    # R-1 closes nothing, and no life has a reversal that waits for a month.
    others = {"missing_reporter", "closed_to_new", "reversed_before_reported"}
    assert codes == ADVICE.keys() - others


# Every life


@pytest.mark.parametrize("theme", THEMES)
def test_the_notices_do_not_depend_on_how_many_reports_are_taken_at_once(theme):
    for seed in range(9000, 9008):
        reports = life(theme, seed)
        one_by_one = product.settle_all(reports, batch=1).notices
        assert product.settle_all(reports, batch=len(reports) + 1).notices == one_by_one
        restarted = product.outcomes(reports, batch=3, restarts=True)
        assert product.books(restarted).notices == one_by_one


@pytest.mark.parametrize("theme", THEMES)
def test_each_cause_is_noticed_once_for_each_doubt_and_never_when_reversed_or_delivered_again(
    theme,
):
    for seed in range(9000, 9020):
        reports = life(theme, seed)
        notices = product.settle_all(reports, batch=4).notices
        keys = [
            (notice["code"], notice["cause"], notice["detail"].get("month")) for notice in notices
        ]
        assert len(set(keys)) == len(keys)
        doubts = {notice["cause"] for notice in notices if "reversed" not in notice["code"]}
        assert not doubts & _reversed_before_they_came(reports)
        again = product.settle_all([*reports, *reports], batch=4).notices
        assert again[: len(notices)] == notices
        assert {notice["code"] for notice in again[len(notices) :]} <= {
            "reversed_before",
            "reversed_before_reported",
        }
        assert product.settle_all([*reports, *reports, *reports], batch=4).notices == again


def _reversed_before_they_came(reports):
    reversed_ids: set[str] = set()
    arrived: set[str] = set()
    found = set()
    for report in reports:
        name = f"{report['reporter']}/{report['report_id']}"
        if name in arrived:
            continue
        arrived.add(name)
        if name in reversed_ids and report["type"] != "reversal":
            found.add(name)
        if report["type"] == "reversal":
            reversed_ids.add(f"{report['reporter']}/{report['reverses']}")
    return found


def test_a_month_is_noticed_as_negative_exactly_when_its_net_falls_below_zero():
    """Followed report by report with the reference's slices."""
    noticed_months = 0
    for seed in range(60):
        reports = life("a_faulty_upstream", seed)
        found = product.outcomes(reports)
        net_before: dict[tuple, int] = {}
        for number, outcome in enumerate(found, 1):
            net = _net_by_month(reports[:number])
            fell = {
                key for key, amount_ore in net.items() if amount_ore < 0 <= net_before.get(key, 0)
            }
            notices = product.books([outcome._replace(posting=None)]).notices
            details = [notice["detail"] for notice in notices if notice["code"] == "negative_net"]
            found_months = {(detail["benefit"], detail["month"]) for detail in details}
            assert found_months == {(code, month) for code, _, month in fell}, reports[:number]
            net_before = net
            noticed_months += len(details)
    assert noticed_months > 50


def _net_by_month(reports):
    net: dict[tuple, int] = {}
    for line in money_of_slices(valid_payments(reports), RULES):
        key = line.benefit, line.kind, line.slice.month
        net[key] = net.get(key, 0) + line.amount_ore
    return net
