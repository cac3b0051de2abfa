"""Checks that postings are those of the citizens stage, before they become money in files."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from streams.engine.ports import Kafka, Record
from streams.privacy.macs import MacKeys, PlaceMac
from streams.wire.belief import JournalBelief

log = logging.getLogger("refusion")


class PostingChecks(NamedTuple):
    """The journal that postings follow from, the postings, and the keys by which we know them."""

    journal: str
    postings: str
    macs: MacKeys

    async def mac_of(self, kafka: Kafka, partition: int) -> PlaceMac | None:
        """Return the MAC that the postings of a partition must have.

        None where the journal does not begin with its keys: the first postings are of a version
        that made no MACs then.
        """
        async with kafka.changelog(self.journal, partition) as journal:
            async for batch in journal.read(0):
                for record in batch.records:
                    belief = JournalBelief(self.macs.at("reports", partition))
                    belief.of(record)
                    is_checked = belief.checked_from is not None
                    return self.macs.at("postings", partition) if is_checked else None
        return self.macs.at("postings", partition)

    def ours(
        self, name: str, partition: int, mac: PlaceMac | None, records: Sequence[Record]
    ) -> Sequence[Record]:
        """Leave out, aloud, what the citizens stage did not write; `name` is that of the work."""
        if mac is None:
            return records
        ours = [each for each in records if mac.is_of(each.key, each.value, each.headers)]
        if len(ours) < len(records):
            kept = {each.offset for each in ours}
            first = next(each.offset for each in records if each.offset not in kept)
            number, what = len(records) - len(ours), "that nobody of ours wrote"
            place = f"{self.postings}/{partition}/{first}"
            log.error("%s: passed over %d records %s, first %s", name, number, what, place)
        return ours
