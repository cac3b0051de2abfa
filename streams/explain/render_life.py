"""A whole life on a page: a strip with a sign for each week, then sentences."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.explain.reasons import LifeReason, WeekOfLife
from streams.explain.find import RejectedLine
from streams.explain.render import (
    genoptjeningstaeller,
    heading,
    new_start_text,
    old_case_text,
    refusionstaeller,
    sentences,
    show_reports,
    step_text,
    week_text,
)
from streams.kit.catalogue import Catalogue

STEP_STYLES: Final = (
    "black on green3",
    "black on yellow3",
    "black on dark_orange",
    "white on red3",
)
STYLES: Final = {
    "b": "black on grey62",
    "o": "white on blue",
    ".": "dim",
    "+": "bold cyan",
    "*": "bold magenta",
}
SIGNS: Final = {"b": "before", "o": "other", ".": "self", "+": "earned", "*": "start"}
TICKS: Final = (1, 10, 20, 30, 40, 50)
WEEKS_IN_ROW: Final = 53


def show_life(
    life: LifeReason, rejected: Sequence[RejectedLine], words: Catalogue, out: Console
) -> None:
    """Show a whole life: the strip, then sentences, then the reports that do not count."""
    out.print(heading(words.text("life.heading", citizen=life.citizen, rules=life.rule_set)))
    if life.ahead is None:
        out.print(words.text("life.nothing") + "\n")
    else:
        out.print(_strip(life.weeks, words))
        out.print(_legend(life, words))
        out.print()
        out.print(words.text("life.standing", week=week_text(life.ahead.week)))
        ahead = map(words.say, life.ahead.sentences)
        out.print(sentences([*_standing(life, words), *ahead]))
    if life.old_case:
        out.print(old_case_text(life.old_case, words) + "\n")
    others = [report for report in life.reports if report.fate != "counts"]
    title = words.text("life.others", number=len(life.reports))
    show_reports(title, others, rejected, words, out)
    if life.weeks:
        out.print(words.text("life.one_week"))
        out.print(f"  --week {life.weeks[-1].week}")


def _strip(weeks: Sequence[WeekOfLife], words: Catalogue) -> Table:
    """Lay out a row for each ISO year, with a sign for each of its weeks."""
    rows: dict[int, list[WeekOfLife | None]] = {}
    for week in weeks:
        year, number, _ = date.fromisoformat(week.week).isocalendar()
        rows.setdefault(year, [None] * WEEKS_IN_ROW)[number - 1] = week
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    ruler = "".join(
        f"{tick:<{after - tick}}"
        for tick, after in zip(TICKS, (*TICKS[1:], WEEKS_IN_ROW), strict=True)
    )
    table.add_row(words.text("life.ruler"), Text(ruler, style="dim"))
    for year, row in rows.items():
        signs = Text()
        for week_of_life in row:
            sign = _sign(week_of_life) if week_of_life else " "
            signs.append(sign, style=_style(sign) if week_of_life else "")
        table.add_row(str(year), signs)
    return table


def _sign(week: WeekOfLife) -> str:
    if week.state == "B":
        return "b" if week.step is None else str(week.step)
    if week.state == "O":
        return "o"
    if week.new_start:
        return "*"
    return "+" if week.earned_now else "."


def _style(sign: str) -> str:
    if sign.isdigit():
        return STEP_STYLES[min(int(sign), len(STEP_STYLES)) - 1]
    return STYLES[sign]


def _legend(life: LifeReason, words: Catalogue) -> Text:
    """Explain the signs that are in the strip."""
    meanings = {sign: words.text(f"sign.{name}") for sign, name in SIGNS.items()}
    signs = {_sign(week) for week in life.weeks}
    numbers = sorted(sign for sign in signs if sign.isdigit())
    steps = {sign: words.text("sign.step", step=sign) for sign in numbers}
    shown = {sign: text for sign, text in (steps | meanings).items() if sign in signs}
    line = Text()
    for sign, text in shown.items():
        rule = life.rules.get(f"staircase.{sign}")
        percent = words.text("sign.percent", percent=rule.says.values["refusion"]) if rule else ""
        line.append(sign, style=_style(sign)).append(f" {text}{percent}   ")
    return line


def _standing(life: LifeReason, words: Catalogue) -> Iterator[str]:
    yield refusionstaeller(life.count, words)
    if life.band:
        yield step_text(life.band, words)
    yield genoptjeningstaeller(life.earned, words)
    for new_start in life.new_starts:
        yield new_start_text(new_start, words)
