"""Nasty histories of one citizen: lists of reports, each valid under contract section 2.

A `Plan` is a life in few words: spells of benefits, and upstream's habits (`Fault`).
`reports_of` writes it out as reports in the order of the journal. Plans come from
hypothesis (`plans`, which shrinks them) or, much faster, from a seed (`plan_of`).

    history(random.Random(7), rules)            one life, the same for the same seed
    @given(histories(rules))                    lives that hypothesis chooses
    shuffled(reports, random.Random(8))         another order with the same truth
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from domain.ruledata.ruleset import Benefit, RuleSet
from tests.support.history_faults import FAULTS, fault_reports
from tests.support.history_plans import (
    DAY,
    FACTS,
    FIRST_DAY,
    LAST_DAY,
    RHYTHMS,
    WEEK,
    Fault,
    JsonObject,
    Plan,
    Spell,
    period_of,
)

# Small sets on purpose: what is close together collides. Values that stand twice are drawn more
# often.
STARTS = tuple(
    date.fromisoformat(text)
    for text in (
        "2014-01-01",  # before counting, so that a period can cross 1 July 2014
        "2014-06-23",
        "2014-07-01",
        "2015-01-05",
        "2015-10-05",  # so that the turn of 2015/16 comes after 12 weeks
        "2015-11-30",
        "2016-01-04",
        "2017-03-15",
        "2020-02-24",  # the week of 29 February 2020
        "2020-11-23",  # before a year of 53 weeks ends
        "2029-02-19",  # the window of Sunday 29 February 2032 begins
    )
)
GAPS_WEEKS = (
    0,
    0,
    0,
    1,
    1,
    2,
    3,
    10,
    24,
    28,
    30,
    48,
    50,
    51,
    52,
    53,
    60,
    104,
    156,
    -1,
    -2,
    -5,
    -30,
)
LENGTHS_WEEKS = (1, 1, 1, 2, 3, 4, 5, 5, 10, 22, 26, 30, 40, 51, 52, 53, 60)
BENEFITS = ("KTH", "KTH", "KTH", "SDP-B", "SDP-B", "ADP", "ADP", "LTS", "FPN", "SNP", "SU", "SU")
RARE_BENEFITS = (
    "MBT", "BEF", "ATP", "OPO", "UFB", "SKJ", "LYG", "FPG", "SUY", "AMY", "SST", "KTH25", "SDP-A",
    "FLT", "FLS", "LY",
)  # fmt: skip
AMOUNTS_ORE = (
    280_000,
    280_000,
    1_200_000,
    1_999_999,
    100_003,
    99,
    5,
    1,
    0,
    -1,
    -60_000,
    -280_000,
    10**9,
)
ATP_ORE = (0, 0, 0, 28_400, 7, 300_000)
MUNICIPALITIES = (
    ("730", "730"),
    ("730", "730"),
    ("751", "751"),
    ("730", "751"),
    ("730", None),
    (None, "751"),
)
REPORTERS = (
    ("12345678", "eindkomst"),
    ("12345678", "eindkomst"),
    ("87654321", "dfdg"),
    ("12345678", "direct"),
)
SHARES_PERCENT = (1, 50, 100, 100, 100, 150, 1000)


# Plan to reports


def reports_of(
    plan: Plan, rules: RuleSet, citizen: int = 0, facts: Sequence[str] = FACTS
) -> list[JsonObject]:
    """The plan's reports in the order of the journal, about the fictive citizen of a number.

    `facts`: the kinds of case fact that may occur.
    """
    spells = enumerate(zip(plan.spells, _spell_starts(plan), strict=True))
    payments = [
        report
        for i, (spell, start) in spells
        for report in _spell_reports(f"S{i}", spell, start, rules)
    ]
    journal = list(payments)
    for number, fault in enumerate(plan.faults):
        for report in fault_reports(fault, number, payments, facts):
            if report["type"] != "benefit_payment" or _is_valid(
                rules.benefits[report["benefit"]], *period_of(report)
            ):
                journal.insert(fault.place * len(journal) // 100, report)
    common = {"schema": 1, "cpr": fictive_cpr(citizen)}
    first = datetime(2026, 1, 5, 8, tzinfo=UTC)
    times = (
        (first + timedelta(minutes=i)).strftime("%Y-%m-%dT%H:%M:%SZ") for i in range(len(journal))
    )
    journal = [
        common | report | {"reported_at": at} for report, at in zip(journal, times, strict=True)
    ]
    return journal if plan.order_seed is None else shuffled(journal, random.Random(plan.order_seed))


def fictive_cpr(citizen: int) -> str:
    """Ten digits that are nobody's: 60 is added to the day. Different for citizens 0 to 9,999."""
    return f"{61 + citizen % 28:02d}{1 + citizen % 12:02d}{citizen % 100:02d}{citizen % 10_000:04d}"


def shuffled(reports: Sequence[JsonObject], rng: random.Random) -> list[JsonObject]:
    """Another order with the same truth: reports with the same key keep theirs, because the
    first stands.
    """
    order = list(range(len(reports)))
    rng.shuffle(order)
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, index in enumerate(order):
        places[reports[index]["reporter"], reports[index]["report_id"]].append(place)
    result = list(reports)
    for report in reports:
        key = report["reporter"], report["report_id"]
        result[places[key].pop(0)] = report
    return result


def _spell_starts(plan: Plan) -> Iterator[date]:
    at = plan.start
    for spell in plan.spells:
        at = max(FIRST_DAY, at + spell.gap_weeks * WEEK)
        yield at
        at += spell.weeks * WEEK


def _spell_reports(name: str, spell: Spell, start: date, rules: RuleSet) -> Iterator[JsonObject]:
    """The reports of one spell whose period the catalogue and the contract allow."""
    benefit = rules.benefits[spell.benefit]
    for number, (first, last) in enumerate(
        RHYTHMS[spell.rhythm](start, start + spell.weeks * WEEK - DAY)
    ):
        if _is_valid(benefit, first, last):
            yield _payment(f"{name}-{number:04d}", spell, benefit.mechanism, first, last)


def _is_valid(benefit: Benefit, first: date, last: date) -> bool:
    """Tell if the benefit exists on a day of the period (contract section 2)."""
    return first <= (benefit.valid_to or LAST_DAY) and benefit.valid_from <= last <= LAST_DAY


def _payment(
    report_id: str, spell: Spell, mechanism: str | None, first: date, last: date
) -> JsonObject:
    reporter, channel = spell.reporter
    report = {
        "type": "benefit_payment",
        "report_id": report_id,
        "reporter": reporter,
        "benefit": spell.benefit,
        "period_start": first.isoformat(),
        "period_end": last.isoformat(),
        "amount_ore": spell.amount_ore,
        "channel": channel,
    }
    if spell.atp_ore and spell.amount_ore:
        report["atp_ore"] = spell.atp_ore if spell.amount_ore > 0 else -spell.atp_ore
    if spell.outside_act:
        report["outside_act"] = True
    return report | _municipality_fields(spell.municipalities, mechanism)


def _municipality_fields(pair: tuple[str | None, str | None], mechanism: str | None) -> JsonObject:
    """Give the municipalities that the mechanism asks for.

    A field that may be left out is left out where the pair has none.
    """
    paying, financing = pair
    if mechanism == "medfinansiering":
        payer = None if paying == financing else paying
        return {"paying_municipality": payer, "financing_municipality": financing or paying}
    fields = {"paying_municipality": paying, "financing_municipality": financing}
    return {name: municipality for name, municipality in fields.items() if municipality is not None}


# Plans from hypothesis


def plans() -> st.SearchStrategy[Plan]:
    """Plans that shrink: to fewer spells and faults, and within them to the first of each set of
    values.
    """
    spells = st.builds(
        Spell,
        gap_weeks=st.sampled_from(GAPS_WEEKS),
        weeks=st.sampled_from(LENGTHS_WEEKS),
        benefit=st.sampled_from(BENEFITS + RARE_BENEFITS),
        rhythm=st.sampled_from(tuple(RHYTHMS)),
        amount_ore=st.sampled_from(AMOUNTS_ORE) | st.integers(-(10**9), 10**9),
        atp_ore=st.sampled_from(ATP_ORE),
        municipalities=st.sampled_from(MUNICIPALITIES),
        reporter=st.sampled_from(REPORTERS),
        outside_act=st.sampled_from((False, False, False, True)),
    )
    faults = st.builds(
        Fault,
        kind=st.sampled_from(FAULTS),
        target=st.integers(0, 500),
        share_percent=st.sampled_from(SHARES_PERCENT),
        place=st.integers(0, 100),
    )
    return st.builds(
        Plan,
        start=st.sampled_from(STARTS),
        spells=st.lists(spells, min_size=1, max_size=9),
        faults=st.lists(faults, max_size=8),
        order_seed=st.none() | st.integers(0, 2**16),
    )


def histories(rules: RuleSet, facts: Sequence[str] = FACTS) -> st.SearchStrategy[list[JsonObject]]:
    """Histories that hypothesis chooses and shrinks."""
    return plans().map(lambda plan: reports_of(plan, rules, facts=facts))


# Plans from a seed


def plan_of(rng: random.Random) -> Plan:
    """A plan like those of hypothesis, but more often ordinary: long dense lives with a few
    faults.
    """
    spells = [_spell_of(rng) for _ in range(rng.randint(1, 9))]
    faults = [
        Fault(
            rng.choice(FAULTS), rng.randrange(500), rng.choice(SHARES_PERCENT), rng.randint(0, 100)
        )
        for _ in range(rng.choice((0, 1, 2, 4, 8)))
    ]
    order_seed = rng.choice((None, rng.randrange(2**16)))
    return Plan(rng.choice(STARTS), spells, faults, order_seed)


def _spell_of(rng: random.Random) -> Spell:
    usual = rng.random() < 0.7
    return Spell(
        gap_weeks=rng.choice(GAPS_WEEKS),
        weeks=rng.choice(LENGTHS_WEEKS),
        benefit=rng.choice(BENEFITS if usual else BENEFITS + RARE_BENEFITS),
        rhythm=rng.choice(("weekly", "monthly", "whole") if usual else tuple(RHYTHMS)),
        amount_ore=rng.choice((280_000, rng.randint(1, 2_000_000)) if usual else AMOUNTS_ORE),
        atp_ore=rng.choice(ATP_ORE),
        municipalities=rng.choice(MUNICIPALITIES),
        reporter=rng.choice(REPORTERS),
        outside_act=rng.random() < 0.05,
    )


def history(
    rng: random.Random, rules: RuleSet, citizen: int = 0, facts: Sequence[str] = FACTS
) -> list[JsonObject]:
    """One history from a seed: 45 reports on average, at most some hundreds; a millisecond."""
    return reports_of(plan_of(rng), rules, citizen, facts)
