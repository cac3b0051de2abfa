"""Why: the complete reason for a citizen's week, and the whole life in one look.

Nothing here restates what was posted. States, counters, cells and what is due for them are worked out from the
citizen's reports as folded under the rule set at hand, by the law's own functions; another rule set gives another
explanation.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from domain.basics.weeks import day_text, monday, sunday, week_of, week_text
from domain.citizen.reports import CaseFact, Income, Payment, Report, Reversal, cause
from domain.citizen.state import CODE, END, REVERSED, START, Citizen
from domain.explain.fates import Told, fates
from domain.explain.reasons import (
    Ahead,
    Count,
    Earned,
    Life,
    NewStart,
    OldCase,
    ReportReason,
    ReportType,
    Role,
    State,
    Touch,
    TurnOfYear,
    WeekOfLife,
    WeekReason,
    Weeks,
)
from domain.explain.rows import bidrag_reasons, row_reasons
from domain.explain.rulebook import Rulebook
from domain.law.counters import NO_WEEK, last_reset_before, lowest
from domain.law.old_cases import DECIDING_FACTS, NEVER
from domain.law.staircase import OUTSIDE, Law, Reading
from domain.law.staircase import Count as CountOfWeeks

# --- a week
# -----------------------------------------------------------------------------------------


def explain_week(law: Law, citizen: Citizen, reports: Sequence[Report], week: int) -> WeekReason:
    """The reason for a week. `citizen` is the state that folding the `reports`, in the journal's order, has left."""
    book, at = Rulebook(law.rules), _Position(law, citizen, week)
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
        old_case=_old_case(law, book, citizen),
        reports=[report_reason(told) for told in _of_week(fates(reports), week)],
        rows=rows,
        fleksbidrag=list(bidrag_reasons(law, book, citizen, week)),
        ahead=at.ahead(book),
        rules=book.used,
    )


def iso_week(week: int) -> str:
    """`2024-W05`."""
    year, number, _ = date.fromordinal(monday(week)).isocalendar()
    return f"{year}-W{number:02d}"


QUESTION_OF = {"ADP": "ADP_WEEKS", "AMY": "ADP_WEEKS", "UFB": "UFB", "MBT": "NO15"}
"""The open question that a benefit's own weeks hang on."""


def _cite(
    law: Law, book: Rulebook, at: "_Position", benefits: Iterable[str], has_money: bool
) -> None:
    """The rules that a week stands on, whatever is in it."""
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
        _cite_reset(law, book)
    if at.week == week_of(law.counting_from):
        book.value("dates.counting_from", f"weeks count from {rules.dates.counting_from}", at.week)


def _cite_reset(law: Law, book: Rulebook) -> None:
    reset = law.rules.reset
    book.value(
        "reset.self_support_weeks",
        f"{reset.self_support_weeks} whole weeks of self-support make a new start",
    )
    book.value("reset.within_years", f"those within the last {reset.within_years} years count")
    book.switch("WINDOW")
    book.switch("RESET_AT")


def _known_up_to(reading: Reading, weeks: CountOfWeeks, resets: Sequence[int]) -> Reading:
    """The reading with all new starts that its count has made by then: the state knows those before its last money."""
    known = weeks._replace(resets=tuple(resets))
    return (
        reading._replace(first=known) if weeks is reading.first else reading._replace(second=known)
    )


class _Position:
    """Both counters in one week and at its end."""

    def __init__(self, law: Law, citizen: Citizen, week: int) -> None:
        self._law = law
        reading = citizen.head.reading()
        self._weeks = reading.at(week)
        self.week = week
        reached = resets_before(law, self._weeks, week + 1)
        self.reading = _known_up_to(reading, self._weeks, reached)
        self.is_new_start = bool(reached) and reached[-1] == week
        self._resets = reached[:-1] if self.is_new_start else reached
        self.after = last_reset_before(self._resets, week)
        """The latest new start before the week, or NO_WEEK."""
        self.began = self._began(self.after, week)
        """The first benefit week since then, None where there is none yet."""

    @property
    def state(self) -> State:
        """B, O or S."""
        return _state(self._weeks, self.week)

    @property
    def count(self) -> Count:
        """The refusionstæller in the week."""
        benefit = self._weeks.benefit
        counted = [week for week in range(self.after + 1, self.week + 1) if benefit >> week & 1]
        return Count(len(counted), runs(counted))

    @property
    def earned(self) -> Earned:
        """The genoptjeningstæller at the week's end, before a new start that it makes."""
        weeks = self._earned_weeks(self.after, self.week)
        window = self._law.window
        return Earned(
            len(weeks), window.needed, week_text(max(window.first[self.week], 0)), runs(weeks)
        )

    def new_start(self, reset: int) -> NewStart:
        """A new start and what made it."""
        return NewStart(
            week_text(reset),
            runs(self._earned_weeks(last_reset_before(self._resets, reset), reset)),
        )

    def _began(self, after: int, week: int) -> int | None:
        run = (self._weeks.benefit >> (after + 1)) & ((1 << (week - after)) - 1)
        return after + 1 + lowest(run) if run else None

    def _earned_weeks(self, after: int, week: int) -> list[int]:
        """The whole weeks of self-support since the first benefit week after `after`, inside the window at `week`."""
        began = self._began(after, week)
        if began is None:
            return []
        first = max(self._law.window.first[week], began + 1)
        return [each for each in range(first, week + 1) if not self._weeks.busy >> each & 1]

    def ahead(self, book: Rulebook) -> Ahead:
        """What comes next, from the week's end."""
        week = week_text(self.week)
        if self.began is None or self.is_new_start:
            band = book.band(self.week, 1)
            return self._said(
                Ahead(week, 1, band.refusion, band.medfinansiering, None, None, None, [])
            )
        band = book.band(self.week, self.count.reached)
        more = next_refusion = next_medfinansiering = None
        if band.to_week:
            following = book.band(self.week, band.to_week + 1)
            more = following.from_week - self.count.reached
            next_refusion, next_medfinansiering = following.refusion, following.medfinansiering
        missing = max(0, self.earned.needed - self.earned.earned)
        new_start, drops_out = self._new_start_ahead(), self._drops_out()
        drops = week_text(drops_out) if drops_out else None
        counters = (missing, week_text(new_start), drops)
        return self._said(Ahead(week, more, next_refusion, next_medfinansiering, *counters, []))

    def _said(self, ahead: Ahead) -> Ahead:
        """The same with its sentences; a transfer to come changes the count by itself (§ 30, stk. 3)."""
        comes = (
            "with the first benefit week after" if self._law.new_start.ahead else "at the end of"
        )
        sentences = list(_ahead_sentences(ahead, comes))
        if self.reading.second is not None and self.week < self.reading.standing.transfer:
            transfer = week_text(self.reading.standing.transfer)
            sentences.append(
                f"From the week of {transfer} the old weeks enter the count, which moves it up."
            )
        return replace(ahead, sentences=sentences)

    def _new_start_ahead(self) -> int:
        """The week at whose end the next new start comes, if nothing but self-support follows, or a benefit then.

        It is looked for from the first week that is possible; the window holds it within its
        length.
        """
        known = (2 << self.week) - 1
        benefit, busy = self._weeks.benefit & known, self._weeks.busy & known
        week = self.week + max(1, self.earned.needed - self.earned.earned)
        while True:
            then = 1 << (week + 1)
            resets = resets_before(
                self._law, CountOfWeeks(benefit | then, busy | then, ()), week + 2
            )
            if len(resets) > len(self._resets):
                return resets[len(self._resets)]
            week += 1

    def _drops_out(self) -> int | None:
        """The first week in which an earned one has left the window, if that is before a new start can come."""
        weeks = self._earned_weeks(self.after, self.week)
        if not weeks:
            return None
        window, following = self._law.window, self.week + 1
        while window.first[following] <= weeks[0]:
            following += 1
        return following if following <= self.week + max(1, window.needed - len(weeks)) else None


def resets_before(law: Law, weeks: CountOfWeeks, end: int) -> list[int]:
    """Every new start at the end of a week before `end`."""
    return law.new_start.extend(law.window, weeks.benefit, weeks.busy, [], 0, end)


def _state(weeks: CountOfWeeks, week: int) -> State:
    if weeks.benefit >> week & 1:
        return "B"
    return "O" if weeks.busy >> week & 1 else "S"


def runs(weeks: Iterable[int]) -> list[Weeks]:
    """Weeks in order as runs of those that follow each other."""
    found: list[list[int]] = []
    for week in weeks:
        if found and found[-1][0] + found[-1][1] == week:
            found[-1][1] += 1
        else:
            found.append([week, 1])
    return [Weeks(week_text(first), number) for first, number in found]


def _ahead_sentences(ahead: Ahead, comes: str) -> Iterator[str]:
    percent = f"{ahead.next_refusion} % (medfinansiering {ahead.next_medfinansiering} %)"
    if ahead.self_support_weeks is None:
        yield f"The next benefit week is the first: {percent}. Until then no self-support is earned."
        return
    if ahead.benefit_weeks:
        yield f"{_number(ahead.benefit_weeks, 'more benefit week')} until {percent}."
    else:
        yield "There is no further step."
    unless = (
        f", unless earned ones drop out first: the next on {ahead.drops_out}"
        if ahead.drops_out
        else ""
    )
    yield (
        f"{_number(ahead.self_support_weeks, 'whole week')} of self-support until a new start{unless}."
        f" If nothing but self-support follows, it comes {comes} the week of {ahead.new_start}."
    )


def _number(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


# --- what touches it
# --------------------------------------------------------------------------------


def _touches(law: Law, book: Rulebook, citizen: Citizen, week: int) -> Iterator[Touch]:
    """Each benefit that is reported for the week, or touches it."""
    reported = {
        line[CODE]
        for part in citizen.parts_between(week, week)
        for line in part.lines
        if not line[REVERSED] and line[START] <= sunday(week) and line[END] >= monday(week)
    }
    touched = {code for code, weeks in citizen.head.touched.items() if weeks >> week & 1}
    for code in sorted(reported | touched):
        benefit, role = code.removesuffix(OUTSIDE), _role(law, citizen, code, week)
        yield Touch(benefit, role, citizen.net(code, week), code in touched, book.benefit(code))


def _role(law: Law, citizen: Citizen, code: str, week: int) -> Role:
    if code.endswith(OUTSIDE):
        return "outside_act"
    if citizen.head.standing.is_old(code, week) and not law.old_cases_count:
        return "old_case"
    benefit = law.rules.benefits[code]
    if benefit.counts:
        return "counts"
    return "blocks" if benefit.blocks else "neither"


def _because(at: _Position, touches: Sequence[Touch]) -> str:
    """The state in a sentence."""
    touching = [touch for touch in touches if touch.touches]
    if at.state == "B":
        codes = _codes(touching, "counts")
        return f"{codes} a benefit week, counted once however many benefits it has"
    if at.state == "O":
        codes = _codes(touching, "blocks", "outside_act", "old_case")
        return f"{codes} a week of other support: it neither counts nor earns"
    nothing = (
        "none of what it has comes to more than nothing"
        if touches
        else "no support is reported in it"
    )
    if at.began is None:
        return f"self-support, for {nothing}; nothing is earned before the first benefit week"
    return f"a whole week of self-support, for {nothing}; it is earned"


def _codes(touches: Iterable[Touch], *roles: Role) -> str:
    """Which benefits make a week what it is."""
    codes = list(dict.fromkeys(touch.benefit for touch in touches if touch.role in roles))
    return f"{', '.join(codes)} {'makes' if len(codes) == 1 else 'make'} it"


# --- special cases
# ----------------------------------------------------------------------------------


def _turn_of_year(law: Law, book: Rulebook, at: _Position) -> TurnOfYear | None:
    if at.week != week_of(law.rules.dates.turn_of_year_week.toordinal()):
        return None
    following = law.decided_by(at.week)
    rule = book.value(
        "dates.turn_of_year_rate_from",
        f"its money takes the rate of the week of {week_text(following)}",
        at.week,
    )
    has_benefits = bool(at.reading.at(following).benefit >> following & 1)
    return TurnOfYear(week_text(following), has_benefits, law.ordinal(at.reading, at.week), rule)


def _old_case(law: Law, book: Rulebook, citizen: Citizen) -> OldCase | None:
    """Where the case stands, if there is any fact that might decide it."""
    head, legacy = citizen.head, law.rules.legacy
    deciding = sorted(head.facts.keys() & DECIDING_FACTS)
    facts = {fact: [day_text(day) for day in sorted(head.facts[fact])] for fact in deciding}
    if not facts:
        return None
    rules = []
    if facts.keys() - {"disability_pension_award"}:
        rules.append(
            book.value(
                "legacy.flex_referred_from", f"referred from {legacy.flex_referred_from}: ordinary"
            )
        )
    if "disability_pension_award" in facts:
        says = f"awarded from {legacy.disability_pension_awarded_from}: on the staircase"
        rules.append(book.value("legacy.disability_pension_awarded_from", says))
    standing = head.standing
    if standing.enters:
        says = f"referred {legacy.flex_transition_from} to {legacy.flex_transition_to}: from a new start in a fleksjob"
        rules += [book.value("legacy.flex_transition_from", says), book.switch("LEGACY_COUNT")]
    if standing.transfer in (0, NEVER):
        return OldCase(
            facts,
            "never" if standing.transfer else "always",
            None,
            False,
            standing.old_pension,
            rules,
        )
    return OldCase(
        facts, "from", week_text(standing.transfer), standing.enters, standing.old_pension, rules
    )


# --- the reports
# ------------------------------------------------------------------------------------


def _of_week(told: Sequence[Told], week: int) -> Iterator[Told]:
    """The reports with a day in the week, every case fact, and what took any of these back or repeated it."""
    first, last = monday(week), sunday(week)
    concerned = set()
    for each in told:
        report = each.report
        if isinstance(report, CaseFact) or (
            isinstance(report, Payment | Income) and report.start <= last and report.end >= first
        ):
            concerned.add(cause(report))
    for each in told:
        if cause(each.report) in concerned or each.by in concerned:
            yield each


def report_reason(told: Told) -> ReportReason:
    """A report and its fate as plain values."""
    report, fate, by = told
    what, since, until, amount_ore, outside_act, channel = _content_of(report)
    reported = day_text(report.reported)
    return ReportReason(
        cause(report),
        _type_of(report),
        what,
        since,
        until,
        amount_ore,
        outside_act,
        channel,
        reported,
        fate,
        by,
    )


def _type_of(report: Report) -> ReportType:
    match report:
        case Payment():
            return "benefit_payment"
        case Income():
            return "income"
        case CaseFact():
            return "case_fact"
        case Reversal():
            return "reversal"


def _content_of(report: Report) -> tuple[str, str | None, str | None, int | None, bool, str | None]:
    match report:
        case Payment(
            benefit=code, start=start, end=end, amount_ore=ore, outside_act=outside, channel=channel
        ):
            return code, day_text(start), day_text(end), ore, outside, channel
        case Income(kind=kind, start=start, end=end, amount_ore=ore):
            return kind, day_text(start), day_text(end), ore, False, None
        case CaseFact(fact=fact, date=day):
            return fact, day_text(day), None, None, False, None
        case Reversal(reverses=reverses):
            return reverses, None, None, None, False, None


# --- a life
# -----------------------------------------------------------------------------------------


def explain_life(law: Law, citizen: Citizen, reports: Sequence[Report]) -> Life:
    """The whole life, told at the end of its last week with support."""
    busy = citizen.head.reading().first.busy
    told = [report_reason(each) for each in fates(reports)]
    book = Rulebook(law.rules)
    if not busy:
        nothing = Count(0, []), Earned(0, law.window.needed, week_text(0), [])
        old_case = _old_case(law, book, citizen)
        return Life(
            citizen.id, law.rules.name, [], *nothing, None, [], old_case, told, None, book.used
        )
    last = busy.bit_length() - 1
    at = _Position(law, citizen, last)
    _cite_reset(law, book)
    weeks, new_starts = _weeks_of_life(law, book, citizen, (lowest(busy), last))
    return Life(
        citizen=citizen.id,
        rule_set=law.rules.name,
        weeks=weeks,
        count=at.count,
        earned=at.earned,
        band=book.band(last, at.count.reached)
        if book.has_rates(last) and at.count.reached
        else None,
        new_starts=new_starts,
        old_case=_old_case(law, book, citizen),
        reports=told,
        ahead=at.ahead(book),
        rules=book.used,
    )


def _weeks_of_life(
    law: Law, book: Rulebook, citizen: Citizen, span: tuple[int, int]
) -> tuple[list[WeekOfLife], list[NewStart]]:
    """Each week of a life, and its new starts; a second count ranks the weeks from the transfer on."""
    first, last = span
    earned_now = _expanded(_Position(law, citizen, last).earned.weeks)
    weeks, new_starts = [], []
    for week in range(first, last + 1):
        at = _Position(law, citizen, week)
        if at.is_new_start:
            new_starts.append(at.new_start(week))
        step = None
        if at.state == "B" and book.has_rates(week):
            step = book.band(week, law.ordinal(at.reading, week)).step
        reached = at.count.reached
        weeks.append(
            WeekOfLife(
                week_text(week),
                at.state,
                reached,
                step,
                week_text(week) in earned_now,
                at.is_new_start,
            )
        )
    return weeks, new_starts


def _expanded(spans: Iterable[Weeks]) -> set[str]:
    """The weeks of runs, one by one."""
    found = set()
    for span in spans:
        first = week_of(date.fromisoformat(span.first).toordinal())
        found |= {week_text(week) for week in range(first, first + span.number)}
    return found
