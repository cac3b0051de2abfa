"""Reads who did what in the time of a run, or with the run, from the topic `access`.

Anybody who may write to the topic can fill it, so no record is kept but those of the run.
"""

from typing import Final

from streams.acts.chain import AccessRecord, Entry, entry_of, is_genuine
from streams.acts.topic import ActTopic
from streams.dossier.run_part import RunPart
from streams.privacy.macs import MacKeys

MAKING: Final = ("audit package", "site audit package", "site audit")
"""Acts of making a package: they are in none, or each would be another than the one before."""


async def acts_of_run(topic: ActTopic, macs: MacKeys, run: int, part: RunPart) -> list[Entry]:
    """Read what holders of our keys did; `part` says when the run, and the one before, closed."""
    wanted = _WantedActs(macs, run, part.former_closed_at, part.closed_at)
    records = await topic.records(wanted.takes)
    return [entry for record in records if (entry := entry_of(record))]


class _WantedActs:
    """Tells records of a run from others; remembers its requests, whose decisions come later."""

    def __init__(self, macs: MacKeys, run: int, after: str, until: str) -> None:
        self._macs, self._run, self._after, self._until = macs, run, after, until
        self._requests: set[str] = set()

    def takes(self, record: AccessRecord) -> bool:
        """Tell whether one of ours wrote a record, and it is of the run."""
        entry = entry_of(record)
        if entry is None or not self._is_of_run(entry) or not is_genuine(self._macs, record):
            return False
        if entry.fields["type"] == "request" and self._names_run(entry):
            self._requests.add(entry.fields["id"])
        return True

    def _is_of_run(self, entry: Entry) -> bool:
        if entry.fields.get("act") in MAKING:
            return False
        request = entry.fields.get("request")
        return (
            self._after < entry.fields["at"] <= self._until
            or self._names_run(entry)
            or (isinstance(request, str) and request in self._requests)
        )

    def _names_run(self, entry: Entry) -> bool:
        scope = entry.fields.get("scope")
        return isinstance(scope, dict) and scope.get("run") == self._run
