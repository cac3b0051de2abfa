"""A valid but doubtful report is applied and noticed (contract section 2)."""

import pytest

from domain.citizen.doubts import ADVICE, ONE_REPORTER
from domain.oracle.payments import money_of_slices
from domain.oracle.reports import valid_payments
from tests.support import product
from tests.support.lives import RULES, THEMES, life
from tests.support.noticing import HEAD, death, noticed, payment, reversal

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


def advice_about(notice):
    reporters = {
        name.partition("/")[0] for name in (notice["cause"], notice["detail"].get("other", ""))
    }
    if notice["code"] == "possible_duplicate" and len(reporters) == 1:
        return ONE_REPORTER
    return ADVICE[notice["code"]]


def test_every_notice_of_every_life_says_what_to_do_and_nothing_of_a_person():
    codes = set()
    for theme in THEMES:
        for seed in range(9000, 9006):
            for notice in product.settle_all(life(theme, seed), batch=50).notices:
                codes.add(notice["code"])
                assert notice["detail"]["advice"] == advice_about(notice)
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
