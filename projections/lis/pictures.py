"""Draws three kinds of pictures as SVG by templates of our own: stacks, columns and lines.

A picture reads in black and white too: stacks have outlines, and those of medfinansiering are
hatched; lines differ in dashes and have their names at their ends. Each has a title and, as its
text alternative, all its figures in words.
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple
from xml.sax.saxutils import escape, quoteattr

WIDTH: Final = 860
LEFT: Final = 250
RIGHT: Final = 130
TOP: Final = 74
ROW: Final = 30
BAR: Final = 20
LETTER: Final = 7.6
"""The width of a letter, on average."""
NAME_GAP: Final = 15
"""The least distance of the names of lines."""
INK: Final = "#1a1a1a"
GRID: Final = "#c8c8c8"
COLOURS: Final = {
    80: "#cfe3f5", 40: "#8cbae0", 30: "#3f83bf", 20: "#123f6d",
    100: "#e8e4d8", 65: "#f0c987", 50: "#d9904a", 60: "#8cbae0", 70: "#3f83bf",
}  # fmt: skip
"""Colours by the State's share: the darker, the less the State pays; the others are fixed rates."""
OTHER: Final = "#9a9a9a"
DASHES: Final = ("", "9 5", "2 4", "12 4 2 4", "5 2")
LINE_COLOURS: Final = ("#123f6d", "#b3541e", "#1b7a57", "#7a3b8f", "#444444")


Language = Literal["da", "en"]


class Piece(NamedTuple):
    """A part of a stack: its name in the key, its colour, hatched or plain, and its size.

    `said` is the size in words, with its unit.
    """

    name: str
    colour: str
    is_hatched: bool
    size: int
    said: str


class Stack(NamedTuple):
    """A horizontal stack with its name, its pieces and what is written at its end."""

    name: str
    pieces: Sequence[Piece]
    label: str
    is_marked: bool = False


class Curve(NamedTuple):
    """A line over points of time: a name, and a value at each, None where none is known."""

    name: str
    values: Sequence[float | None]


def grouped(number: int) -> str:
    """Write a whole number as Danes do.

    >>> grouped(1234567), grouped(-1000)
    ('1.234.567', '-1.000')
    """
    return f"{number:,}".replace(",", ".")


def colour_of(state_share: int) -> str:
    """Give the colour of a step or rate by the State's share in percent."""
    return COLOURS.get(state_share, OTHER)


def stacks(title: str, subtitle: str, parts: Sequence[Stack], language: Language = "da") -> str:
    """Draw horizontal stacks below each other, with a key of their pieces."""
    longest = max((sum(max(piece.size, 0) for piece in stack.pieces) for stack in parts), default=0)
    right = max([RIGHT, *(16 + LETTER * len(stack.label) for stack in parts)])
    scale = (WIDTH - LEFT - right) / (longest or 1)
    key = {
        (piece.name, piece.colour, piece.is_hatched) for stack in parts for piece in stack.pieces
    }
    body = []
    for at, stack in enumerate(parts):
        y = TOP + at * ROW
        body.append(_text(LEFT - 10, y + 15, stack.name, anchor="end", bold=stack.is_marked))
        x = float(LEFT)
        for piece in stack.pieces:
            width = max(piece.size, 0) * scale
            body.append(_rectangle(x, y, width, BAR, piece.colour, piece.is_hatched))
            x += width
        body.append(_text(x + 8, y + 15, stack.label, bold=stack.is_marked))
    bottom = TOP + len(parts) * ROW + 14
    rows = _key(sorted(key, key=_in_order), bottom) if len(key) > 1 else []
    height = bottom + 24 * (1 + len(rows) // 8) if rows else bottom
    words = "; ".join(
        f"{stack.name}: {stack.label}"
        + "".join(f", {piece.name} {piece.said}" for piece in stack.pieces)
        for stack in parts
    )
    return _picture(title, subtitle, words, [*body, *rows], height, language)


def _in_order(entry: tuple[str, str, bool]) -> list[tuple[int, str]]:
    """Order names by the numbers in them, not by their digits: 20 % before 100 %."""
    return [
        (int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", entry[0])
    ]


def columns(
    title: str,
    subtitle: str,
    names: Sequence[str],
    values: Sequence[int],
    language: Language = "da",
) -> str:
    """Draw upright columns, each with its value above and its name below."""
    height, bottom = 360, 310
    tallest = max([*values, 1])
    step = (WIDTH - 80) / max(len(values), 1)
    body = [_rule(40, bottom, WIDTH - 40, bottom)]
    for at, (name, value) in enumerate(zip(names, values, strict=True)):
        size = (bottom - TOP - 20) * value / tallest
        x = 40 + at * step
        body.append(_rectangle(x + step * 0.12, bottom - size, step * 0.76, size, LINE_COLOURS[0]))
        body.append(
            _text(x + step / 2, bottom - size - 7, _count(value, language), anchor="middle")
        )
        body.append(_text(x + step / 2, bottom + 20, name, anchor="middle"))
    words = "; ".join(
        f"{name}: {_count(value, language)}" for name, value in zip(names, values, strict=True)
    )
    return _picture(title, subtitle, words, body, height, language)


def _count(number: int, language: Language) -> str:
    return grouped(number) if language == "da" else f"{number:,}"


def lines(
    title: str,
    subtitle: str,
    points: Sequence[str],
    drawn: Sequence[Curve],
    said: Callable[[float], str],
    language: Language = "da",
) -> str:
    """Draw lines over points of time, each with its name at its end; `said` words a value."""
    height, bottom = 400, 340
    values = [value for line in drawn for value in line.values if value is not None]
    most = max([*values, 1.0])
    step = (WIDTH - 70 - 190) / max(len(points) - 1, 1)
    body = []
    for part in range(5):
        y = bottom - (bottom - TOP) * part / 4
        body += [_rule(70, y, WIDTH - 190, y, GRID)]
        body += [_text(62, y + 4, _short(most * part / 4, language), anchor="end")]
    for at, point in enumerate(points):
        if at % max(len(points) // 6, 1) == 0:
            body.append(_text(70 + at * step, bottom + 20, point, anchor="middle"))
    for at, (line, name_y) in enumerate(zip(drawn, _names(drawn, bottom, most), strict=True)):
        body += _drawn_line(line, at, step, (bottom, most), name_y)
    words = "; ".join(
        f"{line.name}: "
        + ", ".join(
            f"{point} {said(value)}"
            for point, value in zip(points, line.values, strict=True)
            if value is not None
        )
        for line in drawn
    )
    return _picture(title, subtitle, words, body, height, language)


def _names(drawn: Sequence[Curve], bottom: int, most: float) -> list[float]:
    """Place the names beside the ends of their lines, in the lines' order and not on each other."""
    last = [[value for value in line.values if value is not None][-1:] for line in drawn]
    ends = [bottom - (bottom - TOP) * value / most for (value,) in filter(None, last)]
    order = sorted(range(len(ends)), key=ends.__getitem__)
    for before, at in pairwise(order):
        ends[at] = max(ends[at], ends[before] + NAME_GAP)
    lowest = float(bottom)
    for at in reversed(order):
        ends[at] = min(ends[at], lowest)
        lowest = ends[at] - NAME_GAP
    placed = iter(ends)
    return [next(placed) if known else float(bottom) for known in last]


def _drawn_line(
    line: Curve, at: int, step: float, scale: tuple[int, float], name_y: float
) -> list[str]:
    bottom, most = scale
    colour = LINE_COLOURS[at % len(LINE_COLOURS)]
    points = [
        (70 + place * step, bottom - (bottom - TOP) * value / most)
        for place, value in enumerate(line.values)
        if value is not None
    ]
    if not points:
        return []
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = DASHES[at % len(DASHES)]
    return [
        (
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"'
            f' stroke-dasharray="{dash}"/>'
        ),
        f'<circle cx="{points[-1][0]:.1f}" cy="{points[-1][1]:.1f}" r="3.5" fill="{colour}"/>',
        _text(WIDTH - 190 + 10, name_y + 5, line.name),  # beside all lines, of which some end early
    ]


def _short(value: float, language: Language = "da") -> str:
    """Write a number of an axis, large ones in thousands or millions.

    >>> _short(5_900_000), _short(24_000_000), _short(12_500), _short(2.6)
    ('5,9 mio.', '24 mio.', '12.500', '2,6')
    >>> _short(5_900_000, "en"), _short(12_500, "en")
    ('5.9 m', '12,500')
    """
    number, _, unit = _short_in_danish(value).partition(" ")
    if language == "en":
        number, unit = number.translate(str.maketrans(".,", ",.")), unit and "m"
    return f"{number} {unit}".strip()


def _short_in_danish(value: float) -> str:
    for size, name in ((1_000_000, " mio."), (10_000, "")):
        if value >= size:
            shown = value / 1_000_000 if name else value
            number = (
                f"{shown:,.0f}".replace(",", ".")
                if shown >= 10
                else f"{shown:.1f}".replace(".", ",")
            )
            return number + name
    return (
        f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}".replace(".", ",")
    )


def _key(entries: Sequence[tuple[str, str, bool]], y: float) -> list[str]:
    found, x = [], 20.0
    for name, colour, is_hatched in entries:
        width = 30 + 7.2 * len(name)
        if x + width > WIDTH - 20:
            x, y = 20.0, y + 24
        found += [_rectangle(x, y, 16, 14, colour, is_hatched), _text(x + 22, y + 12, name)]
        x += width + 14
    return found


def _text(x: float, y: float, words: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(words)}</text>'


def _rule(x1: float, y1: float, x2: float, y2: float, colour: str = INK) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _rectangle(
    x: float, y: float, width: float, height: float, colour: str, is_hatched: bool = False
) -> str:
    shape = f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    plain = f'{shape} fill="{colour}" stroke="{INK}" stroke-width="0.7"/>'
    return plain + (f'{shape} fill="url(#hatch)"/>' if is_hatched else "")


HATCH: Final = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse"'
    f' patternTransform="rotate(45)"><rect width="1.6" height="6" fill="{INK}"/></pattern></defs>'
)


def _picture(
    title: str,
    subtitle: str,
    words: str,
    body: Sequence[str],
    height: float,
    language: Language,
) -> str:
    label = quoteattr(title)
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + 20:.0f}"'
                f' width="{WIDTH}" height="{height + 20:.0f}" role="img" lang="{language}"'
                f' aria-label={label} font-family="Arial, Helvetica, sans-serif" font-size="14"'
                f' fill="{INK}">'
            ),
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(f'{subtitle}. {words}.')}</desc>",
            HATCH,
            f'<rect width="{WIDTH}" height="{height + 20:.0f}" fill="#ffffff"/>',
            f'<text x="20" y="30" font-size="19" font-weight="bold">{escape(title)}</text>',
            f'<text x="20" y="52" fill="#444444">{escape(subtitle)}</text>',
            *body,
            "</svg>",
            "",
        ]
    )
