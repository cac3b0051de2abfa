"""The auditor: what is true after a seed, by means that the program under test does not choose.

It runs in another process than the seed, so that a planted defect is not in it too.

* Each raw record has become a report in the journal or a dead letter; what retention took before it
  was read was said aloud.
* The postings of each partition are, byte for byte, what its journal gives when it is folded from
  its start, in one go: nothing lost, nothing twice. `refusion settle` makes the same.
* So are the notices, each with the record that it follows from.
* Control records are in each partition once; the postings are cut by their runs and by no other.
* Nothing follows from a record that nobody of ours wrote, and none fails but those with poison.
* Revisions have no gap and rows no twin; the ledger has the rows of the postings, in their order.
* Each disk has what the changelog says up to its checkpoint.
* `refusion verify` finds nothing, with each citizen computed anew by the reference computation and
  the files of each run held against the postings (`audit_files.py`).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import orjson

from projections.ledger.entries import COLUMNS
from streams.citizens.refold import Refolding
from streams.citizens.rule_sets import DEFAULT
from streams.citizens.settler import Partition
from streams.citizens.store_port import MemoryStore
from streams.privacy.macs import MAC
from streams.stages.disk import CHECKPOINT
from streams.wire import journal
from streams.wire.belief import JournalBelief
from streams.wire.cloudevents import source_offset
from tests.simulation.audit_verify import verify_finds_nothing
from tests.simulation.merging import REASON
from tests.simulation.names import DEAD, JOURNAL, NOTICES, POSTINGS, RAW, STATE
from tests.simulation.population import POISON_SETTLE, POISON_STEP
from tests.simulation.world import LAWS, settings_of

_AT = {name: at for at, name in enumerate(COLUMNS)}
_POISON = tuple(f'"report_id":"{prefix}'.encode() for prefix in (POISON_SETTLE, POISON_STEP))


class FoundError(AssertionError):
    """Something is wrong after a seed."""


def audit(remains) -> None:
    """Raise FoundError for the first thing that is wrong."""
    dead = _dead_letters(remains)
    _nothing_is_missing(remains, dead)
    for partition in range(remains.plan.partitions):
        _postings_are_those_of_the_journal(remains, partition)
        _control_records_are_there_once(remains, partition)
        _only_poison_fails(remains, partition, dead)
        _revisions_have_no_gap(remains, partition)
        if remains.plan.has_ledger:
            _ledger_is_the_postings(remains, partition)
    _disks_are_the_changelog(remains)
    verify_finds_nothing(remains, FoundError)


def _dead_letters(remains):
    """The reasons of dead letters by topic, partition and offset of what was refused."""
    found: defaultdict[tuple[str, int, int], list[str]] = defaultdict(list)
    for partition in range(remains.plan.partitions):
        for entry in remains.committed(DEAD, partition):
            headers = {name: value.decode() for name, value in entry.headers}
            place = headers["topic"], int(headers["partition"]), int(headers["offset"])
            found[place].append(headers["reason"])
    return found


def _nothing_is_missing(remains, dead) -> None:
    taken_in = {
        dict(entry.headers).get("raw")
        for partition in range(remains.plan.partitions)
        for entry in remains.committed(JOURNAL, partition)
    }
    missing: Counter[int] = Counter()
    for partition, offset, _ in remains.raw_places:
        name = f"{RAW}/{partition}/{offset}"
        if name.encode() in taken_in or (RAW, partition, offset) in dead:
            continue
        if (partition, offset) not in remains.expired_unread:
            raise FoundError(f"{name} is neither in the journal nor a dead letter")
        missing[partition] += 1
    for partition, number in missing.items():
        if remains.unread[partition] < number:
            raise FoundError(f"{number} records of {RAW}/{partition} expired, and nobody said so")


# --- the journal and what follows from it ---------------------------------------------------------


def _believed(remains, partition):
    """The journal's records that count, without those of poison."""
    macs = settings_of(remains.plan.partitions).identity().macs
    belief = JournalBelief(macs.at("reports", partition))
    for entry in remains.committed(JOURNAL, partition):
        is_ours = belief.of(entry) == "ours"
        if is_ours and not any(poison in entry.value for poison in _POISON):
            try:
                yield entry.offset, journal.decode(entry.key, entry.value)
            except (ValueError, KeyError, TypeError):
                continue


def _postings_are_those_of_the_journal(remains, partition) -> None:
    refolding = _Refolding(LAWS, MemoryStore())
    expected = list(refolding.fold(_believed(remains, partition)))
    posted = remains.committed(POSTINGS, partition)
    name = f"postings/{partition}"
    for entry, (offset, message) in zip(posted, expected, strict=False):
        if entry.value != message:
            raise FoundError(
                f"{name}: message {entry.offset} is {entry.value!r}, and should be {message!r}"
            )
        citizen = orjson.loads(message).get("citizen")
        if entry.key != (citizen.encode() if citizen else None):
            raise FoundError(f"{name}: message {entry.offset} has the key {entry.key}")
        if source_offset(entry.headers) != offset:
            raise FoundError(f"{name}: message {entry.offset} names another source than {offset}")
        if (partition, offset) in remains.foreign:
            raise FoundError(f"{name}: message {entry.offset} follows from a forged record")
        if not remains.plan.is_former and MAC not in dict(entry.headers):
            raise FoundError(f"{name}: message {entry.offset} has no MAC")
    if len(posted) != len(expected):
        raise FoundError(f"{name}: {len(posted)} messages, and should be {len(expected)}")
    _notices_are_those_of_the_journal(remains, partition, refolding.notices)


class _Noticing(Partition):
    """A partition that remembers the notices of each record of its last batch."""

    noticed: tuple[Sequence[bytes], ...] = ()

    def settle_batch(self, records):
        outcomes = super().settle_batch(records)
        self.noticed = tuple(outcome.notices for outcome in outcomes)
        return outcomes


class _Refolding(Refolding):
    """A fold that gives its notices too, each with its record's offset."""

    def __init__(self, laws, store) -> None:
        super().__init__(laws, store)
        self._partition = self._noticing = _Noticing(laws.law(DEFAULT), store, laws=laws)
        self.notices: list[tuple[int, bytes]] = []

    def _settled(self, entries):
        yield from super()._settled(entries)
        for (offset, _), notices in zip(entries, self._noticing.noticed, strict=True):
            self.notices += [(offset, notice) for notice in notices]


def _notices_are_those_of_the_journal(remains, partition, expected) -> None:
    noticed = [
        (source_offset(entry.headers), entry.value)
        for entry in remains.committed(NOTICES, partition)
    ]
    if noticed != expected:
        wrong = [pair for pair in zip(noticed, expected, strict=False) if pair[0] != pair[1]]
        raise FoundError(
            f"notices/{partition}: {len(noticed)}, and should be {len(expected)}; the first"
            f" difference is {wrong[:1]}"
        )


def _control_records_are_there_once(remains, partition) -> None:
    ours = [
        entry.value
        for entry in remains.committed(JOURNAL, partition)
        if entry.key is None
        and (partition, entry.offset) not in remains.foreign
        and REASON.encode() not in entry.value  # a merge frees again what was freed
    ]
    if ours != remains.confirmed:
        raise FoundError(
            f"{JOURNAL}/{partition} has other control records than were written: {ours}"
        )
    runs = [value for value in ours if orjson.loads(value)["type"] == "run"]
    posted = [e.value for e in remains.committed(POSTINGS, partition) if e.key is None]
    if list(map(orjson.loads, posted)) != list(map(orjson.loads, runs)):
        raise FoundError(f"{POSTINGS}/{partition}: its runs are {posted}, and should be {runs}")


def _only_poison_fails(remains, partition, dead) -> None:
    for entry in remains.committed(JOURNAL, partition):
        reasons = dead.get((JOURNAL, partition, entry.offset), [])
        place = f"{JOURNAL}/{partition}/{entry.offset}"
        if len(reasons) > 1 + remains.made_anew:  # a rebuild refuses it again
            raise FoundError(f"{place} became {len(reasons)} dead letters")
        is_foreign = (partition, entry.offset) in remains.foreign
        is_poison = not is_foreign and any(poison in (entry.value or b"") for poison in _POISON)
        if is_poison and not set(reasons) <= {"internal_error", "conflicting_duplicate"}:
            raise FoundError(f"{place} has poison, and became {reasons}")
        if not is_poison and "internal_error" in reasons:
            raise FoundError(f"{place} was passed over without a fault of its own")


def _revisions_have_no_gap(remains, partition) -> None:
    revisions: Counter[str] = Counter()
    ids: set[str] = set()
    for entry in remains.committed(POSTINGS, partition):
        message = orjson.loads(entry.value)
        if message["type"] != "postings":
            continue
        citizen = message["citizen"]
        if message["revision"] != revisions[citizen] + 1:
            raise FoundError(
                f"postings/{partition}: revision {message['revision']} of a citizen follows"
                f" {revisions[citizen]}"
            )
        revisions[citizen] += 1
        for row in message["rows"]:
            if row["id"] in ids:
                raise FoundError(f"postings/{partition}: row {row['id']} is there twice")
            ids.add(row["id"])


# --- ledger and disks -----------------------------------------------------------------------------

_COMPARED = ("offset", "position", "kind", "id", "amount_ore", "refusion_ore", "run", "revision")


def _ledger_is_the_postings(remains, partition) -> None:
    expected = []
    for entry in remains.committed(POSTINGS, partition):
        message = orjson.loads(entry.value)
        if message["type"] == "run":
            expected.append((entry.offset, 0, "run", None, None, None, message["run"], None))
        for position, row in enumerate(message.get("rows") or [{}] * (message["type"] != "run")):
            money = row.get("id"), row.get("amount_ore"), row.get("refusion_ore")
            kind = row.get("kind", "counters")
            expected.append((entry.offset, position, kind, *money, None, message["revision"]))
    there = [
        tuple(entry[_AT[name]] for name in _COMPARED)
        for entry in remains.ledger
        if entry[_AT["partition"]] == partition
    ]
    if there != expected:
        wrong = next((pair for pair in zip(there, expected, strict=False) if pair[0] != pair[1]), 0)
        raise FoundError(
            f"the ledger has {len(there)} entries of partition {partition}, and should have"
            f" {len(expected)}; the first difference is {wrong}"
        )


def _disks_are_the_changelog(remains) -> None:
    """Hold each folder that is still believed against the changelog up to its checkpoint."""
    for path, content in remains.disks.items():
        point = orjson.loads(content.get(CHECKPOINT) or b"{}")
        if point.get("changelog") != f"simulated/{STATE}/{remains.made_anew}":
            continue  # it will be thrown away
        partition = int(path.rpartition("-")[2])
        expected = MemoryStore()
        for entry in remains.committed(STATE, partition):
            if entry.offset < point["offset"] and entry.key:
                expected.write([(entry.key, entry.value or b"")])
        found = {key: value for key, value in content.items() if key != CHECKPOINT}
        differing = [key for key in expected if found.get(key, b"") != expected[key]]
        later = {e.key for e in remains.committed(STATE, partition) if e.offset >= point["offset"]}
        # What was compacted away has a later record, which the disk has not read yet.
        extra = [key for key in found if key not in expected and key not in later]
        if differing or extra:
            raise FoundError(f"{path} differs from the changelog: {[*differing, *extra][:3]}")
