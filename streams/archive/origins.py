"""Proves where a record came from that a rekey has written anew.

The MAC of a record covers its place, key, type and value, and no other header. So whoever may write
can copy a genuine record and give it another `origin`. A rekey that is started again goes on behind
these origins, and would leave out what lies before a false one. So the origin has a proof of its
own, over the place that it names and the record's MAC:

    origin_mac    made like a MAC, for the partition where the record stands

A restore asks for no proof: it has the backup, and compares what is there with it.
"""

from projections.audit.records import ORIGIN, ORIGIN_MAC
from streams.engine.ports import Headers, Record
from streams.privacy.macs import MAC, MacKeys


class Origins:
    """Makes and checks the proofs of a journal's origins."""

    def __init__(self, macs: MacKeys) -> None:
        self._macs = macs

    def proved(self, partition: int, headers: Headers) -> Headers:
        """Return the headers of a record that has its MAC and its origin, with the proof."""
        given = dict(headers)
        _, proof = self._macs.at("origins", partition).header(given[MAC], b"", given[ORIGIN])
        return [*headers, (ORIGIN_MAC, proof)]

    def of(self, partition: int, record: Record) -> bytes | None:
        """Return the origin of a record whose MAC is ours; None where nobody of ours stated it."""
        given = dict(record.headers)
        proof, origin = given.get(ORIGIN_MAC), given.get(ORIGIN)
        if proof is None or origin is None:
            return None
        place = self._macs.at("origins", partition)
        return origin if place.is_of(given.get(MAC), origin, [(MAC, proof)]) else None
