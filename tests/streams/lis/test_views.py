"""Each figure of each view equals a slow, plain computation over the same posting messages.

Histories are random: late data, reversals, opening rows, runs closed anywhere.
"""

import random
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, timedelta
from itertools import product as product_of
from typing import NamedTuple

import orjson
import pytest

from projections.lis.answers import sums_of_columns
from projections.lis.citizen_lists import COUNTED, SOON_WEEKS, list_of
from projections.lis.money_lines import MoneyKeys, line_rows
from projections.lis.questions import LisQuestion
from projections.lis.scopes import NO_BUDGETS, ViewScope
from projections.lis.views import VIEWS
from streams.lis.completeness import Kept
from streams.lis.inquiry import InquiryError, ask
from streams.lis.list_reader import ListReader
from streams.lis.marts import Marts, open_marts
from streams.lis.store import LisError
from tests.properties.test_lis import built
from tests.properties.test_run_files import write_with_deaths
from tests.support import lis_reference as plain
from tests.support import product
from tests.support.lives import RULES
from tests.support.run_histories import PARTITIONS, RUNS, journal, population
from tests.support.sizes import sized

HISTORIES = [
    pytest.param((made, seed), marks=[pytest.mark.long] if seed % 100 else [])
    for made in ("lives", "population")
    for seed in range(9100, sized(9102, 9106))
]
"""Nasty lives, whose months are long past, and a population with rows in the data months."""


@pytest.fixture(scope="module", params=HISTORIES)
def marts(request, tmp_path_factory):
    """The postings about random lives, and the marts of its ledger."""
    made, seed = request.param
    rng = random.Random(seed)
    folder = tmp_path_factory.mktemp("views")
    partitions = []
    journals = (
        population(seed)
        if made == "population"
        else (journal(rng, seed, partition) for partition in range(PARTITIONS))
    )
    for partition, records in enumerate(journals):
        outcomes = product.outcomes(records, batch=7)
        values = [outcome.posting for outcome in outcomes if outcome.posting]
        write_with_deaths(rng, folder / "ledger", partition, values)
        partitions.append([orjson.loads(value) for value in values])
    kept = [*kept_by_chance(rng)]
    built(folder, kept)
    with open_marts(str(folder / "lis")) as opened:
        yield (
            plain.Postings(partitions),
            Asked(opened, str(folder / "ledger"), kept, made == "population"),
        )


def kept_by_chance(rng):
    """Yield what `refusion run close` may have kept of three runs."""
    for run, reporter, benefit in product_of(RUNS, ("12345678", "87654321"), ("KTH", "SDP-B")):
        expected = rng.choice((None, rng.randint(1, 9999)))
        received = rng.randint(0, 9999)
        deviation = None if expected is None else received - expected
        hold = rng.choice((None, "missing", "jump duplicate"))
        yield Kept(
            *(run, reporter, benefit, f"2024-0{run - 48}", rng.randint(0, 9), received, expected),
            *(deviation, hold, hold and rng.choice((None, "told by telephone"))),
        )


class Asked(NamedTuple):
    """The marts, the ledger that they were made of, and what was kept of the runs."""

    marts: Marts
    ledger: str
    kept: list[Kept]
    is_current: bool
    """There are rows in the data months."""

    def lines(self, question, keys):
        scope = ViewScope(question, {}, RULES, self.marts.rows, list, {})
        return line_rows(scope, keys)

    def answer(self, question, *, persons=False, budgets=NO_BUDGETS):
        return ask(self.marts, RULES, question, self.ledger, {}, budgets, persons=persons)


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
    of_month = defaultdict(list)
    for detail, figures in expected.items():
        of_month[detail[:2]].append((detail, figures))
    for key, row in found.items():
        same = [
            figures
            for detail, figures in of_month[key[:2]]
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
    base: Counter = Counter()
    for row in posted.seen(based_on, run, place):
        for benefit in (row.benefit, None) if row.benefit != "FB" else ():
            for rate in (row.rate, None):
                base[row.place, row.month, benefit, rate] += row.amount_ore
    for key, (_, weeks, _, mean) in found.items():
        assert mean == (base[key] // weeks if weeks > 0 else None)


@pytest.mark.parametrize("by", [(), ("run",), ("data_month",)])
def test_a_settlement_stands_beside_the_budget_of_its_data_month(marts, by):
    posted, tables = marts
    places = {row.place for row in posted.rows}
    budgets = {(place, "2024-02"): 100_00 * int(place) for place in places}
    found = tables.answer(LisQuestion("afregning", by=by), budgets=budgets)
    assert found.names[-2:] == ["budget_ore", "deviation_ore"]
    assert found.areas == []
    net, budget, deviation = (
        found.names.index(f"{name}_ore") for name in ("finansieringsbeloeb", "budget", "deviation")
    )
    for row in found.rows if not by else ():
        expected = budgets.get((row[0], row[2]))
        assert row[budget] == expected
        assert row[deviation] == (None if expected is None else row[net] - expected)
    settled = tables.answer(LisQuestion("afregning"), budgets=budgets).rows
    assert sum(row[budget] or 0 for row in found.rows) == sum(row[-2] or 0 for row in settled)
    part = tables.answer(LisQuestion("afregning", benefit="KTH"), budgets=budgets).rows
    assert {row[-2:] for row in part} <= {(None, None)}
    assert "budget_ore" not in tables.answer(LisQuestion("afregning")).names


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
    assert expected or not tables.is_current
    assert {key: row[:5] for key, row in fall.items()} == expected
    for view, reference in (
        ("anciennitet", plain.anciennitet),
        ("genoptjening", plain.genoptjening),
    ):
        bands = answer(tables, view, **asked).rows
        found = {(of, first): persons for of, first, _, persons, *_ in bands if persons}
        assert found == reference(posted, based_on, run, place), view


def test_the_next_step_begins_weeks_after_the_week_of_the_counters(marts):
    _, tables = marts
    found = answer(tables, "paa-vej-ned")
    rows = [dict(zip(found.names, row, strict=True)) for row in found.rows]
    for row in rows:
        left, at = row["weeks_to_next"], date.fromisoformat(row["at_week"])
        later = None if left is None else (at + timedelta(weeks=left)).isoformat()
        assert row["next_week"] == later
    assert rows or not tables.is_current


def test_corrections_by_reporter_are_those_of_both_kinds_together(marts):
    _, tables = marts
    whole, of_reporters = (
        answer(tables, "korrektioner", reporters=reporters) for reporters in (False, True)
    )
    sums: Counter = Counter()
    for row in of_reporters.rows:
        sums[row[:6]] += row[-1]
    assert {key: ore for key, ore in sums.items() if ore} == {
        row[:6]: row[-1] for row in whole.rows if row[-1]
    }


def test_a_run_that_is_not_there_is_told(marts):
    _, tables = marts
    with pytest.raises(LisError, match="run 99 is not in the marts"):
        answer(tables, "beloeb", based_on="of", run=99)


@pytest.mark.parametrize("benefit", [None, "KTH", "FB"])
@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_persons_on_each_step_over_25_months(marts, based_on, run, benefit):
    posted, tables = marts
    rows = posted.seen(based_on, run, benefit=benefit)
    expected = plain.udvikling(rows)
    last = max((month for _, month in expected), default="2024-01")
    found = answer(tables, "udvikling", based_on=based_on, run=run, month=last, benefit=benefit)
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


def test_lines_behind_what_municipalities_pay_for_each_other_have_its_sums(marts):
    """Both of them see the lines, and no third one does."""
    _, tables = marts
    for month, paying, financing, benefit, *sums in answer(tables, "mellemkommunalt").rows[:20]:
        keys = MoneyKeys(paying=paying, financing=financing)
        for place in (None, paying, financing):
            lines = tables.lines(LisQuestion("linjer", place, month, benefit=benefit), keys)
            assert [sum(line[at] for line in lines) for at in (-3, -2, -1)] == sums
        third = next(code for code in RULES.municipalities if code not in (paying, financing))
        assert not tables.lines(LisQuestion("linjer", third, month, benefit=benefit), keys)


@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_transitions_between_benefits(marts, based_on, run):
    posted, tables = marts
    rows = posted.seen(based_on, run)
    for month in sorted({row.month for row in rows})[1::7]:
        before = _months_before(month)[-2]
        found = answer(tables, "overgange", based_on=based_on, run=run, month=month)
        expected = plain.overgange(rows, month, before)
        if based_on == "settled":
            expected = {key: (persons, None) for key, (persons, _) in expected.items()}
        assert {tuple(row[:4]): (row[4], row[6]) for row in found.rows} == expected


@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_municipalities_beside_each_other_hide_few_persons_of_others(marts, based_on, run):
    posted, tables = marts
    rows = posted.seen(based_on, run)
    expected = plain.udvikling(rows)
    of_benefits = [
        plain.udvikling([row for row in rows if row.benefit == code])
        for code in sorted({row.benefit for row in rows})
    ]
    data_month = posted.data_months[posted.last_run(based_on, run)]
    weeks = defaultdict(list)
    for (place, _), (_, seniority, *_) in plain.paa_vej_ned(posted, based_on, run).items():
        weeks[place, data_month].append(seniority)
    for own in (None, "730"):
        found = answer(tables, "sammenligning", based_on=based_on, run=run, municipality=own)
        assert {row[:2] for row in found.rows} == {key for key in expected if expected[key][0]}
        for place, month, *shown, median, change in found.rows:
            persons, *_, last, _, _, mean = expected[place, month]
            citizens = sorted(weeks[place, month])
            is_told = citizens and shown[0] is not None and (len(citizens) > 4 or place == own)
            assert median == (citizens[(len(citizens) - 1) // 2] if is_told else None)
            share = plain.percent_of(last, persons)
            if place == own:
                assert [shown[0], *map(_number, shown[1:])] == [persons, share, mean]
                before = expected.get((place, f"{int(month[:4]) - 1}{month[4:]}"), (0,))[0]
                assert _number(change) == plain.percent_of(persons - before, before)
            elif persons < 5:
                assert [*shown, median, change] == [None] * 5
            else:
                parts = [found[place, month] for found in of_benefits if (place, month) in found]
                counts = [part[0] for part in parts if part[0]]
                if max(counts) < 5 and sum(counts) in (len(counts), 4 * len(counts)):
                    assert shown[0] is None  # each benefit has one person, or each has four
                    continue
                is_telling = last in range(1, 5) or persons - last in range(1, 5)
                is_telling |= _is_one_benefits(parts)
                assert [shown[0], _number(shown[1])] == [persons, None if is_telling else share]


def _is_one_benefits(parts):
    """Tell whether all who are on the last step have one benefit, whose own share is hidden."""
    lasts = [(persons, last) for persons, *_, last, _, _, _ in parts if last]
    if len(lasts) != 1:
        return False
    ((persons, last),) = lasts
    return persons < 5 or last < 5 or 0 < persons - last < 5


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


def test_the_citizens_behind_persons_have_what_is_true_of_their_month(marts):
    posted, tables = marts
    behind = tables.answer(LisQuestion("personer"), persons=True)
    sums = plain._sums(
        posted.rows,
        lambda row: (row.place, row.month, row.benefit, row.rate, row.citizen),
        *plain.MONEY,
    )
    assert behind.rows
    for *key, _weeks, amount, refusion, medfinansiering in behind.rows:
        assert tuple(sums[tuple(key)]) == (amount, refusion, medfinansiering)


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


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_the_country_by_municipality_and_month(marts, based_on, run, place):
    posted, tables = marts
    found = answer(tables, "landet", based_on=based_on, run=run, municipality=place)
    assert by_keys(found, 2) == plain.landet(posted.seen(based_on, run, place))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_fleksbidrag_and_who_has_none_yet(marts, based_on, run, place):
    posted, tables = marts
    found = by_keys(
        answer(tables, "fleksbidrag", based_on=based_on, run=run, municipality=place), 3
    )
    assert {key: row[:3] for key, row in found.items()} == plain.fleksbidrag(
        posted.seen(based_on, run, place)
    )
    assert all((row[3] == "afregnet") == bool(row[2]) for row in found.values())


def counted_by_hand(view, answer):
    """Count over all rows of a list what its finding says."""
    rows = [dict(zip(answer.names, row, strict=True)) for row in answer.rows]
    if view == "fleksbidrag":
        return {"awaited": sum(row["fleksbidrag_ore"] == 0 for row in rows)}
    if view == "paa-vej-ned":
        soon = [row for row in rows if (row["weeks_to_next"] or SOON_WEEKS + 1) <= SOON_WEEKS]
        return {"soon": len(soon), "soon_ore": sum(row["week_cost_ore"] or 0 for row in soon)}
    return {}


@pytest.mark.parametrize("view", COUNTED)
@pytest.mark.parametrize("place", [None, "751"])
@pytest.mark.parametrize(("based_on", "run"), [CHOICES[0], *CHOICES[-1:]])
def test_the_pages_of_a_list_are_the_list_and_its_totals_those_of_all_rows(
    marts, view, place, based_on, run
):
    _, tables = marts
    persons = not VIEWS[view].names_citizens
    question = LisQuestion(view, place, based_on=based_on, run=run)
    whole = tables.answer(question, persons=persons)
    size = 1 + len(whole.rows) // 3
    for start in range(0, len(whole.rows) + 1, size):
        shown = range(start, start + size)
        citizens = list_of(view, persons=persons)
        assert citizens is not None
        reader = ListReader(tables.marts, citizens, shown)
        page = ask(reader, RULES, question, tables.ledger, {}, persons=persons)
        page = replace(page, listed=reader.totals)
        assert page.rows == page.rows_in(shown) == whole.rows[start : start + size]
        assert page.count == len(whole.rows)
        assert sums_of_columns(page) == sums_of_columns(whole)
        assert reader.totals.counted == counted_by_hand(view, whole)


def test_each_kind_of_list_has_rows_in_these_histories(marts):
    _, tables = marts
    if tables.is_current:
        short = {
            view
            for view in COUNTED
            if tables.answer(LisQuestion(view), persons=not VIEWS[view].names_citizens).count <= 2
        }
        assert short <= {"fleksbidrag"}, "only fleksjob is rare enough to be nobody's"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_the_worth_of_a_week_on_each_step(marts, based_on, run, place):
    posted, tables = marts
    found = answer(tables, "ugens-vaerdi", based_on=based_on, run=run, municipality=place)
    expected = plain.ugens_vaerdi(posted, based_on, run, place)
    assert by_keys(found, 3) == expected


@pytest.mark.parametrize(("based_on", "run"), CHOICES)
def test_what_reporters_sent_for_a_run(marts, based_on, run):
    _, tables = marts
    found = answer(tables, "fuldstaendighed", based_on=based_on, run=run)
    assert found.rows == plain.fuldstaendighed(tables.kept, based_on, run)
    assert len({figure.name.removesuffix("_ore") for figure in found.figures}) == 10
    with pytest.raises(InquiryError, match="no rows by municipality"):
        answer(tables, "fuldstaendighed", municipality="730")


def test_an_option_is_never_passed_over_in_silence(marts):
    posted, tables = marts
    with pytest.raises(InquiryError, match="is about 2024-03, the data month of run 51"):
        answer(tables, "anciennitet", month="2024-01")
    month = posted.data_months[50]
    of = {"based_on": "of", "run": 50}
    whole = answer(tables, "anciennitet", **of).rows
    assert answer(tables, "anciennitet", month=month, **of).rows == whole
    latest = plain.latest_rows(posted, "known", None)
    for benefit in sorted({row[2] for row in latest.values()}):
        found = answer(tables, "genoptjening", benefit=benefit)
        assert sum(row[3] for row in found.rows) == sum(
            row[2] == benefit for row in latest.values()
        )


def test_a_forecast_begins_with_the_citizens_who_have_a_row_in_the_data_month(marts):
    """A run knows rows of the month after it too, which make nobody a citizen of its own."""
    postings, asked = marts
    for run, month in postings.data_months.items():
        sums: Counter[tuple[str, str, str]] = Counter()
        for row in postings.rows:
            of_month = row.month == month and row.benefit != plain.FLEKSBIDRAG
            if of_month and row.place and row.run is not None and row.run <= run:
                sums[row.citizen, row.place, row.benefit] += row.amount_ore
        citizens = {citizen for (citizen, *_), ore in sums.items() if ore > 0}
        ((counted,),) = asked.marts.rows(
            "SELECT coalesce(sum(persons), 0) FROM forecast WHERE run = ? AND months_ahead = 0"
            " AND municipality IS NULL AND benefit IS NULL AND step IS NULL",
            [run],
        )
        assert counted == len(citizens) * 1_000_000, (run, month)
