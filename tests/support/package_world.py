"""A small system whose run is closed: topics in memory, a ledger of them, and acts."""

import asyncio
import csv
import io

import orjson

from projections.ledger.entries import Posted, read_page
from streams.acts.acts import Act, record_acts
from streams.dossier.package import Doors, make_package
from streams.dossier.package_content import PackageRequest
from streams.ledger.cuts import cuts_of
from streams.ledger.export import Export, FileChoice
from streams.ledger.table import Append, LedgerTable, entries_batch
from streams.settings import Settings
from tests.support.acts_in_memory import MemoryActTopic
from tests.support.audit_run import run_both_halves, source_of
from tests.support.lines import payment, reversal
from tests.support.lis_site import lis_environment
from tests.support.population import reports_of_some_lives
from tests.support.run_of_randers import NAMES
from tests.support.stages_in_memory import StagesInMemory

FIRST_RUN, RUN = 48, 49
"""The runs of 2023-12 and 2024-01; what comes after them is in none."""


def live_some_lives(stages):
    """Two runs of many citizens, and reports after them."""
    portions = reports_of_some_lives()
    run_both_halves(
        portions[:3], stages.publish, stages.load_openings, stages.settle,
        lambda _month: stages.close_run("2023-12"),
    )  # fmt: skip
    stages.close_run("2024-01")
    stages.publish(portions[3])
    stages.settle()


def live_a_reversed_report(stages):
    """A report in the first run, and its reversal in the second."""
    taken_back = reversal(report_id="2024-02-0002", reverses="2024-02-0001")
    for line, month in ((payment(), "2023-12"), (taken_back, "2024-01")):
        stages.publish([line])
        stages.settle()
        stages.close_run(month)
        stages.settle()


class PackageWorld:
    """The system of a package: its topics, settings, acts, and how a package of it is made."""

    def __init__(self, folder, live=live_some_lives):
        self.settings = Settings.load(
            lis_environment(folder)
            | {"REFUSION_BOOTSTRAP": "127.0.0.1:1", "REFUSION_PREFIX": "clean.",
               "REFUSION_PARTITIONS": "4"}
        )  # fmt: skip
        stages = StagesInMemory(self.settings, folder / "stages")
        try:
            live(stages)
        finally:
            stages.close()
        self.topics = stages.topics
        self.write_ledger()
        self.acts = MemoryActTopic("clean.access")
        acts = [Act("run close", {"run": RUN}), Act("export", {"run": RUN, "municipality": None})]
        acts.append(Act("verify --files", {"folder": "/x"}))
        asyncio.run(record_acts(self.settings, acts, self.acts.open))

    def write_ledger(self):
        """Write the postings to the ledger, as the projections stage does."""
        uri = self.settings.ledger
        for at, records in self.topics.of["postings"].items():
            table = LedgerTable.make(uri, "postings", "test", self.settings.partitions)
            posted = [
                Posted(each.offset, orjson.loads(each.value), source_of(each)) for each in records
            ]
            page = read_page(table.progress(at), posted)
            table.append([Append(at, 0, len(posted), entries_batch(page.entries))])

    def export(self, folder, run=RUN):
        """Export the files of the run."""
        ledger = LedgerTable.open(self.settings.ledger)
        export = Export(self.settings, ledger, cuts_of(ledger, run), run, NAMES)
        export.write(folder, FileChoice(None), lambda *_: None)

    def make(self, topics=None, **asked):
        """Make a package."""
        doors = Doors((topics or self.topics).open(), self.acts.open)
        request = PackageRequest(**{"run": RUN, "jobs": 1} | asked)
        return make_package(self.settings, request, lambda *_: None, doors)


def table_in(content, name):
    """The rows of a table in a package."""
    text = content[name].decode("utf-8-sig")
    return [*csv.DictReader(io.StringIO(text, newline=""), delimiter=";")]


def table_of(rows):
    """A table of a package, of rows by the names of its header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*rows[0]], delimiter=";", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig")
