"""Checks that postings are those of the citizens stage, before they become money in files."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from streams.engine.ports import Kafka, Record
from streams.kit.errors import UserError
from streams.privacy.macs import MacKeys, PlaceMac
from streams.stages.state_entries import beginning_of

log = logging.getLogger("refusion")


class UndecidedError(UserError):
    """A posting counts or not by a journal that had no record when it was looked at."""


class ExpectedMac(NamedTuple):
    """The MAC that the postings of a partition must have.

    It is certain for postings before an offset alone, `until`, where the journal had no record yet:
    its first one may be of a version that makes no MACs, while workers are exchanged for those of a
    newer one.
    """

    mac: PlaceMac
    until: int | None = None


class PostingChecks(NamedTuple):
    """The journal that postings follow from, the postings, and the keys by which we know them."""

    journal: str
    postings: str
    macs: MacKeys

    async def mac_of(self, kafka: Kafka, partition: int, end: int) -> ExpectedMac | None:
        """Return the MAC that the postings of a partition must have; they end at `end` so far.

        None where the journal does not begin with its keys: the first postings are of a version
        that made no MACs then.
        """
        how = await beginning_of(kafka, self.journal, partition, self.macs)
        mac = self.macs.at("postings", partition)
        if how == "nothing":
            return ExpectedMac(mac, until=end)
        return ExpectedMac(mac) if how == "keys" else None

    def ours(
        self, name: str, partition: int, expected: ExpectedMac | None, records: Sequence[Record]
    ) -> Sequence[Record]:
        """Leave out, aloud, what the citizens stage did not write; `name` is that of the work.

        Raises UndecidedError where the journal has to be looked at once more.
        """
        if expected is None:
            return records
        is_of = expected.mac.is_of
        ours = [each for each in records if is_of(each.key, each.value, each.headers)]
        if len(ours) < len(records):
            if expected.until is not None and records[-1].offset >= expected.until:
                raise UndecidedError(
                    f"a posting without a MAC of ours in {self.postings}/{partition}, whose journal"
                    " had no record yet: looks at the journal again"
                )
            kept = {each.offset for each in ours}
            first = next(each.offset for each in records if each.offset not in kept)
            number, what = len(records) - len(ours), "that nobody of ours wrote"
            place = f"{self.postings}/{partition}/{first}"
            log.error("%s: passed over %d records %s, first %s", name, number, what, place)
        return ours
