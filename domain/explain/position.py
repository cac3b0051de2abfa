"""A citizen's counters in one week, and what changes them next."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from domain.basics.sentences import NOTHING, Sentence, sentence
from domain.basics.weeks import week_text
from domain.citizen.state import Citizen
from domain.explain.reasons import Ahead, CountReason, Earned, NewStartReason, State, WeekSpan
from domain.explain.rulebook import Rulebook
from domain.law.counters import last_reset_before, lowest
from domain.law.staircase import Law
from domain.law.week_counts import WeekCounts, WeekSets


def cite_reset(law: Law, book: Rulebook) -> None:
    """Cite the rules of a new start."""
    reset = law.rules.reset
    book.value(
        "reset.self_support_weeks",
        sentence("rule.reset_weeks", number=reset.self_support_weeks),
    )
    book.value("reset.within_years", sentence("rule.reset_years", number=reset.within_years))
    book.switch("WINDOW")
    book.switch("RESET_AT")


def _known_up_to(reading: WeekCounts, weeks: WeekSets, resets: Sequence[int]) -> WeekCounts:
    """Return the reading with all new starts that its count has made by then.

    The state knows only those before its last money.
    """
    known = weeks._replace(resets=tuple(resets))
    return (
        reading._replace(first=known) if weeks is reading.first else reading._replace(second=known)
    )


class Position:
    """Both counters of a citizen, in one week and at its end."""

    def __init__(self, law: Law, citizen: Citizen, week: int) -> None:
        self._law = law
        reading = citizen.head.weeks
        self._weeks = reading.at(week)
        self.week = week
        reached = resets_before(law, self._weeks, week + 1)
        self.reading = _known_up_to(reading, self._weeks, reached)
        self.is_new_start = bool(reached) and reached[-1] == week
        self._resets = reached[:-1] if self.is_new_start else reached
        self.after = last_reset_before(self._resets, week)
        """The latest new start before the week, or NO_WEEK."""
        self.began = self._began(self.after, week)
        """The first benefit week since then; None if there is none yet."""

    @property
    def state(self) -> State:
        """The state of the week: B, O or S."""
        return _state(self._weeks, self.week)

    @property
    def count(self) -> CountReason:
        """The refusionstæller in the week."""
        benefit = self._weeks.benefit
        counted = [week for week in range(self.after + 1, self.week + 1) if benefit >> week & 1]
        return CountReason(len(counted), spans_of(counted))

    @property
    def earned(self) -> Earned:
        """The genoptjeningstæller at the week's end, before a new start that it makes."""
        weeks = self._earned_weeks(self.after, self.week)
        window = self._law.window
        return Earned(
            len(weeks), window.needed, week_text(max(window.first[self.week], 0)), spans_of(weeks)
        )

    def new_start(self, reset: int) -> NewStartReason:
        """Return a new start with the weeks that made it."""
        return NewStartReason(
            week_text(reset),
            spans_of(self._earned_weeks(last_reset_before(self._resets, reset), reset)),
        )

    def _began(self, after: int, week: int) -> int | None:
        run = (self._weeks.benefit >> (after + 1)) & ((1 << (week - after)) - 1)
        return after + 1 + lowest(run) if run else None

    def _earned_weeks(self, after: int, week: int) -> list[int]:
        """List the whole self-support weeks after the first benefit week, in the window at `week`.

        The first benefit week is the first one after the week `after`.
        """
        began = self._began(after, week)
        if began is None:
            return []
        first = max(self._law.window.first[week], began + 1)
        return [number for number in range(first, week + 1) if not self._weeks.busy >> number & 1]

    def ahead(self, book: Rulebook) -> Ahead:
        """Work out what changes the counters next, after the week's end."""
        week = week_text(self.week)
        if self.began is None or self.is_new_start:
            band = book.band(self.week, 1)
            return self._with_sentences(
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
        return self._with_sentences(
            Ahead(week, more, next_refusion, next_medfinansiering, *counters, [])
        )

    def _with_sentences(self, ahead: Ahead) -> Ahead:
        """Add the sentences; a future transfer changes the count by itself (§ 30, stk. 3)."""
        key = "ahead.comes_after" if self._law.new_start.ahead else "ahead.comes_at"
        sentences = list(_ahead_sentences(ahead, sentence(key)))
        if self.reading.second is not None and self.week < self.reading.status.transfer:
            transfer = week_text(self.reading.status.transfer)
            sentences.append(sentence("ahead.transfer", week=transfer))
        return replace(ahead, sentences=sentences)

    def _new_start_ahead(self) -> int:
        """Find the week at whose end the next new start comes, if only self-support follows.

        A benefit comes after it. The search begins at the first possible week; it ends within the
        length of the window.
        """
        known = (2 << self.week) - 1
        benefit, busy = self._weeks.benefit & known, self._weeks.busy & known
        week = self.week + max(1, self.earned.needed - self.earned.earned)
        while True:
            then = 1 << (week + 1)
            resets = resets_before(self._law, WeekSets(benefit | then, busy | then, ()), week + 2)
            if len(resets) > len(self._resets):
                return resets[len(self._resets)]
            week += 1

    def _drops_out(self) -> int | None:
        """Find the first week in which an earned week has left the window.

        Returns None if a new start can come before that.
        """
        weeks = self._earned_weeks(self.after, self.week)
        if not weeks:
            return None
        window, following = self._law.window, self.week + 1
        while window.first[following] <= weeks[0]:
            following += 1
        return following if following <= self.week + max(1, window.needed - len(weeks)) else None


def resets_before(law: Law, weeks: WeekSets, end: int) -> list[int]:
    """List every new start at the end of a week before `end`."""
    return [*law.new_start.extend(law.window, weeks.benefit, weeks.busy, (), 0, end)]


def _state(weeks: WeekSets, week: int) -> State:
    if weeks.benefit >> week & 1:
        return "B"
    return "O" if weeks.busy >> week & 1 else "S"


def spans_of(weeks: Iterable[int]) -> list[WeekSpan]:
    """Group weeks, in order, into spans of consecutive weeks."""
    spans: list[list[int]] = []
    for week in weeks:
        if spans and spans[-1][0] + spans[-1][1] == week:
            spans[-1][1] += 1
        else:
            spans.append([week, 1])
    return [WeekSpan(week_text(first), number) for first, number in spans]


# --- in sentences ------------------------------------------------------------------------------


def _ahead_sentences(ahead: Ahead, comes: Sentence) -> Iterator[Sentence]:
    refusion, medfinansiering = ahead.next_refusion or 0, ahead.next_medfinansiering or 0
    percent = {"refusion": refusion, "medfinansiering": medfinansiering}
    if ahead.self_support_weeks is None or ahead.new_start is None:
        yield Sentence("ahead.first", percent)
        return
    if ahead.benefit_weeks:
        yield Sentence("ahead.step", {"number": ahead.benefit_weeks, **percent})
    else:
        yield sentence("ahead.last")
    unless = sentence("ahead.unless", week=ahead.drops_out) if ahead.drops_out else NOTHING
    yield sentence(
        "ahead.new_start",
        number=ahead.self_support_weeks,
        unless=unless,
        comes=comes,
        week=ahead.new_start,
    )
