"""Chooses the picture of a view, and makes it of an answer."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from domain.ruledata.ruleset import RuleSet
from projections.lis.amounts import whole_kroner
from projections.lis.answers import Answer, ColumnKind, shown_value
from projections.lis.pictures import Curve, Piece, Stack, colour_of, columns, grouped, lines, stacks
from projections.lis.questions import ViewError

Rows = list[dict[str, Any]]
LONGEST_NAME: Final = 30


def drawing_of(answer: Answer, law: RuleSet, place: str) -> str:
    """Draw an answer as SVG; `place` says where and when it is about.

    Raises ViewError for a view that is better read as a table.
    """
    drawing = _DRAWN.get(answer.view)
    if drawing is None or not {*drawing.columns} <= {*answer.names}:
        raise ViewError(
            f"these rows of {answer.view} have no picture; there is one of"
            f" {', '.join(sorted(_DRAWN))}, with all their columns"
        )
    rows = [dict(zip(answer.names, row, strict=True)) for row in answer.rows]
    return drawing.draw(answer, rows, law, f"{place}, {answer.as_of()}")


def _short_name(name: str) -> str:
    """Cut a name that has no room beside its stack, and show that it is cut."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}…"


_MEASURES: Final[Mapping[str, tuple[str, ColumnKind]]] = {
    "beloeb": ("amount_ore", "ore"),
    "personer": ("persons", "count"),
}


def _by_rate(answer: Answer, rows: Rows, law: RuleSet, place: str) -> str:
    """Stack each benefit's money or persons by rate."""
    measure, kind = _MEASURES[answer.view]
    sizes: dict[str, dict[tuple[str, int], int]] = {}
    for row in rows:
        code, rate = row["benefit"], row["rate"]
        if code is not None and rate is not None:
            mechanism = row.get("mechanism") or law.benefits[code].mechanism or "refusion"
            sums = sizes.setdefault(code, {})
            sums[mechanism, rate] = sums.get((mechanism, rate), 0) + row[measure]
    parts = [
        Stack(
            _short_name(f"{code} {law.benefits[code].name}"),
            [_piece(*key, size, kind) for key, size in sorted(sums.items(), key=_in_order)],
            _said(kind, sum(sums.values())),
        )
        for code, sums in sorted(sizes.items(), key=lambda item: -sum(item[1].values()))
    ]
    what = "Udgiftsgrundlag" if kind == "ore" else "Personer"
    return stacks(f"{what} efter ydelse og procent", place, parts)


def _in_order(item: tuple[tuple[str, int], int]) -> tuple[str, int]:
    (mechanism, rate), _ = item
    return mechanism, -_state_share(mechanism, rate)


def _state_share(mechanism: str, rate: int) -> int:
    return rate if mechanism == "refusion" else 100 - rate


def _piece(mechanism: str, rate: int, size: int, kind: ColumnKind) -> Piece:
    is_refusion = mechanism == "refusion"
    name = f"{'refusion' if is_refusion else 'medfinansiering'} {rate} %"
    colour = colour_of(_state_share(mechanism, rate))
    return Piece(name, colour, not is_refusion, size, _said(kind, size))


def _said(kind: ColumnKind, size: int) -> str:
    """Write a size with its unit: money in whole kroner, as the finding of a page has it."""
    if kind == "ore":
        return _kroner(whole_kroner(size))
    return f"{shown_value(kind, size)} %" if kind == "percent" else shown_value(kind, size)


def _kroner(kroner: float) -> str:
    return f"{grouped(round(kroner))} kr."


def _bands(answer: Answer, rows: Rows, _law: RuleSet, place: str) -> str:
    """Draw the bands of a counter, summed over the municipalities that are shown."""
    first, last, what = (
        ("from_week", "to_week", "anciennitet i uger")
        if answer.view == "anciennitet"
        else ("from_weeks", "to_weeks", "optjente uger med selvforsørgelse")
    )
    persons: dict[tuple[int, int | None], int] = {}
    for row in rows:
        key = row[first], row[last]
        persons[key] = persons.get(key, 0) + row["persons"]
    names = [_band_name(*key) for key in persons]
    total = sum(persons.values())
    people = f"{grouped(total)} {'person' if total == 1 else 'personer'}"
    return columns(f"{people} efter {what}", place, names, [*persons.values()])


def _band_name(first: int, last: int | None) -> str:
    return f"{first}+" if last is None else str(first) if first == last else f"{first}-{last}"


def _over_months(_answer: Answer, rows: Rows, _law: RuleSet, place: str) -> str:
    """Draw the persons on each step, summed over the municipalities that are shown."""
    months = sorted({row["month"] for row in rows})
    drawn = []
    for step in (1, 2, 3, 4):
        sums = dict.fromkeys(months, 0)
        for row in rows:
            sums[row["month"]] += row[f"persons_step_{step}"]
        drawn.append(Curve(f"trin {step}", [*sums.values()]))
    return lines("Personer på hvert refusionstrin", place, months, drawn, _count)


def _beside_each_other(_answer: Answer, rows: Rows, law: RuleSet, place: str) -> str:
    """Draw the mean percentage of each municipality in the last month that is shown."""
    last = max((row["month"] for row in rows), default="")
    shown = [
        row for row in rows if row["month"] == last and row["mean_refusion_percent"] is not None
    ]
    if not shown:
        raise ViewError(f"every figure of {last} is hidden, so there is nothing to draw")
    shown.sort(key=lambda row: -row["mean_refusion_percent"])
    parts = [
        Stack(
            _short_name(f"{row['municipality']} {law.municipalities[row['municipality']]}"),
            [Piece("refusion", colour_of(30), False, percent, _said("percent", percent))],
            _said("percent", percent),
        )
        for row in shown
        for percent in (row["mean_refusion_percent"],)
    ]
    return stacks(f"Gennemsnitlig refusionsprocent {last}", place, parts)


MOST_RUNS: Final = 25
"""The runs that are drawn: two years, and the open one."""


def _of_runs(_answer: Answer, rows: Rows, _law: RuleSet, place: str) -> str:
    """Stack what each run settles, summed over the municipalities that are shown."""
    sums: dict[tuple[bool, int, str], list[int]] = {}
    for row in rows:
        key = row["run"] is None, row["run"] or 0, row["data_month"] or ""
        of_run = sums.setdefault(key, [0, 0])
        of_run[0] += row["refusion_ore"]
        of_run[1] += row["medfinansiering_ore"]
    parts = [
        _both_ways(f"{'åben' if is_open else f'kørsel {run}'} {month}", *sums[is_open, run, month])
        for is_open, run, month in sorted(sums)[-MOST_RUNS:]
    ]
    if len(sums) > MOST_RUNS:
        place = f"{place}; de seneste {MOST_RUNS} af {len(sums)} kørsler"
    return stacks("Refusion og medfinansiering, og det beløb, der afregnes", place, parts)


def _of_places(_answer: Answer, rows: Rows, law: RuleSet, place: str) -> str:
    """Stack the money of each municipality, summed over the months that are shown."""
    sums: dict[str, list[int]] = {}
    for row in rows:
        of_place = sums.setdefault(row["municipality"], [0, 0])
        of_place[0] += row["refusion_ore"]
        of_place[1] += row["medfinansiering_ore"]
    parts = [
        _both_ways(_short_name(f"{code} {law.municipalities[code]}"), *sums[code])
        for code in sorted(sums, key=lambda code: (-sum(sums[code]), code))
    ]
    return stacks("Refusion og medfinansiering, og det beløb, der afregnes", place, parts)


def _both_ways(name: str, refusion: int, medfinansiering: int) -> Stack:
    pieces = [
        _money("refusion", 40, refusion),
        _money("medfinansiering", 65, medfinansiering, is_hatched=True),
    ]
    return Stack(name, pieces, _said("ore", refusion - medfinansiering))


def _money(name: str, share: int, ore: int, *, is_hatched: bool = False) -> Piece:
    return Piece(name, colour_of(share), is_hatched, ore, _said("ore", ore))


AGES: Final = ((0, "samme måned"), (1, "1-3 måneder"), (4, "4-12 måneder"), (13, "over et år"))
"""The least age in months of each group of corrections, and its name."""


def _by_age(_answer: Answer, rows: Rows, _law: RuleSet, place: str) -> str:
    """Stack what corrections move up and down, by how old the corrected month is."""
    sums = {name: [0, 0] for _, name in AGES}
    for row in rows:
        age = max(row["age_months"] or 0, 0)
        of_age = sums[[name for first, name in AGES if first <= age][-1]]
        of_age[0] += row["up_ore"]
        of_age[1] -= row["down_ore"]
    parts = [
        Stack(
            name,
            [_money("op", 40, up), _money("ned", 65, down, is_hatched=True)],
            f"netto {_said('ore', up - down)}",
        )
        for name, (up, down) in sums.items()
    ]
    return stacks("Berigtigelser efter den rettede måneds alder", place, parts)


AHEAD: Final = ((0, "0-4"), (5, "5-13"), (14, "14-26"), (27, "27-52"), (53, "53+"))
"""The first week of each group of weeks to the next step, and its name."""
LAST_STEP: Final = "sidste trin"


def _ahead(_answer: Answer, rows: Rows, _law: RuleSet, place: str) -> str:
    """Draw how many citizens are how many weeks from the next step."""
    persons = dict.fromkeys([*(name for _, name in AHEAD), LAST_STEP], 0)
    for row in rows:
        weeks = row["weeks_to_next"]
        groups = [name for first, name in AHEAD if weeks is not None and first <= weeks]
        persons[groups[-1] if groups else LAST_STEP] += 1
    title = f"{_citizens(len(rows))} efter uger til et lavere refusionstrin"
    return columns(title, place, [*persons], [*persons.values()])


def _count(number: float) -> str:
    return grouped(round(number))


def _percent(percent: float) -> str:
    return _said("percent", round(100 * percent))


def _citizens(number: int) -> str:
    return f"{grouped(number)} {'borger' if number == 1 else 'borgere'}"


def _week_by_step(_answer: Answer, rows: Rows, _law: RuleSet, place: str) -> str:
    """Stack who pays for an average week on each step."""
    parts = []
    several = len({row["municipality"] for row in rows}) > 1
    for row in rows:
        where = f"{row['municipality']} " if several else ""
        parts.append(
            Stack(
                f"{where}trin {row['step']} ({row['rate']} %)",
                [
                    _money("kommunen", 65, row["own_cost_ore"], is_hatched=True),
                    _money("staten", 40, row["week_ore"] - row["own_cost_ore"]),
                ],
                f"{_said('ore', row['week_ore'])}, {_citizens(row['persons'])}",
            )
        )
    return stacks("Hvem betaler en gennemsnitlig uge på hvert trin", place, parts)


MOST_CHANGES: Final = 15


def _changes(_answer: Answer, rows: Rows, _law: RuleSet, place: str) -> str:
    """Draw the most usual changes from one benefit to another, to none or from none."""
    persons: dict[tuple[str, str], int] = {}
    for row in rows:
        if row["from_benefit"] != row["to_benefit"]:
            key = row["from_benefit"] or "ingen", row["to_benefit"] or "ingen"
            persons[key] = persons.get(key, 0) + row["persons"]
    if not persons:
        raise ViewError("nobody goes from one benefit to another, so there is nothing to draw")
    most = sorted(persons, key=lambda key: (-persons[key], key))[:MOST_CHANGES]
    parts = [
        Stack(
            f"{came} til {went}",
            [Piece("personer", colour_of(30), False, number, grouped(number))],
            grouped(number),
        )
        for came, went in most
        for number in (persons[came, went],)
    ]
    return stacks("De hyppigste skift mellem ydelser", place, parts)


def _of_citizen(_answer: Answer, rows: Rows, _law: RuleSet, place: str) -> str:
    """Draw what a citizen's benefits cost each month, and what the State pays of it."""
    months = sorted({row["month"] for row in rows})
    drawn = []
    for name, measure in (
        ("udgiftsgrundlag", "amount_ore"),
        ("refusion", "refusion_ore"),
        ("medfinansiering", "medfinansiering_ore"),
    ):
        sums = dict.fromkeys(months, 0)
        for row in rows:
            sums[row["month"]] += row[measure]
        if any(sums.values()):
            drawn.append(Curve(name, [*map(whole_kroner, sums.values())]))
    return lines("En borgers måneder i kroner", place, months, drawn, _kroner)


def _of_months_to_come(answer: Answer, rows: Rows, _law: RuleSet, place: str) -> str:
    """Draw what the months to come cost, with the interval: of a municipality or the country."""
    is_country = bool(answer.areas) and len({row["municipality"] for row in rows}) != 1
    if is_country:
        rows = [dict(zip(answer.names, row, strict=True)) for row in answer.areas]
    months = sorted({row["month"] for row in rows})
    drawn = []
    for name, words in (("net_ore", "netto"), ("net_low_ore", "mindst"), ("net_high_ore", "højst")):
        sums: dict[str, int | None] = dict.fromkeys(months, 0)
        for row in rows:
            known, value = sums[row["month"]], row[name]
            sums[row["month"]] = None if known is None or value is None else known + value
        values = [None if ore is None else whole_kroner(ore) for ore in sums.values()]
        if any(value is not None for value in values):
            drawn.append(Curve(words, values))
    first, last = (drawn[0].values[at] or 0.0 for at in (0, -1)) if months else (0.0, 0.0)
    change = round(100 * (last - first) / first) if first else 0
    direction = "stiger" if change > 0 else "falder" if change < 0 else "er uændret"
    whose = "Kommunernes" if is_country else "Kommunens"
    finding = f"{whose} netto {direction}" + (f" {abs(change)} %" if change else "")
    span = f" fra {months[0]} til {months[-1]}" if months else ""
    return lines(finding + span, f"{place}; kr. pr. måned", months, drawn, _kroner)


def _errors_by_distance(_answer: Answer, rows: Rows, _law: RuleSet, place: str) -> str:
    """Draw the mean error of the forecast beside those of the two naive ones."""
    distances = sorted({row["months_ahead"] for row in rows})
    drawn = []
    for name, words in (
        ("net_error_percent", "prognosen"),
        ("net_last_month_percent", "som sidste måned"),
        ("net_same_month_percent", "som i fjor"),
    ):
        means = []
        for distance in distances:
            found = [row[name] for row in rows if row["months_ahead"] == distance]
            known = [value for value in found if value is not None]
            means.append(round(sum(known) / len(known)) / 100 if known else None)
        drawn.append(Curve(words, means))
    compared = [row["better"] for row in rows if row["better"] is not None]
    finding = (
        f"Prognosen er bedre end begge gæt i {compared.count('ja')} af {len(compared)} tilfælde"
    )
    if not compared:
        finding = "Prognosen kan ikke holdes mod samme måned året før endnu"
    points = [*map(str, distances)]
    return lines(finding, f"{place}; fejl i netto i procent", points, drawn, _percent)


class Drawing(NamedTuple):
    """A picture: the columns that it is made of, and the function that draws it."""

    columns: tuple[str, ...]
    draw: Callable[[Answer, Rows, RuleSet, str], str]


_MONEY: Final = ("refusion_ore", "medfinansiering_ore")
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
    "prognose": Drawing(("month", "net_ore", "net_low_ore", "net_high_ore"), _of_months_to_come),
    "prognosefejl": Drawing(("months_ahead", "net_error_percent", "better"), _errors_by_distance),
}
