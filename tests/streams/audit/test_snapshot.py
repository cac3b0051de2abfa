"""One moment of the topics: stages before ends, and no open transaction before an end."""

import asyncio

import pytest

from streams.audit import snapshot
from streams.audit.audited_topics import VerifyError
from streams.audit.snapshot import take_snapshot
from streams.settings import Settings
from tests.support.audit_run import environment_of
from tests.support.topics_in_memory import ReaderOfLists


class OpenTransaction(ReaderOfLists):
    """Topics whose postings end in a transaction that is committed after some looks."""

    def __init__(self, topics, looks):
        super().__init__(topics, topics.ends())
        self._looks = looks

    async def written_ends(self, topic):
        ends = await super().ends(topic)
        return {at: end + 3 for at, end in ends.items()} if topic.endswith("postings") else ends

    async def ends(self, topic):
        if topic.endswith("postings"):
            self._looks -= 1
            if self._looks < 0:
                return await self.written_ends(topic)
        return await super().ends(topic)


def taken(reader, settings):
    return asyncio.run(take_snapshot(reader, settings))


def test_offsets_of_stages_and_ends_of_all_topics_are_in_it(copy):
    of_topics = taken(ReaderOfLists(copy, copy.ends()), copy.settings)
    assert of_topics.ends == {copy.name(topic): ends for topic, ends in copy.ends().items()}
    assert of_topics.lag(copy.settings) == {"intake": 0, "citizens": 0}
    assert of_topics.bounds("clean.reports", 1) == (0, len(copy.of["reports"][1]))


def test_an_open_transaction_is_waited_for(copy, monkeypatch):
    monkeypatch.setattr(snapshot, "LOOK_S", 0.0)
    ends = taken(OpenTransaction(copy, looks=3), copy.settings).ends
    assert ends["clean.postings"] == {at: end + 3 for at, end in copy.ends()["postings"].items()}


def test_a_transaction_that_stays_open_is_named(copy, monkeypatch):
    monkeypatch.setattr(snapshot, "OPEN_S", 0.0)
    monkeypatch.setattr(snapshot, "LOOK_S", 0.0)
    with pytest.raises(VerifyError, match=r"a transaction in clean\.postings has been open"):
        taken(OpenTransaction(copy, looks=10**9), copy.settings)


def test_a_topic_that_is_missing_is_named(copy):
    ends = copy.ends()
    del ends["notices"]
    with pytest.raises(VerifyError, match=r"there is no topic clean\.notices; see REFUSION_PREFIX"):
        taken(ReaderOfLists(copy, ends), copy.settings)


def test_another_number_of_partitions_is_named(copy):
    given = environment_of(copy.settings)
    other = Settings.load(given | {"REFUSION_PARTITIONS": "7", "REFUSION_DEMO": "1"})
    with pytest.raises(VerifyError, match="has 4 partitions; set REFUSION_PARTITIONS=4"):
        taken(ReaderOfLists(copy, copy.ends()), other)


def test_dead_letters_from_before_a_rebuild_are_read_too(copy):
    given = environment_of(copy.settings)
    rebuilt = Settings.load(given | {"REFUSION_JOURNAL_PREFIX": "former.", "REFUSION_DEMO": "1"})
    reader = ReaderOfLists(
        copy,
        copy.ends()
        | {
            "former.reports": copy.ends()["reports"],
            "former.reports.raw": copy.ends()["reports.raw"],
            "former.dead-letters": {0: 5},
        },
    )
    names = taken(reader, rebuilt).ends
    assert {"clean.dead-letters", "former.dead-letters"} <= names.keys()
