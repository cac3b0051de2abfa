"""Figures of pages are those of the ledger and of `refusion lis`, for random lives.

They are so to the øre and to the person: `tests/support/lis_reference.py` computes them once more,
from posting messages alone. Not of the ledger, and so not here, are `fuldstaendighed` and
`forventet`, which a run has kept (`tests/streams/lis/test_views.py`, `test_ydelsesindeks.py`),
`afstemning`, of which one side is uploaded (`test_books.py`), and `prognose` and `prognosefejl`,
which a model computes (`tests/properties`). Their pages are held against the command all the same.
"""

import json
import random
import re
from collections import Counter
from html import unescape

import pytest
from click.testing import CliRunner

from projections.lis.views import VIEWS
from streams.cli.main import main
from tests.properties.test_lis import ASKED, built, chosen
from tests.support import lis_reference as plain
from tests.support.lis_site import lis_environment, lis_site
from tests.support.run_histories import RUNS, ledger_of_lives, marker
from tests.support.site_client import client_of, visitor
from tests.support.sizes import sized

SEEDS = [3, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(4, sized(5, 10)))]
MONEY = ("amount_ore", "refusion_ore", "medfinansiering_ore")
OF_MONEY = ("beloeb", "udgifter", "afregning", "korrektioner")
"""Views of which every municipality with rows has rows."""
OF_KEPT_OR_BOOKS = {"fuldstaendighed", "forventet", "afstemning"}
BESIDE_THE_COMMAND = [
    name for name, view in VIEWS.items() if not view.names_citizens and name not in OF_KEPT_OR_BOOKS
]
IN_ALL = "I alt"
UNTOLD = {"–", "skjult"}


@pytest.fixture(scope="module", params=SEEDS)
def history(request, tmp_path_factory):
    """The rows of random lives, the folder of their ledger, and an auditor at their site."""
    folder = tmp_path_factory.mktemp("histories")
    seed = request.param
    rows, messages = ledger_of_lives(random.Random(seed), seed, folder / "ledger")
    built(folder)
    client = client_of(lis_site(folder), visitor("auditor"))
    client.post("/lis/personer?persons=1", data={"purpose": "sag 12"})
    return rows, folder, client, plain.Postings([with_runs(messages)])


def with_runs(messages):
    """Put the markers of runs behind the messages of each, as one partition has them."""
    told = []
    for run in RUNS:
        told += [message for message in messages if message["run"] == run]
        told.append({"type": "run", "run": run, "data_month": marker(run)["data_month"]})
    return told + [message for message in messages if message["run"] is None]


def names_of(page):
    """The names of the columns of a page's table, in its order."""
    return re.findall(r'popovertarget="what-([a-z_0-9]+)"', page)


def table_of(page):
    """The rows of a page's table, each with its cells by the names of the columns."""
    names = names_of(page)
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = []
    for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL):
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        texts = [unescape(re.sub(r"<[^>]*>", "", cell)).strip() for cell in cells]
        rows.append(dict(zip(names, texts, strict=True)))
    return rows


def ore(text):
    """Read an amount as people write it, such as 1.234,56; a dash is none."""
    return None if text == "–" else int(text.replace(".", "").replace(",", ""))


def sums(rows):
    return tuple(sum(row[name] for row in rows) for name in MONEY)


def places(rows):
    return sorted({row["municipality"] for row in rows})


@pytest.mark.parametrize(("asked", "run"), ASKED)
def test_the_money_of_a_page_is_that_of_the_ledger(history, asked, run):
    rows, _, client, _ = history
    query = "" if asked == "known" else f"&as={asked}&run={run}"
    for place in places(rows):
        mine = sums([row for row in chosen(rows, asked, run) if row["municipality"] == place])
        path = f"municipality={place}{query}"
        told = json.loads(client.get(f"/lis/beloeb.json?{path}").content)["rows"]
        details = [row for row in told if None not in (row["benefit"], row["rate"])]
        assert sums(details) == mine
        if told:
            last = table_of(client.get(f"/lis/beloeb?{path}").text)[-1]
            assert last["municipality"] == IN_ALL
            assert tuple(ore(last[name]) for name in MONEY) == mine


def figure(text):
    """Read a figure as people write it: its digits, with those behind the comma."""
    return None if text in UNTOLD else int(re.sub("[.,]", "", text))


def written(value):
    """Return the digits of a figure as a page writes them: shares have two decimals."""
    return round(value * 100) if isinstance(value, float) else value


def assert_shown(page, told, place=""):
    """Hold the figures of a page against the rows of a file or a command, row by row.

    `place` leaves out the rows of areas, which stand among the first hundred as well.
    """
    shown = rows_shown(table_of(page), place)
    assert len(shown) == min(len(told), 100) or (place and told and shown)
    assert_figures(shown, told)


def rows_shown(lines, place=""):
    """Return the lines of a table without its sums."""
    shown = [row for row in lines if next(iter(row.values())) != IN_ALL]
    return [row for row in shown if row.get("municipality", "").startswith(place)]


def assert_figures(shown, told):
    """Hold the figures of lines as people read them against rows, one by one."""
    for line, row in zip(shown, told, strict=False):
        figures = {
            name: written(value)
            for name, value in row.items()
            if name != "run" and isinstance(value, int | float)
        }
        assert {name: figure(line[name]) for name in figures} == figures


@pytest.mark.parametrize("view", BESIDE_THE_COMMAND)
def test_the_figures_of_a_pages_rows_are_those_of_the_command(history, monkeypatch, view):
    rows, folder, client, _ = history
    for name, value in lis_environment(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("REFUSION_BOOTSTRAP", raising=False)
    place = random.Random(view).choice(places(rows))
    done = CliRunner().invoke(main, ["lis", view, "--municipality", place, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)["rows"]
    assert told or view not in OF_MONEY
    page = client.get(f"/lis/{view}?municipality={place}").text
    if VIEWS[view].has_areas:
        own = [row for row in told if row["municipality"] == place]
        assert_shown(page, own, place)
    else:
        assert_shown(page, told)


def of_keys(rows, keys, values):
    """Take figures of rows by keys; a key that stands twice fails."""
    found = {tuple(row[key] for key in keys): tuple(row[name] for name in values) for row in rows}
    assert len(found) == len(rows)
    return found


PLACE_MONTH = ("municipality", "month")
OF_STEPS = ("persons", *(f"persons_step_{step}" for step in (1, 2, 3, 4)))
FALL = ("municipality", "at_week", "seniority", "rate", "weeks_to_next", "next_rate")
OF_FLEKSBIDRAG = ("flt_amount_ore", "flt_refusion_ore", "fleksbidrag_ore")


def beloeb(rows, posted, asked):
    keys = (*PLACE_MONTH, "benefit", "mechanism", "rate")
    details = [row for row in rows if None not in [row[key] for key in keys]]
    return of_keys(details, keys, MONEY), plain.beloeb(posted.seen(*asked))


def udgifter(rows, posted, asked):
    details = [row for row in rows if row["benefit"] is not None]
    keys, figures = (*PLACE_MONTH, "benefit", "account"), ("amount_ore", "atp_ore")
    return of_keys(details, keys, figures), plain.udgifter(posted.seen(*asked))


def personer(rows, posted, asked):
    keys = (*PLACE_MONTH, "benefit", "rate")
    return of_keys(rows, keys, ("persons", "weeks")), plain.personer(posted.seen(*asked))


def afregning(rows, posted, asked):
    names = ("refusion_ore", "fleksbidrag_ore", "medfinansiering_ore", "corrections_ore")
    found = of_keys(rows, ("municipality", "run"), names)
    return {key: ore for key, ore in found.items() if any(ore)}, plain.afregning(posted, *asked)


def korrektioner(rows, posted, asked):
    keys = ("municipality", "run", "month", "age_months", "reason", "benefit")
    found = of_keys(rows, keys, ("citizens", "weeks", "up_ore", "down_ore"))
    return found, plain.korrektioner(posted, *asked)


def anciennitet(rows, posted, asked):
    found = {(row["municipality"], row["from_week"]): row["persons"] for row in rows}
    return {key: n for key, n in found.items() if n}, plain.anciennitet(posted, *asked)


def genoptjening(rows, posted, asked):
    found = {(row["municipality"], row["from_weeks"]): row["persons"] for row in rows}
    return {key: n for key, n in found.items() if n}, plain.genoptjening(posted, *asked)


def paa_vej_ned(rows, posted, asked):
    expected = plain.paa_vej_ned(posted, *asked)
    found = Counter(tuple(row[name] for name in FALL) for row in rows)
    return found, Counter((place, *figures) for (place, _), figures in expected.items())


def fleksbidrag(rows, posted, asked):
    expected = plain.fleksbidrag(posted.seen(*asked))
    names = (*PLACE_MONTH, *OF_FLEKSBIDRAG)
    found = Counter(tuple(row[name] for name in names) for row in rows)
    return found, Counter((*key[:2], *figures) for key, figures in expected.items())


def udvikling(rows, posted, asked):
    expected = plain.udvikling(posted.seen(*asked))
    names = (*OF_STEPS, "amount_ore", "refusion_ore", "mean_refusion_percent")
    last = posted.data_months[posted.last_run(*asked)]
    first = f"{int(last[:4]) - 2}{last[4:]}"
    within = {key: row for key, row in expected.items() if first <= key[1] <= last}
    return of_keys(rows, PLACE_MONTH, names), within


def mellemkommunalt(rows, posted, asked):
    found = of_keys(rows, ("month", "paying", "financing", "benefit"), MONEY)
    return found, plain.mellemkommunalt(posted.seen(*asked))


def overgange(rows, posted, asked):
    month = posted.data_months[posted.last_run(*asked)]
    year, number = int(month[:4]), int(month[5:])
    before = f"{year:04d}-{number - 1:02d}" if number > 1 else f"{year - 1:04d}-12"
    keys = (*PLACE_MONTH, "from_benefit", "to_benefit")
    found = of_keys(rows, keys, ("persons", "year_saved_ore"))
    return found, plain.overgange(posted.seen(*asked), month, before)


def landet(rows, posted, asked):
    names = (*MONEY, "finansieringsbeloeb_ore", "corrections_ore")
    return of_keys(rows, PLACE_MONTH, names), plain.landet(posted.seen(*asked))


def kontrol(rows, posted, asked):
    sums: Counter[tuple[str, ...]] = Counter()
    for row in posted.seen(*asked):
        sums[row.place, row.month] += row.amount_ore
    found = of_keys(rows, PLACE_MONTH, ("ledger_amount_ore", "amount_ore", "difference_ore"))
    found = {key: ore for key, ore in found.items() if any(ore)}
    return found, {key: (ore, ore, 0) for key, ore in sums.items() if ore}


def ugens_vaerdi(rows, posted, asked):
    names = ("persons", "week_ore", "own_cost_ore", "next_own_cost_ore", "saved_ore")
    found = of_keys(rows, ("municipality", "step", "rate"), names)
    return found, plain.ugens_vaerdi(posted, *asked)


def linjer(rows, posted, asked):
    keys = ("run", "kind", "reason", *PLACE_MONTH, "benefit", "mechanism", "rate", "account")
    sums = plain._sums(
        posted.seen(*asked),
        lambda row: (
            *(row.run, row.kind, row.reason, row.place, row.month, row.benefit, row.mechanism),
            *(row.rate, row.account),
        ),
        *MONEY,
    )
    found = of_keys(rows, keys, MONEY)
    return {key: ore for key, ore in found.items() if any(ore)}, sums


OF_THE_LEDGER = {
    check.__name__.replace("_", "-"): check
    for check in (
        *(beloeb, udgifter, personer, afregning, korrektioner, anciennitet, genoptjening),
        *(paa_vej_ned, fleksbidrag, udvikling, mellemkommunalt, overgange, landet, kontrol),
        *(ugens_vaerdi, linjer),
    )
}
OF_ONE_CITIZEN, OF_FEW = "borger", "sammenligning"
OF_MODELS = {"prognose", "prognosefejl"}


def test_every_view_has_its_check_or_is_named():
    named = OF_KEPT_OR_BOOKS | OF_MODELS | {OF_ONE_CITIZEN, OF_FEW}
    assert {*OF_THE_LEDGER} - {"linjer"} | named == {*VIEWS}


@pytest.mark.parametrize("asked", [("known", None), ("of", 50)])
@pytest.mark.parametrize("view", OF_THE_LEDGER)
def test_the_figures_of_a_view_are_those_of_the_ledger(history, view, asked):
    _, _, client, posted = history
    based_on, run = asked
    query = "" if run is None else f"?as={based_on}&run={run}"
    rows = client.get(f"/lis/{view}.json{query}").json()["rows"]
    found, expected = OF_THE_LEDGER[view](rows, posted, asked)
    assert found == expected
    if view in OF_MONEY:
        assert expected
    assert_shown(client.get(f"/lis/{view}{query}").text, rows)


def test_the_months_of_a_citizen_are_those_of_the_ledger(history):
    """Tokens do not say who it is, so the months must be those of one citizen, and of each one."""
    _, _, client, posted = history
    listed = client.get("/lis/personer.json?persons=1").json()["rows"]
    keys = ("month", "municipality", "benefit", "rate")
    sums = plain._sums(
        posted.rows,
        lambda row: (row.citizen, *(row.month, row.place, row.benefit, row.rate)),
        *MONEY,
    )
    expected = [
        {key[1:]: ore for key, ore in sums.items() if key[0] == citizen}
        for citizen in {key[0] for key in sums}
    ]
    tokens = {row["citizen"] for row in listed}
    assert tokens
    for token in tokens:
        rows = client.get(f"/lis/borger.json?citizen={token}").json()["rows"]
        months = of_keys(rows, keys, MONEY)
        assert months in expected
        expected.remove(months)


def test_a_municipality_beside_others_has_its_own_figures_of_the_ledger(history):
    rows, _, client, posted = history
    place = random.Random(OF_FEW).choice(places(rows))
    expected = plain.udvikling(posted.seen("known", None))
    answer = client.get(f"/lis/{OF_FEW}.json?municipality={place}").json()["rows"]
    own = [row for row in answer if row["municipality"] == place]
    names = ("persons", "share_at_last_step", "mean_refusion_percent")
    assert of_keys(own, PLACE_MONTH, names) == {
        key: (persons, plain.percent_of(last, persons), mean)
        for key, (persons, *_, last, _, _, mean) in expected.items()
        if key[0] == place and persons
    }
