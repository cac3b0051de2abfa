"""The options of a view of LIS, as an address has them: those of contract section 7.

The address is the whole state of a page. A field that a form leaves blank is one that is not given;
an option that nobody knows is refused.
"""

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, model_validator

from projections.lis.books import BookLine
from projections.lis.questions import LisQuestion
from projections.lis.tables import Asked

Code = Annotated[str, Field(pattern=r"^[0-9]{3}$")]
Month = Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]
BenefitCode = Annotated[str, Field(pattern=r"^[A-Z0-9ÆØÅ-]{1,12}$")]
MOST_RUNS: Final = 9999
MOST_WEEKS: Final = 9999
MOST_ALIKE: Final = 98
LONGEST: Final = 500
MOST_NAMED: Final = 100
ROWS_OF_PAGE: Final = 100
MOST_PAGES: Final = 99_999


class LisOptions(BaseModel):
    """The options of a view, as a visitor gives them.

    `others` are municipalities to compare with, `alike` how many of those that are most like the
    own one; `weeks` is how far to look ahead, `reporters` asks for the lines by reporter, `persons`
    for the citizens behind the figures. `citizen` is a mark of the session and `purpose` says why.
    `rules` is the other rule set of `prognose`, which the command line alone reckons by.
    `page` is that of a table with more rows than a page shows; files have all rows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    municipality: Code | None = None
    month: Month | None = None
    run: Annotated[int, Field(ge=1, le=MOST_RUNS)] | None = None
    benefit: BenefitCode | None = None
    based_on: Annotated[Asked, Field(alias="as")] = "known"
    by: Annotated[str, Field(max_length=200)] = ""
    others: Annotated[tuple[Code, ...], Field(alias="with", max_length=200)] = ()
    alike: Annotated[int, Field(ge=1, le=MOST_ALIKE)] | None = None
    weeks: Annotated[int, Field(ge=0, le=MOST_WEEKS)] | None = None
    reporters: bool = False
    persons: bool = False
    citizen: Annotated[str, Field(pattern=r"^[a-r]{64}$")] | None = None
    purpose: Annotated[str, Field(max_length=LONGEST)] | None = None
    rules: Annotated[str, Field(max_length=MOST_NAMED)] | None = None
    page: Annotated[int, Field(ge=1, le=MOST_PAGES)] = 1

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        kept = {name: value for name, value in given.items() if value not in ("", None)}
        if isinstance(kept.get("with"), list | tuple):
            kept["with"] = [code for code in kept["with"] if code]
        return kept

    def question(
        self,
        view: str,
        municipality: str | None,
        citizen: str | None = None,
        books: tuple[BookLine, ...] = (),
    ) -> LisQuestion:
        """Make the question of a view; the municipality is the one whose rows may be shown."""
        return LisQuestion(
            view,
            municipality,
            self.month,
            self.run,
            self.benefit,
            self.based_on,
            tuple(filter(None, self.by.split(","))),
            self.others,
            self.weeks,
            citizen,
            books,
            self.alike,
            self.reporters,
        )

    @property
    def rows_of_page(self) -> range:
        """The rows that a page shows."""
        return range((self.page - 1) * ROWS_OF_PAGE, self.page * ROWS_OF_PAGE)

    def but(self, **changes: Any) -> "LisOptions":
        """Return these options with some of them changed."""
        return self.model_copy(update=changes)

    def given(self) -> dict[str, Any]:
        """Return the options by their names, without the purpose: it is nobody's to keep."""
        return {
            "municipality": self.municipality,
            "month": self.month,
            "benefit": self.benefit,
            "as": None if self.based_on == "known" else self.based_on,
            "run": self.run,
            "by": self.by,
            "with": list(self.others),
            "alike": self.alike,
            "weeks": self.weeks,
            "reporters": "1" if self.reporters else None,
            "persons": "1" if self.persons else None,
            "citizen": self.citizen,
            "rules": self.rules,
        }

    def query(self) -> str:
        """Write the options as an address has them."""
        return query_of(self.given())

    def query_of_page(self) -> str:
        """Write the options with the page of the table, where it is not the first one."""
        return query_of(self.given() | {"page": self.page if self.page > 1 else None})


def query_of(values: dict[str, Any]) -> str:
    """Write the values that are given as a query, with its question mark; "" where there are none.

    >>> query_of({"as": "of", "run": 50, "month": None, "with": ["101", "730"]})
    '?as=of&run=50&with=101&with=730'
    """
    given = {name: value for name, value in values.items() if value not in (None, "", [])}
    return f"?{urlencode(given, doseq=True)}" if given else ""
