"""Whatever the closing points, late data and deaths: the files of all runs add up to the truth, to
the øre.

From reports to files without Kafka: settled in two partitions, cut at different places, written to
a real Delta table by writers that die before and after their commits, exported run by run, and read
as the municipalities' programs read them. The truth is the reference computation's; opening rows
are what the earlier system had paid of it.
"""

import csv
import random
from collections import defaultdict

import orjson
import pytest

from domain.oracle import reference
from projections.ledger.entries import Posted, advance, read_page
from projections.runs.files import Names
from streams.ledger.cuts import cuts_of
from streams.ledger.export import Export, FileChoice
from streams.ledger.table import Append, LedgerTable, entries_batch
from streams.settings import Settings
from tests.properties.test_openings import as_opening
from tests.support import product
from tests.support.lives import RULES, THEMES, life

RUNS = (49, 50, 51)
NAMES = Names(
    {code: benefit.name for code, benefit in RULES.benefits.items()}, RULES.municipalities
)
MUNICIPALITIES = ("730", "751")
KEYS = {"REFUSION_PSEUDONYM_KEY": bytes(32).hex(), "REFUSION_SEAL_KEY": bytes(range(32)).hex()}
"""Those of `tests.support.product`."""
TOLD_APART = (
    "Uge",
    "CPR nummer",
    "Ydelse",
    "Finansiering Kommunenavn",
    "Refusionssats",
    "Medfinansieringssats",
)


def journals(rng, seed):
    """Two partitions with the reports of three citizens each, some opening rows, and each run's
    marker.
    """
    themes = sorted(THEMES)
    for partition in range(2):
        lives = [
            life(rng.choice(themes), seed, citizen=3 * partition + number) for number in range(3)
        ]
        openings = [
            as_opening(row, reports[0]["cpr"])
            for reports in lives
            if reports
            for row in reference.settle(reports, RULES).rows
            if row["month"] >= "2016-01" and rng.random() < 0.3
        ]
        turns = [number for number, reports in enumerate(lives) for _ in reports]
        rng.shuffle(turns)
        nexts = [iter(reports) for reports in lives]
        journal = [next(nexts[number]) for number in turns]
        for opening in openings:
            journal.insert(rng.randint(0, len(journal)), opening)
        cuts = sorted(rng.randint(0, len(journal)) for _ in RUNS[1:])
        for run, at in zip(RUNS, [*cuts, len(journal)], strict=True):
            journal.insert(at + run - RUNS[0], _marker(run))
        yield lives, openings, journal


def _marker(run):
    return {
        "schema": 1, "type": "run", "run": run, "closed_at": f"2024-0{run - 47}-05T10:00:00Z",
        "data_month": f"2024-0{run - 48}",
    }  # fmt: skip


def write_with_deaths(rng, folder, number, values):
    """A partition of postings into the table, by writers that die; each goes on where the table
    says.
    """
    table = LedgerTable.make(str(folder), "postings", "test", 2)
    records = [Posted(at, orjson.loads(value), at) for at, value in enumerate(values)]
    progress = table.progress(number)
    while progress.position < len(records):
        end = min(progress.position + rng.randint(1, 1 + len(records) // 2), len(records))
        page = read_page(progress, records[progress.position : end])
        fate = rng.random()
        if fate < 0.3:  # it dies before its commit
            progress = LedgerTable.open(str(folder)).progress(number)
            continue
        table.append([Append(number, progress.position, end, entries_batch(page.entries))])
        if fate < 0.6:  # and after it
            table = LedgerTable.open(str(folder))
            progress = table.progress(number)
        else:
            advance(progress, page, end)


def read_files(folder):
    """All files of a kind as their readers read them: sorted, equal lines of a file once, the
    same week summed.
    """
    sums: defaultdict[tuple, int] = defaultdict(int)
    by_account: defaultdict[str, int] = defaultdict(int)
    for path in sorted(folder.glob("*.csv")):
        lines = [*csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter=";")]
        if "-beregning-" in path.name:
            seen = {tuple([*line.values()][:10]) for line in lines}
            assert len(seen) == len(lines)
            for line in lines:
                sums[path.name.split("-")[3], *(line[name] for name in TOLD_APART)] += _ore(line)
        else:
            by_account[path.name.split("-")[3]] += sum(map(_ore, lines))
    return {key: ore for key, ore in sums.items() if ore}, dict(by_account)


def _ore(line):
    return int(line["Refusionsbeløb"].replace(",", "")) + int(
        line["Medfinansieringsbeløb"].replace(",", "")
    )


def expected(lives, openings):
    """The truth less what had been settled: whose file, week, person, names, rates."""
    sums: defaultdict[tuple, int] = defaultdict(int)
    for reports in lives:
        for row in reference.settle(reports, RULES).rows if reports else ():
            sums[key_of(row, reports[0]["cpr"])] += row["refusion_ore"] + row["medfinansiering_ore"]
    for opening in openings:
        sums[key_of(opening, opening["cpr"])] -= (
            opening["refusion_ore"] + opening["medfinansiering_ore"]
        )
    return {key: ore for key, ore in sums.items() if ore}


def key_of(row, cpr):
    is_refusion = row["mechanism"] == "refusion"
    rates = (row["rate"], 0) if is_refusion else (0, row["rate"])
    place = row["paying"] if is_refusion else row["financing"]
    names = NAMES.benefits[row["benefit"]], NAMES.municipalities[row["financing"]]
    return place, row["week"], cpr, *names, *map(str, rates)


@pytest.mark.parametrize("seed", range(6000, 6006))
def test_the_files_of_all_runs_add_up_to_the_truth_less_what_was_settled_before(seed, tmp_path):
    rng = random.Random(seed)
    lives, openings = [], []
    for number, (of_partition, opened, journal) in enumerate(journals(rng, seed)):
        lives += of_partition
        openings += opened
        values = [
            outcome.posting for outcome in product.outcomes(journal, batch=5) if outcome.posting
        ]
        write_with_deaths(rng, tmp_path / "ledger", number, values)
    settings = Settings.load(KEYS | {"REFUSION_STATE_DIR": str(tmp_path / "state")})
    ledger = LedgerTable.open(str(tmp_path / "ledger"))
    for run in RUNS:
        for code in MUNICIPALITIES:
            Export(settings, ledger, cuts_of(ledger, run), run, NAMES).write(
                tmp_path / "files", FileChoice(code), lambda *_: None
            )
    truth = expected(lives, openings)
    found, by_account = read_files(tmp_path / "files")
    assert found == truth
    assert len(truth) > 20
    for code in MUNICIPALITIES:
        assert by_account[code] == sum(ore for key, ore in truth.items() if key[0] == code)
    posted = (
        "SELECT sum(refusion_ore + medfinansiering_ore) FROM ledger"
        " WHERE kind IN ('result', 'correction')"
    )
    assert [*ledger.rows(posted)] == [(sum(truth.values()),)]


def test_the_ledger_made_again_has_the_same_entries(tmp_path):
    _, _, journal = next(journals(random.Random(1), 6001))
    values = [outcome.posting for outcome in product.outcomes(journal) if outcome.posting]
    made = []
    for seed in (1, 2):
        write_with_deaths(random.Random(seed), tmp_path / str(seed), 0, values)
        made.append(
            [
                *LedgerTable.open(str(tmp_path / str(seed))).rows(
                    'SELECT * FROM ledger ORDER BY "offset", position'
                )
            ]
        )
    assert made[0] == made[1]
    assert len(made[0]) >= sum(max(1, len(orjson.loads(value).get("rows", ()))) for value in values)
