"""The forecast: what is known is told, what is not is learned, and past errors make the interval.

The towns of `tests/support/forecast_world.py` go on by chances that are known.
"""

from dataclasses import replace

import pytest

from domain.basics.weeks import month_text
from projections.lis import forecast_statements
from projections.lis.forecast_money import errors
from streams.citizens.rule_sets import load_rule_set
from streams.lis import forecast
from streams.lis.engine import engine
from streams.lis.forecast import Forecasting
from tests.support.forecast_world import FIRST, Citizen, Paid, Towns, tables, weeks_of

MILLION = 1_000_000
LAW = load_rule_set()
BENEFIT = "KTH"
AMOUNT = 30_000_00
WHOLE_TOWN = "municipality = '730' AND benefit IS NULL AND step IS NULL"


def stayers(number, month, seniority):
    """Make citizens with kontanthjælp, all with one seniority at the end of a month."""
    step = sum(band.from_week <= seniority for band in LAW.staircases[-1].bands)
    return [
        Citizen(f"{at}", "730", month_text(month), BENEFIT, step, seniority) for at in range(number)
    ]


def paid(number, rate):
    amount = number * AMOUNT
    return [Paid("730", BENEFIT, "refusion", rate, amount, amount * rate // 100)]


def going_on(world, months, number=200, seniority=0):
    """Let the same citizens have benefits month after month; give the last month's seniority."""
    for month in range(FIRST, FIRST + months):
        seniority += weeks_of(month)
        rate = next(
            band.refusion
            for band in reversed(LAW.staircases[-1].bands)
            if band.from_week <= seniority
        )
        world.add_run(month, stayers(number, month, seniority), paid(number, rate))
    return FIRST + months - 1, seniority


@pytest.fixture(scope="module")
def spring():
    """Five months, January to May, of 200 citizens who all go on; the tables after the last."""
    with tables(LAW) as world:
        yield world, *going_on(world, 5)


def test_who_falls_to_a_lower_step_and_when_is_known(spring):
    world, month, seniority = spring
    told = world.forecast("months_ahead, persons, base_ore, refusion_ore", WHOLE_TOWN)
    assert seniority == 21  # who goes on has 26 at the end of June, and falls in July
    steps = LAW.staircases[-1].bands
    for months_ahead, persons, base, refusion in told[1:7]:
        weeks = weeks_of(month + months_ahead)
        seniority += weeks
        ordinals = range(seniority - weeks + 1, seniority + 1)
        shares = [
            next(band.refusion for band in reversed(steps) if band.from_week <= ordinal)
            for ordinal in ordinals
        ]
        assert persons == 200 * MILLION
        assert refusion == pytest.approx(base * sum(shares) / weeks / 100, rel=1e-5)


def test_the_steps_of_the_persons_move_with_their_weeks(spring):
    told = spring[0].forecast(
        "months_ahead, step, persons",
        "municipality='730' AND benefit IS NULL AND step IS NOT NULL AND persons > 0",
    )
    assert [step for _, step, _ in told] == [2, 2, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4]


def test_a_benefit_that_is_paid_by_the_month_costs_the_same_in_short_and_long_months(spring):
    assert len({base for (base,) in spring[0].forecast("base_ore", WHOLE_TOWN)}) == 1


def test_without_a_run_of_the_month_before_there_is_no_forecast_but_the_month_as_it_was():
    with tables(LAW) as world:
        world.add_run(FIRST, stayers(10, FIRST, 4), paid(10, 80))
        world.add_run(FIRST + 2, stayers(10, FIRST + 2, 13), paid(10, 40))
        told = world.forecast("municipality, months_ahead, persons, base_ore")
    assert told == [("730", 0, 10 * MILLION, 10 * AMOUNT), (None, 0, 10 * MILLION, 10 * AMOUNT)]


def test_who_is_self_supporting_for_a_year_begins_anew_and_is_counted_when():
    """Ten left in February; of 52 weeks they then have 12 months to go, one less each month."""
    with tables(LAW) as world:
        world.add_run(FIRST, stayers(110, FIRST, 40), paid(110, 30))
        seniority = 40
        for month in range(FIRST + 1, FIRST + 4):
            seniority += weeks_of(month)
            away = month - FIRST
            gone = [
                Citizen(f"{at}", "730", month_text(FIRST), BENEFIT, 3, 40, 52 - 52 * away // 12)
                for at in range(10)
            ]
            here = [one for one in stayers(110, month, seniority) if int(one.name) >= 10]
            world.add_run(month, gone + here, paid(100, 30))
        told = world.forecast("months_ahead, restarts", f"{WHOLE_TOWN} AND restarts > 0")
    months = [months_ahead for months_ahead, _ in told]
    assert months[0] == 9  # 39 weeks are missing at the end of April
    assert told[0][1] == pytest.approx(10 * MILLION, rel=0.2)


def test_another_law_changes_the_money_and_no_person(spring):
    stairs = LAW.staircases[-1]
    lower = tuple(replace(band, refusion=band.refusion - 10) for band in stairs.bands)
    other = replace(LAW, staircases=(*LAW.staircases[:-1], replace(stairs, bands=lower)))
    world, month, _ = spring
    columns = "persons, base_ore, refusion_ore"
    ours = world.forecast(columns, WHOLE_TOWN)
    world.connection.execute("CREATE OR REPLACE VIEW flows_before AS FROM flows WHERE run < 5")
    world.connection.execute(
        "CREATE OR REPLACE VIEW forecasts_before AS FROM forecast WHERE run < 5"
    )
    making = Forecasting(world.connection, 5, month_text(month), LAW, other)
    making.stand()
    making.forecast()
    theirs = world.connection.execute(
        f"SELECT {columns} FROM forecast_made WHERE {WHOLE_TOWN} ORDER BY months_ahead"  # noqa: S608
    ).fetchall()
    for (persons, base, refusion), (same, same_base, less) in zip(
        ours[1:], theirs[1:], strict=True
    ):
        assert (same, same_base) == (persons, base)
        assert refusion - less == pytest.approx(base / 10, rel=1e-4)


def test_nobody_is_lost_who_goes_to_a_benefit_that_the_municipality_has_not_had():
    """Half of a neighbour's citizens go to another benefit each month; ours have never done so."""
    with tables(LAW) as world:
        for month in range(FIRST, FIRST + 4):
            ours = stayers(200, month, 40)
            theirs = [
                one._replace(
                    name=f"t{one.name}",
                    town="751",
                    benefit="FPN" if (int(one.name) + month) % 2 else BENEFIT,
                )
                for one in ours
            ]
            neighbours = [Paid("751", code, "refusion", 30, AMOUNT, 0) for code in ("FPN", BENEFIT)]
            world.add_run(month, [*ours, *theirs], [*paid(200, 30), *neighbours])
        told = world.forecast("months_ahead, persons, base_ore", WHOLE_TOWN)
    assert all(abs(persons - 200 * MILLION) < 100 for _, persons, _ in told)
    assert told[1][2] > 0


def test_a_month_in_which_nothing_came_is_an_error_of_all_that_was_expected():
    """Forty towns expect one person; 30 get none and 10 get two."""
    before, then = month_text(FIRST), month_text(FIRST + 1)
    said = [(f"{town}", then, 1, MILLION, 100) for town in range(40)]
    came = [(f"{town}", then, 0, 2 * MILLION, 200) for town in range(10)]
    with tables(LAW) as world:
        going_on(world, 2)
        world.connection.execute(
            "CREATE TABLE told (municipality VARCHAR, month VARCHAR, months_ahead INTEGER,"
            " persons BIGINT, net_ore BIGINT, benefit VARCHAR, step INTEGER)"
        )
        for row in [*said, *came, ("900", before, 0, MILLION, 100)]:
            world.connection.execute("INSERT INTO told VALUES (?, ?, ?, ?, ?, NULL, NULL)", row)
        world.connection.execute("CREATE OR REPLACE TEMP VIEW known AS SELECT * FROM told")
        found = world.connection.execute(errors(FIRST + 1)).fetchall()
    assert [row[2:] for row in found] == [(-MILLION, MILLION, -MILLION, MILLION)]


def states_and_persons(monkeypatch, few):
    monkeypatch.setattr(forecast_statements, "FEW", few)
    with tables(LAW) as world:
        towns = Towns(3, {"730": 300, "825": 30, "751": 200}, LAW)
        for month in range(FIRST, FIRST + 6):
            world.add_run(month, *towns.month(month))
        (states,) = world.connection.execute("SELECT count(*) FROM state").fetchall()
        country = "municipality IS NULL AND step IS NULL AND months_ahead = 12"
        return states[0], [each for (each,) in world.forecast("persons", country)]


def test_parts_of_persons_are_put_together_and_no_person_is_lost(monkeypatch):
    """Else there would be as many states as there can be, whatever the number of citizens."""
    few, persons = states_and_persons(monkeypatch, forecast_statements.FEW)
    many, exact = states_and_persons(monkeypatch, 0)
    assert few * 4 < many
    assert len(exact) > 3
    assert persons == pytest.approx(exact, rel=0.02)
    assert sum(persons) >= sum(exact)  # parts of less than a millionth are lost


def test_the_same_tables_give_the_same_forecast():
    told = []
    for _ in range(2):
        with tables(LAW) as world:
            towns = Towns(3, {"730": 300, "825": 30}, LAW)
            for month in range(FIRST, FIRST + 3):
                world.add_run(month, *towns.month(month))
            told.append(world.forecast("*", "TRUE"))
    assert told[0] == told[1]
    assert len(told[0]) > 300


def test_who_is_known_for_the_month_after_alone_is_where_the_run_before_left_him():
    """A run closes in the month after its own, and knows some who come in that one."""
    with tables(LAW) as world:
        first, after = stayers(3, FIRST, 4), stayers(4, FIRST + 2, 8)
        world.add_run(FIRST, first, paid(3, 80))
        world.add_run(FIRST + 1, [stayers(3, FIRST + 1, 8)[0], *after[1:]], paid(1, 40))
        stand = world.connection.execute(
            "SELECT citizen, away FROM here_now ORDER BY citizen"
        ).fetchall()
        told = world.forecast("months_ahead, persons", f"{WHOLE_TOWN} AND months_ahead = 0")
    assert stand == [("0", 0), ("1", 1), ("2", 1)]  # nobody knows yet where the fourth was
    assert told == [(0, MILLION)]


def visits(came, month):
    """Give who is a citizen in a month: 200 who stay, and others, who come for three months."""
    ours = stayers(200, month, 30)
    halves = whole = 0
    for began, number in enumerate(came[: month - FIRST + 1]):
        last = FIRST + began + 2
        ours += [
            one._replace(name=f"{began}/{one.name}")
            for one in stayers(number, min(month, last), 30)
        ]
        halves += number * (month in (FIRST + began, last))
        whole += number * (month == FIRST + began + 1)
    return ours, (200 + whole) * AMOUNT + halves * AMOUNT // 2


def test_who_comes_or_goes_in_a_month_counts_for_half_where_amounts_say_so(monkeypatch):
    monkeypatch.setattr(forecast, "MONTHS_AHEAD", 1)
    came = [60, 10, 90, 20, 70, 0, 80, 30]
    with tables(LAW) as world:
        for month in range(FIRST, FIRST + len(came)):
            ours, amount = visits(came, month)
            world.add_run(month, ours, [Paid("730", BENEFIT, "refusion", 30, amount, 0)])
        ways = world.connection.execute("SELECT DISTINCT in_part FROM paid_days").fetchall()
        ((day_ore,),) = world.connection.execute("SELECT day_ore FROM day_amounts").fetchall()
    assert ways == [(True,)]
    assert day_ore * 30 == pytest.approx(AMOUNT, rel=0.04)


def test_nobody_counts_for_half_where_amounts_are_the_same_either_way(spring):
    ways = spring[0].connection.execute("SELECT DISTINCT in_part FROM paid_days").fetchall()
    assert ways == [(False,)]


def new_citizens(monthly, benefits=10):
    """Give who is expected to come in each month of the year, after some years of months.

    There is no run of a month of which nothing is told (None).
    """
    runs = len(monthly)
    with engine() as connection:
        connection.execute(
            "CREATE TABLE learned AS SELECT number + 1 AS run, '730' AS municipality,"  # noqa: S608
            " 'B' || kind AS benefit, 0 AS weeks_at_entry, persons, 1 + number % 12 AS of_year,"
            f" number >= {runs - 12} AS is_of_last_year,"
            f" number BETWEEN {runs - 24} AND {runs - 13} AS is_of_year_before"
            f" FROM (SELECT unnest(range({runs})) AS number,"
            f" unnest(?::INTEGER[]) AS persons), range({benefits}) AS kinds (kind)"
            " WHERE persons IS NOT NULL",
            [list(monthly)],
        )
        return [
            round(persons / MILLION)
            for (persons,) in connection.execute(
                f"SELECT sum(persons) FROM ({forecast_statements.ENTRANTS})"  # noqa: S608
                " GROUP BY of_year ORDER BY of_year"
            ).fetchall()
        ]


def test_few_who_come_with_each_benefit_have_the_season_of_all_who_come():
    expected = new_citizens([120, *[20] * 11] * 3)
    assert expected[0] == pytest.approx(1200, rel=0.1)
    assert expected[1:] == pytest.approx([200] * 11, rel=0.1)


def test_the_number_of_those_who_come_goes_on_changing_half_as_fast():
    no_change, fewer, not_yet = (
        sum(new_citizens([before] * months + [100] * 12))
        for before, months in ((100, 12), (200, 12), (200, 11))
    )
    assert fewer == pytest.approx(0.75 * no_change, rel=0.03)
    assert not_yet == pytest.approx(no_change, rel=0.05)


def test_years_of_unlike_numbers_of_runs_do_not_make_a_change_of_those_who_come():
    """There are six runs of the year before, or of the last one; always a hundred come."""
    year, half = [100] * 12, [None, 100] * 6
    no_change = sum(new_citizens(year * 3))
    for of_year_before, last in ((half, year), (year, half)):
        expected = sum(new_citizens([*year, *of_year_before, *last]))
        assert expected == pytest.approx(no_change, rel=0.02)


def test_who_comes_for_one_month_alone_costs_what_he_did_where_parts_of_months_are_halves(
    monkeypatch,
):
    """All 200 or 400 of a town come in a month and go after it, for a tenth of the amount."""
    monkeypatch.setattr(forecast, "MONTHS_AHEAD", 1)
    with tables(LAW) as world:
        for month in range(FIRST, FIRST + 8):
            ours, amount = visits([60, 10, 90, 20, 70, 0, 80, 30], month)
            number = (200 + 200 * (month % 2)) * (month > FIRST)
            guests = [
                one._replace(name=f"{month}/{one.name}", town="751")
                for one in stayers(number, month, 2)
            ]
            costs = [
                Paid("730", BENEFIT, "refusion", 30, amount, 0),
                Paid("751", BENEFIT, "refusion", 80, number * AMOUNT // 10, 0),
            ]
            world.add_run(month, [*ours, *guests], costs)
        ways = world.connection.execute("SELECT DISTINCT in_part FROM paid_days").fetchall()
        told = world.forecast("persons, base_ore", "municipality = '751' AND step = 1")
    assert ways == [(True,)]
    persons, base = told[-1]
    assert base == pytest.approx(persons * AMOUNT // (10 * MILLION), rel=0.05)


def test_a_backtest_of_some_months_beats_both_naive_forecasts(monkeypatch):
    """Forecasts of three runs, the next six months of each, as in `prognosefejl`."""
    with tables(LAW) as world:
        towns = Towns(5, {"101": 900, "751": 600}, LAW)
        for number in range(28):
            monkeypatch.setattr(forecast, "MONTHS_AHEAD", 6 if number in (17, 19, 21) else 0)
            world.add_run(FIRST + number, *towns.month(FIRST + number))
        for of in ("persons", "net_ore"):
            held = held_against_what_came(world.connection, of, (1, 2, 3, 4, 5, 6), 0)
            ours, last_month, last_year = (
                sum(row[at] for row in held) / len(held) for at in (3, 4, 5)
            )
            assert ours < min(last_month, last_year), (of, ours, last_month, last_year)


@pytest.mark.long
def test_the_forecast_of_towns_whose_chances_are_known_is_unbiased_and_beats_the_naive_ones():
    sizes = {"101": 2000, "751": 900, "730": 600}
    with tables(LAW) as world:
        towns = Towns(1, sizes, LAW)
        for month in range(FIRST, FIRST + 54):
            world.add_run(month, *towns.month(month))
        held = held_against_what_came(world.connection)
        persons = held_against_what_came(world.connection, "persons")
    for town, ahead, _, error, last_month, last_year, inside in persons:
        assert error < min(last_month, last_year), (town, ahead, error, last_month, last_year)
        assert inside is None or inside >= 50, (town, ahead, inside)
    biases: dict[int, list[float]] = {}
    for town, ahead, bias, error, last_month, last_year, inside in held:
        biases.setdefault(ahead, []).append(bias)
        assert error < last_month, (town, ahead, error, last_month)
        assert error < last_year, (town, ahead, error, last_year)
        assert inside is None or inside >= 50, (town, ahead, inside)
    for ahead, of_towns in biases.items():  # of one town, a year's chances are in it
        assert abs(sum(of_towns) / len(of_towns)) < 1.5, (ahead, of_towns)
    known = [inside for *_, inside in held if inside is not None]
    assert 72 <= sum(known) / len(known) <= 97


def held_against_what_came(connection, of="net_ore", months_ahead=(1, 3, 6, 12), after=24):
    """Mean errors in percent by town and distance, of forecasts after some runs."""
    error = f"avg(abs({{0}}.{of} - was.{of}) / was.{of}) * 100"
    low, high = (of.replace("_ore", "") + f"_{bound}" for bound in ("low", "high"))
    unit = "_ore" if of == "net_ore" else ""
    return connection.execute(
        "WITH whole AS (SELECT * FROM forecast WHERE benefit IS NULL AND step IS NULL),"  # noqa: S608
        " was AS (SELECT * FROM whole WHERE months_ahead = 0)"
        " SELECT said.municipality, said.months_ahead,"
        f" avg((said.{of} - was.{of}) / was.{of}) * 100,"
        f" {error.format('said')}, {error.format('last')}, {error.format('year')},"
        f" avg(CASE WHEN said.{low}{unit} IS NULL THEN NULL"
        f" WHEN was.{of} BETWEEN said.{low}{unit} AND said.{high}{unit} THEN 100 ELSE 0 END)"
        " FROM whole AS said JOIN was ON was.month = said.month"
        " AND was.municipality = said.municipality"
        " JOIN was AS last ON last.run = said.run AND last.municipality = said.municipality"
        " JOIN was AS year ON year.run = said.run + said.months_ahead - 12"
        " AND year.municipality = said.municipality"
        f" WHERE said.months_ahead IN {months_ahead} AND said.run > {after}"
        " GROUP BY ALL ORDER BY ALL"
    ).fetchall()
