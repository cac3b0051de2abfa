"""Gives what pictures of views share: what one is made of, short names, and pieces of money."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from domain.ruledata.ruleset import RuleSet
from projections.lis.answers import Answer
from projections.lis.picture_words import PictureTeller
from projections.lis.pictures import Curve, Piece, Stack, colour_of, columns, lines, stacks

Rows = list[dict[str, Any]]
LONGEST_NAME: Final = 30


class Scene(NamedTuple):
    """All that a picture is made of; `place` says where and when it is about."""

    answer: Answer
    rows: Rows
    law: RuleSet
    place: str
    tell: PictureTeller

    def at(self, sentence: str, **values: object) -> "Scene":
        """Return the same scene with more words below its title; `{place}` is what stands there."""
        return self._replace(place=self.tell.say(sentence, place=self.place, **values))

    def stacks(self, title: str, parts: Sequence[Stack], **values: object) -> str:
        """Draw stacks below a title, which is said with its values."""
        return stacks(self.tell.say(title, **values), self.place, parts, self.tell.language)

    def columns(
        self, title: str, names: Sequence[str], sizes: Sequence[int], **values: object
    ) -> str:
        """Draw columns below a title, which is said with its values."""
        return columns(self.tell.say(title, **values), self.place, names, sizes, self.tell.language)

    def lines(
        self,
        title: str,
        points: Sequence[str],
        drawn: Sequence[Curve],
        said: Callable[[float], str],
        **values: object,
    ) -> str:
        """Draw lines below a title, which is said with its values."""
        told = self.tell.say(title, **values)
        return lines(told, self.place, points, drawn, said, self.tell.language)


def short_name(name: str) -> str:
    """Cut a name that has no room beside its stack, and show that it is cut."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}…"


def money_piece(
    tell: PictureTeller, name: str, share: int, ore: int, *, is_hatched: bool = False
) -> Piece:
    """Make a piece of money, in the colour of a share of the State."""
    return Piece(tell.say(name), colour_of(share), is_hatched, ore, tell.size("ore", ore))
