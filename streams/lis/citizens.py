"""Names the citizens of an answer by their CPR numbers, after the look was recorded."""

from collections import defaultdict
from dataclasses import replace
from typing import Any, Final

from projections.lis.answers import Answer, text
from projections.lis.questions import LisQuestion
from streams.acts.acts import Act
from streams.kit.errors import UserError
from streams.ledger.sql import sql_texts
from streams.ledger.table import LedgerTable
from streams.privacy.access_log import log_access
from streams.privacy.identity import SealError
from streams.settings import Settings

CITIZEN: Final = "citizen"
NAMED_IN_ACT: Final = 1_000
"""Citizens that a record of an act names; of more there are several records."""
AT_ONCE: Final = 5_000
"""Citizens in one query of the ledger."""


def acts_of(
    question: LisQuestion, answer: Answer, purpose: str, *, names_cpr: bool, ledger_version: int
) -> list[Act]:
    """Make the acts of looking at all rows of an answer."""
    citizens = citizens_in(answer)
    return acts_about(
        question, citizens, purpose, names_cpr=names_cpr, ledger_version=ledger_version
    )


def acts_about(
    question: LisQuestion,
    seen: list[str],
    purpose: str,
    *,
    names_cpr: bool,
    ledger_version: int,
) -> list[Act]:
    """Make the acts of looking at citizens: each names some, together they name them all.

    A look at nobody is one act.
    """
    citizens = [question.citizen] if question.citizen else seen
    parts = [
        citizens[at : at + NAMED_IN_ACT] for at in range(0, max(len(citizens), 1), NAMED_IN_ACT)
    ]
    about = _asked(question) | {
        "ledger_version": ledger_version,
        "cpr": names_cpr,
        "persons": len(citizens),
        "parts": len(parts),
    }
    return [
        Act("lis", about | {"part": number, "citizens": part}, purpose)
        for number, part in enumerate(parts, 1)
    ]


def _asked(question: LisQuestion) -> dict[str, Any]:
    """Give a question as a record keeps it, so that it can be asked again."""
    common = {
        "view": question.view,
        "municipality": question.municipality,
        "month": question.month,
        "run": question.run,
        "as": question.based_on,
    }
    further = {
        "benefit": question.benefit,
        "by": list(question.by),
        "with": list(question.others),
        "weeks": question.weeks,
        "alike": question.alike,
        "reporters": question.reporters or None,
    }
    return common | {name: value for name, value in further.items() if value not in (None, [])}


def citizens_in(answer: Answer) -> list[str]:
    """Return the citizens in an answer's rows, each once, in order."""
    if CITIZEN not in answer.names:
        return []
    at = answer.names.index(CITIZEN)
    return sorted({row[at] for row in answer.rows})


def with_cprs(settings: Settings, question: LisQuestion, answer: Answer) -> Answer:
    """Add a column of CPR numbers behind that of the citizens.

    Raises UserError where a number cannot be unsealed.
    """
    at = answer.names.index(CITIZEN)
    citizens = citizens_in(answer)
    log_access(
        settings.state_dir,
        "lis",
        view=question.view,
        municipality=question.municipality or "",
        persons=len(citizens),
    )
    cprs = _unsealed(settings, citizens)
    figures = (*answer.figures[: at + 1], text("cpr", "CPR-nummer"), *answer.figures[at + 1 :])
    rows = [(*row[: at + 1], cprs[row[at]], *row[at + 1 :]) for row in answer.rows]
    return replace(answer, figures=figures, rows=rows)


def _unsealed(settings: Settings, citizens: list[str]) -> dict[str, str]:
    """Unseal the citizens' numbers; a citizen may have several seals, all of one number."""
    identity, ledger = settings.identity(), LedgerTable.open(settings.ledger)
    seals: dict[str, list[str]] = defaultdict(list)
    for start in range(0, len(citizens), AT_ONCE):
        some = sql_texts(citizens[start : start + AT_ONCE])
        for citizen, seal in ledger.rows(
            f"SELECT DISTINCT citizen, cpr_sealed FROM ledger WHERE citizen IN {some}"
        ):
            seals[citizen].append(seal)
    cprs: dict[str, str] = {}
    for citizen in citizens:
        for seal in seals[citizen]:
            try:
                cprs[citizen] = identity.unseal(citizen, seal)
                break
            except SealError as error:
                refused = str(error)
        else:
            raise UserError(
                f"the CPR number of citizen {citizen} cannot be unsealed: "
                + (refused if seals[citizen] else "the ledger has no seal of it")
            )
    return cprs
