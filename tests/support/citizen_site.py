"""A site over the ledger of some citizens, each in the partition of its pseudonym.

There is no broker: what the site would read from the journal comes from the citizens' reports here.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson

from projections.ledger.entries import Posted, read_page
from streams.citizens.rule_sets import DEFAULT
from streams.explain.citizen_ledger import CitizenLedger
from streams.explain.why import Evidence
from streams.ledger.table import Append, LedgerTable, entries_batch
from streams.settings import Settings
from streams.wire.partitioner import partition_of
from tests.support import product
from tests.support.lives import life
from tests.support.run_histories import marker
from tests.support.site_client import a_site

PARTITIONS = 2
RUNS = (49, 50, 51)
KEYS = {
    "REFUSION_PSEUDONYM_KEY": bytes(32).hex(),
    "REFUSION_SEAL_KEY": bytes(range(32)).hex(),
}
"""The keys of `product.IDENTITY`."""


def citizen_of(reports) -> str:
    citizen, _ = product.IDENTITY.of(reports[0]["cpr"])
    return citizen


def some_lives(seed, themes=("resets", "the_window", "a_faulty_upstream")):
    """Reports of a citizen for each theme."""
    return [life(theme, seed, citizen=number) for number, theme in enumerate(themes)]


OPENED_CPR = "1205801238"


def opened_life():
    """Nine weeks of an earlier system on the third step, and reports; the last is of February.

    It takes the place of the opening rows of that month.
    """
    common = {"schema": 1, "cpr": OPENED_CPR, "benefit": "KTH", "amount_ore": 270_000}
    monday = date(2022, 1, 3)
    weeks = [(monday + timedelta(7 * at)).isoformat() for at in range(9)]
    opened = {
        "type": "opening", "reported_at": "2022-03-01T08:00:00Z", "paying": "730",
        "financing": "730", "mechanism": "refusion", "rate": 30, "refusion_ore": 81_000,
    }  # fmt: skip
    paid = {
        "type": "benefit_payment", "reporter": "12345678", "paying_municipality": "730",
        "channel": "eindkomst",
    }  # fmt: skip
    periods = [
        {
            "report_id": f"O-{month}", "period_start": f"2022-{month:02d}-01",
            "period_end": f"2022-{month:02d}-28", "reported_at": f"2022-{month:02d}-28T08:00:00Z",
        }
        for month in (4, 5, 6, 2)
    ]  # fmt: skip
    return [
        *(common | opened | {"month": week[:7], "week": week} for week in weeks),
        *(common | paid | period for period in periods),
    ]


def write_ledger(folder: Path, lives) -> None:
    """Settle lives with three runs among them, and write the ledger."""
    table = LedgerTable.make(str(folder), "postings", "test", PARTITIONS)
    for partition in range(PARTITIONS):
        journal: list[Any] = []
        mine = [
            reports
            for reports in lives
            if partition_of(citizen_of(reports).encode(), PARTITIONS) == partition
        ]
        cuts = {
            max(len(reports) for reports in lives) * (at + 1) // 4: run
            for at, run in enumerate(RUNS)
        }
        for at in range(max((len(reports) for reports in lives), default=0)):
            if at in cuts:
                journal.append(marker(cuts[at]))
            journal += [reports[at] for reports in mine if at < len(reports)]
        outcomes = product.outcomes(journal, batch=3)
        posted = [
            Posted(number, orjson.loads(outcome.posting or b""), at)
            for number, (at, outcome) in enumerate(
                (at, outcome) for at, outcome in enumerate(outcomes) if outcome.posting
            )
        ]
        progress = table.progress(partition)
        page = read_page(progress, posted)
        table.append([Append(partition, 0, len(posted), entries_batch(page.entries))])


def citizen_settings(folder: Path, **more: str) -> Settings:
    places = {name: str(folder / name.lower()) for name in ("LEDGER", "LIS", "STATE_DIR")}
    given = {f"REFUSION_{name}": place for name, place in places.items()}
    return Settings.load(given | KEYS | {"REFUSION_DEMO": "1"} | more)


def citizen_site(folder: Path, **more):
    """Make a site over a ledger that was written to `folder / "ledger"`."""
    return a_site(citizen_settings(folder), **more)


def evidence_of(settings: Settings, reports) -> Evidence:
    """Give what the journal would give of a citizen."""
    citizen = citizen_of(reports)
    records: list[Any] = [
        product.record_of(report)[2] for report in reports if report["type"] != "opening"
    ]
    posted = CitizenLedger(LedgerTable.open(settings.ledger)).rows(citizen)
    rules = posted[-1].rules if posted else DEFAULT
    source = {"from": "journal", "sentence": "", "offsets": [*range(len(records))]}
    return Evidence(citizen, records, [], posted, source, rules)
