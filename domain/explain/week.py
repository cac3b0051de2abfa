"""The explanation of a citizen's week.

Nothing here repeats what was posted. States, counters, cells and entitlements are computed from the
citizen's reports, folded under a rule set, by the law's own functions; another rule set gives
another explanation.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from domain.basics.sentences import Sentence, sentence
from domain.basics.weeks import monday, sunday, week_of, week_text
from domain.citizen.reports import Freeing, Report
from domain.citizen.state import Citizen
from domain.explain.fates import fates
from domain.explain.old_cases import old_case_reason
from domain.explain.position import Position, cite_reset
from domain.explain.reasons import Role, Touch, TurnOfYear, WeekReason
from domain.explain.reports import concerning, report_reason
from domain.explain.rows import bidrag_reasons, row_reasons
from domain.explain.rulebook import Rulebook
from domain.law.counters import NO_WEEK
from domain.law.staircase import OUTSIDE, Law


def explain_week(
    law: Law, citizen: Citizen, reports: Sequence[Report | Freeing], week: int
) -> WeekReason:
    """Explain a week.

    `citizen` is the state after folding the `reports` in the order of the journal.
    """
    book, at = Rulebook(law.rules), Position(law, citizen, week)
    touches = list(_touches(law, book, citizen, week))
    rows = list(row_reasons(law, book, citizen, week))
    band = book.band(week, law.ordinal(at.reading, week)) if book.has_rates(week) else None
    _cite(law, book, at, [touch.benefit for touch in touches], bool(rows))
    return WeekReason(
        citizen=citizen.id,
        rule_set=law.rules.name,
        week=week_text(week),
        iso_week=iso_week(week),
        state=at.state,
        because=_because(at, touches),
        touches=touches,
        count=at.count,
        earned=at.earned,
        last_new_start=at.new_start(at.after) if at.after != NO_WEEK else None,
        new_start_here=at.new_start(week) if at.is_new_start else None,
        band=band,
        turn_of_year=_turn_of_year(law, book, at),
        old_case=old_case_reason(law, book, citizen),
        reports=[report_reason(told) for told in concerning(fates(reports), week)],
        rows=rows,
        fleksbidrag=list(bidrag_reasons(law, book, citizen, week)),
        ahead=at.ahead(book),
        rules=book.used,
    )


def iso_week(week: int) -> str:
    """Write a week as ISO does, such as `2024-W05`."""
    year, number, _ = date.fromordinal(monday(week)).isocalendar()
    return f"{year}-W{number:02d}"


QUESTION_OF = {"ADP": "ADP_WEEKS", "AMY": "ADP_WEEKS", "UFB": "UFB", "MBT": "NO15"}
"""The open question that decides what a benefit's weeks are."""


def _cite(
    law: Law, book: Rulebook, at: "Position", benefits: Iterable[str], has_money: bool
) -> None:
    """Cite the rules that decide a week, apart from those of its single benefits."""
    rules = law.rules
    book.switch("TOUCH")
    for benefit in benefits:
        if benefit in QUESTION_OF:
            book.switch(QUESTION_OF[benefit])
    if at.state == "O":
        book.switch("OTHER_LIST")
    if has_money:
        book.switch("SPLIT")
        book.switch("ROUND")
    if at.began is not None:
        cite_reset(law, book)
    if at.week == week_of(law.counting_from):
        counting = sentence("rule.counting_from", day=str(rules.dates.counting_from))
        book.value("dates.counting_from", counting, at.week)


# --- its benefits ------------------------------------------------------------------------------


def _touches(law: Law, book: Rulebook, citizen: Citizen, week: int) -> Iterator[Touch]:
    """List each benefit that is reported for the week or touches it."""
    reported = {
        line.code
        for part in citizen.parts_between(week, week)
        for line in part.lines
        if not line.reversed and line.start <= sunday(week) and line.end >= monday(week)
    }
    touched = {code for code, weeks in citizen.head.touched.items() if weeks >> week & 1}
    for code in sorted(reported | touched):
        benefit, role = code.removesuffix(OUTSIDE), _role(law, citizen, code, week)
        yield Touch(benefit, role, citizen.net(code, week), code in touched, book.benefit(code))


def _role(law: Law, citizen: Citizen, code: str, week: int) -> Role:
    if code.endswith(OUTSIDE):
        return "outside_act"
    if citizen.head.weeks.status.is_old(code, week) and not law.old_cases_count:
        return "old_case"
    benefit = law.rules.benefits[code]
    if benefit.counts:
        return "counts"
    return "blocks" if benefit.blocks else "neither"


def _because(at: Position, touches: Sequence[Touch]) -> Sentence:
    """Explain the state of a week in a sentence."""
    touching = [touch for touch in touches if touch.touches]
    if at.state == "B":
        return _made_by("because.benefit", touching, "counts")
    if at.state == "O":
        return _made_by("because.other", touching, "blocks", "outside_act", "old_case")
    nothing = sentence("nothing.net" if touches else "nothing.reported")
    key = "because.not_begun" if at.began is None else "because.earned"
    return sentence(key, nothing=nothing)


def _made_by(key: str, touches: Iterable[Touch], *roles: Role) -> Sentence:
    """Name the benefits that give a week its state."""
    codes = list(dict.fromkeys(touch.benefit for touch in touches if touch.role in roles))
    return sentence(key, number=len(codes), codes=", ".join(codes))


# --- the turn of the year ----------------------------------------------------------------------


def _turn_of_year(law: Law, book: Rulebook, at: Position) -> TurnOfYear | None:
    if at.week != week_of(law.rules.dates.turn_of_year_week.toordinal()):
        return None
    following = law.decided_by(at.week)
    rule = book.value(
        "dates.turn_of_year_rate_from",
        sentence("rule.turn_of_year", week=week_text(following)),
        at.week,
    )
    has_benefits = bool(at.reading.at(following).benefit >> following & 1)
    return TurnOfYear(week_text(following), has_benefits, law.ordinal(at.reading, at.week), rule)
