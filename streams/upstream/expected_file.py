"""Reads the file of expected payments, as `refusion convert ydelsesindeks` writes it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from domain.basics.weeks import day
from projections.runs.expected_payments import ExpectedPayments
from projections.runs.payment_months import PaymentMonths
from streams.kit.errors import UserError
from streams.settings_table import EXPECTED
from streams.upstream.index_conversion import EARLIEST


class _ExpectedRecord(msgspec.Struct):
    """A line of the file; `line` is its number in the payment."""

    type: Literal["expected_payment"]
    payment: str
    line: int
    answered_at: str
    citizen: str
    reporter: str
    benefit: str
    period_start: str
    period_end: str
    amount_ore: int


_DECODER: Final = msgspec.json.Decoder(_ExpectedRecord)


def read_expected(path: Path | None, months: PaymentMonths) -> ExpectedPayments:
    """Read the expected payments; none where there is no file. Raises UserError.

    A payment may be in several answers: its lines in the latest of them hold. So the file is read
    twice; of each payment the first reading keeps the time of its latest answer.
    """
    expected = ExpectedPayments()
    if path is None:
        return expected
    latest: dict[str, str] = {}
    for _, line in _lines(path):
        latest[line.payment] = max(line.answered_at, latest.get(line.payment, ""))
    seen: set[tuple[str, int]] = set()
    for number, line in _lines(path):
        key = line.payment, line.line
        if line.answered_at != latest[line.payment] or key in seen:
            continue
        seen.add(key)
        try:
            days = day(line.period_start), day(line.period_end)
        except ValueError:
            raise _not_ours(path, number) from None
        if not EARLIEST <= days[0] <= days[1]:
            raise _not_ours(path, number)
        shares = months.shares(line.benefit, *days, line.amount_ore, 0, outside_act=False)
        expected.expect(line.citizen, line.reporter, line.benefit, shares)
    return expected


def _lines(path: Path) -> Iterator[tuple[int, _ExpectedRecord]]:
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            try:
                yield number, _DECODER.decode(text)
            except (msgspec.DecodeError, RecursionError):
                raise _not_ours(path, number) from None


def _not_ours(path: Path, number: int) -> UserError:
    return UserError(
        f"{path} ({EXPECTED.name}), line {number}: not an expected payment; make the file again"
        " with `refusion convert ydelsesindeks`"
    )
