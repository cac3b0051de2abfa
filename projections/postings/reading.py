"""Reads the messages of `postings` (contract section 3), and refuses all that is none of them.

Each field that somebody reads has its type, its form and its range: a ledger's column is no wider.
Fields that a later version adds are left out.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, NotRequired, TypedDict

import msgspec
from msgspec import Meta

from domain.basics.cache import Memo
from domain.basics.weeks import day, month_number

PostedMessage = dict[str, Any]
"""A posting message or a run's marker, told apart by `type`."""

Decoding = Callable[[bytes], Any]

_LONG: Final = 2**63 - 1
Citizen = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
RowId = Annotated[str, Meta(min_length=25, max_length=32)]
Time = Annotated[str, Meta(pattern=r"^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:")]
Number = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Money = Annotated[int, Meta(ge=-_LONG, le=_LONG)]


class _Row(TypedDict):
    id: RowId
    kind: Literal["result", "correction", "opening"]
    reverses: NotRequired[RowId]
    month: str
    week: str
    benefit: str
    paying: str | None
    financing: str | None
    amount_ore: Money
    atp_ore: NotRequired[Money]
    ordinal: Number
    mechanism: Literal["refusion", "medfinansiering"]
    rate: Number
    refusion_ore: Money
    medfinansiering_ore: Money
    account: str | None


_AfterTransfer = TypedDict(
    "_AfterTransfer", {"from": str, "seniority": Number, "earned": list[tuple[str, Number]]}
)
"""The counters from the transfer of a legacy flex citizen on."""


class _Counters(TypedDict):
    week: str | None
    seniority: Number
    earned: list[tuple[str, Number]]
    after_transfer: NotRequired[_AfterTransfer]


class _Postings(TypedDict):
    type: Literal["postings"]
    citizen: Citizen
    revision: Number
    cause: str
    reason: str
    rules: str
    cpr_sealed: str
    counters: _Counters
    rows: list[_Row]


class _Run(TypedDict):
    type: Literal["run"]
    run: Number
    closed_at: Time
    data_month: str


def _is_cell_time(month_and_week: tuple[str, str]) -> bool:
    """Return True for a month and a day that exist; ValueError for others."""
    month, week = month_and_week
    month_number(month)
    day(week)
    return True


def _check_counters(counters: dict[str, Any]) -> None:
    """Raise ValueError for weeks that do not exist."""
    weeks = [first for first, _ in counters["earned"]]
    if counters["week"] is not None:
        weeks.append(counters["week"])
    if later := counters.get("after_transfer"):
        weeks += [later["from"], *(first for first, _ in later["earned"])]
    _ = [_DAYS[week] for week in weeks]


_DAYS: Final = Memo(day, 1 << 13)
_CELL_TIMES: Final = Memo(_is_cell_time, 1 << 13)
"""The months and weeks of rows are mostly the same few."""
_postings: Final[Decoding] = msgspec.json.Decoder(_Postings).decode
_run: Final[Decoding] = msgspec.json.Decoder(_Run).decode


def read_message(value: bytes) -> PostedMessage:
    """Read a posting message or a run's marker. Raises ValueError where the bytes are neither.

    >>> read_message(b'{"type":"run","run":1,"closed_at":"2020-02-01T08:00:00Z"}')
    Traceback (most recent call last):
    msgspec.ValidationError: Object missing required field `data_month`
    """
    try:
        message: PostedMessage = _postings(value)
    except msgspec.ValidationError:
        message = _run(value)
        month_number(message["data_month"])
        return message
    _check_counters(message["counters"])
    for row in message["rows"]:
        if not (_CELL_TIMES[row["month"], row["week"]] and row["id"][24:].isdecimal()):
            raise ValueError("a row's id has no position")
    return message
