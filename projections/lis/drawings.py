"""Chooses the picture of a view, and makes it of an answer."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from domain.ruledata.ruleset import RuleSet
from projections.lis.answers import Answer, csv_value
from projections.lis.pictures import Curve, Piece, Stack, colour_of, columns, grouped, lines, stacks
from projections.lis.questions import ViewError

Rows = list[dict[str, Any]]
LONGEST_NAME: Final = 30


def drawing_of(answer: Answer, law: RuleSet, place: str) -> str:
    """Draw an answer as SVG; `place` says where and when it is about.

    Raises ViewError for a view that is better read as a table.
    """
    if answer.view not in _DRAWN or answer.names[0] not in ("municipality", "month"):
        raise ViewError(
            f"{answer.view} has no picture; there is one of {', '.join(sorted(_DRAWN))}"
        )
    rows = [dict(zip(answer.names, row, strict=True)) for row in answer.rows]
    return _DRAWN[answer.view](answer, rows, law, f"{place}, {answer.as_of()}")


def _by_rate(answer: Answer, rows: Rows, law: RuleSet, place: str) -> str:
    """Stack each benefit's money or persons by rate."""
    measure = "amount_ore" if answer.view == "beloeb" else "persons"
    sizes: dict[str, dict[tuple[str, int], int]] = {}
    for row in rows:
        code, rate = row["benefit"], row["rate"]
        if code is not None and rate is not None:
            mechanism = row.get("mechanism") or law.benefits[code].mechanism or "refusion"
            sums = sizes.setdefault(code, {})
            sums[mechanism, rate] = sums.get((mechanism, rate), 0) + row[measure]
    parts = [
        Stack(
            f"{code} {law.benefits[code].name}"[:LONGEST_NAME],
            [_piece(*key, size) for key, size in sorted(sums.items(), key=_in_order)],
            _label(measure, sum(sums.values())),
        )
        for code, sums in sorted(sizes.items(), key=lambda item: -sum(item[1].values()))
    ]
    what = "Udgiftsgrundlag" if measure == "amount_ore" else "Personer"
    return stacks(f"{what} efter ydelse og procent", place, parts)


def _in_order(item: tuple[tuple[str, int], int]) -> tuple[str, int]:
    (mechanism, rate), _ = item
    return mechanism, -_state_share(mechanism, rate)


def _state_share(mechanism: str, rate: int) -> int:
    return rate if mechanism == "refusion" else 100 - rate


def _piece(mechanism: str, rate: int, size: int) -> Piece:
    is_refusion = mechanism == "refusion"
    name = f"{'refusion' if is_refusion else 'medfinansiering'} {rate} %"
    return Piece(name, colour_of(_state_share(mechanism, rate)), not is_refusion, size)


def _label(measure: str, size: int) -> str:
    return f"{grouped(size // 100)} kr." if measure == "amount_ore" else f"{grouped(size)}"


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
    total = grouped(sum(persons.values()))
    return columns(f"{total} personer efter {what}", place, names, [*persons.values()])


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
    return lines("Personer på hvert refusionstrin", place, months, drawn)


def _beside_each_other(_answer: Answer, rows: Rows, law: RuleSet, place: str) -> str:
    """Draw the mean percentage of each municipality in the last month that is shown."""
    last = max((row["month"] for row in rows), default="")
    shown = [
        row for row in rows if row["month"] == last and row["mean_refusion_percent"] is not None
    ]
    shown.sort(key=lambda row: -row["mean_refusion_percent"])
    parts = [
        Stack(
            f"{row['municipality']} {law.municipalities[row['municipality']]}"[:LONGEST_NAME],
            [Piece("refusion %", colour_of(30), False, row["mean_refusion_percent"])],
            f"{csv_value('percent', row['mean_refusion_percent'])} %",
        )
        for row in shown
    ]
    return stacks(f"Gennemsnitlig refusionsprocent {last}", place, parts)


_DRAWN: Final[Mapping[str, Callable[[Answer, Rows, RuleSet, str], str]]] = {
    "beloeb": _by_rate,
    "personer": _by_rate,
    "anciennitet": _bands,
    "genoptjening": _bands,
    "udvikling": _over_months,
    "sammenligning": _beside_each_other,
}
