"""The citizens stage through the ports of the batch loop: outputs, figures, state on disk."""

import asyncio
import shutil
from collections import Counter

import orjson
import pytest

from streams.kit.errors import UnworkableError
from streams.stages.citizens import OpenTransactionError
from tests.support.citizens_stage import (
    Changelog,
    closed,
    committed,
    journal_of,
    kept_nothing,
    restored,
    state_in,
)


def test_outputs_and_figures_of_a_batch(tmp_path):
    changelog = Changelog()
    work = restored(tmp_path, changelog)
    messages, counts = committed(work, changelog, journal_of())
    closed(work)
    postings = [orjson.loads(value) for _, value, _ in messages["postings"]]
    assert len(postings) > 10
    reasons = Counter(message["reason"] for message in postings)
    corrections = Counter(
        message["reason"]
        for message in postings
        for row in message["rows"]
        if row["kind"] == "correction"
    )
    assert corrections
    assert counts == {
        ("rejected", "foreign_record"): 1,
        ("foreign", ""): 1,
        **{("postings", reason): number for reason, number in reasons.items()},
        **{("correction_rows", reason): number for reason, number in corrections.items()},
    }
    ((_, _, headers),) = messages["dead-letters"]
    assert dict(headers)["reason"] == b"foreign_record"


def test_step_1_restores_a_lost_disk_from_the_changelog_to_the_same_bytes(tmp_path):
    changelog = Changelog()
    records = journal_of()
    work = restored(tmp_path, changelog)
    committed(work, changelog, records[:20])
    committed(work, changelog, records[20:])
    closed(work)
    state = state_in(tmp_path)
    shutil.rmtree(tmp_path / "citizens-0")
    closed(restored(tmp_path, changelog))
    assert state_in(tmp_path) == state


def test_step_1_repairs_a_crash_between_steps_4_and_5(tmp_path):
    changelog = Changelog()
    records = journal_of()
    work = restored(tmp_path, changelog)
    committed(work, changelog, records[:20])
    work.keep = kept_nothing
    committed(work, changelog, records[20:])
    closed(work)
    end = changelog.end
    closed(restored(tmp_path, changelog))
    assert 0 < changelog.read_from[-1] < end
    repaired = state_in(tmp_path)
    shutil.rmtree(tmp_path / "citizens-0")
    closed(restored(tmp_path, changelog))
    assert state_in(tmp_path) == repaired


def test_state_of_another_changelog_or_ahead_of_it_is_thrown_away(tmp_path, caplog):
    changelog = Changelog()
    work = restored(tmp_path, changelog)
    committed(work, changelog, journal_of())
    closed(work)
    caplog.clear()
    closed(restored(tmp_path, Changelog()))
    assert [key for key in state_in(tmp_path) if not key.startswith(b"_")] == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_changelog_with_an_open_transaction_is_not_gone_behind(tmp_path):
    changelog = Changelog()
    changelog.open_transactions = 1
    with pytest.raises(OpenTransactionError, match="neither committed nor aborted"):
        restored(tmp_path, changelog)


# --- the position in the state --------------------------------------------------------------------


def position_of(folder, changelog, committed):
    work = restored(folder, changelog)
    try:
        return asyncio.run(work.position(committed))
    finally:
        closed(work)


def test_the_position_is_that_of_the_state_whatever_the_group_has_forgotten(tmp_path, caplog):
    changelog = Changelog()
    records = journal_of()
    work = restored(tmp_path, changelog)
    assert asyncio.run(work.position(None)) is None
    committed(work, changelog, records[:20])
    closed(work)
    assert position_of(tmp_path, changelog, 20) == 20
    assert caplog.messages == []
    assert position_of(tmp_path, changelog, None) == 20
    assert position_of(tmp_path, changelog, 7) == 20
    shutil.rmtree(tmp_path / "citizens-0")
    assert position_of(tmp_path, changelog, None) == 20, "it is in the changelog"
    assert caplog.messages == [
        "citizens/0: its group has no offset any more: goes on at 20, as its state says",
        "citizens/0: its group's offset is 7, its state is at 20: goes on at the latter",
        "citizens/0: its group has no offset any more: goes on at 20, as its state says",
    ]


def test_the_position_is_in_every_transaction_also_where_nothing_else_changes(tmp_path):
    changelog = Changelog()
    work = restored(tmp_path, changelog)
    record = journal_of()[0]
    for offset in (0, 1):
        record.offset = offset
        messages, _ = committed(work, changelog, [record])
        assert orjson.loads(messages["citizens"][-1][1])["position"] == offset + 1
    assert len(messages["citizens"]) == 1, "the second delivery changes nothing else"
    closed(work)


def test_state_of_a_former_version_goes_on_at_the_groups_offset_and_not_without(tmp_path):
    changelog = Changelog()
    work = restored(tmp_path, changelog)
    committed(work, changelog, journal_of())
    closed(work)
    own = orjson.loads(changelog.records[-1].value)
    del own["position"], own["chain"]
    changelog.journal = journal_of()[:1]
    for former in (orjson.dumps(own), b""):  # with an entry, and from before there was one
        changelog.records[-1].value = former
        shutil.rmtree(tmp_path / "citizens-0")
        assert position_of(tmp_path, changelog, 40) == 40
        with pytest.raises(UnworkableError, match="no offset any more"):
            position_of(tmp_path, changelog, None)


def test_a_group_that_is_ahead_of_no_state_at_all_is_not_believed(tmp_path):
    assert position_of(tmp_path, Changelog(), None) is None
    assert position_of(tmp_path, Changelog(), 0) == 0
    with pytest.raises(UnworkableError, match="has lost its records"):
        position_of(tmp_path, Changelog(), 40)
