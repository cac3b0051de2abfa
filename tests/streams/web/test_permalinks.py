"""The link of a page that lasts: the same figures to the byte, whatever is closed after it."""

import re
import shutil
from html import unescape
from typing import NamedTuple

import orjson
import pytest

from projections.ledger.entries import Posted, read_page
from projections.lis.money_lines import LINES
from projections.lis.views import VIEWS
from streams.ledger.table import Append, LedgerTable, entries_batch
from streams.lis.expected import KEPT_EXPECTED
from streams.web.lis_looks import BOOKS_VIEW
from tests.properties.test_lis import built
from tests.support import product
from tests.support.histories import fictive_cpr
from tests.support.lis_site import EXPECTED, KEPT, OWN, REPORTER, lis_site
from tests.support.run_histories import PARTITIONS, marker
from tests.support.site_client import client_of, visitor

OTHER = "730"
PINNED, NEXT = 51, 52
FIRST_NEW = 500
"""Citizens of whom the ledger of random lives tells nothing."""
FEWER = 40
"""The number of a run less this many are its new citizens: so many that none need be hidden."""
WITHOUT = {BOOKS_VIEW, "borger"}
"""Views without a link that lasts: of uploaded books, and of a citizen by a session's token."""
PAGES = [
    *(f"/lis/{view}" for view in (*VIEWS, LINES) if view not in WITHOUT),
    *(f"/lis/{view.name}?persons=1" for view in VIEWS.values() if view.behind),
    "/lis/korrektioner?reporters=1",
    "/lis/linjer?page=2",
]
AS_OF = "Som kendt, da kørsel {} blev lukket."
LAST = "Sidste lukkede kørsel er {} "


def month_of(run, before=0):
    return f"2024-{run - 48 - before:02d}"


def reports_of(run, number):
    """Reports of a citizen who has another benefit this month than in the months before."""
    for before, benefit in ((2, "ADP"), (1, "ADP"), (0, "KTH")):
        month = month_of(run, before)
        yield {
            "schema": 1, "type": "benefit_payment", "report_id": f"{run}-{number}-{month}",
            "reporter": REPORTER, "reported_at": marker(run)["closed_at"],
            "cpr": fictive_cpr(FIRST_NEW + 20 * run + number), "benefit": benefit,
            "period_start": f"{month}-01", "period_end": f"{month}-28", "amount_ore": 10_000 * run,
            "paying_municipality": OWN if number % 4 else OTHER, "financing_municipality": OWN,
            "channel": "eindkomst",
        }  # fmt: skip


def close(folder, run):
    """Settle some new citizens, close a run in every partition, and build the tables anew."""
    for partition in range(PARTITIONS):
        numbers = range(partition, run - FEWER, PARTITIONS)
        reports = [report for number in numbers for report in reports_of(run, number)]
        found = product.outcomes([*reports, marker(run)])
        append(folder, partition, [outcome.posting for outcome in found if outcome.posting])
    received = [line._replace(run=run, month=month_of(run)) for line in KEPT]
    expected = [line._replace(run=run, month=month_of(run)) for line in EXPECTED]
    KEPT_EXPECTED.keep(str(folder / "ledger"), run, expected)
    built(folder, received)


def append(folder, partition, values):
    """Append messages to a partition of a ledger."""
    table = LedgerTable.open(str(folder / "ledger"))
    progress = table.progress(partition)
    start, end = progress.position, progress.position + len(values)
    posted = [Posted(at, orjson.loads(value), at) for at, value in enumerate(values, start)]
    page = read_page(progress, posted)
    table.append([Append(partition, start, end, entries_batch(page.entries))])


class Seen(NamedTuple):
    """A page, its table as a file, and its link that lasts."""

    page: str
    table: bytes
    link: str


def seen(client, address):
    """Look at a page and its table; a table has all rows, whichever page of it is shown."""
    page = client.get(address).text
    path, _, query = re.sub("[?&]page=2", "", address).partition("?")
    table = client.get(f"{path}.csv?{query}")
    assert table.status_code == 200, table.text
    (link,) = re.findall(rf'<li><a href="({path}\?[^"]*)">Fast link', page)
    return Seen(page, table.content, unescape(link))


@pytest.fixture(scope="module")
def looks(folder, tmp_path_factory):
    """Look at every page's link when a run is closed and when the next one is, at the same site.

    Then at the page itself, and at its newer link.
    """
    mine = tmp_path_factory.mktemp("links") / "site"
    shutil.copytree(folder, mine)
    app = lis_site(mine)
    client = client_of(app, visitor("auditor"))
    client.post("/lis/personer?persons=1", data={"purpose": "sag 12"})
    links = {address: seen(client, address).link for address in PAGES}
    before = {address: seen(client, link) for address, link in links.items()}
    close(mine, NEXT)
    app.state.parts.lis.shelf._looked = float("-inf")
    after = {address: seen(client, link) for address, link in links.items()}
    plain = {address: seen(client, address) for address in PAGES}
    newer = {address: seen(client, look.link) for address, look in plain.items()}
    return {address: [look[address] for look in (before, after, plain, newer)] for address in PAGES}


@pytest.mark.long
@pytest.mark.parametrize("address", PAGES)
def test_the_link_that_lasts_shows_the_same_when_the_next_run_is_closed(looks, address):
    before, after, plain, newer = looks[address]
    assert before.table.count(b"\n") > 1
    assert after.table == before.table
    assert figures_of(after.page) == figures_of(before.page)
    assert AS_OF.format(PINNED) in before.page
    assert AS_OF.format(PINNED) in after.page
    assert before.link == after.link
    assert LAST.format(NEXT) in plain.page
    assert plain.table != after.table
    # No row was open when the next run was closed: what is known then is what is known now.
    assert newer.table == plain.table
    assert figures_of(newer.page) == figures_of(plain.page)
    assert AS_OF.format(NEXT) in newer.page
    assert newer.link == plain.link


def test_every_view_has_a_link_that_lasts_or_is_named():
    looked_at = {address.partition("?")[0].removeprefix("/lis/") for address in PAGES}
    assert looked_at | WITHOUT == {*VIEWS, LINES}


def figures_of(page):
    """Return what the table of a page says."""
    return re.sub("<[^>]*>", " ", page.partition("<tbody>")[2].partition("</tbody>")[0]).split()
