"""A question to a view: which municipality, month, run and benefit, as of when, by what."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from projections.lis.tables import Asked

if TYPE_CHECKING:
    from projections.lis.books import BookLine

MUNICIPALITY: Final = re.compile(r"[0-9]{3}")
MONTH: Final = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])")


class ViewError(ValueError):
    """A question cannot be answered; the message says why, and what to ask instead."""


@dataclass(frozen=True)
class LisQuestion:
    """A question that somebody asks of a view.

    `run` is the run of `of` and `settled`. `by` are the columns to sum by, empty for all of them.
    `others` are the municipalities to compare with, `weeks` how far to look ahead, `citizen` whose
    development is asked for, `books` the own books of a municipality. `alike` is how many of the
    municipalities that are most like the own one to compare with. `reporters` asks for the lines by
    reporter.
    """

    view: str
    municipality: str | None = None
    month: str | None = None
    run: int | None = None
    benefit: str | None = None
    based_on: Asked = "known"
    by: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    weeks: int | None = None
    citizen: str | None = None
    books: tuple["BookLine", ...] = ()
    alike: int | None = None
    reporters: bool = False

    def check(self) -> None:
        """Raise ViewError where the options do not go together."""
        if self.based_on != "known" and self.run is None:
            raise ViewError(
                f"--as {self.based_on} needs --run: the figures are those of a run; without --as"
                " they are what is known now"
            )
        for code in (self.municipality, *self.others):
            if code is not None and not MUNICIPALITY.fullmatch(code):
                raise ViewError(
                    f"{code!r} is no municipality; a code has three digits, such as 730"
                )
        if self.month is not None and not MONTH.fullmatch(self.month):
            raise ViewError(f"{self.month!r} is no month; write it as 2024-01")
