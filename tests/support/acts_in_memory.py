"""The topic `access` as a list, and people who act."""

from contextlib import asynccontextmanager

from streams.acts.chain import AccessRecord, entry_of
from streams.kit.operating_user import OperatingUser

ANNA = OperatingUser("anna", 1001, "ops1")
ANNA_TOO = OperatingUser("anna-admin", 1002, "ops1")
BO = OperatingUser("bo", 1003, "ops2")
CARL = OperatingUser("carl", 1004, "ops2")
"""He is not in the file of persons."""

PERSONS = """
- person: Anna Andersen
  users: [anna, anna-admin]
  subjects: [subject-of-anna]
- person: Bo Bang
  users: [bo]
"""


class MemoryActTopic:
    """Implements the port `ActTopic`; `failing` is the error of the next writes, if any."""

    def __init__(self, name="refusion.access", identity="one"):
        self.name = name
        self.identity = identity
        self.kept: list[AccessRecord] = []
        self.failing: Exception | None = None
        self.loses_answer = False
        self.read_whole = self.read = 0

    async def append(self, key, value, headers):
        if self.failing and not self.loses_answer:
            raise self.failing
        self.kept.append(AccessRecord(len(self.kept), key, value, headers))
        if self.failing:
            raise self.failing

    async def records(self, wanted, since=None, start=0):
        assert since is None or since.tzinfo
        self.read_whole += since is None
        self.read += len(self.kept[start:])
        return list(filter(wanted, self.kept[start:]))

    async def first(self, since=None):
        moment = since.isoformat() if since else ""
        entries = [entry_of(record) for record in self.kept]
        later = (
            record.offset
            for record, entry in zip(self.kept, entries, strict=True)
            if not moment or (entry and entry.fields["at"] >= moment)
        )
        return next(later, len(self.kept))

    async def record(self, offset):
        return self.kept[offset : offset + 1]

    @asynccontextmanager
    async def open(self, _settings):
        yield self
