"""`refusion explain`: the citizen, the sources of the reports, and the output."""

import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from domain.basics.sentences import sentence
from domain.basics.weeks import day, week_of
from domain.citizen.admission import refusal
from domain.citizen.reports import Freeing, Report
from domain.citizen.state import Citizen
from domain.explain.life import explain_life
from domain.explain.reasons import LifeReason, WeekReason
from domain.explain.week import explain_week
from domain.law.staircase import Law
from domain.ruledata.ruleset import RuleSet
from projections.ledger.citizen import PostedRow, agree, standing
from streams.citizens.rule_sets import DEFAULT, LawBook, chosen_rule_set, load_rule_set
from streams.explain.citizen_ledger import Entries, citizen_of_row
from streams.explain.find import RejectedLine, find_in, folded, named_citizen
from streams.explain.live import Shown, read_live, record_look
from streams.explain.patience import ENDLESS, Patience
from streams.explain.placed import LiveError
from streams.explain.render import console
from streams.explain.render_life import show_life
from streams.explain.render_posted import show_posted, show_row, show_source
from streams.explain.render_week import show_week
from streams.kit.catalogue import Catalogue, Language, dumped
from streams.kit.errors import UserError
from streams.kit.progress import meter
from streams.ledger.table import LedgerTable
from streams.offline.inputs import Reader, checked, opened
from streams.settings import Settings

Says = Callable[[str], None]
ROW_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """The options of the command; `week` by its number."""

    citizen: str | None
    week: int | None
    row: str | None
    run: int | None
    reports: str | None
    whole_journal: bool
    rules: str | None
    as_json: bool
    purpose: str = ""
    language: Language = "en"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The reports of a citizen and the other knowledge about them.

    `source` says where they come from; `rules` is the rule set of the last settlement.
    """

    citizen: str
    reports: list[Report | Freeing]
    refused: list[RejectedLine]
    posted: list[PostedRow]
    source: dict[str, Any]
    rules: str = DEFAULT


class Grounds(NamedTuple):
    """The grounds of explanations: a citizen's reports, folded under a law."""

    law: Law
    citizen: Citizen
    reports: list[Report | Freeing]

    @classmethod
    def of(cls, law: Law, evidence: Evidence) -> "Grounds":
        """Fold the reports that the law takes in."""
        admitted = [
            report
            for report in evidence.reports
            if isinstance(report, Freeing) or not refusal(law, report)
        ]
        return cls(law, folded(law, evidence.citizen, admitted), admitted)

    def life(self) -> LifeReason:
        """Explain the whole life."""
        return explain_life(self.law, self.citizen, self.reports)

    def week(self, week: int) -> WeekReason:
        """Explain a week."""
        return explain_week(self.law, self.citizen, self.reports, week)


def explain_to(say: Says, request: ExplainRequest, environ: Mapping[str, str]) -> None:
    """Explain a life, a week, or the week of a row."""
    _refuse_what_does_not_go_together(request)
    chosen, settings = (
        chosen_rule_set(request.rules) if request.rules else None,
        Settings.load(environ),
    )
    settings.identity()  # a missing key is told before anything is asked
    laws = LawBook(settings.rules)
    if request.reports:
        evidence = _of_file(request, settings, chosen or load_rule_set())
    else:
        evidence = _of_live_system(request, settings, laws)
    grounds = Grounds.of(Law(chosen) if chosen else laws.law(evidence.rules), evidence)
    row = _row_of(evidence, request.row) if request.row else None
    week = request.week if row is None or row.week is None else week_of(day(row.week))
    words = Catalogue(request.language)
    if week is None:
        life = grounds.life()
        if request.as_json:
            say(_as_json(life, evidence, None, [], words))
            return
        show_life(life, evidence.refused, words, console())
    else:
        reason = grounds.week(week)
        posted = [each for each in evidence.posted if each.week == reason.week]
        if request.as_json:
            say(_as_json(reason, evidence, row, posted, words))
            return
        if row is not None:
            show_row(row, evidence.posted, words, console())
        show_week(reason, evidence.refused, words, console())
        if request.reports is None:
            show_posted(posted, agree(reason, posted), words, console())
    show_source(evidence.source["sentence"], words, console())


def _refuse_what_does_not_go_together(request: ExplainRequest) -> None:
    if request.reports and (request.row or request.whole_journal):
        raise UserError("--row and --whole-journal are about the live system; leave --reports out")
    if request.row and (request.week is not None or request.citizen):
        raise UserError("--row names its citizen and its week; leave CITIZEN and --week out")
    if request.run and not request.row:
        raise UserError(
            "--run names the file that --row is in; `refusion diff --run` shows a run of a citizen"
        )
    if request.citizen is None and request.reports == "-":
        raise UserError(
            "standard input cannot give both reports and a CPR;"
            " name CITIZEN, or give the reports as a file"
        )


def _checked_id(text: str) -> str:
    if not ROW_ID.fullmatch(text):
        raise UserError(
            "--row is no id of a row: ids have letters and digits only,"
            " as in the column `Resultat-id`"
        )
    return text


def _of_file(request: ExplainRequest, settings: Settings, rules: RuleSet) -> Evidence:
    with ExitStack() as stack:
        lines = Reader([opened(stack, request.reports or "-")], checked)
        found = find_in(lines, named_citizen(request.citizen, settings), settings, rules)
    where = sentence("source.file", number=len(found.reports), file=str(request.reports))
    source = {"from": "file", "sentence": where}
    return Evidence(found.citizen, found.reports, found.refused, [], source)


def _of_live_system(request: ExplainRequest, settings: Settings, laws: LawBook) -> Evidence:
    _ = settings.bootstrap
    if request.row:
        ledger = LedgerTable.open(settings.ledger)
        citizen = citizen_of_row(ledger, _checked_id(request.row), request.run)
    else:
        citizen = named_citizen(request.citizen, settings)
    record_look(settings, "explain", citizen, request.purpose)
    with meter("records") as shown:
        return live_evidence(settings, laws, citizen, request.whole_journal, shown.show)


def live_evidence(
    settings: Settings,
    laws: LawBook,
    citizen: str,
    whole: bool = False,
    shown: Shown = lambda _done, _total: None,
    patience: Patience = ENDLESS,
    entries: Callable[[str], Entries] = LedgerTable.open,
) -> Evidence:
    """Read a citizen's reports and postings from the live system. Raises LiveError.

    `entries` opens the ledger at an address.
    """
    live = read_live(
        settings, laws, citizen, whole=whole, shown=shown, patience=patience, entries=entries
    )
    source = {
        "from": "journal" if live.whole else "ledger",
        "partition": live.partition,
        "sentence": live.sentence(),
    }
    reports = [placed.report for placed in live.reports]
    offsets = [placed.offset for placed in live.reports]
    rules = live.posted[-1].rules if live.posted else DEFAULT
    return Evidence(citizen, reports, [], live.posted, source | {"offsets": offsets}, rules)


def _row_of(evidence: Evidence, row_id: str) -> PostedRow:
    for row in evidence.posted:
        if row.id == row_id:
            return row
    raise LiveError(f"the row {row_id} is not in the ledger any more; look again")


def _as_json(
    explanation: Any,
    evidence: Evidence,
    row: PostedRow | None,
    posted: list[PostedRow],
    words: Catalogue,
) -> str:
    stands = {each.id for each in standing(evidence.posted)}
    value = {
        "explanation": explanation,
        "rejected": [each._asdict() for each in evidence.refused],
        "source": evidence.source,
        "posted": [each._asdict() | {"stands": each.id in stands} for each in posted],
    }
    if isinstance(explanation, WeekReason) and evidence.source["from"] != "file":
        value["posted_is_due"] = agree(explanation, posted)
    if row is not None:
        value["row"] = row._asdict()
    return dumped(value, words)
