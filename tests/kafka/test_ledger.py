"""The ledger on a real Kafka, written by worker processes that die, and its files."""

import csv
import json
import os
import re
import subprocess
from collections import Counter
from pathlib import Path
from shutil import copy, copytree, rmtree

import orjson

from projections.ledger.entries import COLUMNS, COUNTERS
from streams.audit.verify import VerifyRequest, verify
from streams.kafka import topics
from streams.ledger.table import LedgerError, LedgerTable
from streams.worker.app import STAGES
from tests.support.pipeline import DONE_S, PROGRAM

MONTH, RUN = "2023-06", 42
FOREIGN_LINE = "2023-01-02;6101801234;{}"
NOT_OF_ROWS = {"after_run", "journal_offset", "run", "closed_at", "data_month", *COUNTERS}
OF_ROWS = tuple(name for name in COLUMNS if name not in NOT_OF_ROWS)
PARTITION = OF_ROWS.index("partition")


def messages_of(pipeline):
    """Every message in `postings` with its place."""
    return [
        (partition, record.offset, orjson.loads(record.value))
        for partition, records in pipeline.records(topics.POSTINGS).items()
        for record in records
    ]


def posted_rows(pipeline):
    """The rows that the ledger must have."""
    return sorted(
        tuple((place | message | {"atp_ore": 0, "reverses": None} | row)[name] for name in OF_ROWS)
        for partition, offset, message in messages_of(pipeline)
        if message["type"] == "postings"
        for position, row in enumerate(message["rows"])
        for place in [{"partition": partition, "offset": offset, "position": position}]
    )


def rows_by_run(pipeline):
    """The rows before the run's marker in each partition, and (None) those after it."""
    rows: dict[int | None, list[dict[str, object]]] = {RUN: [], None: []}
    cut = set()
    for partition, _, message in messages_of(pipeline):
        if message["type"] == "run":
            cut.add(partition)
        else:
            rows[None if partition in cut else RUN] += message["rows"]
    assert len(cut) == pipeline.settings.partitions
    return rows


def ledger_rows(settings):
    columns = ", ".join(f'"{name}"' for name in OF_ROWS)
    query = f"SELECT {columns} FROM ledger WHERE id IS NOT NULL"  # noqa: S608 - columns of ours
    return sorted(LedgerTable.open(settings.ledger).rows(query))


def leave_an_append_without_its_commit(settings):
    """Leave a file that no commit names, like a writer that dies between file and commit."""
    written = next(
        path for path in Path(settings.ledger).rglob("*.parquet") if "_delta_log" not in path.parts
    )
    copy(written, written.with_name(f"left-{written.name}"))


def in_runs(settings):
    """The number of rows of each run; None for rows of no closed run. Empty without a ledger."""
    query = (
        "SELECT cut.run, count(row.id) FROM ledger AS row"
        " LEFT JOIN (SELECT * FROM ledger WHERE kind = 'run') AS cut"
        " ON cut.partition = row.partition AND cut.after_run = row.after_run GROUP BY 1"
    )
    try:
        return dict(LedgerTable.open(settings.ledger).rows(query))
    except LedgerError:
        return {}


def paid_by_another_channel(lines):
    """One of these payments once more, under another id and by another channel: it is noticed."""
    reports = map(orjson.loads, lines)
    paid = next(
        report
        for report in reports
        if report["type"] == "benefit_payment" and report["benefit"] == "KTH"
    )
    return orjson.dumps(paid | {"report_id": "again", "channel": "direct"})


def ore_of_files(files, kind, column):
    """The sum of a column over all files of a kind, in øre."""
    ore = 0
    for name, text in files.items():
        if kind in name:
            for line in csv.DictReader(text.splitlines(), delimiter=";"):
                ore += int(line[column].replace(",", ""))
    return ore


def files_in(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def refusion(settings, *arguments):
    given = {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }
    command = [str(PROGRAM), *map(str, arguments)]
    return subprocess.run(
        command, env=os.environ | given, capture_output=True, text=True, check=False, timeout=DONE_S
    )


def test_two_workers_with_all_stages_make_the_ledger_of_the_postings_and_its_files(
    pipeline, settings, lives, tmp_path
):
    workers = [pipeline.start(*STAGES), pipeline.start(*STAGES)]
    pipeline.publish(lives[0])
    pipeline.publish([paid_by_another_channel(lives[0])])
    pipeline.wait_until_settled()
    pipeline.close_run(MONTH)
    early = refusion(settings, "export", "--run", RUN, "--out", tmp_path / "early")
    assert early.returncode == 0, early.stderr  # it has waited for the ledger
    pipeline.publish(lives[1])
    pipeline.wait_until_settled(STAGES)
    pipeline.audit(crashed=False)
    rows = posted_rows(pipeline)
    assert len(rows) > 1000
    assert ledger_rows(settings) == rows

    # --- the files of the run are the postings before its marker, and the same when made again
    by_run = rows_by_run(pipeline)
    assert in_runs(settings) == Counter({run: len(rows) for run, rows in by_run.items()})
    done = refusion(settings, "export", "--run", RUN, "--out", tmp_path / "files", "--json")
    assert done.returncode == 0, done.stderr
    again = refusion(settings, "export", "--run", RUN, "--out", tmp_path / "again", "--json")
    assert again.stdout == done.stdout
    files = files_in(tmp_path / "files")
    assert files_in(tmp_path / "again") == files
    assert files_in(tmp_path / "early") == files
    assert len(files) == 5 * 98
    written = [path for path in tmp_path.rglob("*") if path.name != "damaged"]
    assert [path for path in written if path.stat().st_mode & 0o077] == []  # nobody else reads
    told = json.loads(done.stdout)
    for name, column in (
        ("refusion_ore", "Refusionsbeløb"),
        ("medfinansiering_ore", "Medfinansieringsbeløb"),
    ):
        ore = sum(row[name] for row in by_run[RUN])
        assert told[name] == ore != 0
        assert ore_of_files(files, "beregning", column) == ore
        assert ore_of_files(files, "sumposteringer", column) == ore
    assert told["rows"] == len(by_run[RUN])
    assert told["notices"] > 0
    refused = refusion(settings, "export", "--run", RUN + 1, "--out", tmp_path / "none")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"run {RUN + 1} is not complete in the ledger" in refused.stderr

    # --- an audit holds the files against the postings, and names what was altered in them
    audit_the_files(settings, tmp_path / "files", tmp_path)

    # --- a ledger that is gone is made again, though its workers live
    rmtree(settings.ledger)
    pipeline.publish(lives[2])
    pipeline.wait_until_settled()
    rows = posted_rows(pipeline)
    pipeline.wait_until(lambda: sum(in_runs(settings).values()) == len(rows))
    for worker in workers:
        pipeline.stop(worker)
    assert ledger_rows(settings) == rows


def audit_the_files(settings, files, tmp_path):
    done = verify(settings, VerifyRequest(files=files), lambda *_: None)
    assert (done.violations.named, done.files, done.file_lines > 1_000) == ([], 2 * 98, True)
    folder = copytree(files, tmp_path / "damaged")
    # Each damage is in the files of another municipality, so that one audit finds them all.
    largest = sorted(folder.glob("*beregning*"), key=lambda each: each.stat().st_size)[-6:]
    altered, lost, foreign, doubled, pointed, gone = largest
    rewrite(altered, lambda lines: [*lines[:6], with_ore_more(lines[6], 7), *lines[7:]])
    rewrite(lost, lambda lines: [*lines[:6], *lines[7:]])
    stranger = FOREIGN_LINE.format(foreign.read_text().splitlines()[1].split(";", 2)[2])
    rewrite(foreign, lambda lines: [*lines, stranger])
    twice = doubled.read_text().splitlines()[4]
    rewrite(doubled, lambda lines: [*lines, twice])
    rewrite(pointed, lambda lines: [*lines[:3], lines[3].replace(",", "."), *lines[4:]])
    sums = gone.with_name(gone.name.replace("beregning", "sumposteringer"))
    rewrite(sums, lambda lines: [lines[0], with_ore_more(lines[1], 6), *lines[2:]])
    gone.unlink()

    found = verify(settings, VerifyRequest(files=folder), lambda *_: None).violations
    assert found.counts == {"files": len(found.named)}
    persons = {line.split(";")[1] for path in files.glob("*beregning*")
               for line in path.read_text().splitlines()}  # fmt: skip
    assert not any(cpr in each.text for cpr in persons for each in found.named)

    def of(name):
        return [(each.offset, each.text) for each in found.named if each.topic == name]

    ((line, text),) = of(altered.name)
    assert line == 7
    assert re.fullmatch(
        r"citizen \w{32}: Refusionsbeløb is \d øre (more|less) than the postings give", text
    )
    assert [line for line, _ in of(foreign.name)] == [len(foreign.read_text().splitlines())]
    assert len(of(doubled.name)) == 1
    ((line, text),) = of(sums.name)
    assert (line, text.partition(" is ")[0]) == (2, "Beregnet udbetalingsbeløb")
    assert (4, "an amount is not kroner with two decimals") in of(pointed.name)
    missing = f"no line in the file of {municipality_of(lost)} for run {RUN}"
    in_postings = [text for _, text in of(settings.topic(topics.POSTINGS))]
    assert sum(missing in text for text in in_postings) == 1
    named = f"municipality {municipality_of(gone)} has rows in the run and no file, which others"
    assert [each.text for each in found.named if named in each.text] == [f"{named} have"]


def municipality_of(path):
    return path.name.split("-")[3]


def rewrite(path, damage):
    path.write_text("".join(f"{line}\n" for line in damage(path.read_text().splitlines())))


def with_ore_more(line, column):
    values = line.split(";")
    values[column] = re.sub(r"\d$", lambda digit: str((int(digit[0]) + 1) % 10), values[column])
    return ";".join(values)


def test_a_ledger_whose_workers_are_killed_in_and_around_commits_is_whole(
    pipeline, settings, lives
):
    worker = pipeline.start()
    pipeline.publish(lives[0])
    pipeline.publish(lives[1])
    pipeline.wait_until_settled()
    pipeline.stop(worker)
    pipeline.wait_for_death(
        pipeline.start("projections", REFUSION_TEST_KILL="projections:before_commit:1")
    )
    assert ledger_rows(settings) == []
    pipeline.wait_for_death(
        pipeline.start("projections", REFUSION_TEST_KILL="projections:after_commit:1")
    )
    written = ledger_rows(settings)  # of the partitions that were fast enough for the first commit
    assert written, "it died after the commit"
    posted = posted_rows(pipeline)
    for partition in range(settings.partitions):  # of each as far as it came, and nothing twice
        of_it = [row for row in written if row[PARTITION] == partition]
        assert of_it == [row for row in posted if row[PARTITION] == partition][: len(of_it)]
    leave_an_append_without_its_commit(settings)
    worker = pipeline.start("projections")
    pipeline.wait_until_settled(["projections"])
    pipeline.stop(worker)
    made = ledger_rows(settings)
    assert made == posted_rows(pipeline)

    rmtree(settings.ledger)
    worker = pipeline.start("projections")
    pipeline.wait_until(lambda: in_runs(settings) == {None: len(made)})
    pipeline.stop(worker)
    assert ledger_rows(settings) == made
