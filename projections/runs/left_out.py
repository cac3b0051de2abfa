"""Finds rows of a run that no file can have, so that they stop nobody else's files.

A row is left out where its seal does not open, or where it is none that the program writes: its
citizen is no pseudonym, a value is missing, or nobody knows its benefit or municipality. It is
money of nobody then, and a person has to look. What is left out is listed, to the øre.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

from projections.runs.files import LedgerRow, Names, sums_of

PSEUDONYM: Final = re.compile(r"[0-9a-f]{32}")
"""The form of a citizen (contract section 1)."""
MECHANISMS: Final = ("refusion", "medfinansiering")
MAY_BE_NULL: Final = ("reverses", "paying", "account")
_demanded: Final = itemgetter(
    *(number for number, name in enumerate(LedgerRow._fields) if name not in MAY_BE_NULL)
)
NOT_OURS: Final = "the row is none that the program writes"
NO_SEAL: Final = "its CPR number is sealed nowhere"
UNKNOWN_PLACE: Final = "the rule set does not know the municipality"
UNKNOWN_BENEFIT: Final = "the rule set does not know the benefit"


class LeftOut(NamedTuple):
    """Rows of a citizen that are in no file of a municipality, or notices without a CPR number.

    `citizen` is empty where no pseudonym can be told, `rows` is 0 where only notices are meant.
    """

    municipality: str
    citizen: str
    why: str
    rows: int
    reported_ore: int
    amount_ore: int
    refusion_ore: int
    medfinansiering_ore: int

    @classmethod
    def of(cls, municipality: str, citizen: str, why: str, rows: Iterable[LedgerRow]) -> "LeftOut":
        """Sum rows up; a missing amount counts as nothing."""
        whole = [
            row._replace(
                **{name: 0 for name in _MONEY if getattr(row, name) is None}  # type: ignore[arg-type]  # money fields
            )
            for row in rows
        ]
        named = citizen if is_pseudonym(citizen) else ""
        return cls(municipality, named, why, len(whole), *sums_of(whole))

    def sentence(self) -> str:
        """Say what is left out, where and why."""
        whose = f"citizen {self.citizen}" if self.citizen else "no citizen"
        moved = (self.refusion_ore + self.medfinansiering_ore) / 100
        return (
            f"municipality {self.municipality or '-'}, {whose}: {self.rows} rows,"
            f" {moved:,.2f} kr.: {self.why}"
        )


_MONEY: Final = ("amount_ore", "atp_ore", "refusion_ore", "medfinansiering_ore")


def is_pseudonym(value: object) -> bool:
    """True for the name of a citizen."""
    return isinstance(value, str) and PSEUDONYM.fullmatch(value) is not None


def are_as_written(columns: Sequence[Sequence[Any]], names: Names) -> bool:
    """Tell whether all of some rows are as the program writes them, by their columns.

    The values of most columns are few, so that this costs a fifth of asking row by row.
    """
    by_name = dict(zip(LedgerRow._fields, columns, strict=True))
    return (
        not any(None in values for name, values in by_name.items() if name not in MAY_BE_NULL)
        and set(by_name["mechanism"]) <= set(MECHANISMS)
        and all(map(is_pseudonym, set(by_name["citizen"])))
        and set(by_name["financing"]) <= names.municipalities.keys()
        and set(by_name["benefit"]) <= names.benefits.keys()
    )


def what_is_wrong(row: LedgerRow, names: Names) -> str | None:
    """Say why a row can be in no file; None for a row as the program writes it."""
    if None in _demanded(row) or row.mechanism not in MECHANISMS or not is_pseudonym(row.citizen):
        return NOT_OURS
    if row.financing not in names.municipalities:
        return UNKNOWN_PLACE
    return None if row.benefit in names.benefits else UNKNOWN_BENEFIT


def own_notice(value: Any) -> Mapping[str, Any] | None:
    """Return a notice about a citizen's report as the program writes it; None for all else."""
    if not isinstance(value, dict) or not is_pseudonym(value.get("citizen")):
        return None
    detail = value.get("detail")
    if not isinstance(value.get("code"), str) or not isinstance(value.get("cause"), str | None):
        return None
    if not isinstance(detail, dict | None):
        return None
    municipalities = (detail or {}).get("municipalities", [])
    is_list = isinstance(municipalities, list)
    return value if is_list and all(isinstance(code, str) for code in municipalities) else None
