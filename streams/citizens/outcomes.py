"""The consequences of one record for its citizen: a message, notices, or why it is refused."""

from typing import Any, NamedTuple

from domain.basics.compact_json import dumps
from domain.citizen.doubts import Notice


class Outcome(NamedTuple):
    """The consequences of a record: a message for `postings` or none, and notices, each as JSON.

    `refused` is the reason of a refusal. `settled_anew` is a message that goes before: another law
    or version had settled the citizen until then.
    """

    posting: bytes | None
    notices: list[bytes]
    refused: str = ""
    settled_anew: bytes | None = None

    @property
    def postings(self) -> list[bytes]:
        """Give the messages in their order."""
        if self.settled_anew is None:
            return [] if self.posting is None else [self.posting]
        return [self.settled_anew] if self.posting is None else [self.settled_anew, self.posting]


NOTHING = Outcome(None, [])
CONFLICT = Outcome(None, [], "conflicting_duplicate")
TOO_MANY = Outcome(None, [], "too_many")
OPENING_CONFLICT = Outcome(None, [], "conflicting_opening")
PASSED_ON = Outcome(None, [])
"""The report is another citizen's: it goes on as a copy."""
DEFECT = Outcome(None, [], "internal_error")
NOT_ADMITTED = {
    reason: Outcome(None, [], reason) for reason in ("unknown_benefit", "not_valid_in_period")
}


class RecalculatedCitizens(NamedTuple):
    """A part of a recalculation: its messages with their citizens, and the last citizen looked at.

    `after` is that citizen, or "" where all is done. `unsealed` citizens were passed over: their
    state is of format 1, without the sealed CPR that a message needs. Their next report brings
    it, and settles them anew where the rules have changed. `failed` met a defect of ours.
    """

    postings: list[tuple[str, bytes]]
    after: str
    unsealed: int
    failed: int


def notice_text(citizen: str, name: str, notice: Notice) -> bytes:
    """Write a notice about a report as JSON."""
    value: dict[str, Any] = {
        "schema": 1,
        "type": "notice",
        "code": notice.code,
        "citizen": citizen,
        "cause": name,
        "detail": notice.told(),
    }
    return dumps(value)
