"""The types of what the stages write, for the contract's document.

Tests compare them with every message of a settled population.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict  # pydantic's wish on Python 3.11

One = Literal[1]
Three = Literal[3]
Week = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="The Monday of a week.")]
Month = Annotated[str, Field(pattern=r"^\d{4}-\d{2}$", description="A month.")]
Ore = Annotated[int, Field(description="Whole øre.")]
Citizen = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="The pseudonym of a person.")]
Sealed = Annotated[
    str, Field(pattern=r"^k[0-9a-f]{8}\.[\w-]+$", description="The CPR number, AES-SIV.")
]
Municipality = Annotated[str, Field(pattern="^[0-9]{3}$", description="A municipality's code.")]
Runs = Annotated[
    list[tuple[Week, int]], Field(description="Runs of weeks as [first week, count], oldest first.")
]


AfterTransfer = TypedDict("AfterTransfer", {"from": Week, "seniority": int, "earned": Runs})
"""The counters from the transfer of a legacy flex citizen on."""


class PostedCounters(TypedDict):
    """Both counters at the end of the citizen's latest week in state B or O."""

    week: Week | None
    seniority: int
    earned: Runs
    after_transfer: NotRequired[AfterTransfer]


class PostingRow(TypedDict):
    """A posting row."""

    id: Annotated[str, Field(description="A digest of citizen, revision and position.")]
    kind: Literal["result", "correction", "opening"]
    reverses: NotRequired[
        Annotated[str, Field(description="The id of the row that this one reverses.")]
    ]
    month: Month
    week: Week
    benefit: Annotated[str, Field(description="A code of the catalogue.")]
    paying: Municipality | None
    financing: Municipality | None
    amount_ore: Ore
    atp_ore: NotRequired[
        Annotated[int, Field(description="ATP deducted to get the amount, in øre.")]
    ]
    ordinal: Annotated[
        int, Field(description="The number of the week on the staircase, as of posting.")
    ]
    mechanism: Literal["refusion", "medfinansiering"]
    rate: Annotated[int, Field(ge=0, le=100, description="A whole percentage.")]
    refusion_ore: Ore
    medfinansiering_ore: Ore
    account: Annotated[
        str | None, Field(description="function.dranst.gruppering, where it is verified.")
    ]


Reason = Literal[
    "opening",
    "rule_change",
    "recalculation",
    "late_report",
    "reversal",
    "adjustment",
    "report",
    "moved",
]


class Postings(TypedDict):
    """The results and corrections that follow from one record of the journal."""

    schema: One
    type: Literal["postings"]
    citizen: Citizen
    revision: Annotated[
        int, Field(ge=1, description="Grows by one with each message of the citizen.")
    ]
    cause: Annotated[str, Field(description="reporter/report_id, or the control record.")]
    reason: Reason
    rules: Annotated[str, Field(description="The rule set.")]
    moved_to: NotRequired[
        Annotated[Citizen, Field(description="The citizen for whom the reports count now.")]
    ]
    cpr_sealed: Sealed
    counters: PostedCounters
    rows: list[PostingRow]


class RunCut(TypedDict):
    """A run's marker: it cuts the partition where it stands."""

    schema: One
    type: Literal["run"]
    run: Annotated[int, Field(ge=1, description="Months from 2020-01 to the data month, plus 1.")]
    closed_at: Annotated[str, Field(description="RFC 3339, UTC.")]
    data_month: Month
    accepted: NotRequired[
        Annotated[list[str], Field(description="Why it was cut although it was held.")]
    ]


class MovedRecord(TypedDict):
    """A citizen is merged with another one, or parted: nothing that came before counts here."""

    schema: Three
    type: Literal["moved"]
    id: Annotated[str, Field(description="The merge, or its end.")]
    other: Annotated[Citizen, Field(description="The citizen with whom it is merged or was.")]
    other_sealed: Sealed
    undoes: Annotated[
        str, Field(description="The merge that ends. Empty: reports count for the other from here.")
    ]
    cpr_sealed: Sealed
    reason: str
    written_at: Annotated[str, Field(description="RFC 3339, UTC.")]


class JoinedRecord(TypedDict):
    """From here on copies of a former citizen's reports count for this one."""

    schema: Three
    type: Literal["joined"]
    id: Annotated[str, Field(description="The merge.")]
    other: Citizen
    other_sealed: Sealed
    cpr_sealed: Sealed
    written_at: Annotated[str, Field(description="RFC 3339, UTC.")]


class CopyOrigin(TypedDict):
    """The merge by which a copy counts, and the schema that the record had."""

    merge: str
    schema: int


class CopiedRecord(TypedDict):
    """A copy of a report or an opening row, whose other fields it has, for another citizen."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    schema: Literal[3]
    type: Annotated[str, Field(description="The type of the record that it copies.")]
    cpr_sealed: Sealed
    moved: CopyOrigin


class NoticeMessage(TypedDict):
    """A report that was applied, but is doubtful."""

    schema: One
    type: Literal["notice"]
    code: Literal[
        "possible_duplicate", "after_death", "pension_award", "flex_referral", "negative_net",
        "rate_missing", "validity_partial", "future_period", "closed_to_new",
        "reversed_before", "reversed_before_reported", "awaiting_reversal",
    ]  # fmt: skip
    citizen: Citizen
    cause: str
    detail: dict[str, Any]


class MissingReporter(TypedDict):
    """A reporter whose money for a benefit is missing in a month that was to be closed."""

    schema: One
    type: Literal["notice"]
    code: Literal["missing_reporter"]
    reporter: Annotated[str, Field(pattern="^[0-9]{8}$")]
    cause: str
    detail: dict[str, Any]


Place = Annotated[str, Field(description="Topic, partition and offset of a record.")]


class ReceiptMessage(TypedDict):
    """A receipt tells a reporter what became of a report; what does not apply is left out."""

    schema: One
    type: Literal["receipt"]
    status: Literal["accepted", "rejected", "noticed", "ignored"]
    reporter: Annotated[str, Field(pattern="^[0-9]{8}$")]
    report_id: NotRequired[str]
    raw: NotRequired[Place]
    journal: NotRequired[Place]
    reason: NotRequired[str]
    field: NotRequired[str]
    code: NotRequired[str]
    day: NotRequired[str]
    deliveries: NotRequired[Annotated[int, Field(ge=1)]]


Head = Annotated[tuple[str, int, str], Field(description="A record: writer, number and hash.")]


class ActMessage(TypedDict):
    """An act, or its request, approval or refusal: who does it, written before it is done."""

    schema: One
    type: Literal["act", "request", "approval", "refusal"]
    id: str
    at: Annotated[str, Field(description="RFC 3339, UTC.")]
    act: Annotated[str, Field(description="The act, as `export` or `replay --apply`.")]
    user: Annotated[str, Field(description="The operating system's user.")]
    uid: int
    host: str
    login_user: Annotated[str, Field(description="Who logged on before a change of user.")]
    sudo_user: Annotated[str, Field(description="What sudo says of who called it.")]
    scope: NotRequired[dict[str, Any]]
    reason: NotRequired[str]
    four_eyes: NotRequired[Literal["approved", "off"]]
    request: NotRequired[Annotated[str, Field(description="The id of a request.")]]
    command: NotRequired[Annotated[list[str], Field(description="The arguments of `refusion`.")]]
    files: NotRequired[Annotated[dict[str, str], Field(description="SHA-256 by file.")]]
    about: NotRequired[dict[str, Any]]
    person: NotRequired[Annotated[str, Field(description="The person who approves.")]]
    writer: str
    number: Annotated[int, Field(ge=1, description="Counts the records of the writer.")]
    before: Annotated[str, Field(description="The hash of the writer's record before.")]
    seen: NotRequired[Head | None]
    former: NotRequired[Head | None]
