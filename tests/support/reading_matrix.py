"""Readers of topics: every stage and every command, held against the rights of its role."""

from typing import Final, NamedTuple

from projections.lis.views import VIEWS
from streams.kafka import topics
from streams.kafka.topics import (
    ACCESS,
    CITIZENS,
    DEAD_LETTERS,
    NOTICES,
    POSTINGS,
    RAW,
    RECEIPTS,
    REPORTS,
)


class Reading(NamedTuple):
    """The role of who reads, and what it reads."""

    role: str
    topics: tuple[topics.Topic, ...]


STAGES: Final = {
    "intake": Reading("intake", (RAW, REPORTS)),
    "citizens": Reading("citizens", (REPORTS, CITIZENS)),
    "projections": Reading("projections", (POSTINGS, REPORTS, ACCESS)),
    "receipts.reports": Reading("projections", (REPORTS, DEAD_LETTERS, NOTICES)),
}
LOOKS: Final = {
    f"lis {view.name}" for view in VIEWS.values() if view.names_citizens or view.behind is not None
}
"""Views that record a look at citizens: whoever adds to a chain reads its end."""
COMMANDS: Final = {
    **dict.fromkeys(sorted(LOOKS), Reading("operator", (ACCESS,))),
    "approvals list": Reading("operator", (ACCESS,)),
    "approve": Reading("operator", (ACCESS,)),
    "audit check": Reading("auditor", (REPORTS, POSTINGS, DEAD_LETTERS)),
    "audit package": Reading("auditor", (REPORTS, POSTINGS, DEAD_LETTERS, ACCESS)),
    "backup": Reading("backup", (REPORTS, POSTINGS, ACCESS)),
    "dead-letters list": Reading("operator", (DEAD_LETTERS,)),
    "dead-letters show": Reading("operator", (DEAD_LETTERS, ACCESS)),
    "dead-letters retry": Reading("operator", (DEAD_LETTERS, RAW, REPORTS, ACCESS)),
    "deliver": Reading("operator", (ACCESS,)),
    "destinations": Reading("operator", (ACCESS,)),
    "diff": Reading("operator", (REPORTS, ACCESS)),
    "explain": Reading("operator", (REPORTS, ACCESS)),
    "export": Reading("operator", (NOTICES, ACCESS)),
    "free-id": Reading("operator", (REPORTS, ACCESS)),
    "merge": Reading("operator", (REPORTS, ACCESS)),
    "keys state": Reading("operator", (REPORTS, ACCESS)),
    "opening load": Reading("operator", (REPORTS, ACCESS)),
    "receipts": Reading("operator", (RECEIPTS,)),
    "rekey": Reading("operator", (REPORTS, POSTINGS, ACCESS)),
    "replay": Reading("operator", (REPORTS, POSTINGS, ACCESS)),
    "restore": Reading("operator", (REPORTS, POSTINGS, ACCESS)),
    "run close": Reading("operator", (REPORTS, POSTINGS, DEAD_LETTERS, NOTICES, ACCESS)),
    "run status": Reading("operator", (REPORTS, POSTINGS, DEAD_LETTERS)),
    "status": Reading("operator", (RAW, REPORTS, POSTINGS, DEAD_LETTERS, ACCESS)),
    "web": Reading("site", (REPORTS, ACCESS)),
    "verify": Reading("auditor", topics.TOPICS),
}
READ_NO_TOPIC: Final = frozenset(
    {
        "acl",
        "backup verify",
        "compare",
        "convert eindkomst",
        "convert table",
        "convert ydelsesindeks",
        "invoices",
        "lis build",
        "publish",
    }
    | {"repair transactions", "settings", "settle", "simulate", "worker"}
    | {f"lis {name}" for name in (*VIEWS, "hvad-hvis")} - LOOKS
)
"""Commands that read no record of a topic; `worker` runs the stages."""
