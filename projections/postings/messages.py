"""What was posted + what is true now -> result and correction rows (contract section 3).

A standing row is never edited: it is reversed by a row with the old figures negated, and a new
row follows where something is still due. Ids are made from citizen, revision and position, so
that the same journal gives the same bytes.

Rows are made as JSON text at once: there are five in a usual message, and a dict for each, made
to be written and thrown away, was a quarter of the cost of a report. Nothing in a row needs
escaping: codes, numbers and dates all come from the catalogue or from validated fields.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

import orjson

from domain.basics.cache import Memo
from domain.basics.weeks import month_text, week_text
from domain.citizen.aggregate import Settling
from domain.citizen.reports import Opening, RunMarker
from domain.citizen.state import CELL_AMOUNT, UNPOSTED, Cell
from domain.citizen.usual import Fresh
from domain.law.counters import Counters
from domain.law.staircase import LETTER, Due, Move

REFUSION = LETTER["refusion"]


Projection = tuple[list[str], int | None, bool]
"""The rows of one message, the earliest month that one is of, and whether one belongs to the report itself."""


def project(
    citizen: str, revision: int, moves: Iterable[Move], dues: Iterable[Due | None]
) -> Projection:
    """The rows that bring what was posted for the moved cells, in their order, to what is due for them.

    Each cell is left as it stands then: one with neither money nor a row is gone.
    """
    rows: list[str] = []
    earliest: int | None = None
    own = False
    digest = _message_digest(citizen, revision)
    for move, due in zip(moves, dues, strict=True):
        month, week, group, cell, amount_ore, atp_ore, is_own = move
        kind, number = '"result"', len(rows)
        if len(cell) > UNPOSTED:
            if due is not None and _stands(move, due):
                continue
            kind = '"correction"'
            rows.append(_reversing_row(citizen, f"{digest}{number}", move))
        if due is None:
            cell[CELL_AMOUNT:] = (amount_ore, atp_ore)
            if not amount_ore and not atp_ore:
                group[3].remove(cell)
        else:
            place = len(rows)
            where = _where(month, week, group[0], group[1], group[2])
            rows.append(_row(f"{digest}{place}", kind, where, amount_ore, atp_ore, due))
            cell[CELL_AMOUNT:] = (amount_ore, atp_ore, revision, place, *due)
        if len(rows) > number:
            own = own or is_own
            earliest = month if earliest is None else min(earliest, month)
    return rows, earliest, own


def project_fresh(citizen: str, revision: int, fresh: Fresh) -> Projection:
    """The same for rows in cells that nobody had before: the cells are made with their rows."""
    pieces, per_day_ore, atps_ore, groups, (at_zero, rise), mechanism, rates = fresh
    if not rates:
        for place, (month, week, days, extra_ore) in enumerate(pieces):
            atp_ore = atps_ore[place] if atps_ore else 0
            groups[month][3].append([week, per_day_ore * days + extra_ore, atp_ore])
        return [], None, False
    digest = _message_digest(citizen, revision)
    rows: list[str] = []
    at, terms = -1, None
    atp_ore, atp = 0, ""
    for place, (month, week, days, extra_ore) in enumerate(pieces):
        if month != at:
            at = month
            code, paying, financing, cells = groups[month]
            whose = _WHOSE[code, paying, financing]
        number = at_zero + rise * week
        if (found := rates[number]) is not terms:  # the rows of a report are mostly on one step
            rate, account = terms = found
            before_result, after_result = _TERMS[mechanism, rate, account]
        amount_ore = per_day_ore * days + extra_ore
        if atps_ore:
            atp_ore = atps_ore[place]
            atp = f'"atp_ore":{atp_ore},' if atp_ore else ""
        result_ore = (amount_ore * rate * 2 + 100) // 200  # `percentage` of a positive amount
        cells.append(
            [
                week,
                amount_ore,
                atp_ore,
                revision,
                place,
                number,
                mechanism,
                rate,
                result_ore,
                account,
            ]
        )
        # as in `_row`, without the call
        rows.append(
            f'{{"id":"{digest}{place}","kind":"result",{_WHEN[month, week]}{whose}{amount_ore},{atp}"ordinal":{number}'
            f"{before_result}{result_ore}{after_result}"
        )
    return rows, pieces[0][0], True


def _stands(move: Move, due: Due) -> bool:
    """Whether the posted row says all that is due; its ordinal may be another (contract section 3)."""
    _, _, _, cell, new_amount_ore, new_atp_ore, _ = move
    _, amount_ore, atp_ore, _, _, _, *figures = cell
    return amount_ore == new_amount_ore and atp_ore == new_atp_ore and figures == [*due[1:]]


def _row(id_: str, kind: str, where: str, amount_ore: int, atp_ore: int, due: Due) -> str:
    """`kind` is JSON, followed by `reverses` in a reversing row."""
    number, letter, rate, result_ore, account = due
    atp = f'"atp_ore":{atp_ore},' if atp_ore else ""
    before, after = _TERMS[letter, rate, account]
    return f'{{"id":"{id_}","kind":{kind},{where}{amount_ore},{atp}"ordinal":{number}{before}{result_ore}{after}'


def _where(month: int, week: int, code: str, paying: str | None, financing: str | None) -> str:
    """The cell of a row, up to its amount."""
    return _WHEN[month, week] + _WHOSE[code, paying, financing]


def _when(cell: tuple[int, int]) -> str:
    month, week = cell
    return f'"month":"{month_text(month)}","week":"{week_text(week)}",'


def _whose(group: tuple[str, str | None, str | None]) -> str:
    code, paying, financing = group
    return (
        f'"benefit":"{code}","paying":{_text(paying)},"financing":{_text(financing)},"amount_ore":'
    )


def _terms(terms: tuple[str, int, str | None]) -> tuple[str, str]:
    """What stands in a row before and after its result, for a mechanism's letter, rate and account."""
    letter, rate, account = terms
    if letter == REFUSION:
        return (
            f',"mechanism":"refusion","rate":{rate},"refusion_ore":',
            f',"medfinansiering_ore":0,"account":{_text(account)}}}',
        )
    return (
        f',"mechanism":"medfinansiering","rate":{rate},"refusion_ore":0,"medfinansiering_ore":',
        f',"account":{_text(account)}}}',
    )


def _text(value: str | None) -> str:
    """A code or a date in JSON."""
    return "null" if value is None else f'"{value}"'


def _week(week: int | None) -> str:
    return _text(None if week is None else week_text(week))


_WHEN = Memo(_when, 1 << 14)
_WHOSE = Memo(_whose, 1 << 13)
_TERMS = Memo(_terms, 1 << 10)
_WEEK = Memo(_week, 1 << 13)
"""The parts of rows and counters that are the same in many messages."""


def _reversing_row(citizen: str, id_: str, move: Move) -> str:
    """The standing row with its money negated and all else as it was."""
    month, week, (code, paying, financing, _), cell, *_ = move
    _, amount_ore, atp_ore, revision, position, number, letter, rate, result_ore, account = cell
    kind = f'"correction","reverses":"{row_id(citizen, revision, position)}"'
    where = _where(month, week, code, paying, financing)
    return _row(
        id_, kind, where, -amount_ore, -atp_ore, (number, letter, rate, -result_ore, account)
    )


def opening_rows(citizen: str, opening: Opening, cell: Cell, is_answered: bool) -> list[str]:
    """The row of an opening, and its reversal where it is taken back at once (`domain.citizen.openings`)."""
    month, week, benefit, paying, financing, *_ = opening
    _, amount_ore, atp_ore, revision, position, *figures = cell
    number, letter, rate, result_ore, account = figures
    where = _where(month, week, benefit, paying, financing)
    due = number, letter, rate, result_ore, account
    rows = [_row(row_id(citizen, revision, position), '"opening"', where, amount_ore, atp_ore, due)]
    if is_answered:
        move: Move = (month, week, [benefit, paying, financing, []], cell, 0, 0, True)
        rows.append(_reversing_row(citizen, row_id(citizen, revision, position + 1), move))
    return rows


def row_id(citizen: str, revision: int, position: int) -> str:
    """The id of a row: 24 hexadecimal digits, a digest of citizen and revision, then the position in the message."""
    return f"{_posted_digest(citizen, revision)}{position}"


def _message_digest(citizen: str, revision: int) -> str:
    return blake2b(f"{citizen}/{revision}".encode(), digest_size=12).hexdigest()


_posted_digest = lru_cache(maxsize=4096)(_message_digest)
"""Of a message that was posted before: its rows are mostly reversed together."""


def reason(settling: Settling, projection: Projection, closed_month: str) -> str:
    """Why rows were posted: the first reason of contract section 3 that fits. `closed_month` "" is none."""
    rows, earliest, own = projection
    if closed_month and earliest is not None and month_text(earliest) <= closed_month:
        return "late_report"
    if settling.reversal:
        return "reversal"
    return "adjustment" if rows and not own else "report"


def posting_message(
    citizen: str,
    revision: int,
    cause: str,
    why: str,
    rules: str,
    cpr_sealed: str,
    counters: Counters,
    rows: list[str],
) -> bytes:
    """The JSON of a posting message; the cause is the only text in it that somebody else wrote."""
    return (
        f'{{"schema":1,"type":"postings","citizen":"{citizen}","revision":{revision},'
        f'"cause":{_quoted(cause)},"reason":"{why}","rules":"{rules}","cpr_sealed":"{cpr_sealed}",'
        f'"counters":{counters_text(counters)},"rows":[{",".join(rows)}]}}'
    ).encode()


def _quoted(text: str) -> str:
    """A printable text in JSON."""
    return orjson.dumps(text).decode() if '"' in text or "\\" in text else f'"{text}"'


def counters_text(counters: Counters) -> str:
    """The JSON of the counters."""
    week, seniority, earned, after_transfer = counters
    later = ""
    if after_transfer is not None:
        from_week, seniority_then, earned_then = after_transfer
        runs = _runs_text(earned_then)
        later = f',"after_transfer":{{"from":"{week_text(from_week)}","seniority":{seniority_then},"earned":[{runs}]}}'
    return f'{{"week":{_WEEK[week]},"seniority":{seniority},"earned":[{_runs_text(earned) if earned else ""}]{later}}}'


def _runs_text(earned: tuple[tuple[int, int], ...]) -> str:
    return ",".join([f"[{_WEEK[first]},{number}]" for first, number in earned])


def run_message(marker: RunMarker) -> bytes:
    """The JSON of a run marker, in the journal and in postings: it cuts the partition where it stands."""
    value = {
        "run": marker.run,
        "closed_at": marker.closed_at,
        "data_month": month_text(marker.data_month),
    }
    accepted = {"accepted": marker.accepted} if marker.accepted else {}
    return orjson.dumps({"schema": 1, "type": "run", **value, **accepted})
