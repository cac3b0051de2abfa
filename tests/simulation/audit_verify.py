"""The checks of `refusion verify` on what a seed leaves behind: files of its runs included."""

import tempfile
from collections import defaultdict
from pathlib import Path

from projections.ledger.entries import COLUMNS, ROW_KINDS
from projections.runs.files import LedgerRow, Municipality, Names, file_name, municipality_of
from projections.runs.files import write_csv as write_file
from streams.audit.verify import VerifyRequest, verify
from tests.simulation.names import DEAD, JOURNAL, NOTICES, POSTINGS, PREFIX, RAW, STATE
from tests.simulation.world import LAWS, settings_of
from tests.support.topics_in_memory import StoredRecord, TopicsInMemory

_AT = {name: at for at, name in enumerate(COLUMNS)}
_ROW = [_AT[name] for name in LedgerRow._fields]


def verify_finds_nothing(remains, error) -> None:
    """Raise an error for the first violation that the audit finds."""
    topics = _topics(remains)
    with tempfile.TemporaryDirectory(prefix="refusion-seed-") as folder:
        files = write_files(remains, Path(folder)) if remains.plan.has_ledger else 0
        request = VerifyRequest(100.0, files=Path(folder) if files else None)
        found = verify(
            topics.settings, request, lambda *_: None, topics.open(_ends(remains, topics))
        )
    if found.violations.total:
        raise error(f"verify finds {found.violations.named[0]}")
    if files and found.files != files:
        raise error(f"verify read {found.files} files of {files}")


def _topics(remains) -> TopicsInMemory:
    plan = remains.plan
    topics = TopicsInMemory(settings_of(plan.partitions))
    for topic in (JOURNAL, POSTINGS, STATE, NOTICES, DEAD, RAW):
        number = plan.raw_partitions if topic == RAW else plan.partitions
        short = topic.removeprefix(PREFIX)
        topics.of[short] = {
            partition: [
                StoredRecord(entry.offset, entry.key, entry.value, entry.headers)
                for entry in remains.committed(topic, partition)
            ]
            for partition in range(number)
        }
        for partition in range(number):
            log = remains.logs.get((topic, partition))
            topics.starts[short, partition] = log.start if log else 0
    return topics


def _ends(remains, topics):
    ends = topics.ends()
    for (topic, partition), log in remains.logs.items():
        ends[topic.removeprefix(PREFIX)][partition] = log.end
    return ends


# --- the files of the runs, from the ledger -------------------------------------------------------


def write_files(remains, folder: Path) -> int:
    """Write the specifications and the sums of all runs in the ledger. Returns their number."""
    identity = settings_of(remains.plan.partitions).identity()
    catalogue = LAWS.catalogue()
    names = Names(
        {code: benefit.name for code, benefit in catalogue.benefits.items()},
        catalogue.municipalities,
    )
    sealed = {entry[_AT["citizen"]]: entry[_AT["cpr_sealed"]] for entry in remains.ledger if entry}

    def cpr_of(citizen):
        return identity.unseal(citizen, sealed[citizen])

    number = 0
    for (run, closed_at), rows in _runs(remains.ledger).items():
        places: defaultdict[str, Municipality] = defaultdict(lambda: Municipality(names))
        for row in rows:
            places[municipality_of(row)].rows.append(row)
        for code, place in places.items():
            kinds = {"beregning": place.specification(cpr_of), "sumposteringer": place.accounts()}
            for kind, lines in kinds.items():
                path = folder / f"{file_name(kind, code, run, closed_at)}.csv"
                with path.open("w", encoding="utf-8") as file:
                    write_file(kind, lines, file)
                number += 1
    return number


def _runs(ledger):
    """The rows of each run that is closed in all partitions, by its number and closing time."""
    runs: defaultdict[tuple[int, str], list[LedgerRow]] = defaultdict(list)
    waiting: defaultdict[int, list[LedgerRow]] = defaultdict(list)
    for entry in ledger:
        partition = entry[_AT["partition"]]
        if entry[_AT["kind"]] == "run":
            runs[entry[_AT["run"]], entry[_AT["closed_at"]]] += waiting.pop(partition, [])
        elif entry[_AT["kind"]] in ROW_KINDS:
            waiting[partition].append(LedgerRow(*(entry[at] for at in _ROW)))
    return runs
