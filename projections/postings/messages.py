"""The messages of `postings` as JSON text (contract section 3).

`domain.citizen.posting` decides the rows; they are only written here.

Rows are made as JSON text at once: there are five in a usual message, and a dict for each, made
to be written and thrown away, was a quarter of the cost of a report. Nothing in a row needs
escaping: codes, numbers and dates all come from the catalogue or from validated fields.
"""

from collections.abc import Iterable
from functools import lru_cache, partial
from hashlib import blake2b

import orjson
from msgspec.structs import replace

from domain.basics.cache import Memo
from domain.basics.weeks import month_text, week_text
from domain.citizen.posting import RowsToPost
from domain.citizen.records import Cell
from domain.citizen.reports import RunMarker
from domain.law.counters import Counters
from domain.law.rates import LETTER

REFUSION = LETTER["refusion"]
WEEKS_OF_A_MONTH = 6
"""Weeks that may have days in one month."""


def row_texts(citizen: str, revision: int, rows: Iterable[RowsToPost]) -> list[str]:
    """Write the rows of a message, each as JSON, in the order of their positions."""
    begin = f'{{"id":"{_message_digest(citizen, revision)}'
    texts: list[str] = []
    position = 0
    for same_kind in rows:
        month, group, cells = same_kind.month, same_kind.group, same_kind.cells
        when, whose = _WEEKS_OF[month], _WHOSE[group.code, group.paying, group.financing]
        kind: str = same_kind.kind
        if kind == "reversal":
            (posted,) = cells
            kind, cells = f'correction","reverses":"{row_id(citizen, posted)}', [_negated(posted)]
        kind = f'","kind":"{kind}",'
        for cell in cells:
            atp = f',"atp_ore":{cell.atp_ore},"ordinal":' if cell.atp_ore else ',"ordinal":'
            before, after = _TERMS[cell.mechanism, cell.rate, cell.account]
            texts.append(
                f"{begin}{position}{kind}{when[cell.week]}{whose}"
                f"{cell.amount_ore}{atp}{cell.ordinal}{before}{cell.result_ore}{after}"
            )
            position += 1
    return texts


def _negated(cell: Cell) -> Cell:
    """Give the figures of a posted cell as the row that reverses it has them."""
    return replace(
        cell,
        amount_ore=-cell.amount_ore,
        atp_ore=-cell.atp_ore,
        result_ore=-cell.result_ore,
    )


def _when(month: int, week: int) -> str:
    return f'"month":"{month_text(month)}","week":"{week_text(week)}",'


def _weeks_of(month: int) -> Memo[int, str]:
    return Memo(partial(_when, month), WEEKS_OF_A_MONTH)


def _whose(group: tuple[str, str | None, str | None]) -> str:
    code, paying, financing = group
    return (
        f'"benefit":"{code}","paying":{_text(paying)},"financing":{_text(financing)},"amount_ore":'
    )


def _terms(terms: tuple[str, int, str | None]) -> tuple[str, str]:
    """Write a row's text before and after its result, given its letter, rate and account."""
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
    """Write a code or a date in JSON."""
    return "null" if value is None else f'"{value}"'


def _week(week: int | None) -> str:
    return _text(None if week is None else week_text(week))


_WEEKS_OF = Memo(_weeks_of, 1 << 11)
_WHOSE = Memo(_whose, 1 << 13)
_TERMS = Memo(_terms, 1 << 10)
_WEEK = Memo(_week, 1 << 13)
"""Texts of rows and counters that are the same in many messages."""


def row_id(citizen: str, cell: Cell) -> str:
    """Give the id of a posted cell's row.

    It is 24 hexadecimal digits, a digest of citizen and revision, then the position in the message.
    """
    return f"{_posted_digest(citizen, cell.revision)}{cell.position}"


def _message_digest(citizen: str, revision: int) -> str:
    return blake2b(f"{citizen}/{revision}".encode(), digest_size=12).hexdigest()


_posted_digest = lru_cache(maxsize=4096)(_message_digest)
"""The digest of an earlier message: its rows are mostly reversed together."""


def posting_message(
    citizen: str,
    revision: int,
    cause: str,
    why: str,
    rules: str,
    cpr_sealed: str,
    counters: Counters,
    rows: Iterable[RowsToPost],
) -> bytes:
    """Write a posting message; the cause is the only text in it that somebody else wrote."""
    texts = ",".join(row_texts(citizen, revision, rows))
    return (
        f'{{"schema":1,"type":"postings","citizen":"{citizen}","revision":{revision},'
        f'"cause":{_quoted(cause)},"reason":"{why}","rules":"{rules}","cpr_sealed":"{cpr_sealed}",'
        f'"counters":{counters_text(counters)},"rows":[{texts}]}}'
    ).encode()


def moved_to(message: bytes, citizen: str) -> bytes:
    """Name in a message of a citizen's merge the one to whom the reports have gone."""
    before, found, after = message.partition(b',"cpr_sealed":')
    assert found, "a posting message has the sealed CPR number"
    return before + f',"moved_to":"{citizen}"'.encode() + found + after


def _quoted(text: str) -> str:
    """Write a printable text in JSON."""
    return orjson.dumps(text).decode() if '"' in text or "\\" in text else f'"{text}"'


def counters_text(counters: Counters) -> str:
    """Write the counters in JSON."""
    week, seniority, earned, after_transfer = counters
    later = ""
    if after_transfer is not None:
        from_week, seniority_then, earned_then = after_transfer
        later = (
            f',"after_transfer":{{"from":"{week_text(from_week)}","seniority":{seniority_then},'
            f'"earned":[{_runs_text(earned_then)}]}}'
        )
    runs = _runs_text(earned) if earned else ""
    return f'{{"week":{_WEEK[week]},"seniority":{seniority},"earned":[{runs}]{later}}}'


def _runs_text(earned: tuple[tuple[int, int], ...]) -> str:
    return ",".join([f"[{_WEEK[first]},{number}]" for first, number in earned])


def run_message(marker: RunMarker) -> bytes:
    """Write a run marker, in the journal and in postings: it cuts the partition where it is."""
    value = {
        "run": marker.run,
        "closed_at": marker.closed_at,
        "data_month": month_text(marker.data_month),
    }
    accepted = {"accepted": marker.accepted} if marker.accepted else {}
    return orjson.dumps({"schema": 1, "type": "run", **value, **accepted})
