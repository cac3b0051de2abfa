"""Draws a course over time as a small picture: numbers in, the shapes of an SVG out.

It takes the colour of the text, so that it reads in black and white, on paper and in the colours
that a visitor has chosen; the words of the picture are its text alternative.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from streams.web.samples import SamplePoint

WIDTH: Final = 320
HEIGHT: Final = 80
MARGIN: Final = 6


class SmallChart(NamedTuple):
    """A picture: its text alternative, the line as points, the surface below it, and its end."""

    told: str
    line: str
    surface: str
    end: tuple[float, float]


def small_chart(
    points: Sequence[SamplePoint], since: datetime, now: datetime, told: str
) -> SmallChart:
    """Draw points, of which there is one at least; the axis of values begins at 0."""
    most = max(1, *(point.value for point in points))
    length = (now - since).total_seconds() or 1.0
    places = [
        (
            MARGIN + (WIDTH - 2 * MARGIN) * (point.at - since).total_seconds() / length,
            HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * point.value / most,
        )
        for point in points
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    ground = HEIGHT - MARGIN
    surface = f"{places[0][0]:.1f},{ground} {line} {places[-1][0]:.1f},{ground}"
    x, y = places[-1]
    return SmallChart(told, line, surface, (round(x, 1), round(y, 1)))
