"""A journal under new keys or without erased citizens: all else is the same."""

import asyncio
from collections import defaultdict
from typing import Any

import orjson
import pytest

from streams.archive.key_change import RekeyRequest, new_settings
from streams.archive.origins import Origins
from streams.archive.rekey import RekeyError, Rekeying
from streams.archive.restore import under_prefix
from streams.archive.sameness import PartitionReading, PostedSystem, differences
from streams.kit.errors import UserError
from streams.operations.stated_keys import keys_record
from streams.settings import Settings
from streams.wire import journal
from streams.wire.partitioner import partition_of
from tests.streams.archive.conftest import ReaderFromOffsets
from tests.support.audit_run import audit
from tests.support.stages_in_memory import StagesInMemory

NEW_KEYS = {"REFUSION_PSEUDONYM_KEY": "ab" * 32, "REFUSION_SEAL_KEY": "cd" * 32}


class TwoSystems:
    """The port over the topics of two systems, each by its prefix."""

    def __init__(self, *systems):
        self._readers = {
            each.settings.prefix: ReaderFromOffsets(each, each.ends()) for each in systems
        }

    def replace(self, prefix, reader):
        self._readers[prefix] = reader

    def __getattr__(self, name):
        def ask(topic, *more):
            (reader,) = (r for prefix, r in self._readers.items() if topic.startswith(prefix))
            return getattr(reader, name)(topic, *more)

        return ask


class Writer:
    """Writes into topics in memory; it dies after so many transactions."""

    def __init__(self, topics, lives=10**9):
        self._topics = topics
        self._lives = lives

    async def write(self, _topic, messages):
        if not self._lives:
            raise OSError("died")
        self._lives -= 1
        for partition, of_partition in messages.items():
            for message in of_partition:
                self._topics.append("reports", partition, *message)


class NewSystem:
    """The topics of the new system, which a rekey fills and stages settle."""

    def __init__(self, old, folder, partitions=4, keys=NEW_KEYS):
        self.old = old
        settings = under_prefix(old.settings, "anew.", partitions)
        given: dict[str, Any] = {name: (key, "environment") for name, key in keys.items()}
        self.settings = Settings({**settings.values, **given})
        self.stages = StagesInMemory(self.settings, folder)
        self.stages.state_keys()

    @property
    def topics(self):
        return self.stages.topics

    def rekey(self, erased=(), lives=10**9):
        async def run():
            stopping = asyncio.Event()
            stopping.set()
            reader, writer = TwoSystems(self.old, self.topics), Writer(self.topics, lives)
            why = dict.fromkeys(erased, "because")
            rekeying = Rekeying(self.old.settings, self.settings, why, reader, writer)
            await rekeying.begin()
            return await rekeying.run(stopping, lambda _: None)

        return asyncio.run(run())


@pytest.fixture
def new_system(clean, tmp_path):
    made: list[NewSystem] = []

    def make(**given):
        made.append(NewSystem(clean, tmp_path / f"state-{len(made)}", **given))
        return made[-1]

    yield make
    for each in made:
        each.stages.close()


def posted(topics, erased=()):
    system = PostedSystem()
    for records in topics.of["postings"].values():
        reading = PartitionReading(system, erased)
        for record in records:
            reading.take(record.value)
        reading.end()
    return system


def series(topics):
    """The postings of each person by CPR number: rows without ids, in their order."""
    identity, found = topics.settings.identity(), defaultdict(list)
    for _, _, _, message in topics.messages():
        cpr = identity.unseal(message["citizen"], message["cpr_sealed"])
        rows = [
            {name: value for name, value in row.items() if name not in {"id", "reverses"}}
            for row in message["rows"]
        ]
        found[cpr].append((message["revision"], message["cause"], message["reason"], rows))
    return dict(found)


def citizens_of(topics):
    return sorted({message["citizen"] for _, _, _, message in topics.messages()})


def test_new_keys_and_partitions_change_nothing_but_names(clean, new_system):
    new = new_system(partitions=7)
    done = new.rekey()
    assert done.left_out == {}
    new.stages.settle()
    assert series(new.topics) == series(clean)
    assert differences(posted(clean), posted(new.topics)) == []
    assert not set(citizens_of(new.topics)) & set(citizens_of(clean))
    for at, records in new.topics.of["reports"].items():
        for record in records:
            assert not record.key or partition_of(record.key, 7) == at
            assert b"k" + clean.settings.identity().seal_key_ids[0][1:].encode() not in record.value
    verified = audit(new.topics, sample_percent=100, fold=True)
    assert verified.violations.named == []


@pytest.mark.parametrize("every", [7, 1000])
def test_who_is_erased_is_gone_and_nobody_elses_rows_change(clean, new_system, every):
    erased = citizens_of(clean)[::every]
    new = new_system()
    done = new.rekey(erased)
    assert done.left_out["erased"] >= len(erased)
    new.stages.settle()
    before, after = series(clean), series(new.topics)
    identity = clean.settings.identity()
    gone = {
        identity.unseal(message["citizen"], message["cpr_sealed"])
        for _, _, _, message in clean.messages(lambda message: message["citizen"] in erased)
    }
    assert len(gone) == len(erased) > 0
    assert after == {cpr: rows for cpr, rows in before.items() if cpr not in gone}
    assert differences(posted(clean, set(erased)), posted(new.topics)) == []
    assert differences(posted(clean), posted(new.topics)) != []
    everything = b"".join(
        (record.key or b"") + (record.value or b"")
        for topic in new.topics.of.values()
        for records in topic.values()
        for record in records
    )
    new_identity = new.settings.identity()
    for cpr in gone:
        assert new_identity.of(cpr)[0].encode() not in everything
        assert identity.of(cpr)[0].encode() not in everything
    assert audit(new.topics, fold=True).violations.named == []


def test_a_rekey_that_dies_goes_on_and_writes_nothing_twice(clean, new_system, monkeypatch):
    monkeypatch.setattr("streams.archive.rekey.BATCH_RECORDS", 50)
    whole, dying = new_system(), new_system()
    whole.rekey()
    lives = 0
    while True:
        lives += 3
        try:
            done = dying.rekey(lives=3)
        except OSError:
            continue
        break
    assert done.there_before > 0
    assert lives > 6

    def counted(system):
        return {
            at: sorted((record.key or b"", record.value or b"") for record in records[1:])
            for at, records in system.topics.of["reports"].items()
        }

    assert counted(dying) == counted(whole)
    dying.stages.settle()
    assert series(dying.topics) == series(clean)


def test_a_rekey_follows_what_comes(copy, tmp_path):
    new = NewSystem(copy, tmp_path / "state")
    try:
        new.rekey()
        there = {at: len(records) for at, records in new.topics.of["reports"].items()}
        at, _, record = copy.find("reports", lambda record: bool(record.key))
        copy.append("reports", at, record.key, record.value, record.headers)
        assert new.rekey().records == 1
        assert sum(map(len, new.topics.of["reports"].values())) == sum(there.values()) + 1
    finally:
        new.stages.close()


def test_a_record_that_nobody_of_ours_wrote_is_left_out(copy, tmp_path):
    keys = journal.encode_control(keys_record(copy.settings), "2024-02-01T08:00:00Z")
    for at in range(copy.settings.partitions):
        mac = copy.settings.macs().at("reports", at).header(None, b"", keys)
        copy.append("reports", at, None, keys, [mac])
    at, _, record = copy.find("reports", lambda record: bool(record.key))
    forged = [header for header in record.headers if header[0] != "mac"]
    copy.append("reports", at, record.key, record.value, forged)
    copy.append("reports", at, None, b'{"type":"run","run":99}', [])
    new = NewSystem(copy, tmp_path / "state")
    try:
        assert new.rekey().left_out == {"written by nobody of ours": 1}
        assert not any(
            b'"run":99' in record.value
            for records in new.topics.of["reports"].values()
            for record in records
        )
    finally:
        new.stages.close()


def test_a_prefix_that_somebody_uses_is_refused(clean, new_system):
    new = new_system()
    at, _, record = clean.find("reports", lambda record: bool(record.key))
    new.topics.append("reports", at, record.key, record.value, record.headers)
    with pytest.raises(RekeyError, match="somebody else writes there"):
        new.rekey()


def test_the_proof_tells_a_row_that_differs(clean, new_system):
    new = new_system()
    new.rekey()
    new.stages.settle()
    at, index, record, message = new.topics.message(lambda message: message["rows"])
    message["rows"][0]["refusion_ore"] += 1
    spoiled = record._replace(value=orjson.dumps(message))
    new.topics.replace("postings", at, index, spoiled)
    first, second = differences(posted(clean), posted(new.topics))
    assert first == "the postings of 1 citizens are not the same"
    assert second.startswith(("run ", "the open run"))


def marked(topics, at, key, value, headers=()):
    """Append a record to the journal with our MAC."""
    event_type = dict(headers).get("ce_type", b"")
    mac = topics.settings.macs().at("reports", at).header(key, event_type, value)
    marked_headers = [*(header for header in headers if header[0] != "mac"), mac]
    if dict(headers).get("origin"):
        marked_headers = Origins(topics.settings.macs()).proved(at, marked_headers)
    topics.append("reports", at, key, value, marked_headers)


@pytest.fixture
def rekeyed(copy, tmp_path):
    """A new system of the topics of this test alone."""
    new = NewSystem(copy, tmp_path / "state")
    yield new
    new.stages.close()


def test_a_record_of_ours_of_a_newer_schema_is_not_left_out(copy, rekeyed):
    at, _, record = copy.find("reports", lambda record: bool(record.key))
    newer = record.with_value(schema=99)
    marked(copy, at, newer.key, newer.value, newer.headers)
    with pytest.raises(UserError, match="has schema 99"):
        rekeyed.rekey()


@pytest.mark.parametrize("is_control", [True, False])
def test_a_record_of_ours_that_cannot_be_read_is_not_left_out(copy, rekeyed, is_control):
    at, _, record = copy.find("reports", lambda record: bool(record.key))
    marked(copy, at, None if is_control else record.key, b'{"schema":1}')
    with pytest.raises(RekeyError, match="has a MAC of ours and cannot be read"):
        rekeyed.rekey()


def test_a_control_record_about_who_is_erased_ends_no_rekey_that_goes_on(
    copy, rekeyed, monkeypatch
):
    monkeypatch.setattr("streams.archive.rekey.PATIENCE", 2)
    monkeypatch.setattr("streams.archive.rekey.PAUSE_S", 0.0)
    gone, other = citizens_of(copy)[:2]
    freeing = {"schema": 1, "type": "free", "id": "abc", "citizen": gone, "report_id": "A-1"}
    freeing |= {"reporter": "12345678", "written_at": "2024-06-01T08:00:00Z", "reason": "x"}
    for at in range(copy.settings.partitions):
        marked(copy, at, None, orjson.dumps(freeing))
    at, _, record = copy.find("reports", lambda record: record.key == other.encode())
    copy.append("reports", at, record.key, record.value, record.headers)
    assert rekeyed.rekey([gone]).records > 1
    again = rekeyed.rekey([gone])
    assert (again.records, again.controls) == (0, 0)
    assert not any(
        b'"free"' in record.value
        for records in rekeyed.topics.of["reports"].values()
        for record in records
    )


def test_a_forged_origin_in_the_new_journal_leaves_no_record_out(clean, new_system):
    new = new_system()
    at, _, record = clean.find("reports", lambda record: bool(record.key))
    end = clean.ends()["reports"][at]
    origin = f"clean.reports/{at}/{end - 1}".encode()
    new.topics.append("reports", at, record.key, record.value, [("origin", origin)])
    with pytest.raises(RekeyError, match="somebody else writes there"):
        new.rekey()


@pytest.mark.parametrize("with_proof", [True, False])
def test_a_copy_of_a_record_with_another_origin_leaves_no_record_out(clean, new_system, with_proof):
    """A MAC does not cover the header: the copy is as genuine as its original."""
    new = new_system()
    new.rekey()
    assert new.rekey().there_before > 0, "what was written proves where it came from"
    at, _, record = new.topics.find("reports", lambda record: "origin" in dict(record.headers))
    end = clean.ends()["reports"][1]
    headers = [header for header in record.headers if with_proof or header[0] != "origin_mac"]
    headers = [
        (name, f"clean.reports/1/{end - 1}".encode() if name == "origin" else content)
        for name, content in headers
    ]
    new.topics.append("reports", at, record.key, record.value, headers)
    with pytest.raises(RekeyError, match="or do not prove it: somebody else writes there"):
        new.rekey()


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        (b"clean.reports/0/999999", "from behind its end"),
        (b"clean.reports/9/0", "from behind its end"),
        (b"clean.reports/one/2", "somebody else writes there"),
        (b"clean.reports/0", "somebody else writes there"),
        (b"other.reports/0/0", "somebody else writes there"),
        (None, "somebody else writes there"),
    ],
)
def test_a_record_of_ours_from_no_place_of_the_old_journal_is_refused(
    clean, new_system, origin, said
):
    new = new_system()
    _, _, record = clean.find("reports", lambda record: bool(record.key))
    marked(new.topics, 0, record.key, record.value, [("origin", origin)])
    with pytest.raises(RekeyError, match=said):
        new.rekey()


def test_what_lies_behind_the_last_record_is_read_once(clean, new_system, monkeypatch):
    monkeypatch.setattr("streams.archive.rekey.PAUSE_S", 0.0)
    new, asked, looks = new_system(), [], []

    class WithMarkers(ReaderFromOffsets):
        async def ends(self, topic):
            return {at: end + 1 for at, end in (await super().ends(topic)).items()}

        def records(self, topic, partition, start, end, counted=None):
            asked.append((partition, start, end))
            return super().records(topic, partition, start, end, counted)

    async def run():
        stopping, reader = asyncio.Event(), TwoSystems(clean, new.topics)
        reader.replace(clean.settings.prefix, WithMarkers(clean, clean.ends()))
        rekeying = Rekeying(clean.settings, new.settings, {}, reader, Writer(new.topics))
        await rekeying.begin()
        asked.clear()

        def look(_records):
            looks.append(1)
            if len(looks) > 100:
                stopping.set()

        await rekeying.run(stopping, look)

    asyncio.run(run())
    reads = [each for each in asked if each[1] < each[2]]
    assert len(reads) == len(set(reads)) > 0


# --- what is asked for ----------------------------------------------------------------------------


def test_new_keys_are_read_from_files_that_are_private(clean, tmp_path):
    key = tmp_path / "key"
    key.write_text("ab" * 32 + "\n")
    key.chmod(0o600)
    asked = RekeyRequest("next.", 7, pseudonym_key=key)
    new = new_settings(clean.settings, asked)
    assert (new.prefix, new.journal_prefix, new.partitions) == ("next.", "next.", 7)
    old, now = clean.settings.identity(), new.identity()
    assert now.pseudonym_key_id != old.pseudonym_key_id
    assert now.seal_key_ids == old.seal_key_ids
    assert now.macs.key_ids != old.macs.key_ids
    assert asked.command() == [
        "rekey", "--to-prefix=next.", "--partitions=7", f"--new-pseudonym-key={key}"
    ]  # fmt: skip
    key.chmod(0o440)
    assert new_settings(clean.settings, asked).prefix == "next."
    key.chmod(0o644)
    with pytest.raises(UserError, match="others on this machine may read"):
        new_settings(clean.settings, asked)
    key.chmod(0o600)
    key.write_text("ab" * 31)
    with pytest.raises(UserError, match="must hold 64 hex digits") as raised:
        new_settings(clean.settings, asked)
    assert "abab" not in str(raised.value)


@pytest.mark.parametrize("prefix", ["clean.", "", "a/b"])
def test_a_prefix_that_cannot_be_is_refused(clean, prefix):
    with pytest.raises(UserError, match="prefix"):
        new_settings(clean.settings, RekeyRequest(prefix))


def test_a_control_record_that_some_partitions_lack_ends_the_rekey(copy, tmp_path, monkeypatch):
    monkeypatch.setattr("streams.archive.rekey.PATIENCE", 2)
    monkeypatch.setattr("streams.archive.rekey.PAUSE_S", 0.0)
    value = orjson.dumps(
        {"schema": 1, "type": "run", "run": 99, "data_month": "2028-03"}
        | {"closed_at": "2028-04-01T08:00:00Z"}
    )
    mac = copy.settings.macs().at("reports", 1).header(None, b"", value)
    copy.append("reports", 1, None, value, [mac])
    new = NewSystem(copy, tmp_path / "state")
    try:
        with pytest.raises(RekeyError, match=r"lack control records that others have \(run/99\)"):
            new.rekey()
    finally:
        new.stages.close()
