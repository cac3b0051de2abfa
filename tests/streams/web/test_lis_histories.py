"""Figures of pages are those of the ledger and of `refusion lis` to the øre, for random lives."""

import json
import random
import re
from html import unescape

import pytest
from click.testing import CliRunner

from streams.cli.main import main
from tests.properties.test_lis import ASKED, built, chosen
from tests.support.lis_site import lis_environment, lis_site
from tests.support.run_histories import ledger_of_lives
from tests.support.site_client import client_of, visitor

SEEDS = [3, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(4, 10))]
MONEY = ("amount_ore", "refusion_ore", "medfinansiering_ore")
OF_MONEY = ("beloeb", "udgifter", "afregning", "korrektioner")
IN_ALL = "I alt"


@pytest.fixture(scope="module", params=SEEDS)
def history(request, tmp_path_factory):
    """The rows of random lives, the folder of their ledger, and an auditor at their site."""
    folder = tmp_path_factory.mktemp("histories")
    rows, _ = ledger_of_lives(random.Random(request.param), request.param, folder / "ledger")
    built(folder)
    return rows, folder, client_of(lis_site(folder), visitor("auditor"))


def table_of(page):
    """The rows of a page's table, each with its cells by the names of the columns."""
    names = re.findall(r'popovertarget="what-([a-z_0-9]+)"', page)
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
    rows, _, client = history
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


@pytest.mark.parametrize("view", OF_MONEY)
def test_the_money_of_a_pages_rows_is_that_of_the_command(history, monkeypatch, view):
    rows, folder, client = history
    for name, value in lis_environment(folder).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("REFUSION_BOOTSTRAP", raising=False)
    place = random.Random(view).choice(places(rows))
    done = CliRunner().invoke(main, ["lis", view, "--municipality", place, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)["rows"]
    shown = table_of(client.get(f"/lis/{view}?municipality={place}").text)
    of_rows = [row for row in shown if row["municipality"] != IN_ALL]
    assert told
    assert len(of_rows) == min(len(told), 100)
    for line, row in zip(of_rows, told, strict=False):
        money = [name for name in row if name.endswith("_ore")]
        assert {name: ore(line[name]) for name in money} == {name: row[name] for name in money}
