"""The columns of the tables of LIS, and those that several of them have."""

from typing import Final, NamedTuple

from projections.ledger.entries import ColumnType


class Column(NamedTuple):
    """A column of a mart. Its name ends in `_ore` where it is money."""

    name: str
    type: ColumnType
    meaning: str


class Mart(NamedTuple):
    """A table of LIS: one row for each combination of its keys."""

    name: str
    one_row_for: str
    keys: tuple[Column, ...]
    measures: tuple[Column, ...]
    sorted_by: tuple[str, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns, in their order."""
        return self.keys + self.measures


RUN: Final = Column(
    "run", "integer", "the run that was closed next after the entries; null: the open one"
)
MUNICIPALITY: Final = Column(
    "municipality",
    "string",
    "whose row it is: who paid it (refusion) or finances it (medfinansiering)",
)
MONTH: Final = Column("month", "string", "the row's own month, YYYY-MM")
BENEFIT: Final = Column("benefit", "string", "code of the benefit; FB is fleksbidrag")
RATE: Final = Column("rate", "integer", "percent of the amount")
CITIZEN: Final = Column("citizen", "string", "pseudonym")
REASON: Final = Column("reason", "string", "why it was posted (contract section 3)")
