"""Each figure of each view equals a slow, plain computation over the same posting messages.

Histories are random: late data, reversals, opening rows, runs closed anywhere.
"""

import random
from collections import Counter, defaultdict
from typing import NamedTuple

import orjson
import pytest

from projections.lis.questions import LisQuestion
from streams.lis.inquiry import InquiryError, ask
from streams.lis.marts import Marts, open_marts
from streams.lis.store import LisError
from tests.properties.test_lis import built
from tests.properties.test_run_files import write_with_deaths
from tests.support import lis_reference as plain
from tests.support import product
from tests.support.lives import RULES
from tests.support.run_histories import PARTITIONS, RUNS, journal

SEEDS = [
    pytest.param(seed, marks=[pytest.mark.long] if seed > 9100 else [])
    for seed in range(9100, 9106)
]


@pytest.fixture(scope="module", params=SEEDS)
def marts(request, tmp_path_factory):
    """The postings about random lives, and the marts of its ledger."""
    rng = random.Random(request.param)
    folder = tmp_path_factory.mktemp("views")
    partitions = []
    for partition in range(PARTITIONS):
        outcomes = product.outcomes(journal(rng, request.param, partition), batch=7)
        values = [outcome.posting for outcome in outcomes if outcome.posting]
        write_with_deaths(rng, folder / "ledger", partition, values)
        partitions.append([orjson.loads(value) for value in values])
    built(folder)
    with open_marts(str(folder / "lis")) as opened:
        yield plain.Postings(partitions), Asked(opened, str(folder / "ledger"))


class Asked(NamedTuple):
    """The marts, and the ledger that they were made of."""

    marts: Marts
    ledger: str

    def answer(self, question, *, persons=False):
        return ask(self.marts, RULES, question, self.ledger, {}, persons=persons)


CHOICES = [
    ("known", None),
    *(("of", run) for run in RUNS),
    *(("settled", run) for run in RUNS),
]
PLACES = (None, "730", "751")


def answer(marts, view, **asked):
    return marts.answer(LisQuestion(view, **asked))


def by_keys(found, keys):
    rows = {tuple(row[:keys]): tuple(row[keys:]) for row in found.rows}
    assert len(rows) == len(found.rows)
    return rows


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_amounts_by_rate_and_benefit_and_their_totals(marts, based_on, run, place):
    posted, tables = marts
    asked = {"based_on": based_on, "run": run, "municipality": place}
    found = by_keys(answer(tables, "beloeb", **asked), 5)
    expected = plain.beloeb(posted.seen(based_on, run, place))
    details = {key: row[:3] for key, row in found.items() if None not in key}
    assert details == expected
    for key, row in found.items():
        same = [
            figures
            for detail, figures in expected.items()
            if all(part in (None, other) for part, other in zip(key, detail, strict=True))
        ]
        assert row[:3] == tuple(map(sum, zip(*same, strict=True)))
    assert {key[:2] for key in found} == {key[:2] for key in found if key[2:] == (None, None, None)}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_the_base_by_account(marts, based_on, run, place):
    posted, tables = marts
    asked = {"based_on": based_on, "run": run, "municipality": place}
    found = by_keys(answer(tables, "udgifter", **asked), 4)
    details = {key: (row[2], row[1]) for key, row in found.items() if key[2] is not None}
    assert details == plain.udgifter(posted.seen(based_on, run, place))
    totals = {key[:2]: row[2] for key, row in found.items() if key[2] is None}
    assert totals == {
        key: sum(row[0] for other, row in details.items() if other[:2] == key)
        for key in {key[:2] for key in details}
    }


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_persons_and_weeks_by_rate_and_benefit(marts, based_on, run, place):
    posted, tables = marts
    asked = {"based_on": based_on, "run": run, "municipality": place}
    found = by_keys(answer(tables, "personer", **asked), 4)
    expected = plain.personer(posted.seen(based_on, run, place))
    assert {key: row[:2] for key, row in found.items()} == expected


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_what_each_run_settles(marts, based_on, run, place):
    posted, tables = marts
    found = answer(tables, "afregning", based_on=based_on, run=run, municipality=place)
    rows = {
        (of, in_run): (refusion, bidrag, medfinansiering, corrections)
        for of, in_run, _, refusion, bidrag, medfinansiering, net, corrections, *_ in found.rows
        if any((refusion, bidrag, medfinansiering, corrections))
    }
    assert rows == plain.afregning(posted, based_on, run, place)
    assert all(row[3] - row[5] == row[6] for row in found.rows)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_seniority_steps_and_earned_weeks(marts, based_on, run, place):
    posted, tables = marts
    asked = {"based_on": based_on, "run": run, "municipality": place}
    fall = by_keys(answer(tables, "paa-vej-ned", **asked), 2)
    expected = plain.paa_vej_ned(posted, based_on, run, place)
    assert {key: row[:5] for key, row in fall.items()} == expected
    for view, reference in (
        ("anciennitet", plain.anciennitet),
        ("genoptjening", plain.genoptjening),
    ):
        bands = answer(tables, view, **asked).rows
        found = {(of, first): persons for of, first, _, persons in bands if persons}
        assert found == reference(posted, based_on, run, place), view


def test_a_run_that_is_not_there_is_told(marts):
    _, tables = marts
    with pytest.raises(LisError, match="run 99 is not in the marts"):
        answer(tables, "beloeb", based_on="of", run=99)


@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_persons_on_each_step_over_25_months(marts, based_on, run):
    posted, tables = marts
    rows = posted.seen(based_on, run)
    expected = plain.udvikling(rows)
    last = max((month for _, month in expected), default="2024-01")
    found = answer(tables, "udvikling", based_on=based_on, run=run, month=last)
    months = _months_before(last)
    assert {key: (*row[:-1], _number(row[-1])) for key, row in by_keys(found, 2).items()} == {
        key: row for key, row in expected.items() if key[1] in months
    }


def _months_before(last):
    number = int(last[:4]) * 12 + int(last[5:]) - 1
    return [f"{at // 12:04d}-{at % 12 + 1:02d}" for at in range(number - 24, number + 1)]


def _number(hundredths):
    return None if hundredths is None else hundredths / 100


@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_what_municipalities_pay_for_each_other(marts, based_on, run):
    posted, tables = marts
    found = by_keys(answer(tables, "mellemkommunalt", based_on=based_on, run=run), 4)
    assert found == plain.mellemkommunalt(posted.seen(based_on, run))


@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_transitions_between_benefits(marts, based_on, run):
    posted, tables = marts
    rows = posted.seen(based_on, run)
    for month in sorted({row.month for row in rows})[1::7]:
        before = _months_before(month)[-2]
        found = answer(tables, "overgange", based_on=based_on, run=run, month=month)
        assert {tuple(row[:4]): row[4] for row in found.rows} == plain.overgange(
            rows, month, before
        )


@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_municipalities_beside_each_other_hide_few_persons_of_others(marts, based_on, run):
    posted, tables = marts
    rows = posted.seen(based_on, run)
    expected = plain.udvikling(rows)
    for own in (None, "730"):
        found = answer(tables, "sammenligning", based_on=based_on, run=run, municipality=own)
        assert {row[:2] for row in found.rows} == {key for key in expected if expected[key][0]}
        for place, month, *shown in found.rows:
            persons, *_, last, _, _, mean = expected[place, month]
            share = plain.percent_of(last, persons)
            if place == own:
                assert [shown[0], *map(_number, shown[1:])] == [persons, share, mean]
            elif persons < 5:
                assert shown == [None, None, None]
            else:
                is_telling = last in range(1, 5) or persons - last in range(1, 5)
                assert [shown[0], _number(shown[1])] == [persons, None if is_telling else share]


def test_the_rows_of_one_citizen_are_those_of_the_months(marts):
    posted, tables = marts
    citizen = max(row.citizen for row in posted.rows)
    found = answer(tables, "borger", citizen=citizen)
    rows = [row for row in posted.rows if row.citizen == citizen]
    expected = plain._sums(
        rows, lambda row: (row.month, row.place, row.benefit, row.rate), *plain.MONEY
    )
    assert {tuple(row[:4]): tuple(row[5:]) for row in found.rows} == expected


def test_the_citizens_behind_a_count_are_as_many(marts):
    _, tables = marts
    for view, key in (("personer", 4), ("anciennitet", None), ("genoptjening", None)):
        counts = answer(tables, view)
        behind = tables.answer(LisQuestion(view), persons=True)
        if key:
            details = {row[:4]: row[4] for row in counts.rows if None not in row[:4] and row[4]}
            listed = Counter(row[:4] for row in behind.rows)
            assert listed == details
        else:
            assert len(behind.rows) == sum(row[3] for row in counts.rows)


def test_amounts_summed_by_fewer_columns_are_the_same_money(marts):
    _, tables = marts
    whole = answer(tables, "beloeb")
    by_rate = answer(tables, "beloeb", by=("rate",))
    assert by_rate.names[0] == "rate"
    details = [row for row in whole.rows if None not in row[:5]]
    assert sum(row[1] for row in by_rate.rows) == sum(row[5] for row in details)
    with pytest.raises(InquiryError, match="do not add up"):
        answer(tables, "personer", by=("rate",))
    with pytest.raises(InquiryError, match="can be summed by municipality, month"):
        answer(tables, "beloeb", by=("cpr",))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_what_each_run_corrected(marts, based_on, run, place):
    posted, tables = marts
    found = answer(tables, "korrektioner", based_on=based_on, run=run, municipality=place)
    expected = plain.korrektioner(posted, based_on, run, place)
    assert by_keys(found, 6) == {key: (*row, row[2] + row[3]) for key, row in expected.items()}


@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_the_marts_agree_with_the_ledger_month_by_month(marts, based_on, run):
    posted, tables = marts
    found = answer(tables, "kontrol", based_on=based_on, run=run)
    assert [row for row in found.rows if row[-1]] == []
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in posted.seen(based_on, run):
        sums[row.place, row.month] += row.amount_ore
    assert {row[:2]: row[4] for row in found.rows if row[4]} == {
        key: ore for key, ore in sums.items() if ore
    }
