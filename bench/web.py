"""The site on national marts: how long each page takes, alone and with others at once.

Ledger and marts are those of `lis.py` (LIS_RUNS, LIS_ROWS; 120 runs are ten years), or those of
REFUSION_LEDGER and REFUSION_LIS where both are set: they are read alone. The site is a process of
its own (`web_site.py`), as `refusion web` serves it; who asks is logged on in it.

Each page is asked for by one client about LIS_ASKED municipalities (all 98), that of a citizen
about 49 citizens, twice: the first time it is made, and again it comes as by all visitors after a
run was closed, kept where the site may keep it. Then WEB_REQUESTS times (200; 0 leaves it out) by
one, four and sixteen clients at once, each with a connection of its own; those are askings again
too. Views that ask the whole ledger are asked by no more clients than may wait for it. Live
explanations need a journal, and are measured by `web_explained.py`.

The times are those of a clock, from the request to the last byte, so the client's own work is in
them; those of the processor are the site's alone, and say something while others use the machine.
Where a page answers one of the questions of `lis.py`, the ledger itself is asked the same beside
it.
"""

import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from statistics import fmean, quantiles
from typing import Final, NamedTuple
from urllib.parse import urlencode

from bench import lis
from bench.lis_views import ALL_MONTHS, LARGEST, municipalities
from bench.national import month_of
from bench.rig import BenchError, Figure, Spent
from projections.lis.money_lines import LINES
from projections.lis.views import VIEWS
from streams.citizens.rule_sets import load_rule_set
from streams.devtools.local_kafka import free_ports
from streams.ledger.table import LedgerTable
from streams.web.lis_desk import LIVE
from streams.web.sessions import COOKIE
from streams.web.visitors import Role
from streams.wire.partitioner import partition_of

REQUESTS: Final = int(os.environ.get("WEB_REQUESTS", "200"))
AT_ONCE: Final = (1, 4, 16)
FOR_MODULES: Final = "860"
"""A municipality of middle size that every page is asked about once before it is measured."""
PURPOSE: Final = "bench"
CPU_OF_PROCESS: Final = 2
"""The kind of clock that Linux has for each process, in the low bits of its number."""
START_S: Final = 60.0
ANSWER_S: Final = 120.0
CITIZENS_ASKED: Final = 49
CITIZENS_LOOKED_AT: Final = 20_000
CITIZEN: Final = "{citizen}"
"""Stands in a path where a citizen's token comes."""
SITE: Final = "bench.web_site"
ASKS_OF_THE_LEDGER: Final = 6
"""Clients whose questions to the whole ledger are taken at a time; others are to come again."""
PUBLIC: Final = ("/", "/drift", "/nyheder", "/dokumenter")
WITHOUT_ROWS: Final = frozenset({"afstemning", "borger", "forventet", "fuldstaendighed"})
"""Views that need a file, a citizen, or a topic that a ledger made as files has not."""


class WebPage(NamedTuple):
    """A page that is asked for: its path, who asks, and what its address has.

    `persons` asks for the citizens behind the figures; `names_citizens` wants a purpose first.
    `shows` is a part of the page without which it says that it can not be shown.
    """

    path: str
    role: Role | None = None
    month: str | None = None
    is_by_place: bool = False
    persons: bool = False
    names_citizens: bool = False
    shows: bytes = b""

    @property
    def is_of_citizen(self) -> bool:
        """True if the page is about one citizen."""
        return CITIZEN in self.path


def pages(last: str) -> list[WebPage]:
    """Return all pages, those of views as of the last month or of all months."""
    views = [
        WebPage(
            f"/lis/{name}",
            Role.AUDITOR,
            None if name in ALL_MONTHS or "month" in view.not_by else last,
            "municipality" not in view.not_by,
            names_citizens=view.names_citizens,
        )
        for name, view in VIEWS.items()
        if name not in WITHOUT_ROWS
    ]
    files = [
        WebPage(f"/lis/beloeb.{form}", Role.AUDITOR, last, is_by_place=True)
        for form in ("csv", "json", "parquet", "pdf")
    ]
    return [
        *map(WebPage, PUBLIC),
        WebPage("/lis", Role.ECONOMY),
        WebPage("/lis", Role.AUDITOR),
        WebPage("/koersler", Role.AUDITOR),
        WebPage("/regler", Role.AUDITOR),
        *views,
        *(
            page._replace(persons=True, names_citizens=True)
            for page in views
            if VIEWS[page.path.rpartition("/")[2]].behind
        ),
        WebPage(f"/lis/{LINES}", Role.AUDITOR, last, is_by_place=True),
        *files,
        WebPage(f"/borger/{CITIZEN}", Role.AUDITOR),
    ]


# --- the site -------------------------------------------------------------------------------------


class ServedSite(NamedTuple):
    """A site that runs: its port, its process, the cookies by role, the auditor's citizens."""

    port: int
    pid: int
    cookies: dict[Role | None, str]
    tokens: list[str]

    def peak_mb(self) -> float:
        """Return the most memory that the process has had."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise BenchError("this system does not tell the memory of a process")

    def cpu_s(self) -> float:
        """Return the seconds of the processor that the process has had.

        A page takes less than the hundredths of a second in which `/proc` counts.
        """
        return time.clock_gettime((~self.pid << 3) | CPU_OF_PROCESS)


@contextmanager
def served(environment: dict[str, str], citizens: Sequence[str]) -> Iterator[ServedSite]:
    """Serve the site in a process of its own for the length of a block.

    Of the citizens, which are pseudonyms, it tells the auditor's tokens.
    """
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [sys.executable, "-m", SITE, str(port), LARGEST, *citizens],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        told = [process.stdout.readline().split() for _ in range(2)]
        if not all(told):
            raise BenchError("the site did not start")
        cookies: dict[Role | None, str] = {None: ""}
        cookies |= {Role(role): f"{COOKIE}={session}" for role, session in told}
        tokens = [process.stdout.readline().strip() for _ in citizens]
        site = ServedSite(port, process.pid, cookies, tokens)
        deadline = time.monotonic() + START_S
        while not _is_up(site):
            if time.monotonic() > deadline or process.poll() is not None:
                raise BenchError("the site did not start")
            time.sleep(0.1)
        yield site
    finally:
        process.terminate()
        process.wait()


def _is_up(site: ServedSite) -> bool:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=5)) as connection:
            connection.request("GET", "/healthz", headers={"Host": "localhost"})
            return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False


# --- asking ---------------------------------------------------------------------------------------


class Asker:
    """Asks for one page, about one municipality or citizen after the other.

    It does so from several threads.
    """

    def __init__(self, site: ServedSite, page: WebPage, subjects: Sequence[str]) -> None:
        self._site = site
        self._page = page
        self._subjects = subjects
        self._numbers = count()
        self._own = threading.local()

    def once(self, *, purpose: bool = False) -> Spent | None:
        """Ask once; None where the answer would have more rows than a page may be made of.

        Raises BenchError where the answer is no page.
        """
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection(
                "127.0.0.1", self._site.port, timeout=ANSWER_S
            )
        connection = self._own.connection
        headers = {"Host": "localhost", "Cookie": self._site.cookies[self._page.role]}
        body = None
        if purpose:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode({"purpose": PURPOSE})
        address = self._address()
        began, cpu_s = time.perf_counter(), self._site.cpu_s()
        connection.request("POST" if purpose else "GET", address, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        spent = Spent(time.perf_counter() - began, self._site.cpu_s() - cpu_s)
        if answer.status == http.HTTPStatus.BAD_REQUEST and self._page.persons:
            return None
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise BenchError(f"{self._page.path} answered with status {answer.status}")
        if self._page.shows not in content:
            raise BenchError(f"{self._page.path} says that it can not be shown")
        return spent

    def times(self, clients: int, requests: int) -> list[Spent]:
        """Ask so many times, by so many at once; return what each answer took."""
        with ThreadPoolExecutor(clients) as pool:
            spent = list(pool.map(lambda _: self.once(), range(requests)))
        return [each for each in spent if each is not None]

    def _address(self) -> str:
        page = self._page
        subject = self._subjects[next(self._numbers) % len(self._subjects)]
        asked = {
            "municipality": subject if page.is_by_place else None,
            "month": page.month,
            "persons": "1" if page.persons else None,
        }
        query = urlencode({name: value for name, value in asked.items() if value})
        path = page.path.replace(CITIZEN, subject)
        return f"{path}?{query}" if query else path


class Measured(NamedTuple):
    """A page as it was measured: asked first, asked again, and by many at once."""

    page: WebPage
    first: list[Spent]
    again: list[Spent]
    at_once: list[list[Spent]]
    of_most_s: float
    """The seconds for which most clients asked."""


def figures(folder: Path) -> list[Figure]:
    """Make ledger and marts, or take those that are there, serve the site, ask for each page."""
    place = folder / "web"
    place.mkdir()
    environment, last = lis.there() or lis.made(place)
    ledger = LedgerTable.open(environment["REFUSION_LEDGER"])
    codes = municipalities(load_rule_set())
    environment |= {"REFUSION_STATE_DIR": str(place / "state")}
    with served(environment, _citizens(ledger, last)) as site:
        asked = [measured(site, page, codes) for page in pages(last)]
        peak_mb = site.peak_mb()
    return [
        *(figure for each in asked for figure in told(each, _of_ledger(each.page, ledger, last))),
        *_in_all(asked),
        ("web: most memory of the site", f"{peak_mb:,.0f} MB", ""),
    ]


def _citizens(ledger: LedgerTable, month: str) -> list[str]:
    """Return citizens with money in a month; one more, before whom nothing is measured.

    A ledger made as files has few in the partition in which the site looks for them.
    """
    found = ledger.rows(
        f"SELECT DISTINCT citizen, partition FROM ledger WHERE month = '{month}'"
        f" LIMIT {CITIZENS_LOOKED_AT}"
    )
    at_home = sorted(
        citizen
        for citizen, partition in found
        if partition_of(citizen.encode(), ledger.partitions) == partition
    )
    return at_home[: CITIZENS_ASKED + 1]


def measured(
    site: ServedSite, page: WebPage, codes: Sequence[str], most: Sequence[int] = AT_ONCE
) -> Measured:
    """Ask for a page: the first time, again, and by so many clients at once."""
    subjects, before = codes, FOR_MODULES
    if page.is_of_citizen:
        before, *subjects = site.tokens
    asker = Asker(site, page, subjects)
    if page.names_citizens:
        asker.once(purpose=True)
    Asker(site, page, [before]).once()  # the first of all loads modules and opens files
    asker = Asker(site, page, subjects)
    # Without a municipality in its address there is one page, and it was made a moment ago.
    is_of_many = page.is_by_place or page.is_of_citizen
    first = asker.times(1, len(subjects)) if is_of_many else []
    again = asker.times(1, len(subjects))
    at_once, of_most_s = [], 0.0
    for clients in most if REQUESTS else ():
        began = time.monotonic()
        is_live = page.path.rpartition("/")[2] in LIVE
        at_once.append(
            asker.times(min(clients, ASKS_OF_THE_LEDGER) if is_live else clients, REQUESTS)
        )
        of_most_s = time.monotonic() - began
    return Measured(page, first, again, at_once, of_most_s)


def told(asked: Measured, peer: str = "", most: Sequence[int] = AT_ONCE) -> Iterator[Figure]:
    """Tell the figures of a page: of the processor, then of a clock."""
    page = asked.page
    who = f" ({page.role})" if page.path == "/lis" else " (citizens)" if page.persons else ""
    for name, spent in (("first", asked.first), ("again", asked.again)):
        if not spent:
            continue
        cpu = _percentiles([each.cpu_s for each in spent])
        clock = _percentiles([each.clock_s for each in spent])
        yield f"web: {page.path}{who}, {name} (p50/p95/p99)", f"CPU {cpu}, clock {clock} ms", peer
        peer = ""
    if asked.at_once:
        times = ", ".join(_percentiles([each.clock_s for each in one]) for one in asked.at_once)
        at_once = ", ".join(map(str, most))
        yield f"web: {page.path}{who}, {at_once} at once (p50/p95/p99)", f"clock {times} ms", ""


def _in_all(asked: Sequence[Measured]) -> Iterator[Figure]:
    """Tell what a page takes as a mean of all pages: asked first, again, and by most at once."""
    for name, of_pages in (
        ("first", [each.first for each in asked]),
        ("again", [each.again for each in asked]),
    ):
        each_ms = 1000 * fmean(fmean(one.cpu_s for one in spent) for spent in of_pages if spent)
        rate = f"{1000 / each_ms:,.0f} pages a second of one processor"
        yield f"web: processor time of a page, {name}", f"{each_ms:.1f} ms", rate
    if REQUESTS:
        a_second = len(asked) * REQUESTS / sum(each.of_most_s for each in asked)
        yield f"web: pages a second, {AT_ONCE[-1]} at once, again", f"{a_second:,.0f}", ""


def _percentiles(seconds: Sequence[float]) -> str:
    """Write median, 95th and 99th percentile in ms; "-" where every answer was refused."""
    if len(seconds) < 2:
        return "/".join(f"{1000 * each:.0f}" for each in seconds) or "-"
    cuts = quantiles(seconds, n=100, method="inclusive")
    return "/".join(f"{1000 * cuts[at]:.0f}" for at in (49, 94, 98))


def _of_ledger(page: WebPage, ledger: LedgerTable, last: str) -> str:
    """Ask the ledger the question of a page, where `lis.py` has one."""
    for asked in lis.QUESTIONS:
        if page.path == f"/lis/{asked.view}" and asked.persons == page.persons:
            cold, warm = lis.peer_times(ledger, asked, last, month_of(0))
            return f"the ledger: {cold:,.0f} ms, {warm:,.0f} ms warm"
    return ""
