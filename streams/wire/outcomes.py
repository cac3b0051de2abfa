"""The outcomes of reading a record: accepted, or rejected with a reason."""

from typing import NamedTuple

from domain.citizen.reports import ControlRecord, Opening, Report
from streams.wire.rejections import Rejection


class Accepted(NamedTuple):
    """A valid report, the CPR it is about, and its `reported_at` as it was written."""

    report: Report
    cpr: str
    reported_at: str


class AcceptedOpening(NamedTuple):
    """A valid opening row and the CPR it is about."""

    report: Opening
    cpr: str


Outcome = Accepted | AcceptedOpening | ControlRecord | Rejection
