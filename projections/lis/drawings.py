"""Chooses the picture of a view, and makes it of an answer."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from domain.ruledata.ruleset import RuleSet
from projections.lis.amounts import whole_kroner
from projections.lis.answers import Answer, ColumnKind
from projections.lis.control_drawings import (
    against_books,
    against_expected,
    between_municipalities,
    by_account,
)
from projections.lis.definitions import DEFINITIONS
from projections.lis.drawing_parts import Scene, money_piece, short_name
from projections.lis.forecast_drawings import errors_by_distance, of_months_to_come
from projections.lis.picture_words import PictureTeller
from projections.lis.pictures import Curve, Language, Piece, Stack, colour_of
from projections.lis.questions import ViewError


def drawing_of(answer: Answer, law: RuleSet, place: str, language: Language = "da") -> str:
    """Draw an answer as SVG; `place` says where and when it is about, in the language.

    Raises ViewError for a view that is better read as a table.
    """
    drawing = _DRAWN.get(answer.view)
    if drawing is None or not {*drawing.columns} <= {*answer.names}:
        definition = DEFINITIONS.get(answer.view)
        why = f" ({definition.no_picture})" if definition and definition.no_picture else ""
        raise ViewError(
            f"these rows of {answer.view} have no picture{why}; there is one of"
            f" {', '.join(sorted(_DRAWN))}, with all their columns"
        )
    rows = [dict(zip(answer.names, row, strict=True)) for row in answer.rows]
    tell = PictureTeller(language)
    return drawing.draw(Scene(answer, rows, law, f"{place}, {answer.as_of(tell.say)}", tell))


_MEASURES: Final[Mapping[str, tuple[str, ColumnKind]]] = {
    "beloeb": ("amount_ore", "ore"),
    "personer": ("persons", "count"),
}


def _by_rate(of: Scene) -> str:
    """Stack each benefit's money or persons by rate."""
    measure, kind = _MEASURES[of.answer.view]
    sizes: dict[str, dict[tuple[str, int], int]] = {}
    for row in of.rows:
        code, rate = row["benefit"], row["rate"]
        if code is not None and rate is not None:
            mechanism = row.get("mechanism") or of.law.benefits[code].mechanism or "refusion"
            sums = sizes.setdefault(code, {})
            sums[mechanism, rate] = sums.get((mechanism, rate), 0) + row[measure]
    parts = [
        Stack(
            short_name(f"{code} {of.law.benefits[code].name}"),
            [
                _piece(of.tell, *key, size, kind)
                for key, size in sorted(sums.items(), key=_in_order)
            ],
            of.tell.size(kind, sum(sums.values())),
        )
        for code, sums in sorted(sizes.items(), key=lambda item: -sum(item[1].values()))
    ]
    what = of.tell.say("Udgiftsgrundlag" if kind == "ore" else "Personer")
    return of.stacks("{what} efter ydelse og procent", parts, what=what)


def _in_order(item: tuple[tuple[str, int], int]) -> tuple[str, int]:
    (mechanism, rate), _ = item
    return mechanism, -_state_share(mechanism, rate)


def _state_share(mechanism: str, rate: int) -> int:
    return rate if mechanism == "refusion" else 100 - rate


def _piece(tell: PictureTeller, mechanism: str, rate: int, size: int, kind: ColumnKind) -> Piece:
    is_refusion = mechanism == "refusion"
    name = tell.say("refusion {rate} %" if is_refusion else "medfinansiering {rate} %", rate=rate)
    colour = colour_of(_state_share(mechanism, rate))
    return Piece(name, colour, not is_refusion, size, tell.size(kind, size))


def _bands(of: Scene) -> str:
    """Draw the bands of a counter, summed over the municipalities that are shown."""
    first, last, title = (
        ("from_week", "to_week", "{people} efter anciennitet i uger")
        if of.answer.view == "anciennitet"
        else ("from_weeks", "to_weeks", "{people} efter optjente uger med selvforsørgelse")
    )
    persons: dict[tuple[int, int | None], int] = {}
    for row in of.rows:
        key = row[first], row[last]
        persons[key] = persons.get(key, 0) + row["persons"]
    names = [_band_name(*key) for key in persons]
    total = sum(persons.values())
    sentence = "{number} person" if total == 1 else "{number} personer"
    people = of.tell.say(sentence, number=of.tell.count(total))
    return of.columns(title, names, [*persons.values()], people=people)


def _band_name(first: int, last: int | None) -> str:
    return f"{first}+" if last is None else str(first) if first == last else f"{first}-{last}"


def _over_months(of: Scene) -> str:
    """Draw the persons on each step, summed over the municipalities that are shown."""
    months = sorted({row["month"] for row in of.rows})
    drawn = []
    for step in (1, 2, 3, 4):
        sums = dict.fromkeys(months, 0)
        for row in of.rows:
            sums[row["month"]] += row[f"persons_step_{step}"]
        drawn.append(Curve(of.tell.say("trin {step}", step=step), [*sums.values()]))
    return of.lines("Personer på hvert refusionstrin", months, drawn, of.tell.count)


def _beside_each_other(of: Scene) -> str:
    """Draw the mean percentage of each municipality in the last month that is shown."""
    last = max((row["month"] for row in of.rows), default="")
    shown = [
        row for row in of.rows if row["month"] == last and row["mean_refusion_percent"] is not None
    ]
    if not shown:
        raise ViewError(f"every figure of {last} is hidden, so there is nothing to draw")
    shown.sort(key=lambda row: -row["mean_refusion_percent"])
    parts = [
        Stack(
            short_name(f"{row['municipality']} {of.law.municipalities[row['municipality']]}"),
            [
                Piece(
                    of.tell.say("refusion"),
                    colour_of(30),
                    False,
                    percent,
                    of.tell.size("percent", percent),
                )
            ],
            of.tell.size("percent", percent),
        )
        for row in shown
        for percent in (row["mean_refusion_percent"],)
    ]
    return of.stacks("Gennemsnitlig refusionsprocent {month}", parts, month=last)


MOST_RUNS: Final = 25
"""The runs that are drawn: two years, and the open one."""


def _of_runs(of: Scene) -> str:
    """Stack what each run settles, summed over the municipalities that are shown."""
    sums: dict[tuple[bool, int, str], list[int]] = {}
    for row in of.rows:
        key = row["run"] is None, row["run"] or 0, row["data_month"] or ""
        of_run = sums.setdefault(key, [0, 0])
        of_run[0] += row["refusion_ore"]
        of_run[1] += row["medfinansiering_ore"]
    parts = [
        _both_ways(
            of.tell,
            of.tell.say(
                "åben {month}" if is_open else "kørsel {run} {month}", run=run, month=month
            ),
            *sums[is_open, run, month],
        )
        for is_open, run, month in sorted(sums)[-MOST_RUNS:]
    ]
    if len(sums) > MOST_RUNS:
        of = of.at("{place}; de seneste {most} af {all} kørsler", most=MOST_RUNS, all=len(sums))
    return of.stacks("Refusion og medfinansiering, og det beløb, der afregnes", parts)


def _of_places(of: Scene) -> str:
    """Stack the money of each municipality, summed over the months that are shown."""
    sums: dict[str, list[int]] = {}
    for row in of.rows:
        of_place = sums.setdefault(row["municipality"], [0, 0])
        of_place[0] += row["refusion_ore"]
        of_place[1] += row["medfinansiering_ore"]
    parts = [
        _both_ways(of.tell, short_name(f"{code} {of.law.municipalities[code]}"), *sums[code])
        for code in sorted(sums, key=lambda code: (-sum(sums[code]), code))
    ]
    return of.stacks("Refusion og medfinansiering, og det beløb, der afregnes", parts)


def _both_ways(tell: PictureTeller, name: str, refusion: int, medfinansiering: int) -> Stack:
    pieces = [
        money_piece(tell, "refusion", 40, refusion),
        money_piece(tell, "medfinansiering", 65, medfinansiering, is_hatched=True),
    ]
    return Stack(name, pieces, tell.size("ore", refusion - medfinansiering))


AGES: Final = ((0, "samme måned"), (1, "1-3 måneder"), (4, "4-12 måneder"), (13, "over et år"))
"""The least age in months of each group of corrections, and its name."""


def _by_age(of: Scene) -> str:
    """Stack what corrections move up and down, by how old the corrected month is."""
    sums = {name: [0, 0] for _, name in AGES}
    for row in of.rows:
        age = max(row["age_months"] or 0, 0)
        of_age = sums[[name for first, name in AGES if first <= age][-1]]
        of_age[0] += row["up_ore"]
        of_age[1] -= row["down_ore"]
    parts = [
        Stack(
            of.tell.say(name),
            [
                money_piece(of.tell, "op", 40, up),
                money_piece(of.tell, "ned", 65, down, is_hatched=True),
            ],
            of.tell.say("netto {size}", size=of.tell.size("ore", up - down)),
        )
        for name, (up, down) in sums.items()
    ]
    return of.stacks("Berigtigelser efter den rettede måneds alder", parts)


AHEAD: Final = ((0, "0-4"), (5, "5-13"), (14, "14-26"), (27, "27-52"), (53, "53+"))
"""The first week of each group of weeks to the next step, and its name."""
LAST_STEP: Final = "sidste trin"


def _ahead(of: Scene) -> str:
    """Draw how many citizens are how many weeks from the next step."""
    persons = dict.fromkeys([*(name for _, name in AHEAD), LAST_STEP], 0)
    for row in of.rows:
        weeks = row["weeks_to_next"]
        groups = [name for first, name in AHEAD if weeks is not None and first <= weeks]
        persons[groups[-1] if groups else LAST_STEP] += 1
    names = [of.tell.say(name) if name == LAST_STEP else name for name in persons]
    return of.columns(
        "{citizens} efter uger til et lavere refusionstrin",
        names,
        [*persons.values()],
        citizens=of.tell.citizens(len(of.rows)),
    )


def _week_by_step(of: Scene) -> str:
    """Stack who pays for an average week on each step."""
    parts = []
    several = len({row["municipality"] for row in of.rows}) > 1
    for row in of.rows:
        where = f"{row['municipality']} " if several else ""
        parts.append(
            Stack(
                of.tell.say(
                    "{where}trin {step} ({rate} %)", where=where, step=row["step"], rate=row["rate"]
                ),
                [
                    money_piece(of.tell, "kommunen", 65, row["own_cost_ore"], is_hatched=True),
                    money_piece(of.tell, "staten", 40, row["week_ore"] - row["own_cost_ore"]),
                ],
                f"{of.tell.size('ore', row['week_ore'])}, {of.tell.citizens(row['persons'])}",
            )
        )
    return of.stacks("Hvem betaler en gennemsnitlig uge på hvert trin", parts)


MOST_CHANGES: Final = 15


def _changes(of: Scene) -> str:
    """Draw the most usual changes from one benefit to another, to none or from none."""
    persons: dict[tuple[str, str], int] = {}
    for row in of.rows:
        if row["from_benefit"] != row["to_benefit"]:
            none = of.tell.say("ingen")
            key = row["from_benefit"] or none, row["to_benefit"] or none
            persons[key] = persons.get(key, 0) + row["persons"]
    if not persons:
        raise ViewError("nobody goes from one benefit to another, so there is nothing to draw")
    most = sorted(persons, key=lambda key: (-persons[key], key))[:MOST_CHANGES]
    parts = [
        Stack(
            of.tell.say("{came} til {went}", came=came, went=went),
            [Piece(of.tell.say("personer"), colour_of(30), False, number, of.tell.count(number))],
            of.tell.count(number),
        )
        for came, went in most
        for number in (persons[came, went],)
    ]
    return of.stacks("De hyppigste skift mellem ydelser", parts)


def _of_citizen(of: Scene) -> str:
    """Draw what a citizen's benefits cost each month, and what the State pays of it."""
    months = sorted({row["month"] for row in of.rows})
    drawn = []
    for name, measure in (
        ("udgiftsgrundlag", "amount_ore"),
        ("refusion", "refusion_ore"),
        ("medfinansiering", "medfinansiering_ore"),
    ):
        sums = dict.fromkeys(months, 0)
        for row in of.rows:
            sums[row["month"]] += row[measure]
        if any(sums.values()):
            drawn.append(Curve(of.tell.say(name), [*map(whole_kroner, sums.values())]))
    return of.lines("En borgers måneder i kroner", months, drawn, of.tell.kroner)


class Drawing(NamedTuple):
    """A picture: the columns that it is made of, and the function that draws it."""

    columns: tuple[str, ...]
    draw: Callable[[Scene], str]


_MONEY: Final = ("refusion_ore", "medfinansiering_ore")
_EXPECTED: Final = ("reporter", "benefit", "month", "received_ore", "expected_ore")
_DRAWN: Final[Mapping[str, Drawing]] = {
    "beloeb": Drawing(("benefit", "rate", "mechanism", "amount_ore"), _by_rate),
    "personer": Drawing(("benefit", "rate", "persons"), _by_rate),
    "afregning": Drawing(("run", "data_month", *_MONEY), _of_runs),
    "korrektioner": Drawing(("age_months", "up_ore", "down_ore"), _by_age),
    "anciennitet": Drawing(("from_week", "to_week", "persons"), _bands),
    "paa-vej-ned": Drawing(("weeks_to_next",), _ahead),
    "genoptjening": Drawing(("from_weeks", "to_weeks", "persons"), _bands),
    "udvikling": Drawing(("month", "persons_step_1", "persons_step_4"), _over_months),
    "overgange": Drawing(("from_benefit", "to_benefit", "persons"), _changes),
    "sammenligning": Drawing(
        ("municipality", "month", "mean_refusion_percent"), _beside_each_other
    ),
    "landet": Drawing(("municipality", *_MONEY), _of_places),
    "borger": Drawing(("month", "amount_ore", *_MONEY), _of_citizen),
    "ugens-vaerdi": Drawing(
        ("municipality", "step", "rate", "week_ore", "own_cost_ore"), _week_by_step
    ),
    "prognose": Drawing(("month", "net_ore", "net_low_ore", "net_high_ore"), of_months_to_come),
    "udgifter": Drawing(("benefit", "account", "amount_ore"), by_account),
    "mellemkommunalt": Drawing(("paying", "financing", "amount_ore"), between_municipalities),
    "fuldstaendighed": Drawing(_EXPECTED, against_expected),
    "forventet": Drawing(_EXPECTED, against_expected),
    "afstemning": Drawing(("account", "month", "difference_ore", "unexplained_ore"), against_books),
    "prognosefejl": Drawing(("months_ahead", "net_error_percent", "better"), errors_by_distance),
}
