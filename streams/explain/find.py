"""One citizen's reports among those of others, and the state after folding them."""

import re
import sys
from collections.abc import Iterable, Sequence
from getpass import getpass
from typing import NamedTuple

from domain.citizen.reports import CitizenRecord, Freeing, Report, RunMarker
from domain.citizen.state import Citizen
from domain.law.staircase import Law
from domain.ruledata.ruleset import RuleSet
from streams.citizens.register_file import make_validator
from streams.citizens.settler import Partition
from streams.citizens.store_port import MemoryStore
from streams.kit.errors import UserError
from streams.kit.standard_streams import standard_input
from streams.offline.settle import numbered
from streams.privacy.cpr import cpr_of_line, is_cpr, looks_like_cpr
from streams.privacy.identity import CITIZEN_DIGITS
from streams.settings import Settings
from streams.wire.outcomes import Accepted
from streams.wire.rejections import Rejection

PSEUDONYM = re.compile(rf"[0-9a-f]{{{CITIZEN_DIGITS}}}")


SEALED = "-"
"""Stands for the sealed CPR number, which no explanation needs, but a freed id does."""


class LifeError(UserError):
    """A citizen cannot be found; the message says why and what to do, and holds no CPR."""


class RejectedLine(NamedTuple):
    """A rejected line about the citizen, with the reason; it does not count."""

    line: int
    reason: str
    detail: str


class CitizenReports(NamedTuple):
    """The lines of one citizen in a file, in their order."""

    citizen: str
    reports: list[Report | Freeing]
    refused: list[RejectedLine]


# --- who ------------------------------------------------------------------------------------------


def named_citizen(given: str | None, settings: Settings) -> str:
    """Return the citizen that a person names: by a pseudonym, or by a CPR that is asked for."""
    if given is None:
        return settings.identity().of(_asked_cpr(settings.accepts_sixty))[0]
    if looks_like_cpr(given):
        raise LifeError(
            "a CPR does not belong on a command line, where others can see it and the shell"
            " keeps it; leave it out, and you are asked for it"
        )
    if not PSEUDONYM.fullmatch(given):
        raise LifeError(
            f"CITIZEN is a pseudonym of {CITIZEN_DIGITS} digits 0-9a-f, as in postings;"
            " leave it out, and you are asked for a CPR"
        )
    return given


def _asked_cpr(demo: bool) -> str:
    """Read a CPR from the terminal, unseen, or else from the first line of standard input."""
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    text = getpass("CPR: ") if is_terminal else standard_input().readline().decode(errors="replace")
    cpr = text.strip().replace("-", "", 1)
    if not is_cpr(cpr, demo):
        fictive = (
            ""
            if demo
            else "; numbers with 60 added to the day are accepted in demo mode alone"
            " (REFUSION_DEMO=1), or with REFUSION_REPLACEMENT_NUMBERS=1"
        )
        raise LifeError(
            f"that is no CPR: ten digits are wanted, of which the first six are a date{fictive};"
            " type it at the prompt, or give it as the first line of standard input"
        )
    return cpr


# --- in a file ------------------------------------------------------------------------------------


def find_in(
    lines: Iterable[bytes], given: str, settings: Settings, rules: RuleSet
) -> CitizenReports:
    """Find a citizen's reports among published ones (JSON Lines).

    Raises:
        LifeError: there is none.
    """
    identity, validator = settings.identity(), make_validator(settings, rules, markers=True)
    found, citizens = CitizenReports(given, [], []), set()
    for number, line in numbered(lines):
        parsed = validator.parse(line)
        if isinstance(parsed, Accepted):
            citizen = identity.of(parsed.cpr)[0]
            citizens.add(citizen)
            if citizen == given:
                found.reports.append(parsed.report)
        elif isinstance(parsed, Freeing) and parsed.citizen == given:
            found.reports.append(parsed)
        elif isinstance(parsed, Rejection) and _is_about(line, given, settings):
            found.refused.append(RejectedLine(number, parsed.reason, parsed.detail))
    if not found.reports:
        raise LifeError(_not_found(given, len(citizens), len(found.refused)))
    return found


def _is_about(line: bytes, citizen: str, settings: Settings) -> bool:
    cpr = cpr_of_line(line)
    return cpr is not None and settings.identity().of(cpr.decode())[0] == citizen


def _not_found(citizen: str, others: int, refused: int) -> str:
    if refused:
        return (
            f"all {refused} reports of citizen {citizen} were rejected;"
            " `refusion settle --rejects FILE` tells why"
        )
    return (
        f"no report of citizen {citizen} among those of {others:,} citizens; pseudonyms are"
        " those in the postings of `refusion settle` with the same REFUSION_PSEUDONYM_KEY"
    )


# --- folding --------------------------------------------------------------------------------------


def folded(law: Law, citizen: str, reports: Sequence[Report | Freeing]) -> Citizen:
    """Fold reports of a citizen, with the code that settles everybody's."""
    store = MemoryStore()
    partition = Partition(law, store)
    for report in reports:
        assert not isinstance(report, RunMarker)
        settled(partition, store, citizen, report)
    store.write(partition.changes())
    return Citizen(citizen, store, law)


def settled(
    partition: Partition, store: MemoryStore, citizen: str, report: CitizenRecord | Freeing
) -> list[bytes]:
    """Settle a report of a citizen, or free one of its ids. Returns the messages that follow."""
    if not isinstance(report, Freeing):
        return partition.settle((citizen, SEALED, report)).postings
    store.write(partition.changes())
    return [message for _, message in partition.recalculate(report, "", 1).postings]
