"""Says who may be erased: a list of citizens with reasons, held against the rule of retention.

The list is a table with a head, `citizen;reason;basis`, one citizen (by pseudonym) a line. A
citizen's records are kept as long as the rule says that is valid today (`retention.yaml`): so many
years after the end of the year of the last day that any record of the citizen is about.
"""

from collections.abc import Container, Iterable, Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import yaml

from domain.basics.weeks import day, day_text, first_day, month_number
from streams.acts.acts import checked_reason
from streams.kit.errors import UserError
from streams.kit.table_lines import cells_of
from streams.wire.readers import CITIZEN

HEAD: Final = ["citizen", "reason", "basis"]
NAMED: Final = 5
"""Citizens that an error names."""


class ErasureError(UserError):
    """Somebody may not be erased, or the list cannot be read; the message says why."""


class RetentionRule(NamedTuple):
    """A rule keeps records for so many years after the end of the year; both days are inclusive."""

    years: int
    valid_from: date
    valid_to: date | None
    reference: str
    evidence: str


def retention_rule(today: date) -> RetentionRule:
    """Return the rule that is valid on a day. Raises ErasureError where none is."""
    text = files("streams.archive").joinpath("retention.yaml").read_text(encoding="utf-8")
    for entry in yaml.safe_load(text)["retention"]:
        rule = RetentionRule(**{name: entry[name] for name in RetentionRule._fields})
        if rule.valid_from <= today and (rule.valid_to is None or today <= rule.valid_to):
            return rule
    raise ErasureError("no rule says how long records are kept today: retention.yaml has a gap")


def kept_until(last_day: date, rule: RetentionRule) -> date:
    """Return the last day on which the records of a citizen are kept.

    >>> rule = RetentionRule(5, date(2014, 7, 1), None, "", "assumed")
    >>> kept_until(date(2016, 3, 31), rule)
    datetime.date(2021, 12, 31)
    """
    return date(last_day.year + rule.years, 12, 31)


def read_list(content: bytes, path: Path) -> dict[str, str]:
    """Return reason and basis by citizen. Raises ErasureError, which names the file and the line.

    `content` is that of the file.
    """
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ErasureError(f"{path} is no text in UTF-8; save it as CSV UTF-8") from None
    if not lines or cells_of(lines[0]) != HEAD:
        raise ErasureError(f"{path}: its first line must be {';'.join(HEAD)}")
    erased: dict[str, str] = {}
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        cells = cells_of(line) or []
        if len(cells) != len(HEAD) or not CITIZEN.fullmatch(cells[0].encode()):
            raise ErasureError(
                f"{path}: line {number} is not a citizen (32 hex digits), a reason and a legal"
                " basis, with semicolons between them"
            )
        citizen, *why = cells
        erased[citizen] = "; ".join(
            checked_reason(f"{path}: line {number}: {name}", text)
            for name, text in zip(HEAD[1:], why, strict=True)
        )
    if not erased:
        raise ErasureError(f"{path}: names nobody")
    return erased


def last_day_of(value: bytes) -> int:
    """Return the last day that a record of the journal is about."""
    record: dict[str, Any] = orjson.loads(value)
    texts = [record.get(name) for name in ("period_end", "date")]
    told_at = record.get("reported_at") or record["written_at"]  # that of a merge
    texts.append(told_at[: len("YYYY-MM-DD")])
    days = [day(text) for text in texts if text]
    if "month" in record:
        days.append(first_day(month_number(record["month"]) + 1) - 1)
    return max(days)


def merged_with(value: bytes) -> str:
    """Return the other citizen of a record of a merge; "" for any other record."""
    record: dict[str, Any] = orjson.loads(value)
    return str(record.get("other", ""))


def check_merges(erased: Container[str], others: Mapping[str, Iterable[str]]) -> None:
    """Raise ErasureError where somebody was merged with a citizen who is to stay.

    `others` has by citizen whom they were merged with, or parted from: the journal has the reports
    of one under both.
    """
    left = {
        citizen: staying[0]
        for citizen, merged in others.items()
        if (staying := sorted(other for other in merged if other not in erased))
    }
    if left:
        named = [f"{citizen} with {left[citizen]}" for citizen in sorted(left)[:NAMED]]
        raise ErasureError(
            f"{len(left)} of the list were merged with others, such as {', '.join(named)}: name"
            " both numbers of a person, since the journal has reports of one under the other"
        )


def check_retention(
    erased: Iterable[str], last_days: Mapping[str, int], rule: RetentionRule, today: date
) -> None:
    """Raise ErasureError where somebody is not in the journal, or is to be kept still."""
    unknown = sorted(citizen for citizen in erased if citizen not in last_days)
    if unknown:
        raise ErasureError(
            f"{len(unknown)} of the list are not in the journal, such as"
            f" {', '.join(unknown[:NAMED])}"
        )
    kept = {
        citizen: until
        for citizen, last in last_days.items()
        if (until := kept_until(date.fromisoformat(day_text(last)), rule)) >= today
    }
    if kept:
        named = [f"{citizen} until {kept[citizen]}" for citizen in sorted(kept)[:NAMED]]
        raise ErasureError(
            f"{len(kept)} of the list must be kept still, such as {', '.join(named)}"
            f" ({rule.years} years after the end of the year, {rule.reference})"
        )
