"""A backup is whole, goes on where it ended, and tells what was done to it."""

import asyncio
from datetime import UTC, datetime
from hashlib import sha256

import msgspec
import pytest
from cramjam import zstd

from streams.archive import backup as taking
from streams.archive.manifest import read_chain
from streams.archive.object_store import ArchiveError
from streams.archive.proof import check_backup
from streams.archive.restore import BackupParts, RestoreError, Restoring, copied
from streams.archive.segments import ArchivedRecord, packed, unpacked
from streams.kafka import topics as kafka_topics
from streams.settings import Settings
from tests.streams.archive.conftest import Place, ReaderFromOffsets
from tests.support.audit_run import audit
from tests.support.stages_in_memory import StagesInMemory
from tests.support.topics_in_memory import TopicsInMemory

ARCHIVED = ("reports", "postings")


def checked(place, settings=None):
    keys = None if settings is None else settings.archive_keys()
    macs = None if settings is None else settings.macs()
    return check_backup(place.store, keys, macs, lambda *_: None)


def kept(topics, *places):
    """The records of the journal and the postings in backups, by topic and partition."""
    parts = BackupParts([place.store for place in places], topics.settings.archive_keys())
    return {
        (topic, at): list(parts.records(topic, at))
        for topic in ARCHIVED
        for at in range(topics.settings.partitions)
    }


def all_of(topics):
    return {
        (topic, at): [ArchivedRecord.of(record, -1) for record in records]
        for topic in ARCHIVED
        for at, records in topics.of[topic].items()
    }


def half_of(topics):
    """Ends in the middle, at the same control records in each partition."""
    ends = topics.ends()
    for topic in ARCHIVED:
        for at, records in topics.of[topic].items():
            cut = next(i for i, record in enumerate(records) if b'"run"' in (record.value or b""))
            ends[topic][at] = records[cut].offset + 1
    return ends


def test_a_backup_has_every_record_and_proves_itself(clean, place):
    done = place.back_up(clean)
    assert done.whole
    assert done.records == sum(map(len, all_of(clean).values()))
    assert kept(clean, place) == all_of(clean)
    found = checked(place, clean.settings)
    assert (found.wrong, found.opened, sum(found.records.values())) == ([], True, done.records)
    unopened = checked(place)
    assert (unopened.wrong, unopened.opened) == ([], False)


def test_nothing_in_the_files_is_readable(clean, place):
    place.back_up(clean)
    citizen = next(record.key for record in clean.of["reports"][0] if record.key)
    for file in place.files("segments"):
        content = file.read_bytes()
        assert citizen not in content
        assert b"cpr_sealed" not in content


def test_a_backup_goes_on_where_it_ended_and_adds_only_what_is_new(clean, place):
    first = place.back_up(clean, half_of(clean))
    before = place.files("segments")
    second = place.back_up(clean)
    assert set(before) < set(place.files("segments"))
    assert first.records + second.records == sum(map(len, all_of(clean).values()))
    assert kept(clean, place) == all_of(clean)
    third = place.back_up(clean)
    assert (third.records, third.links) == (0, 3)
    assert checked(place, clean.settings).wrong == []


def test_a_backup_that_dies_is_gone_on_with_and_writes_the_same_files(clean, place, monkeypatch):
    monkeypatch.setattr(taking, "LINK_SEGMENTS", 1)
    monkeypatch.setattr(taking, "SEGMENT_RECORDS", 40)
    written: list[str] = []
    write = place.store.write

    def dying(name, content):
        if len(written) == 5:
            raise OSError("died")
        written.append(name)
        write(name, content)

    monkeypatch.setattr(place.store, "write", dying)
    with pytest.raises(OSError, match="died"):
        place.back_up(clean)
    with pytest.raises(ArchiveError, match="no backup that is whole"):
        kept(clean, place)
    monkeypatch.setattr(place.store, "write", write)
    assert place.back_up(clean).whole
    assert kept(clean, place) == all_of(clean)
    assert checked(place, clean.settings).wrong == []


def test_two_backups_at_a_time_do_not_both_go_on(clean, place):
    place.back_up(clean, half_of(clean))
    chain = read_chain(place.store, clean.settings.archive_keys())
    place.back_up(clean)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(taking, "read_chain", lambda *_: chain)
        with pytest.raises(ArchiveError, match="another backup has written"):
            place.back_up(clean)


def test_a_control_record_that_some_partitions_lack_makes_no_whole_link(clean, place, monkeypatch):
    monkeypatch.setattr(taking, "PAUSE_S", 0.0)
    ends = half_of(clean)
    last = clean.of["reports"][0]
    ends["reports"][0] = next(r.offset for r in last if b'"run"' in (r.value or b""))
    done = place.back_up(clean, ends)
    assert not done.whole
    assert "run/" in done.notes[0]
    assert "not whole yet" in str(checked(place, clean.settings).notes)
    assert place.back_up(clean).whole
    assert kept(clean, place) == all_of(clean)


def test_a_control_record_of_somebody_else_keeps_no_backup_from_being_whole(copy, place):
    value = b'{"schema":1,"type":"run","run":99,"closed_at":"x","data_month":"2024-01"}'
    copy.append("reports", 1, None, value, [])
    assert place.back_up(copy).whole


def test_partitions_are_those_of_the_topic_whatever_the_settings_say(copy, place, monkeypatch):
    monkeypatch.setattr(taking, "PAUSE_S", 0.0)
    ends = half_of(copy)
    last = copy.of["reports"][0]
    ends["reports"][0] = next(r.offset for r in last if b'"run"' in (r.value or b""))
    copy.settings = Settings({**copy.settings.values, "REFUSION_PARTITIONS": ("2", "environment")})
    assert not place.back_up(copy, ends).whole


def test_backups_follow_each_other_where_a_partition_was_quiet(clean, copy, tmp_path):
    early, late = Place(tmp_path / "early"), Place(tmp_path / "late")
    with_markers = {
        topic: {at: end + 1 for at, end in ends.items()} for topic, ends in clean.ends().items()
    }
    early.back_up(clean, with_markers)
    copy.starts = {
        (topic, at): end for topic, ends in with_markers.items() for at, end in ends.items()
    }
    late.back_up(copy, with_markers, since=datetime(2024, 3, 1, tzinfo=UTC))
    assert kept(clean, early, late) == all_of(clean)
    assert early.back_up(clean, with_markers).segments == 0
    assert checked(early, clean.settings).wrong == []


def test_a_header_without_content_is_kept_and_restored(copy, place):
    at, _, record = copy.find("reports", lambda record: bool(record.key))
    nothing = [*record.headers, ("trace", None), ("origin", None)]
    copy.append("reports", at, record.key, record.value, nothing)
    place.back_up(copy)
    last = kept(copy, place)["reports", at][-1]
    assert last.headers == nothing
    assert dict(copied(last, "clean.reports", at)[2])["trace"] is None


@pytest.mark.parametrize("plain", [b"no zstd", zstd.compress(b"\xc1"), zstd.compress(b"\x91\x01")])
def test_a_segment_with_something_else_in_it_is_told_in_one_sentence(clean, plain):
    keys = clean.settings.archive_keys()
    empty, _ = packed(keys, ("reports", "id"), 0, (0, 1), [])
    content = keys.seal(bytes(plain), empty.place("id"))
    segment = msgspec.structs.replace(
        empty, size=len(content), sha256=sha256(content).hexdigest(), plain_size=2
    )
    with pytest.raises(ArchiveError, match="is no segment"):
        unpacked(keys, segment, "id", content)


@pytest.mark.parametrize("kind", ["segments", "manifest"])
@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_what_was_changed_or_taken_away_is_found(clean, place, kind, damage):
    place.back_up(clean, half_of(clean))
    place.back_up(clean)
    file = place.files(kind)[0]
    if damage == "gone":
        file.unlink()
    else:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(bytes(content))
    for settings in (clean.settings, None):
        assert checked(place, settings).wrong != []
    with pytest.raises(ArchiveError):
        kept(clean, place)


def test_a_link_that_somebody_else_signed_is_not_believed(clean, place):
    place.back_up(clean)
    other = Settings.load({"REFUSION_DEMO": "1", "REFUSION_SEAL_KEY": "ab" * 32})
    assert "not signed" in checked(place, other).wrong[0]


@pytest.mark.parametrize("content", [b"nothing", b"[]", b'{"more":' + b"[" * 2_000])
def test_a_link_that_is_none_is_told(clean, place, content):
    place.back_up(clean)
    place.files("manifest")[0].write_bytes(content + b"\n")
    assert "is no manifest of a backup" in checked(place, None).wrong[0]


def test_a_segment_in_the_place_of_another_is_found(clean, place):
    place.back_up(clean)
    one, other = place.files("segments")[:2]
    other.write_bytes(one.read_bytes())
    assert len(checked(place, clean.settings).wrong) == 1


def test_the_backup_of_other_topics_is_not_gone_on_with(clean, copy, place):
    place.back_up(clean)
    values = {**copy.settings.values, "REFUSION_PREFIX": ("other.", "environment")}
    copy.settings = Settings(values)
    with pytest.raises(ArchiveError, match="other topics"):
        place.back_up(copy)


def test_records_that_are_gone_before_they_were_saved_are_an_error(copy, place):
    place.back_up(copy, half_of(copy))
    copy.starts["reports", 2] = copy.ends()["reports"][2]
    with pytest.raises(ArchiveError, match="gone from the topic"):
        place.back_up(copy)


def test_since_begins_a_new_backup_that_goes_on_from_another_one(clean, copy, tmp_path):
    early, late = Place(tmp_path / "early"), Place(tmp_path / "late")
    early.back_up(clean, half_of(clean))
    moment = datetime(2024, 3, 1, tzinfo=UTC)
    starts = {at: end - 3 for at, end in half_of(clean)["reports"].items()}
    copy.starts = {("reports", at): start for at, start in starts.items()}
    late.back_up(copy, since=moment)
    assert kept(clean, early, late) == all_of(clean)
    with pytest.raises(ArchiveError, match="name the backup before it first"):
        kept(clean, late)
    with pytest.raises(ArchiveError, match="leave --since out"):
        late.back_up(copy, since=moment)


# --- the journal made anew ------------------------------------------------------------------------


@pytest.fixture
def anew(clean, place, tmp_path):
    """The stages of a new installation, whose journal was made from a backup."""
    place.back_up(clean)
    parts = BackupParts([place.store], clean.settings.archive_keys())
    values = {**clean.settings.values, "REFUSION_PREFIX": ("anew.", "environment")}
    stages = StagesInMemory(Settings(values), tmp_path / "state")
    for at in range(clean.settings.partitions):
        for record in parts.records("reports", at):
            message = copied(record._replace(written_ms=1_700_000_000_000), "clean.reports", at)
            stages.topics.append("reports", at, *message)
    stages.settle()
    yield stages.topics
    stages.close()


def values_of(topics, topic):
    return {at: [record.value for record in records] for at, records in topics.of[topic].items()}


def test_a_journal_made_anew_settles_to_the_same_bytes_and_verify_understands_it(clean, anew):
    for topic in ("reports", "postings", "notices"):
        assert values_of(anew, topic) == values_of(clean, topic)
    assert sum(map(len, anew.of["postings"].values())) > 100
    verified = audit(anew, sample_percent=100, fold=True)
    assert verified.violations.named == []
    assert verified.folded > 100
    assert verified.deep_citizens > 50


def test_place_and_time_of_origin_stand_in_headers(clean, anew):
    record = next(record for record in anew.of["reports"][1] if record.key)
    headers = dict(record.headers)
    assert headers["origin"].startswith(b"clean.reports/1/")
    assert headers["origin_time"] == b"2023-11-14T22:13:20.000Z"
    assert "raw" not in headers
    former = clean.of["reports"][1][int(headers["origin"].rpartition(b"/")[2])]
    assert headers["mac"] == dict(former.headers)["mac"]


def test_a_report_without_a_place_of_origin_must_name_its_raw_record(anew):
    at, index, record = anew.find("reports", lambda record: b"benefit_payment" in record.value)
    anew.replace("reports", at, index, record.with_header("origin", b"nowhere"))
    assert audit(anew).violations.counts["header"] == 1


# --- where a journal is made anew -----------------------------------------------------------------


@pytest.fixture
def restoring(clean, place):
    """Topics under a new prefix, and a restore that looks at them."""
    place.back_up(clean)
    values = {**clean.settings.values, "REFUSION_PREFIX": ("anew.", "environment")}
    topics = TopicsInMemory(Settings(values))
    parts = BackupParts([place.store], clean.settings.archive_keys())

    async def look():
        found = Restoring(topics.settings, parts, lambda _: None)
        await found.look(ReaderFromOffsets(topics, topics.ends()))
        return [batch async for batch in found.missing(kafka_topics.REPORTS, 0)]

    return topics, lambda: asyncio.run(look())


def restored(record, source="clean.reports"):
    return copied(ArchivedRecord.of(record, -1), source, 0)


@pytest.mark.parametrize("topic", ["postings", "citizens"])
def test_a_prefix_where_a_worker_was_at_work_is_refused(clean, restoring, topic):
    topics, look = restoring
    whole = look()
    topics.append(topic, 1, b"k", b"v", [])
    with pytest.raises(RestoreError, match=f"anew.{topic} has records that are not of this"):
        look()
    topics.append("reports", 0, *restored(clean.of["reports"][0][0]))
    assert sum(map(len, look())) == sum(map(len, whole)) - 1


@pytest.mark.parametrize("another", ["key", "value", "headers", "a copy of the one before"])
def test_a_record_that_only_says_to_be_the_next_one_leaves_none_out(clean, restoring, another):
    """Whoever may write under the prefix, while a restore is interrupted, chooses the headers."""
    topics, look = restoring
    first, second = (restored(record) for record in clean.of["reports"][0][:2])
    topics.append("reports", 0, *first)
    look()
    key, value, headers = second
    if another == "key":
        key = b"0" * 32
    elif another == "value":
        value = b"{}"
    elif another == "headers":
        headers = [*headers, ("trace", b"1")]
    else:
        key, value = first[:2]
    topics.append("reports", 0, key, value, headers)
    with pytest.raises(RestoreError, match="has other records than the backup"):
        look()


def test_records_of_another_journal_of_the_same_length_are_told_apart(clean, restoring):
    topics, look = restoring
    topics.append("reports", 0, *restored(clean.of["reports"][0][0], "other.reports"))
    with pytest.raises(RestoreError, match="has other records than the backup"):
        look()
