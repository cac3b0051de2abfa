"""Every stage and every command says the same where others have written to every topic.

Records of any bytes, keys and headers stand between ours: MACs by unknown keys and by the ids of
ours, forged control records, and copies of genuine records, in their partitions and moved.
"""

import asyncio
import os
import shutil
import subprocess
from collections import Counter
from itertools import cycle

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from streams.kafka import topics
from streams.wire.belief import JournalBelief
from tests.support.audit_run import openings
from tests.support.foreign_records import CITIZEN, HEADERS, JSON
from tests.support.pipeline import DONE_S, PROGRAM, expected_postings
from tests.support.reading_matrix import COMMANDS

pytestmark = pytest.mark.long

STAGES = ("intake", "citizens", "projections")
MARKED = (topics.REPORTS, topics.POSTINGS, topics.CITIZENS, topics.ACCESS)
HUGE = b"k" * 100_000
VALUES = [None, b"", b"\xff\x00", b'{"schema":1', b"x" * 200_000, *JSON]
RATES = {"seconds", "apply_seconds", "fold_cpu_seconds", "workers", "records_per_second"}
"""Fields of answers that say how long it took."""
COPIES = "copies"
"""Stands for records that are as ours wrote them, in their partition, and so change nothing."""


class Writer:
    """Somebody who may write to every topic, but has no key of ours."""

    def __init__(self, pipeline):
        self._pipeline = pipeline
        self.written: Counter[tuple[str, str]] = Counter()
        """It counts the records by topic, copies by themselves."""
        self.places: set[tuple[str, int, int]] = set()

    def write_everywhere(self):
        found = [(topic, self._pipeline.records(topic)) for topic in topics.TOPICS]
        asyncio.run(self._write(found))

    async def _write(self, found):
        pipeline = self._pipeline
        async with AIOKafkaProducer(
            bootstrap_servers=pipeline.settings.bootstrap, max_request_size=4 << 20
        ) as producer:
            for topic, of_topic in found:
                for at, records in of_topic.items():
                    others = of_topic[(at + 1) % len(of_topic)]
                    for key, value, headers in foreign(topic, records, others, self._headers()):
                        if topic is topics.CITIZENS and key is None:
                            continue  # brokers take none without a key where they compact
                        place = await producer.send_and_wait(
                            pipeline.topic(topic), value, key, at, headers=headers
                        )
                        self.places.add((place.topic, place.partition, place.offset))
                        mac = pipeline.settings.macs().at(topic.name, at)
                        is_copy = topic in MARKED and mac.is_of(key, value, headers)
                        self.written[COPIES if is_copy else "", topic.name] += 1

    def _headers(self):
        ours = self._pipeline.settings.macs().key_id.encode()
        claimed = [("mac", ours + b"." + b"a" * 32), ("ce_type", b"refusion.state/h")]
        return [*HEADERS, claimed, [("mac", b"")], [("mac", None), ("x" * 300, b"\x00" * 3000)]]


def foreign(topic, genuine, others, headers):
    """Records of others for a partition: any bytes and headers, and copies of ours."""
    keys = cycle([None, CITIZEN, b"x", HUGE, *(record.key for record in genuine[:2])])
    named = cycle(headers)
    for value in VALUES * 2:
        key = next(keys)  # the client sends no record without both
        yield b"" if key is None and value is None else key, value, next(named)
    if topic not in MARKED:
        return
    for record in [*genuine[:3], *genuine[-3:]]:
        ours = list(record.headers)
        yield record.key, record.value, ours
        yield CITIZEN, record.value, ours
        yield record.key, (record.value or b"") + b" ", ours
        yield record.key, record.value, [*ours, ("ce_id", b"forged/0/9")]
    for record in [*others[:3], *others[-3:]]:
        yield record.key, record.value, list(record.headers)


class Asked:
    """The answers of the commands that read topics."""

    def __init__(self, pipeline, citizen, folder):
        self._pipeline = pipeline
        self._citizen = citizen
        self._folder = folder

    def answers(self):
        """Ask each command; the files of an export are among the answers."""
        citizen, rows = self._citizen, self._folder / "openings.jsonl"
        rows.write_bytes(b"\n".join(map(orjson.dumps, openings("2023-06-05"))))
        asked = {
            "approvals list": ["approvals", "list", "--json"],
            "dead-letters list": ["dead-letters", "list", "--json"],
            "dead-letters retry": ["dead-letters", "retry", "--dry-run", "--unchanged", "--json"],
            "diff": ["diff", citizen, "--run", "48", "--json"],
            "explain": ["explain", citizen, "--json"],
            "explain --whole-journal": ["explain", citizen, "--whole-journal", "--json"],
            "keys state": ["keys", "state", "--json"],
            "opening load": ["opening", "load", "--dry-run", "--json", str(rows)],
            "replay": ["replay", "--dry-run", "--json"],
            "run close": ["run", "close", "--month", "2024-01", "--dry-run", "--json"],
            "run status": ["run", "status", "--json"],
            "verify": ["verify", "--fold", "--json"],
        }
        found = {name: self.say(*arguments) for name, arguments in asked.items()}
        files = self._folder / "files"
        self.say("export", "--run", "48", "--out", str(files))
        found["export"] = {path.name: path.read_bytes() for path in sorted(files.glob("*.csv"))}
        shutil.rmtree(files)
        assert {name.partition(" --")[0] for name in found} <= set(COMMANDS)
        return found

    def say(self, *arguments, statuses=(0, 1)):
        given = {
            name: value
            for name, (value, origin) in self._pipeline.settings.values.items()
            if origin == "environment"
        }
        done = subprocess.run(
            [PROGRAM, *arguments], env=os.environ | given, capture_output=True, check=False,
            timeout=DONE_S,
        )  # fmt: skip
        assert done.returncode in statuses, (arguments, done.stderr)
        assert b"Traceback" not in done.stderr
        return orjson.loads(done.stdout) if "--json" in arguments else None


def differing(before, after, path=""):
    """Find the paths at which two answers differ, but for those that say how long it took."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            if name not in RATES:
                yield from differing(before.get(name), after.get(name), f"{path}.{name}")
    elif before != after:
        yield path


JOURNAL_READ = {".records_read", ".rejected", ".reports"}
MAY_DIFFER = {
    "dead-letters list": {".by", ".count", ".letters"},
    "dead-letters retry": {".chosen"},
    "explain": {".explanation.reports", ".source.offsets", ".source.sentence"},
    "replay": {".reports"},
    "run close": JOURNAL_READ,
    "run status": JOURNAL_READ,
    "verify": {".by_code", ".fine", ".first", ".notes", ".raw_kept", ".raw_twice", ".records",
               ".violations"},
}  # fmt: skip
"""Parts of answers that name and count what others wrote. No money is among them."""


def check_answers(before, after):
    for name, said in before.items():
        may_differ = tuple(MAY_DIFFER.get(name.partition(" --")[0], ()))
        found = [path for path in differing(said, after[name]) if not path.startswith(may_differ)]
        assert not found, (name, found)


def check_what_is_named(writer, before, after):
    """The answers differ by what others wrote, to the record."""
    written, reports = writer.written, topics.REPORTS.name
    refused = after["run status"]["rejected"]
    assert refused["citizens: foreign_record"] == written["", reports]
    assert sum(refused.values()) == (
        written["", reports] + written["", topics.RAW.name]
        + sum(before["run status"]["rejected"].values())
    )  # fmt: skip
    assert after["dead-letters list"]["count"] == sum(refused.values())
    settled = [sum(said["run status"]["reports"].values()) for said in (before, after)]
    assert settled[1] - settled[0] == written[COPIES, reports]
    fates = [
        [report["fate"] for report in said["explain"]["explanation"]["reports"]]
        for said in (before, after)
    ]
    assert fates[1][: len(fates[0])] == fates[0]
    assert set(fates[1][len(fates[0]) :]) <= {"delivered_again"}
    assert before["verify"]["fine"]
    for violation in after["verify"]["first"]:
        place = violation["topic"], violation["partition"], violation["offset"]
        assert place in writer.places, violation


def settled_by_ours(pipeline):
    """Give the postings by the partition, and those that follow from our records of the journal."""
    macs = pipeline.settings.macs()
    journal, postings = (pipeline.records(topic) for topic in (topics.REPORTS, topics.POSTINGS))
    posted, expected = {}, {}
    for at, records in journal.items():
        belief = JournalBelief(macs.at("reports", at), checked_from=-1)
        ours = [record for record in records if belief.of(record) == "ours"]
        expected[at] = list(expected_postings(ours))
        mac = macs.at("postings", at)
        posted[at] = list(
            dict.fromkeys(
                record.value
                for record in postings[at]
                if mac.is_of(record.key, record.value, record.headers)
            )
        )
    return posted, expected


def test_records_of_others_in_every_topic_change_no_answer_and_no_money(pipeline, lives, tmp_path):
    """Before and after them, and with a state that is restored from a changelog that has them."""
    bad = orjson.dumps(orjson.loads(lives[0][0]) | {"type": "gift"})
    worker = pipeline.start(*STAGES)
    pipeline.publish([*lives[0], bad])
    pipeline.wait_until_settled(STAGES)
    pipeline.close_run("2023-12")
    pipeline.publish(lives[1])
    pipeline.wait_until_settled(STAGES)
    pipeline.stop(worker)
    posted, _ = settled_by_ours(pipeline)
    citizen = next(
        message["citizen"]
        for value in posted[0]
        if (message := orjson.loads(value))["type"] == "postings"
    )
    asked = Asked(pipeline, citizen, tmp_path)
    before = asked.answers()
    writer = Writer(pipeline)
    writer.write_everywhere()
    shutil.rmtree(tmp_path / "state")
    worker = pipeline.start(*STAGES)
    pipeline.wait_until_settled(STAGES)
    assert settled_by_ours(pipeline)[0] == posted
    after = asked.answers()
    check_answers(before, after)
    check_what_is_named(writer, before, after)
    pipeline.publish(lives[2])
    pipeline.wait_until_settled(STAGES)
    pipeline.stop(worker)
    posted, expected = settled_by_ours(pipeline)
    assert posted == expected
