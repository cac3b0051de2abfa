"""Every figure of the views once more, slowly and plainly, from posting messages alone.

It shares nothing with the marts and the views: no SQL, no table, and of the law only the reference
computation's counting of weeks. Messages are those of `settle`, partition by partition, with the
markers of runs among them.
"""

from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from domain.oracle import reference
from tests.support.lives import RULES

WEEK = timedelta(days=7)
FLEKSBIDRAG = "FB"
BANDS = (0, 1, 5, 27, 53, 105, 157)
Table = defaultdict[Any, Any]
EARNED = (0, 1, 13, 26, 39, 52)
STEPS = ((1, 80), (5, 40), (27, 30), (53, 20))


class Row(NamedTuple):
    """A posting row: the run that holds it (None while it is open) and its citizen."""

    run: int | None
    citizen: str
    reason: str
    row: dict[str, Any]

    @property
    def place(self):
        return self.row["paying"] if self.row["mechanism"] == "refusion" else self.row["financing"]

    def __getattr__(self, name):
        return self.row[name]


class Postings:
    """The postings, with the runs that are closed."""

    def __init__(self, partitions):
        self.rows = []
        self.messages = []  # (run, message)
        self.data_months = {}
        for messages in partitions:
            waiting: list[Any] = []
            for message in messages:
                if message["type"] == "run":
                    self.data_months[message["run"]] = message["data_month"]
                    self._keep(message["run"], waiting)
                    waiting = []
                else:
                    waiting.append(message)
            self._keep(None, waiting)

    def _keep(self, run, messages):
        for message in messages:
            self.messages.append((run, message))
            for row in message["rows"]:
                self.rows.append(
                    Row(run, message["citizen"], message["reason"], {"atp_ore": 0} | row)
                )

    def seen(self, based_on, run, municipality=None, month=None, benefit=None):
        """The rows that a view sees."""
        return [
            row
            for row in self.rows
            if _is_seen(row, based_on, run)
            and municipality in (None, row.place)
            and month in (None, row.month)
            and benefit in (None, row.benefit)
        ]

    def last_run(self, based_on, run):
        return max(self.data_months, default=None) if based_on == "known" else run

    def counters(self, based_on, run):
        """Each citizen's week of evaluation, seniority and earned weeks."""
        last = self.last_run(based_on, run)
        latest = {}
        for of, message in self.messages:
            if based_on == "known" or (of is not None and of <= run):
                latest[message["citizen"]] = message["counters"]
        year, month = map(int, self.data_months[last].split("-"))
        end = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        found: dict[Any, Any] = {}
        for citizen, counters in latest.items():
            at = end - timedelta(days=end.weekday())
            if counters["week"] is not None:
                at = max(at, date.fromisoformat(counters["week"]))
            found[citizen] = (at.isoformat(), *reference.counters_later(counters, RULES, at))
        return found


def _is_seen(row, based_on, run):
    if based_on == "known":
        return True
    if row.run is None:
        return False
    return row.run <= run if based_on == "of" else row.run == run and row.kind != "opening"


def _sums(rows, key_of, *names):
    sums: Table = defaultdict(lambda: [0] * len(names))
    for row in rows:
        for at, name in enumerate(names):
            sums[key_of(row)][at] += row.row[name]
    return {key: tuple(values) for key, values in sums.items() if any(values)}


MONEY = ("amount_ore", "refusion_ore", "medfinansiering_ore")


def beloeb(rows):
    """Figures by municipality, month, benefit, mechanism and rate."""
    return _sums(
        rows, lambda row: (row.place, row.month, row.benefit, row.mechanism, row.rate), *MONEY
    )


def udgifter(rows):
    """Figures by municipality, month, benefit and account."""
    return _sums(
        rows,
        lambda row: (row.place, row.month, row.benefit, row.account),
        *("amount_ore", "atp_ore"),
    )


def personer(rows):
    """Figures by municipality, month, benefit and rate, each of the last two or all (None)."""
    amounts: Table = defaultdict(int)
    weeks: Table = defaultdict(int)
    for row in rows:
        if row.benefit == FLEKSBIDRAG:
            continue
        for benefit in (row.benefit, None):
            for rate in (row.rate, None):
                key = row.place, row.month, benefit, rate
                amounts[key, row.citizen] += row.amount_ore
                weeks[key, row.citizen, row.week] += row.amount_ore
    counts: Table = defaultdict(lambda: [0, 0])
    for (key, _), ore in amounts.items():
        counts[key][0] += ore > 0
    for (key, citizen, _), ore in weeks.items():
        counts[key][1] += ore > 0 and amounts[key, citizen] > 0
    return {key: tuple(count) for key, count in counts.items() if any(count)}


def afregning(posted, based_on, run, municipality=None):
    """Figures by municipality and run, without opening rows."""
    found: Table = defaultdict(lambda: [0, 0, 0, 0])
    last = max(posted.data_months, default=None)
    for row in posted.seen(based_on, run, municipality):
        if row.kind == "opening":
            continue
        sums = found[row.place, row.run]
        net = row.refusion_ore - row.medfinansiering_ore
        sums[0] += row.refusion_ore
        sums[1] += row.refusion_ore if row.benefit == FLEKSBIDRAG else 0
        sums[2] += row.medfinansiering_ore
        month = posted.data_months[row.run] if row.run else following(posted.data_months, last)
        sums[3] += net if month and row.month < month else 0
    return {key: tuple(sums) for key, sums in found.items() if any(sums)}


def following(data_months, last):
    if last is None:
        return None
    year, month = map(int, data_months[last].split("-"))
    return f"{year + month // 12:04d}-{month % 12 + 1:02d}"


def korrektioner(posted, based_on, run, municipality=None):
    """Figures by municipality, run, month, age, reason and benefit: citizens, weeks, up and down.

    A cell counts with its net in the run: what a correction changed, or a late result added.
    """
    last = max(posted.data_months, default=None)
    cells: Table = defaultdict(int)
    persons: Table = defaultdict(set)
    weeks: Table = defaultdict(set)
    for row in posted.seen(based_on, run, municipality):
        month = posted.data_months[row.run] if row.run else following(posted.data_months, last)
        is_late = row.kind == "result" and month is not None and row.month < month
        if row.kind == "correction" or is_late:
            key = row.place, row.run, row.month, age(row.month, month), row.reason, row.benefit
            cell = row.citizen, row.week, row.paying, row.financing
            cells[key, cell] += row.refusion_ore - row.medfinansiering_ore
            persons[key].add(row.citizen)
            weeks[key].add((row.citizen, row.week))
    ups: Table = defaultdict(int)
    downs: Table = defaultdict(int)
    for (key, _), ore in cells.items():
        ups[key] += max(ore, 0)
        downs[key] += min(ore, 0)
    return {key: (len(persons[key]), len(weeks[key]), ups[key], downs[key]) for key in persons}


def age(month, data_month):
    """Months from one month to another."""
    if data_month is None:
        return None
    first, last = ([int(part) for part in text.split("-")] for text in (month, data_month))
    return (last[0] - first[0]) * 12 + last[1] - first[1]


def citizens_of_month(posted, based_on, run, municipality=None):
    """Citizens with a row of each municipality in the data month, fleksbidrag aside.

    What a run booked are its rows; else it is the rows that stand.
    """
    month = posted.data_months[posted.last_run(based_on, run)]
    stands: Table = defaultdict(int)
    for row in posted.seen(based_on, run, municipality, month):
        if row.benefit != FLEKSBIDRAG:
            stands[row.place, row.citizen] += -1 if row.row.get("reverses") else 1
    return {key for key, number in stands.items() if number > 0 or based_on == "settled"}


def paa_vej_ned(posted, based_on, run, municipality=None):
    """Figures by municipality and citizen: week, seniority, rate, weeks to the next, next."""
    counters = posted.counters(based_on, run)
    found: dict[Any, Any] = {}
    for place, citizen in citizens_of_month(posted, based_on, run, municipality):
        week, seniority, _ = counters[citizen]
        number = max(seniority, 1)
        rate = [share for first, share in STEPS if first <= number][-1]
        later = [(first, share) for first, share in STEPS if first > number]
        first, share = later[0] if later else (None, None)
        found[place, citizen] = (
            week, seniority, rate, None if first is None else first - seniority, share,
        )  # fmt: skip
    return found


def anciennitet(posted, based_on, run, municipality=None):
    """Persons by municipality and band."""
    found: Table = defaultdict(int)
    for (place, _), figures in paa_vej_ned(posted, based_on, run, municipality).items():
        found[place, max(first for first in BANDS if first <= figures[1])] += 1
    return dict(found)


def latest_rows(posted, based_on, run):
    """Month, municipality, benefit and largest week of each citizen's latest row with money.

    The latest is that of the last month, and in it of the last week; of several, the first code.
    """
    weeks: Table = defaultdict(lambda: defaultdict(int))
    for row in posted.seen(based_on, run):
        if row.benefit != FLEKSBIDRAG:
            weeks[row.citizen, row.month, row.benefit, row.place][row.week] += row.amount_ore
    found: dict[Any, Any] = {}
    for (citizen, month, benefit, place), ore in sorted(weeks.items(), reverse=True):
        if sum(ore.values()) > 0:
            last = max(week for week in ore if ore[week] > 0)
            if citizen not in found or (month, last) >= found[citizen][0]:
                found[citizen] = ((month, last), (month, place, benefit, max(ore.values())))
    return {citizen: figures for citizen, (_, figures) in found.items()}


def genoptjening(posted, based_on, run, municipality=None):
    """Persons by municipality of their latest row, and band of earned weeks."""
    counters = posted.counters(based_on, run)
    booked = {row.citizen for row in posted.seen(based_on, run) if row.benefit != FLEKSBIDRAG}
    found: Table = defaultdict(int)
    as_of = "of" if based_on == "settled" else based_on
    for citizen, (_, place, *_) in latest_rows(posted, as_of, run).items():
        if municipality in (None, place) and (based_on != "settled" or citizen in booked):
            band = max(first for first in EARNED if first <= counters[citizen][2])
            found[place, band] += 1
    return dict(found)


LAST_STEP = {"refusion": 20, "medfinansiering": 80}
STEP_RATES = {"refusion": (80, 40, 30, 20), "medfinansiering": (20, 60, 70, 80)}


def step_of(row):
    """The step of a row's rate, where its benefit is on the staircase."""
    benefit = RULES.benefits[row.benefit]
    rates = STEP_RATES[row.mechanism]
    return rates.index(row.rate) + 1 if benefit.rate == "staircase" and row.rate in rates else None


def udvikling(rows):
    """Figures by municipality and month: persons, those at each step, base, refusion."""
    persons: Table = defaultdict(int)
    at_step: Table = defaultdict(int)
    base: Table = defaultdict(int)
    of_refusion: Table = defaultdict(lambda: [0, 0])
    for row in rows:
        key = row.place, row.month
        base[key] += row.amount_ore
        if row.mechanism == "refusion":
            of_refusion[key][0] += row.amount_ore
            of_refusion[key][1] += row.refusion_ore
        if row.benefit != FLEKSBIDRAG:
            persons[key, row.citizen] += row.amount_ore
            at_step[key, row.citizen, step_of(row)] += row.amount_ore
    found: dict[Any, Any] = {}
    with_money = Counter(of for (of, _), ore in persons.items() if ore > 0)
    on_step = Counter((of, step) for (of, _, step), ore in at_step.items() if ore > 0)
    for key in base:
        counted = with_money[key]
        steps = [on_step[key, number] for number in (1, 2, 3, 4)]
        amount, refusion = of_refusion[key]
        if counted or base[key]:
            found[key] = (counted, *steps, base[key], refusion, percent_of(refusion, amount))
    return found


def percent_of(part, whole):
    """A percentage with two decimals, rounded half away from 0; None of nothing."""
    if whole == 0:
        return None
    size = Decimal(part * 100) / Decimal(whole)
    return float(size.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))


def overgange(rows, month, before):
    """Figures by municipality, benefit in one month and in the month before: persons, saved."""
    sums: Table = defaultdict(lambda: [0, 0])
    for row in rows:
        if row.benefit != FLEKSBIDRAG and row.month in (month, before):
            sums[row.place, row.citizen, row.month, row.benefit][0] += row.amount_ore
            own = row.medfinansiering_ore
            if row.mechanism == "refusion":
                own = row.amount_ore - row.refusion_ore
            sums[row.place, row.citizen, row.month, row.benefit][1] += own
    benefits: Table = defaultdict(dict)
    costs: Table = defaultdict(int)
    for (place, citizen, of_month, code), (ore, own) in sums.items():
        if ore > 0:
            best = benefits[place, citizen].get(of_month, (0, ""))
            benefits[place, citizen][of_month] = max(best, (ore, code))
            costs[place, citizen, of_month] += own
    found: Table = defaultdict(lambda: [0, 0])
    for (place, citizen), of_months in benefits.items():
        came, went = ((of_months.get(at) or (0, None))[1] for at in (before, month))
        figures = found[place, month, came, went]
        figures[0] += 1
        figures[1] += 12 * (costs[place, citizen, before] - costs[place, citizen, month])
    return {key: tuple(figures) for key, figures in found.items()}


def mellemkommunalt(rows):
    """Figures by month, paying and financing municipality and benefit, where the two differ."""
    return _sums(
        [row for row in rows if row.paying and row.financing and row.paying != row.financing],
        lambda row: (row.month, row.paying, row.financing, row.benefit),
        *MONEY,
    )


def landet(rows):
    """Figures by municipality and month: base, refusion, medfinansiering, net, corrections."""
    found: Table = defaultdict(lambda: [0] * 5)
    for row in rows:
        net = row.refusion_ore - row.medfinansiering_ore
        figures = (row.amount_ore, row.refusion_ore, row.medfinansiering_ore, net)
        for at, ore in enumerate((*figures, net if row.kind == "correction" else 0)):
            found[row.place, row.month][at] += ore
    return {key: tuple(figures) for key, figures in found.items() if any(figures)}


def fleksbidrag(rows):
    """Figures by municipality, month and citizen: of fleksløntilskud on the last step, of FB."""
    found: Table = defaultdict(lambda: [0, 0, 0])
    for row in rows:
        figures = found[row.place, row.month, row.citizen]
        if row.benefit == FLEKSBIDRAG:
            figures[2] += row.refusion_ore
        elif row.benefit == "FLT" and row.rate == LAST_STEP["refusion"]:
            figures[0] += row.amount_ore
            figures[1] += row.refusion_ore
    return {key: tuple(ore) for key, ore in found.items() if ore[0] > 0 or ore[2]}


def ugens_vaerdi(posted, based_on, run, municipality=None):
    """Figures by municipality, step and rate: persons, mean week, own cost now and next, saved."""
    as_of = "of" if based_on == "settled" else based_on
    latest = latest_rows(posted, as_of, run)
    weeks: Table = defaultdict(list)
    for (place, citizen), fall in paa_vej_ned(posted, based_on, run, municipality).items():
        _, last_place, benefit, week_ore = latest.get(citizen, (None, None, None, 0))
        if place == last_place and RULES.benefits[benefit].rate == "staircase":
            weeks[place, fall[2], fall[4]].append(week_ore)
    found: dict[Any, Any] = {}
    for (place, rate, after), ore in weeks.items():
        mean = sum(ore) // len(ore)
        own = mean * (100 - rate) // 100
        later = None if after is None else mean * (100 - after) // 100
        step = STEP_RATES["refusion"].index(rate) + 1
        found[place, step, rate] = (len(ore), mean, own, later, own * len(ore))
    return found


def fuldstaendighed(kept, based_on, run):
    """The lines of the runs that a question sees."""
    return [
        line
        for line in sorted(kept, key=lambda line: line[:4])
        if based_on == "known" or (line.run <= run if based_on == "of" else line.run == run)
    ]


def difference(settled, by, municipality=None):
    """Two rule sets' rows by municipality, benefit, month, or mechanism and rate: A, B, B less A.

    The money of all rows is added up, reversing ones included.
    """
    sums: Table = defaultdict(lambda: [0] * 4)
    for side, rows in enumerate(settled):
        for row in rows:
            place = row["paying"] if row["mechanism"] == "refusion" else row["financing"]
            if municipality in (None, place):
                band = f"{row['mechanism']} {row['rate']} %"
                key = {"municipality": place, "band": band}.get(by) or row[by]
                sums[key][side] += row["refusion_ore"]
                sums[key][side + 2] += row["medfinansiering_ore"]
    return {key: (*ore, ore[1] - ore[3] - ore[0] + ore[2]) for key, ore in sums.items() if any(ore)}
