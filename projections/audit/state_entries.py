"""Checks an entry of the citizens' state: it holds a citizen's CPR number only sealed.

The parts of a value are the product's own affair. So only ten digits are looked at: in a report's
id, a set of weeks or an amount they are a CPR number if they are the citizen's own, and anywhere
else if they look like one.
"""

import re
from collections.abc import Callable
from typing import Final

from projections.audit.cpr import CprSearch
from projections.audit.violations import BadRecordError

_STATE_KEY: Final = re.compile(rb"([0-9a-f]{32})/(.+)", re.DOTALL)
_PARTITION_KEY: Final = re.compile(rb"_partition/[0-9]+")
_REPORT_NAME: Final = re.compile(rb"(?:[0-9]{8}|opening|again|group)/.+", re.DOTALL)
_MAY_HAVE_TEN_DIGITS: Final = re.compile(
    rb'"[0-9]{8}","(?:[^"\\]|\\.)*"'  # a report's id, behind its reporter
    rb'|"[A-Z][A-Z0-9-]*":"[1-9a-f][0-9a-f]*"|"[1-9a-f][0-9a-f]*"(?=,\[)'  # weeks, and months
    rb"|(?<=[\[,])-?[0-9]+(?=[],])"  # an amount
)


def check_state(
    key: bytes | None,
    value: bytes | None,
    pseudonym: Callable[[str], str] | None,
    cprs: CprSearch,
) -> None:
    """Check an entry. `pseudonym` gives the citizen of a CPR number. Raises BadRecordError."""
    key, value = key or b"", value or b""
    match = _STATE_KEY.fullmatch(key)
    if match is None:
        _check_partition_entry(key, value, cprs)
        return
    citizen, part = match[1].decode(), match[2]
    digits = {*cprs.digits_in(part), *cprs.digits_in(value)}
    if not digits:
        return
    if pseudonym is not None and any(pseudonym(number) == citizen for number in digits):
        text = f"the state of citizen {citizen} holds their CPR number"
        raise BadRecordError("cpr", text)
    if _REPORT_NAME.fullmatch(part) is not None:
        return  # key and value are a report's id and what it says
    rest = _MAY_HAVE_TEN_DIGITS.sub(b" ", value)
    if cprs.finds(part, rest):
        text = f"the state of citizen {citizen} holds what looks like a CPR number"
        raise BadRecordError("cpr", text)


def _check_partition_entry(key: bytes, value: bytes, cprs: CprSearch) -> None:
    """Check an entry that belongs to no citizen."""
    if _PARTITION_KEY.fullmatch(key) is None:
        raise BadRecordError("key", "the key is neither a citizen's nor the partition's own")
    if cprs.finds(value):
        raise BadRecordError("cpr", "the partition's entry holds what looks like a CPR number")
