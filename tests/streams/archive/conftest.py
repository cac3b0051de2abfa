"""The topics of a run that went well, of which backups are taken."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from streams.archive.backup import back_up
from streams.archive.object_store import open_store
from tests.streams.audit.conftest import clean, copy  # noqa: F401 - fixtures
from tests.support.topics_in_memory import ReaderOfLists


class ReaderFromOffsets(ReaderOfLists):
    """A reader that begins where it is told, as a backup that goes on does."""

    async def records(self, topic, partition, start, end, counted=None):
        async for record in super().records(topic, partition, start, end, counted):
            if record.offset >= start:
                yield record


class Place:
    """A folder for the backups of some topics."""

    def __init__(self, folder):
        self.folder = folder
        self.store = open_store(str(folder))

    def back_up(self, topics, ends=None, since=None):
        @asynccontextmanager
        async def open_reader(_settings):
            yield ReaderFromOffsets(topics, ends or topics.ends())

        return asyncio.run(back_up(topics.settings, self.store, since, lambda _: None, open_reader))

    def files(self, kind):
        return sorted(path for path in (self.folder / kind).rglob("*") if path.is_file())


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "backup")
